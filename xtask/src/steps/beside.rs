//! A step that runs beside those after it, in a process of its own and with a low priority: the torture keeps the cores and
//! the disk busy, while the browser mostly waits for pages.
#![expect(clippy::print_stdout, reason = "shows what the step printed")]

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Report, Step};
use crate::process;

pub(super) struct Beside {
    step: Step,
    start: Instant,
    child: Child,
    output: tempfile::NamedTempFile,
}

impl Beside {
    /// Starts the step; what it prints is shown at its end.
    pub(super) fn start(step: Step, root: &Path) -> Result<Self> {
        let output = tempfile::NamedTempFile::new()?;
        // Not the running program's own file: building the others has replaced it.
        let step_name = step.to_string();
        let words = [
            "run",
            "--quiet",
            "--package",
            "xtask",
            "--",
            "test",
            "--only",
        ];
        let plain = process::cargo(root, words.into_iter().chain([&*step_name]));
        let spawn = |mut command: Command| {
            // One place to write at for both, so that neither writes over the other.
            let printed = output.reopen()?;
            command
                .current_dir(root)
                .args(plain.get_args())
                .stdin(Stdio::null())
                .stdout(printed.try_clone()?)
                .stderr(printed)
                .spawn()
        };
        let mut nice = Command::new("nice");
        nice.args(["-n", "10"]).arg(plain.get_program());
        let child = match spawn(nice) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                spawn(Command::new(plain.get_program()))
            }
            started => started,
        };
        Ok(Self {
            step,
            start: Instant::now(),
            child: child.with_context(|| format!("cannot start {step} beside the others"))?,
            output,
        })
    }

    /// Waits for its end and shows what it printed.
    pub(super) fn finish(mut self) -> Result<(Step, Report, Duration)> {
        let good = self.child.wait()?.success();
        let took = self.start.elapsed();
        let mut printed = Vec::new();
        File::open(self.output.path())?.read_to_end(&mut printed)?;
        println!("{}", String::from_utf8_lossy(&printed));
        Ok((self.step, Report::one(good), took))
    }
}

impl Drop for Beside {
    /// Leaves nothing running behind when the others were broken off.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
