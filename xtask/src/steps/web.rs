//! The page's own module tests, run by node's test runner without any package.
//!
//! Also how node is started in general, which the browser step shares.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::Report;
use crate::process;
use crate::summary::{Counts, Format, counts_in_line};
use crate::tools::{NODE, Toolbox};

/// The oldest release whose test runner has the options used here.
const NODE_MAJOR_MIN: u32 = 20;

pub(super) fn test(root: &Path, toolbox: &mut Toolbox) -> Result<Report> {
    let node = match node(toolbox) {
        Ok(node) => node,
        Err(sentence) => return Ok(Report::missing(sentence)),
    };
    run_tests(
        &node,
        &root.join("web/tests"),
        &["--test-timeout=60000"],
        |_| {},
    )
}

/// Where node is, if it is new enough; `Err` is a sentence for the person.
pub(super) fn node(toolbox: &mut Toolbox) -> Result<PathBuf, String> {
    let node = toolbox.ensure(&NODE)?;
    let version = Command::new(&node)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match version.as_deref().map(major) {
        Ok(Some(found)) if found >= NODE_MAJOR_MIN => Ok(node),
        _ => Err(format!(
            "node {NODE_MAJOR_MIN} or later is needed for the web and browser tests, not {}",
            version
                .as_deref()
                .unwrap_or("one that does not start")
                .trim()
        )),
    }
}

/// Runs every `*.test.js` in the folder, which the tests also have as their current folder.
///
/// Files are named one by one because what a folder name means to `node --test` changed between
/// releases 20 and 22.
pub(super) fn run_tests(
    node: &Path,
    folder: &Path,
    options: &[&str],
    adjust: impl FnOnce(&mut Command),
) -> Result<Report> {
    let files = test_files(folder)?;
    ensure!(
        !files.is_empty(),
        "there is no *.test.js in {}",
        folder.display()
    );
    let mut words: Vec<OsString> = vec!["--test".into(), "--test-reporter=spec".into()];
    words.extend(options.iter().map(Into::into));
    words.extend(files.into_iter().map(PathBuf::into_os_string));
    let mut command = process::command(node, folder, words);
    adjust(&mut command);
    let mut counts = Counts::default();
    let good = process::run_reading(command, |line| {
        counts += counts_in_line(Format::Node, line);
    })?;
    Ok(Report::counted(counts, good))
}

/// Relative to the folder, in order of name.
fn test_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let name = PathBuf::from(entry?.file_name());
        if name.to_string_lossy().ends_with(".test.js") {
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}

/// `20` for `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v8"), Some(8));
        assert_eq!(major("20.1.0"), None);
        assert_eq!(major(""), None);
    }

    #[test]
    fn only_test_files_are_listed_in_order() {
        let folder = std::env::temp_dir().join(format!("xtask-web-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        for name in ["b.test.js", "a.test.js", "fixture.js"] {
            std::fs::write(folder.join(name), "").expect("writable");
        }
        let files = test_files(&folder).expect("it is there");
        assert_eq!(files, [Path::new("a.test.js"), Path::new("b.test.js")]);
        std::fs::remove_dir_all(folder).expect("ours to remove");
    }
}
