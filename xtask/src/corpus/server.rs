//! The real binary as a child process that can be killed and started again at the same address.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail, ensure};

/// The password of a server that lives for one run.
pub(crate) const PASSWORD: &str = "corpus";

/// A running server.
pub(crate) struct Server {
    binary: PathBuf,
    folder: PathBuf,
    state: tempfile::TempDir,
    address: String,
    token: Option<String>,
    child: Child,
}

impl Server {
    /// Starts the binary on `folder`, at any free port.
    pub(crate) fn start(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        Self::started(binary, folder, |_| Ok(()))
    }

    /// The same, with its messages written to `log`.
    pub(crate) fn start_logging(binary: &Path, folder: &Path, log: &Path) -> anyhow::Result<Self> {
        Self::started(binary, folder, |command| {
            command.stderr(std::fs::File::create(log)?);
            Ok(())
        })
    }

    /// The same without a password, so that it makes a token.
    pub(crate) fn start_with_token(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        Self::started(binary, folder, |command| {
            command.env_remove("COMPACTVAULT_PASSWORD").arg("--quiet");
            Ok(())
        })
    }

    fn started(
        binary: &Path,
        folder: &Path,
        change: impl FnOnce(&mut Command) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let state = tempfile::tempdir()?;
        let mut command = command(binary, folder, state.path(), "127.0.0.1:0");
        change(&mut command)?;
        let mut child = command.spawn().context("starting the server")?;
        let (address, token) = url_of(&mut child)?;
        Ok(Self {
            binary: binary.into(),
            folder: folder.into(),
            state,
            address,
            token,
            child,
        })
    }

    /// What it made because there is no password.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// What it has in memory now.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        kib.and_then(|kib| kib.parse().ok())
            .context("its memory in /proc")
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// SIGKILL, and the same server again at the same address.
    pub(crate) fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        let (child, address) =
            launch(&self.binary, &self.folder, self.state.path(), &self.address)?;
        ensure!(address == self.address, "the server came back at {address}");
        self.child = child;
        Ok(())
    }

    /// SIGINT, as Ctrl+C sends it, and the end of the process.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let status = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()?;
        ensure!(status.success(), "the server could not be asked to stop");
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever went wrong, no process is left behind; it may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(
    binary: &Path,
    folder: &Path,
    state: &Path,
    listen: &str,
) -> anyhow::Result<(Child, String)> {
    let mut child = command(binary, folder, state, listen)
        .spawn()
        .context("starting the server")?;
    let address = address_of(&mut child)?;
    Ok((child, address))
}

/// The server on `folder`, ready to be started.
pub(crate) fn command(binary: &Path, folder: &Path, state: &Path, listen: &str) -> Command {
    let mut command = Command::new(binary);
    command
        .args(["serve", "--no-open", "--listen", listen])
        .arg("--dir")
        .arg(folder)
        .arg("--state-dir")
        .arg(state)
        .env("COMPACTVAULT_PASSWORD", PASSWORD)
        .stdout(Stdio::piped());
    command
}

/// Waits until a server that was just started tells where it listens.
pub(crate) fn address_of(child: &mut Child) -> anyhow::Result<String> {
    Ok(url_of(child)?.0)
}

/// `host:port`, and the token if there is one.
fn url_of(child: &mut Child) -> anyhow::Result<(String, Option<String>)> {
    let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
    for line in lines.by_ref() {
        let line = line?;
        if let Some((_, url)) = line.split_once("http://") {
            let address = url.split(['/', ' ']).next().unwrap_or_default().to_owned();
            let token = url.split_once("?token=").map(|(_, token)| token.to_owned());
            // Keep reading, so that the server never waits for a full pipe.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok((address, token));
        }
    }
    child.wait()?;
    bail!("the server ended before it told its address")
}
