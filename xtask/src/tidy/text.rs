//! Words that no tracked file may hold, whatever its language.
//!
//! The words are put together here from halves, so that this file may be checked like any other.

use super::Finding;
use super::code::{find_word, line_of};
use super::files::SourceFile;

/// Folders of one machine; a path in a paper or a script must work on every machine.
const MACHINE_FOLDERS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

/// Marks of unfinished work. What is left to do is tracked elsewhere or done.
const LOOSE_ENDS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Where packages come from is a setting of each machine, and a mirror is as good.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("crates.io", "-index"),
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("pypi", ".org"),
    concat!("files.python", "hosted.org"),
    concat!("deb.deb", "ian.org"),
    concat!("security.deb", "ian.org"),
];

pub(super) fn no_machine_paths(files: &[SourceFile]) -> Vec<Finding> {
    // `docs/work/` and `~/work/` are relative; only a path from the root names a machine's folder.
    let continues_a_path =
        |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '*' | '}' | ')' | '>');
    let mut findings = Vec::new();
    for file in files {
        for folder in MACHINE_FOLDERS {
            for (at, _) in file.text.match_indices(folder) {
                if !file.text[..at].ends_with(continues_a_path) {
                    let message = format!("`{folder}` is a folder of somebody's machine");
                    findings.push(Finding::at(&file.path, line_of(&file.text, at), message));
                }
            }
        }
    }
    findings
}

pub(super) fn no_loose_ends(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !is_lock(file)) {
        for word in LOOSE_ENDS {
            findings.extend(find_word(&file.text, word).map(|at| {
                let message = format!("`{word}`: finish it, or write down elsewhere what is left");
                Finding::at(&file.path, line_of(&file.text, at), message)
            }));
        }
    }
    findings
}

pub(super) fn no_registry_hosts(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Cargo writes the name of its default registry into every entry of its lock.
    for file in files.iter().filter(|file| file.name() != "Cargo.lock") {
        for host in REGISTRY_HOSTS {
            findings.extend(file.text.match_indices(host).map(|(at, _)| {
                let message = format!("`{host}`: where packages come from is set per machine");
                Finding::at(&file.path, line_of(&file.text, at), message)
            }));
        }
    }
    findings
}

fn is_lock(file: &SourceFile) -> bool {
    matches!(file.name(), "Cargo.lock" | "package-lock.json")
}

#[cfg(test)]
mod tests {
    use super::super::files::made_up;
    use super::*;

    #[test]
    fn machine_paths_are_found_and_relative_ones_are_not() {
        for folder in MACHINE_FOLDERS {
            let planted = format!("first\ncd {folder}vault\n");
            let findings = no_machine_paths(&made_up(&[("README.md", &planted)]));
            assert_eq!(findings.len(), 1, "{folder}");
            assert_eq!(findings[0].line, 2);
            let relative = format!("see docs{folder}x and ~{folder}y and ..{folder}z");
            assert_eq!(no_machine_paths(&made_up(&[("README.md", &relative)])), []);
        }
    }

    #[test]
    fn loose_ends_are_found() {
        for word in LOOSE_ENDS {
            let planted = format!("// {word}: later");
            assert_eq!(no_loose_ends(&made_up(&[("web/a.js", &planted)])).len(), 1);
            let part = format!("mktemp a.{word}{word}; {word}S");
            assert_eq!(no_loose_ends(&made_up(&[("a.sh", &part)])), []);
            assert_eq!(no_loose_ends(&made_up(&[("Cargo.lock", &planted)])), []);
        }
    }

    #[test]
    fn registry_hosts_are_found_outside_cargos_lock() {
        for host in REGISTRY_HOSTS {
            let planted = format!("\"resolved\": \"https://{host}/x\"");
            assert_eq!(
                no_registry_hosts(&made_up(&[("package-lock.json", &planted)])).len(),
                1
            );
            assert_eq!(no_registry_hosts(&made_up(&[("Cargo.lock", &planted)])), []);
        }
    }
}
