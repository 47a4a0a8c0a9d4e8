//! One worker: a process that decodes, and the conversation with it. It gets bytes that were checked, one block for
//! each question, and is killed when its time is over or the value that holds it goes away.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use compactvault_preview::protocol::{Garbled, HEAD_BYTES, Order, Reply, head};
use compactvault_preview::{Failure, Job, Output};
use compactvault_vault::{AssetReader, ReadError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::PreviewError;
use super::pool::Ask;
use crate::blocking::{Lane, Lanes};

/// How a worker is started.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program, whose standard input and output will be pipes.
    pub program: PathBuf,
    /// What makes it a worker.
    pub arguments: Vec<OsString>,
}

/// Files that one job may open beside its own.
const FILES_MAX: usize = 64;

/// A process that waits for its next job.
pub(super) struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// Jobs it has done.
    pub(super) jobs: u32,
}

impl Worker {
    /// Starts one and waits until it is there.
    pub(super) async fn start(command: &WorkerCommand) -> io::Result<Self> {
        let mut child = Command::new(&command.program)
            .args(&command.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().expect("it was asked for");
        let output = child.stdout.take().expect("it was asked for");
        let mut worker = Self {
            child,
            input,
            output,
            jobs: 0,
        };
        match worker.hear(0).await? {
            Reply::Greeting => Ok(worker),
            _ => Err(garbled(Garbled)),
        }
    }

    /// Has a job done, within its time. Unless there is a result the worker must not be used again.
    pub(super) async fn perform(
        &mut self,
        ask: &Ask,
        lanes: &Lanes,
    ) -> Result<Output, PreviewError> {
        let job = ask.job;
        let conversation = self.converse(ask, lanes);
        match tokio::time::timeout(job.limits.time, conversation).await {
            Ok(Ok(result)) => {
                self.jobs += 1;
                result
            }
            // It ended in the middle.
            Ok(Err(error)) => Err(PreviewError::Failed(self.end(job, &error).await)),
            Err(_) => {
                let seconds = job.limits.time.as_secs();
                let message = format!("it took longer than {seconds} s");
                Err(PreviewError::Failed(Failure::new("timed_out", message)))
            }
        }
    }

    /// The outer error is that of a worker that broke off.
    async fn converse(
        &mut self,
        ask: &Ask,
        lanes: &Lanes,
    ) -> io::Result<Result<Output, PreviewError>> {
        let mut files = vec![ask.reader.clone()];
        let mut left = ask.job.limits.read_bytes;
        self.say(&Order::Work(ask.request())).await?;
        loop {
            match self.hear(ask.job.limits.output_bytes).await? {
                Reply::Done(output) => return Ok(Ok(output)),
                Reply::Failed(failure) => return Ok(Err(PreviewError::Failed(failure))),
                Reply::Read { file, offset } => {
                    let file = files.get(file as usize).filter(|file| offset < file.size());
                    let Some(file) = file.cloned().filter(|_| left > 0) else {
                        return Err(garbled(Garbled));
                    };
                    match lanes.run(Lane::Read, move || block(&file, offset)).await {
                        Ok(bytes) => {
                            left = left.saturating_sub(bytes.len() as u64);
                            self.say(&Order::Bytes(bytes)).await?;
                        }
                        Err(error) => return Ok(Err(error.into())),
                    }
                }
                Reply::Open(name) => {
                    let opened = match (&ask.siblings, files.len() < FILES_MAX) {
                        (Some(siblings), true) => {
                            let siblings = siblings.clone();
                            lanes.run(Lane::Read, move || siblings.find(&name)).await
                        }
                        _ => Ok(None),
                    };
                    let opened = match opened {
                        Ok(opened) => opened,
                        Err(error) => return Ok(Err(error.into())),
                    };
                    let number = u32::try_from(files.len()).expect("they are few");
                    let told = opened.as_ref().map(|reader| (number, reader.size()));
                    files.extend(opened);
                    self.say(&Order::Opened(told)).await?;
                }
                Reply::Greeting => return Err(garbled(Garbled)),
            }
        }
    }

    /// Why it ended, as far as the system tells.
    async fn end(&mut self, job: &Job, error: &io::Error) -> Failure {
        let _ = self.child.start_kill();
        let status = self.child.wait().await;
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        tracing::debug!(job = job.name, %error, how, "a preview worker ended");
        Failure::new(
            "crashed",
            format!("it took too much memory or time, or what reads such files broke ({how})"),
        )
    }

    async fn say(&mut self, order: &Order) -> io::Result<()> {
        self.input.write_all(&order.encode()).await
    }

    async fn hear(&mut self, output_bytes_max: u64) -> io::Result<Reply> {
        let mut bytes = [0; HEAD_BYTES];
        self.output.read_exact(&mut bytes).await?;
        let (kind, length) = head(bytes, output_bytes_max).map_err(garbled)?;
        let mut payload = vec![0; length];
        self.output.read_exact(&mut payload).await?;
        Reply::decode(kind, payload).map_err(garbled)
    }
}

/// Checked bytes from `offset` to the end of the chunk that holds it.
fn block(reader: &AssetReader, offset: u64) -> Result<Vec<u8>, ReadError> {
    let piece = reader.range(offset..reader.size()).next();
    let piece = piece.expect("offsets are compared with the size")?;
    Ok(piece.into())
}

fn garbled(_: Garbled) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what it said makes no sense")
}
