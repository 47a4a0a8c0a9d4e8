//! The programs that ours is compared with: found or installed, with their versions and the flags they run with.
//!
//! A peer that cannot be had is left out and named; a tool that measures must be there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::corpora::unpack;
use super::{Group, Options};
use crate::process::{self, cargo, command};
use crate::tools::{PYTHON, Tool, Toolbox};

const TIME: Tool = Tool {
    programs: &["time"],
    packages: &["time"],
    needed_for: "measuring time and memory of each tool",
};
const CURL: Tool = Tool {
    programs: &["curl"],
    packages: &["curl"],
    needed_for: "measuring downloads",
};
const RESTIC: Tool = Tool {
    programs: &["restic"],
    packages: &["restic"],
    needed_for: "comparing with restic",
};
const BORG: Tool = Tool {
    programs: &["borg"],
    packages: &["borgbackup"],
    needed_for: "comparing with borg",
};

/// Where each program is; a peer that is not compared is `None`.
#[derive(Default)]
pub(super) struct Peers {
    pub(super) time: PathBuf,
    pub(super) curl: PathBuf,
    pub(super) restic: Option<PathBuf>,
    pub(super) rustic: Option<PathBuf>,
    pub(super) borg: Option<PathBuf>,
    pub(super) copyparty: Option<Copyparty>,
    pub(super) nginx: Option<PathBuf>,
    /// One line for each program that is measured: its version and its flags.
    pub(super) versions: Vec<String>,
}

/// A Python package in a folder of its own.
pub(super) struct Copyparty {
    pub(super) python: PathBuf,
    pub(super) uploader: PathBuf,
}

impl Peers {
    /// Finds or installs what the plan needs; `tools` is a folder for what is not the system's.
    pub(super) fn prepare(
        toolbox: &mut Toolbox,
        options: &Options,
        binary: &Path,
        tools: &Path,
    ) -> Result<Self> {
        let mut ensure_tool = |tool: &Tool| toolbox.ensure(tool).map_err(anyhow::Error::msg);
        let mut peers = Self {
            time: ensure_tool(&TIME)?,
            curl: ensure_tool(&CURL)?,
            ..Self::default()
        };
        peers.tell(binary, "--version", "add --quiet; serve with its defaults")?;
        if options.alone {
            return Ok(peers);
        }
        let wants = |groups: &[Group]| groups.iter().any(|group| options.groups().contains(group));
        if wants(&[Group::Archive, Group::Verify, Group::Memory]) {
            peers.restic = compared(ensure_tool(&RESTIC));
            peers.borg = compared(ensure_tool(&BORG));
            if options.rustic {
                peers.rustic = compared(rustic(tools));
            }
        }
        if wants(&[Group::Upload]) {
            let python = ensure_tool(&PYTHON);
            peers.copyparty = compared(python.and_then(|python| copyparty(&python, tools)));
        }
        if wants(&[Group::Download, Group::Range]) {
            peers.nginx = compared(nginx(toolbox, tools));
        }
        let told = [
            (
                peers.restic.clone(),
                "version",
                "backup, default compression; it cannot do without encryption",
            ),
            (
                peers.rustic.clone(),
                "--version",
                "backup, default compression; it cannot do without encryption",
            ),
            (
                peers.borg.clone(),
                "--version",
                "create --compression lz4 (its default), --encryption none",
            ),
            (
                peers.nginx.clone(),
                "-v",
                "sendfile on, a worker for each core, no access log",
            ),
        ];
        for (program, flag, flags) in told {
            if let Some(program) = program {
                peers.tell(&program, flag, flags)?;
            }
        }
        if let Some(copyparty) = &peers.copyparty {
            let (server, client) = (copyparty.python.clone(), copyparty.uploader.clone());
            let version = "import copyparty.__version__ as v; print('copyparty', v.S_VERSION)";
            let version = first_line(&server, &["-c", version])?;
            let flags =
                "-q --http-only -e2d (uploads are indexed), one volume that anybody may write to";
            peers.versions.push(format!("{version}: {flags}"));
            let version = first_line(&client, &["--version"])?;
            peers.versions.push(format!("u2c {version}: -ns, defaults"));
        }
        Ok(peers)
    }

    fn tell(&mut self, program: &Path, flag: &str, flags: &str) -> Result<()> {
        let version = first_line(program, &[flag])?;
        self.versions.push(format!("{version}: {flags}"));
        Ok(())
    }
}

fn compared<T>(peer: Result<T>) -> Option<T> {
    peer.inspect_err(|error| println!("not compared: {error:#}"))
        .ok()
}

/// What a program says first; some say it where errors go.
fn first_line(program: &Path, words: &[&str]) -> Result<String> {
    let output = command(program, Path::new("/"), words)
        .output()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// From PATH, else built by cargo, which takes some minutes once.
fn rustic(tools: &Path) -> Result<PathBuf> {
    if let Ok(found) = on_path("rustic") {
        return Ok(found);
    }
    let program = tools.join("bin/rustic");
    if !program.exists() {
        fs::create_dir_all(tools)?;
        let root = tools.display().to_string();
        // Its features are about other things than archiving a folder.
        let words = ["install", "rustic-rs", "--locked", "--no-default-features"];
        let built = process::run(cargo(tools, words.into_iter().chain(["--root", &root])))?;
        ensure!(
            built,
            "rustic cannot be built: run cargo install rustic-rs by hand"
        );
    }
    Ok(program)
}

fn copyparty(python: &Path, tools: &Path) -> Result<Copyparty> {
    let folder = tools.join("copyparty");
    let copyparty = Copyparty {
        python: folder.join("bin/python"),
        uploader: folder.join("bin/u2c"),
    };
    if !copyparty.uploader.exists() {
        fs::create_dir_all(tools)?;
        let target = folder.display().to_string();
        let made = process::run(command(python, tools, ["-m", "venv", "--clear", &target]))?;
        ensure!(
            made,
            "a Python environment cannot be made: install python3-venv"
        );
        let words = ["-m", "pip", "install", "--quiet", "copyparty"];
        let installed = process::run(command(&copyparty.python, tools, words))?;
        ensure!(
            installed && copyparty.uploader.exists(),
            "copyparty cannot be installed: try pip install copyparty by hand"
        );
    }
    Ok(copyparty)
}

/// From PATH, else unpacked only: installing the package would start a server for everybody.
fn nginx(toolbox: &mut Toolbox, tools: &Path) -> Result<PathBuf> {
    if let Ok(found) = on_path("nginx") {
        return Ok(found);
    }
    let folder = tools.join("nginx");
    let program = folder.join("usr/sbin/nginx");
    if !program.exists() {
        unpack(toolbox, "nginx", &folder)?;
    }
    let works = command(&program, tools, ["-v"]).output();
    let works = works.is_ok_and(|output| output.status.success());
    ensure!(
        works,
        "{} does not start: install nginx by hand",
        program.display()
    );
    Ok(program)
}

fn on_path(program: &str) -> Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .with_context(|| format!("{program} is not on PATH"))
}
