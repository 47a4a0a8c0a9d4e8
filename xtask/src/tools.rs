//! Finds the programs the tests need and installs missing ones from the distribution's packages.
//!
//! Only Debian's `apt-get` is known; elsewhere a missing tool is reported with its package name.
//! Nothing is ever downloaded from anywhere else, but for peers that `bench` asks cargo or pip for.
#![expect(clippy::print_stdout, reason = "says what is about to be installed")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::process;

/// A program that tests start.
#[derive(Debug)]
pub(crate) struct Tool {
    /// Names it goes by, the preferred one first.
    pub(crate) programs: &'static [&'static str],
    /// Debian packages that bring it; empty for what a developer's machine must have anyway.
    pub(crate) packages: &'static [&'static str],
    pub(crate) needed_for: &'static str,
}

pub(crate) const BROWSER: Tool = Tool {
    programs: &[
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ],
    packages: &["chromium", "fonts-dejavu-core"],
    needed_for: "the browser tests",
};
pub(crate) const SQLITE3: Tool = Tool {
    programs: &["sqlite3"],
    packages: &["sqlite3"],
    needed_for: "the recovery test (a vault read with stock tools)",
};
pub(crate) const ZSTD: Tool = Tool {
    programs: &["zstd"],
    packages: &["zstd"],
    needed_for: "the recovery test (a vault read with stock tools)",
};
pub(crate) const UNZIP: Tool = Tool {
    programs: &["unzip"],
    packages: &["unzip"],
    needed_for: "comparing ZIP downloads with a reader that is not ours",
};
pub(crate) const PYTHON: Tool = Tool {
    programs: &["python3"],
    packages: &["python3"],
    needed_for: "reading ZIPs and making databases with tools that are not ours",
};
pub(crate) const GIT: Tool = Tool {
    programs: &["git"],
    packages: &["git"],
    needed_for: "tidy, to list the files",
};
pub(crate) const NODE: Tool = Tool {
    programs: &["node"],
    packages: &[],
    needed_for: "the web and browser tests",
};
pub(crate) const NPM: Tool = Tool {
    programs: &["npm"],
    packages: &[],
    needed_for: "installing the browser driver",
};

/// Looks tools up, installing on demand.
#[derive(Default)]
pub(crate) struct Toolbox {
    /// Package lists of a fresh machine are empty or old; once per run is enough.
    lists_updated: bool,
}

impl Toolbox {
    /// Where the tool is, after installing it if need be; `Err` is a sentence for the person.
    pub(crate) fn ensure(&mut self, tool: &Tool) -> Result<PathBuf, String> {
        if let Some(path) = find(tool) {
            return Ok(path);
        }
        let missing = format!(
            "{} is missing; it is needed for {}",
            name(tool),
            tool.needed_for
        );
        if tool.packages.is_empty() {
            return Err(format!("{missing}. Install it and try again."));
        }
        let advice = format!(
            "Install the package {} by hand.",
            tool.packages.join(" and ")
        );
        println!("{missing}: installing {}", tool.packages.join(" "));
        match self.install(tool.packages) {
            Ok(true) => find(tool).ok_or(format!("{missing}, also after installing. {advice}")),
            Ok(false) => Err(format!("{missing}, and installing it failed. {advice}")),
            Err(error) => Err(format!(
                "{missing}, and cannot be installed: {error:#}. {advice}"
            )),
        }
    }

    /// Puts a package as a file into `folder`, without installing it; returns the file.
    pub(crate) fn download(&mut self, package: &str, folder: &Path) -> Result<PathBuf> {
        self.update_lists()?;
        let mut command = process::command("apt-get", folder, ["download", "--quiet", package]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        let advice = "it can be had on Debian and its relatives, by apt-get download";
        ensure!(
            process::run(command)?,
            "the package {package} is missing: {advice}"
        );
        let begins = format!("{package}_");
        for item in std::fs::read_dir(folder)? {
            let path = item?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&begins) && name.ends_with(".deb") {
                return Ok(path);
            }
        }
        bail!(
            "the package {package} was downloaded and is not in {}",
            folder.display()
        )
    }

    /// Whether the packages were installed.
    fn install(&mut self, packages: &[&str]) -> Result<bool> {
        self.update_lists()?;
        let privilege = Privilege::of_this_process();
        let words = ["install", "--yes", "--quiet", "--no-install-recommends"];
        process::run(apt(privilege, &[&words, packages].concat()))
    }

    fn update_lists(&mut self) -> Result<()> {
        if !self.lists_updated {
            // An update that fails is no reason to stop: the lists at hand may do.
            let privilege = Privilege::of_this_process();
            process::run(apt(privilege, &["update", "--quiet"]))?;
            self.lists_updated = true;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Privilege {
    Root,
    Sudo,
}

impl Privilege {
    fn of_this_process() -> Self {
        let id = Command::new("id").arg("-u").output();
        let root = id.is_ok_and(|output| output.stdout.trim_ascii() == b"0");
        if root { Self::Root } else { Self::Sudo }
    }
}

fn apt(privilege: Privilege, arguments: &[&str]) -> Command {
    let (program, before): (&str, &[&str]) = match privilege {
        Privilege::Root => ("apt-get", &[]),
        Privilege::Sudo => ("sudo", &["--preserve-env=DEBIAN_FRONTEND", "apt-get"]),
    };
    let mut command = process::command(program, Path::new("/"), before.iter().chain(arguments));
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn name(tool: &Tool) -> &'static str {
    tool.programs
        .first()
        .expect("every tool names at least one program")
}

fn find(tool: &Tool) -> Option<PathBuf> {
    find_in(tool.programs, &std::env::var_os("PATH").unwrap_or_default())
}

fn find_in(programs: &[&str], search_path: &OsStr) -> Option<PathBuf> {
    programs.iter().find_map(|program| {
        std::env::split_paths(search_path)
            .map(|folder| folder.join(program))
            .find(|p| p.is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_name_wins_over_the_earlier_folder() {
        let base = std::env::temp_dir().join(format!("xtask-tools-{}", std::process::id()));
        let (one, two) = (base.join("one"), base.join("two"));
        for folder in [&one, &two] {
            std::fs::create_dir_all(folder).expect("the temporary folder can be written");
        }
        std::fs::write(one.join("second"), "").expect("writable");
        std::fs::write(two.join("first"), "").expect("writable");
        let search_path = std::env::join_paths([&one, &two]).expect("no colon in these names");
        assert_eq!(
            find_in(&["first", "second"], &search_path),
            Some(two.join("first"))
        );
        assert_eq!(find_in(&["third"], &search_path), None);
        std::fs::remove_dir_all(base).expect("ours to remove");
    }

    #[test]
    fn sudo_is_used_only_when_needed() {
        let words = |command: Command| {
            let mut words = vec![command.get_program().to_owned()];
            words.extend(command.get_args().map(OsStr::to_owned));
            words
        };
        assert_eq!(
            words(apt(Privilege::Root, &["update"])),
            ["apt-get", "update"]
        );
        let sudo = words(apt(Privilege::Sudo, &["update"]));
        assert_eq!(sudo.first().map(|word| word.to_str()), Some(Some("sudo")));
        assert_eq!(sudo[2..], ["apt-get", "update"]);
    }

    #[test]
    fn a_tool_without_a_package_is_asked_of_the_person() {
        let tool = Tool {
            programs: &["no-such-program"],
            packages: &[],
            needed_for: "nothing",
        };
        let error = Toolbox::default()
            .ensure(&tool)
            .expect_err("it cannot be there");
        assert!(error.starts_with("no-such-program is missing"), "{error}");
    }
}
