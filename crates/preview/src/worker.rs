//! The process that does the jobs, one after the other, until its standard input ends or a job fails.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use crate::content::{Content, Fetch, Files};
use crate::job::{Failure, Job, Limits, Output, Work};
use crate::platform;
use crate::protocol::{Garbled, HEAD_BYTES, Order, Reply, Request, head};

/// Gives up what it does not need, then works until nobody asks any more. Standard input and output are pipes from
/// and to whoever asks; nothing else is opened. Says whether it ended in good order.
pub fn run(jobs: &[&'static Job]) -> bool {
    platform::confine();
    // What decoders say when they panic goes to whoever asked, in one line.
    std::panic::set_hook(Box::new(|_| ()));
    // If whoever asked is gone or talks nonsense, nobody is there to be told.
    serve(jobs).is_ok()
}

fn serve(jobs: &[&'static Job]) -> io::Result<()> {
    say(&Reply::Greeting)?;
    while let Some(order) = hear()? {
        let Order::Work(request) = order else {
            return Err(garbled(Garbled));
        };
        let reply = match perform(jobs, request) {
            Ok(output) => Reply::Done(output),
            Err(failure) => Reply::Failed(failure),
        };
        say(&reply)?;
        if matches!(reply, Reply::Failed(_)) {
            break;
        }
    }
    Ok(())
}

fn perform(jobs: &[&'static Job], request: Request) -> Result<Output, Failure> {
    let job = jobs.iter().find(|job| job.name == request.job);
    let job =
        job.ok_or_else(|| Failure::unsupported(format!("there is no job {}", request.job)))?;
    platform::limit(&job.limits);
    let source = Arc::new(Mutex::new(Line {
        limits: job.limits,
        read_bytes: 0,
    }));
    let source: Arc<Mutex<dyn Fetch>> = source;
    let mut work = Work {
        content: Content::new(&source, 0, request.length),
        files: Files::new(&source),
        request,
    };
    let output = catch_unwind(AssertUnwindSafe(|| (job.run)(&mut work)));
    let output = output.unwrap_or_else(|panic| Err(panicked(&*panic)))?;
    // The frame's own lengths are far below what is left.
    let bytes = output.bytes.len() as u64 + output.header.to_string().len() as u64;
    if bytes + 1024 > job.limits.output_bytes {
        return Err(Failure::too_large(format!("the result has {bytes} bytes")));
    }
    Ok(output)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failure {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    let said = said.unwrap_or("it did not say why");
    Failure::new(
        "crashed",
        format!("what reads files of this kind gave up: {said}"),
    )
}

/// The files at the other end of the pipes.
struct Line {
    limits: Limits,
    read_bytes: u64,
}

fn ask(reply: &Reply) -> io::Result<Order> {
    say(reply)?;
    match hear()? {
        Some(Order::Unreadable) => Err(io::Error::other("the bytes cannot be read")),
        Some(order) => Ok(order),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

impl Fetch for Line {
    fn fetch(&mut self, file: u32, offset: u64) -> io::Result<Vec<u8>> {
        if self.read_bytes >= self.limits.read_bytes {
            let message = "more of it would have to be read than is allowed";
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, message));
        }
        let Order::Bytes(bytes) = ask(&Reply::Read { file, offset })? else {
            return Err(garbled(Garbled));
        };
        self.read_bytes += bytes.len() as u64;
        Ok(bytes)
    }

    fn open(&mut self, name: &str) -> io::Result<Option<(u32, u64)>> {
        match ask(&Reply::Open(name.into()))? {
            Order::Opened(opened) => Ok(opened),
            _ => Err(garbled(Garbled)),
        }
    }
}

fn say(reply: &Reply) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(&reply.encode())?;
    out.flush()
}

/// The next frame; `None` if no more come.
fn hear() -> io::Result<Option<Order>> {
    let mut input = io::stdin().lock();
    let mut bytes = [0; HEAD_BYTES];
    if input.read(&mut bytes[..1])? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut bytes[1..])?;
    let (kind, length) = head(bytes, 0).map_err(garbled)?;
    let mut payload = vec![0; length];
    input.read_exact(&mut payload)?;
    Order::decode(kind, payload).map(Some).map_err(garbled)
}

fn garbled(_: Garbled) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "that is no frame")
}
