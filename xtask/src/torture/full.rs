//! A full disk: a server and an import on a small file system of their own. Nothing that was acknowledged is lost, the
//! answer says what is the matter, and it goes on by itself when there is space again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::corpus::client::Client;
use crate::corpus::server;
use crate::corpus::tree::hex;
use crate::random::Random;

/// Bytes of the file system, and of the file that fills some of it until space is made.
const SIZE: u64 = 48 << 20;
const FILLER: usize = 24 << 20;
/// Refusals after which space is made.
const REFUSALS: u64 = 12;
const PATIENCE: Duration = Duration::from_mins(1);

/// A file system of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Disk {
    Tmpfs,
    Ext4,
}

impl Disk {
    pub(super) const ALL: [Self; 2] = [Self::Tmpfs, Self::Ext4];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Ext4 => "loop_ext4",
        }
    }
}

/// Mounted until it is dropped.
struct Mounted {
    folder: tempfile::TempDir,
    point: PathBuf,
}

impl Mounted {
    /// The error says why this machine does not allow it.
    fn mount(disk: Disk) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let point = folder.path().join("disk");
        fs::create_dir(&point)?;
        let mut mount = Command::new("mount");
        match disk {
            Disk::Tmpfs => {
                mount.args(["-t", "tmpfs", "-o", &format!("size={SIZE}"), "tmpfs"]);
            }
            Disk::Ext4 => {
                let image = folder.path().join("image");
                fs::File::create(&image)?.set_len(SIZE)?;
                run(Command::new("mkfs.ext4")
                    .args(["-q", "-F", "-m", "0"])
                    .arg(&image))?;
                mount.args(["-o", "loop"]).arg(&image);
            }
        }
        run(mount.arg(&point))?;
        Ok(Self { folder, point })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = run(Command::new("umount").arg(&self.point));
        if unmounted.is_err() {
            // What is still mounted must not be removed with the folder around it.
            let _ = run(Command::new("umount").arg("-l").arg(&self.point));
        }
        let _ = &self.folder;
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// What came of it.
pub(super) enum Outcome {
    /// With figures.
    Held(serde_json::Value),
    /// This machine does not allow such mounts.
    Impossible(String),
}

/// Fills the disk under a server and under an import.
pub(super) fn try_on(disk: Disk, binary: &Path, seed: u64) -> Result<Outcome> {
    let mounted = match Mounted::mount(disk) {
        Ok(mounted) => mounted,
        Err(error) => return Ok(Outcome::Impossible(format!("{error:#}"))),
    };
    let served = mounted.point.join("served");
    fs::create_dir(&served)?;
    let state = mounted.folder.path().join("state");
    let filler = mounted.point.join("filler");
    fs::write(&filler, vec![1; FILLER])?;
    let mut random = Random::new(seed);
    let uploads = fill_by_uploads(binary, &served, &state, &filler, &mut random)?;
    let vault = served.join("default.vault");
    fs::write(&filler, vec![1; 4 << 20])?;
    let source = mounted.folder.path().join("source");
    let imports = fill_by_import(binary, &vault, &state, &filler, &source, &mut random)?;
    compare(
        binary,
        &vault,
        &state,
        mounted.folder.path(),
        &uploads.promised,
    )?;
    Ok(Outcome::Held(json!({
        "acknowledged": uploads.promised.len(),
        "acknowledged_and_lost": 0,
        "refused": uploads.refused,
        "went_on_after_ms": u64::try_from(uploads.went_on.as_millis()).unwrap_or(u64::MAX),
        "import_refused": imports,
    })))
}

struct Filled {
    promised: BTreeMap<String, String>,
    refused: u64,
    went_on: Duration,
}

fn fill_by_uploads(
    binary: &Path,
    served: &Path,
    state: &Path,
    filler: &Path,
    random: &mut Random,
) -> Result<Filled> {
    let mut child = server::command(binary, served, state, "127.0.0.1:0")
        .stderr(Stdio::null())
        .spawn()?;
    let uploaded = upload_until_it_goes_on(&mut child, filler, random);
    let stopped = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    let ended = child.wait()?;
    let outcome = uploaded?;
    ensure!(
        stopped?.success() && ended.success(),
        "the server ended with {ended}"
    );
    Ok(outcome)
}

fn upload_until_it_goes_on(
    child: &mut std::process::Child,
    filler: &Path,
    random: &mut Random,
) -> Result<Filled> {
    let address = server::address_of(child)?;
    let client = Client::new(&address);
    let collection = client.create_place("P", "C")?;
    let mut so_far = Filled {
        promised: BTreeMap::new(),
        refused: 0,
        went_on: Duration::ZERO,
    };
    let mut since = None;
    for n in 0_u64.. {
        let name = format!("f{n}");
        let mut bytes = vec![0; 1 + random.index(900_000)];
        random.fill(&mut bytes);
        let sent = if n % 2 == 0 {
            client.add(collection, &name, &bytes)
        } else {
            client.upload_once(collection, &name, &name, &bytes)
        };
        match (&sent, since) {
            (Ok(()), _) => {
                so_far
                    .promised
                    .insert(format!("P/C/{name}"), hex(&Sha256::digest(&bytes)));
                if let Some(since) = since {
                    let since: Instant = since;
                    so_far.went_on = since.elapsed();
                    break;
                }
            }
            (Err(error), None) => {
                so_far.refused += 1;
                let text = format!("{error:#}");
                ensure!(!text.contains("500"), "a full disk is answered {text}");
                if so_far.refused == REFUSALS {
                    fs::remove_file(filler)?;
                    since = Some(Instant::now());
                }
            }
            (Err(error), Some(since)) => {
                ensure!(
                    since.elapsed() < PATIENCE,
                    "with space again it is still refused: {error:#}"
                );
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        ensure!(n < 10_000, "the disk does not get full");
    }
    client.wait_until_none_is_queued(PATIENCE)?;
    Ok(so_far)
}

/// An import that finds no space says so, and the same again with space succeeds. Gives its exit code.
fn fill_by_import(
    binary: &Path,
    vault: &Path,
    state: &Path,
    filler: &Path,
    source: &Path,
    random: &mut Random,
) -> Result<Option<i32>> {
    fs::create_dir(source)?;
    // With what is there and the filler more than there is room for, without the filler less.
    let free = free_bytes(vault)?;
    let wanted = free.saturating_sub(1 << 20).max(1 << 20);
    let mut left = wanted;
    for n in 0.. {
        let length = left.min(1 << 20);
        let mut bytes = vec![0; usize::try_from(length)?];
        random.fill(&mut bytes);
        fs::write(source.join(format!("{n}")), bytes)?;
        left -= length;
        if left == 0 {
            break;
        }
    }
    let add = || {
        Command::new(binary)
            .args(["--quiet", "--state-dir"])
            .arg(state)
            .arg("--vault")
            .arg(vault)
            .args(["add", "--to", "P"])
            .arg(source)
            .output()
    };
    let first = add()?;
    ensure!(
        !first.status.success(),
        "an import of {wanted} bytes had room in {free}"
    );
    fs::remove_file(filler)?;
    // The half of it: what was committed before the disk was full is in the vault already.
    for n in 0..wanted.div_ceil(1 << 20) / 2 {
        fs::remove_file(source.join(format!("{n}")))?;
    }
    let again = add()?;
    ensure!(
        again.status.success(),
        "with space again: {}",
        String::from_utf8_lossy(&again.stderr)
    );
    Ok(first.status.code())
}

fn free_bytes(path: &Path) -> Result<u64> {
    let output = Command::new("df")
        .args(["--output=avail", "-B1"])
        .arg(path)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .nth(1)
        .and_then(|line| line.trim().parse().ok())
        .context("what df says")
}

fn compare(
    binary: &Path,
    vault: &Path,
    state: &Path,
    folder: &Path,
    promised: &BTreeMap<String, String>,
) -> Result<()> {
    let run = |args: &[&Path]| -> Result<()> {
        let mut command = Command::new(binary);
        command
            .args(["--quiet", "--state-dir"])
            .arg(state)
            .args(args);
        run(&mut command)
    };
    run(&["verify".as_ref(), "--deep".as_ref(), vault])?;
    let out = folder.join("out");
    run(&[
        "--vault".as_ref(),
        vault,
        "export".as_ref(),
        "--out".as_ref(),
        &out,
    ])?;
    for (path, sha256) in promised {
        let bytes = fs::read(out.join(path)).with_context(|| format!("LOST: {path}"))?;
        ensure!(
            hex(&Sha256::digest(&bytes)) == *sha256,
            "WRONG BYTES: {path}"
        );
    }
    Ok(())
}
