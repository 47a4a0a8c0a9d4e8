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
    child: Child,
}

impl Server {
    /// Starts the binary on `folder`, at any free port.
    pub(crate) fn start(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        let state = tempfile::tempdir()?;
        let (child, address) = launch(binary, folder, state.path(), "127.0.0.1:0")?;
        Ok(Self {
            binary: binary.into(),
            folder: folder.into(),
            state,
            address,
            child,
        })
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
    let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
    for line in lines.by_ref() {
        let line = line?;
        if let Some(at) = line.find("http://") {
            let address = line[at + 7..]
                .split(['/', ' '])
                .next()
                .unwrap_or_default()
                .to_owned();
            // Keep reading, so that the server never waits for a full pipe.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(address);
        }
    }
    child.wait()?;
    bail!("the server ended before it told its address")
}
