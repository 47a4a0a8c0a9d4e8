//! How a file should look before anybody reads its content: an opening comment that says what it
//! owns, a length a person can hold, and the workspace's lints switched on.

use super::Finding;
use super::code::lines_before_tests;
use super::files::SourceFile;

/// Around here a file usually hides two. Tests at the end of a Rust file are not counted.
const LINES_MAX: usize = 600;

/// Files that are longer for a reason: path, how long they may be, and why. A ratchet: lower the
/// number when a file shrinks, and take it off the list once it is short.
const LONG_FILES: &[(&str, usize, &str)] = &[];

pub(super) fn opening_comments(files: &[SourceFile]) -> Vec<Finding> {
    let lacks = |file: &&SourceFile| {
        let text = file.text.trim_start();
        let is_script = file.is_under("web") || file.is_under("tests-browser");
        file.has_extension(&["rs"]) && !text.starts_with("//!")
            || is_script
                && file.has_extension(&["js", "mjs"])
                && !(text.starts_with("//") || text.starts_with("/*"))
    };
    let message = "opens without a comment that says what the file owns and what it stays out of";
    files
        .iter()
        .filter(lacks)
        .map(|file| Finding::whole(&file.path, message))
        .collect()
}

pub(super) fn long_files(files: &[SourceFile]) -> Vec<Finding> {
    long_files_with(files, LONG_FILES)
}

fn long_files_with(files: &[SourceFile], allowed: &[(&str, usize, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.has_extension(&["rs", "js", "mjs", "css"]))
    {
        let lines = if file.has_extension(&["rs"]) {
            lines_before_tests(&file.text)
        } else {
            file.text.lines().count()
        };
        let entry = allowed.iter().find(|(path, _, _)| *path == file.path);
        let message = match entry {
            None if lines > LINES_MAX => {
                format!("{lines} lines: look for a seam, or list it with a reason in form.rs")
            }
            Some((_, lines_max, reason)) if lines > *lines_max => {
                format!("{lines} lines, grown past the {lines_max} allowed because {reason}")
            }
            Some(_) if lines <= LINES_MAX => {
                format!("{lines} lines: short enough now, take it off the list in form.rs")
            }
            _ => continue,
        };
        findings.push(Finding::whole(&file.path, message));
    }
    for (path, _, _) in allowed {
        if !files.iter().any(|file| file.path == *path) {
            findings.push(Finding::whole(path, "is listed in form.rs but gone"));
        }
    }
    findings
}

/// Without that line a crate silently checks nothing.
pub(super) fn workspace_lints(files: &[SourceFile]) -> Vec<Finding> {
    let lacks = |file: &&SourceFile| {
        // A package that is a workspace of its own has nothing to inherit from.
        let is_member = file.name() == "Cargo.toml"
            && file.text.contains("[package]")
            && !file.text.lines().any(|line| line == "[workspace]");
        let words = file.text.split_whitespace().collect::<Vec<_>>().join(" ");
        is_member && !words.contains("[lints] workspace = true")
    };
    let message = "needs `[lints]` with `workspace = true`, or its warnings are nobody's";
    files
        .iter()
        .filter(lacks)
        .map(|file| Finding::whole(&file.path, message))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::files::made_up;
    use super::*;

    #[test]
    fn files_open_with_a_comment() {
        let files = made_up(&[
            ("crates/vault/src/a.rs", "use std::fs;"),
            ("crates/vault/src/b.rs", "// not a module comment"),
            ("web/lib/c.js", "export const c = 1;"),
            ("crates/vault/src/good.rs", "//! Owns something."),
            ("web/lib/good.js", "// Owns something."),
            ("web/lib/good2.js", "/** Owns something. */"),
        ]);
        let paths: Vec<_> = opening_comments(&files)
            .into_iter()
            .map(|f| f.path)
            .collect();
        assert_eq!(
            paths,
            [
                "crates/vault/src/a.rs",
                "crates/vault/src/b.rs",
                "web/lib/c.js"
            ]
        );
    }

    #[test]
    fn long_files_need_a_reason_and_may_not_grow() {
        let long = "x\n".repeat(LINES_MAX + 1);
        let with_tests = format!("x\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        let files = made_up(&[
            ("a.rs", &long),
            ("b.css", &long),
            ("allowed.js", &long),
            ("grown.js", &long),
            ("short.js", "x\n"),
            ("tested.rs", &with_tests),
        ]);
        let allowed = [
            ("allowed.js", LINES_MAX + 1, "it is one table"),
            ("grown.js", LINES_MAX, "it is one table"),
            ("short.js", LINES_MAX + 1, "it was one table"),
            ("gone.js", LINES_MAX + 1, "it was one table"),
        ];
        let findings = long_files_with(&files, &allowed);
        let paths: Vec<_> = findings
            .iter()
            .map(|finding| finding.path.as_str())
            .collect();
        assert_eq!(paths, ["a.rs", "b.css", "grown.js", "short.js", "gone.js"]);
    }

    #[test]
    fn every_member_takes_the_workspace_lints() {
        let files = made_up(&[
            ("Cargo.toml", "[workspace]\n"),
            ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n"),
            (
                "crates/b/Cargo.toml",
                "[package]\nname = \"b\"\n\n[lints]\nworkspace = true\n",
            ),
        ]);
        let paths: Vec<_> = workspace_lints(&files)
            .into_iter()
            .map(|f| f.path)
            .collect();
        assert_eq!(paths, ["crates/a/Cargo.toml"]);
    }
}
