//! Rules about the repository that neither the compiler nor a linter knows, each with its reason.
//!
//! A rule is a function from all files to findings, so its tests plant a violation in a made-up
//! file. Rules read text, not syntax trees: they are signposts for people who mean well, and a
//! false alarm is mended by rewording a line.

mod code;
mod files;
mod form;
mod layers;
mod links;
mod supply;
mod text;
mod web;

use std::fmt;
use std::path::Path;

use anyhow::Result;

use self::files::SourceFile;

/// One broken rule, in the form `path:line: what is wrong and why it matters`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// Counted from 1; 0 speaks of the whole file.
    line: usize,
    message: String,
}

impl Finding {
    fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }

    fn whole(path: &str, message: impl Into<String>) -> Self {
        Self::at(path, 0, message)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Everything that breaks a rule, sorted by place, as lines to print.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let files = files::load(root)?;
    let mut findings = findings(&files);
    findings.extend(supply::dependencies_are_welcome(root)?);
    findings.sort();
    Ok(findings.iter().map(Finding::to_string).collect())
}

fn findings(files: &[SourceFile]) -> Vec<Finding> {
    let rules = [
        layers::unwelcome_words,
        layers::unwelcome_dependencies,
        form::opening_comments,
        form::long_files,
        form::workspace_lints,
        web::imports_resolve,
        web::nothing_is_orphaned,
        web::no_markup_from_strings,
        web::no_other_origin,
        text::no_machine_paths,
        text::no_loose_ends,
        text::no_registry_hosts,
        links::links_resolve,
    ];
    rules.iter().flat_map(|rule| rule(files)).collect()
}
