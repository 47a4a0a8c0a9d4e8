//! Jobs that misbehave as decoders of hostile files do, and some that do what little can be checked.

use std::io::{BufRead as _, Read as _, Seek as _, SeekFrom};
use std::time::Duration;

use compactvault_preview::{Failure, Job, Limits, Output, Work};
use serde_json::json;

/// Little time, so that tests end soon, and enough for a busy machine to start with.
const LIMITS: Limits = Limits {
    read_bytes: 4 << 20,
    output_bytes: 1 << 20,
    memory_bytes: 256 << 20,
    cpu: Duration::from_secs(1),
    time: Duration::from_mins(2),
};

const fn job(name: &'static str, run: fn(&mut Work) -> Result<Output, Failure>) -> Job {
    Job {
        name,
        version: 1,
        limits: LIMITS,
        run,
    }
}

/// Gives back `length` bytes from `offset`, and what it was told.
pub(crate) static ECHO: Job = job("echo", |work| {
    let (offset, length) = (work.number("offset"), work.number("length"));
    work.content.seek(SeekFrom::Start(offset.unwrap_or(0)))?;
    let mut bytes = Vec::new();
    let length = length.unwrap_or(u64::MAX);
    (&mut work.content).take(length).read_to_end(&mut bytes)?;
    let request = &work.request;
    let process = std::process::id();
    let header = json!({
        "filename": request.filename, "media_type": request.media_type, "length": request.length,
        "process": process, "variables": std::env::vars_os().count(),
    });
    Ok(Output { header, bytes })
});

/// Uses the processor for ever.
pub(crate) static LOOP: Job = job("loop", |work| {
    let mut number = work.content.len();
    while number != u64::MAX - 1 {
        number = std::hint::black_box(number.wrapping_add(2) & !1) % (u64::MAX - 1);
    }
    Ok(Output::default())
});

/// Waits for ever without using the processor.
pub(crate) static SLEEP: Job = Job {
    name: "sleep",
    version: 1,
    limits: Limits {
        time: Duration::from_secs(1),
        ..LIMITS
    },
    run: |_| {
        loop {
            std::thread::sleep(Duration::from_hours(1));
        }
    },
};

/// Waits until the file beside it has been asked for often enough, which is up to the test.
pub(crate) static WAIT: Job = job("wait", |work| {
    while work.files.open("go")?.is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Output::default())
});

/// Takes memory without end.
pub(crate) static HOG: Job = job("hog", |_| {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(vec![1; 1 << 20]);
        std::hint::black_box(&hoard);
    }
});

/// Recurses without end.
pub(crate) static DEEP: Job = job("deep", |work| {
    fn down(depth: u64) -> u64 {
        if depth == u64::MAX {
            return 0;
        }
        let below = down(std::hint::black_box(depth + 1));
        std::hint::black_box(below + depth)
    }
    let bytes = down(work.content.len()).to_le_bytes().to_vec();
    Ok(Output {
        bytes,
        ..Output::default()
    })
});

/// Ends the process in the middle.
pub(crate) static DIE: Job = job("die", |work| {
    work.content.fill_buf()?;
    std::process::abort();
});

/// Panics.
pub(crate) static PANIC: Job = job("panic", |_| panic!("index 7 is out of bounds"));

/// Says what is no frame.
pub(crate) static BABBLE: Job = job("babble", |_| {
    use std::io::Write as _;
    std::io::stdout().write_all(&[b'x'; 100]).ok();
    std::io::stdout().flush().ok();
    Ok(Output::default())
});

/// Makes more than it may.
pub(crate) static FLOOD: Job = job("flood", |_| {
    Ok(Output {
        bytes: vec![0; 2 << 20],
        ..Output::default()
    })
});

/// Tries to open files, sockets and processes, and tells what came of it. Root may start processes, which then cannot
/// open the libraries they need.
pub(crate) static ESCAPE: Job = job("escape", |_| {
    let opened = [
        std::fs::File::open("/proc/self/status").is_ok(),
        std::fs::write("/tmp/compactvault-escaped", "x").is_ok(),
        std::net::UdpSocket::bind("127.0.0.1:0").is_ok(),
        std::process::Command::new("/bin/true")
            .status()
            .is_ok_and(|status| status.success()),
    ];
    Ok(Output {
        header: json!({ "opened": opened, "folder": std::env::current_dir().ok() }),
        bytes: Vec::new(),
    })
});

/// Reads the file whose name is the content.
pub(crate) static BESIDE: Job = job("beside", |work| {
    let name = work.content.all(1000)?;
    let name = String::from_utf8_lossy(&name).into_owned();
    let Some(mut file) = work.files.open(&name)? else {
        return Err(Failure::malformed(format!("there is no {name} beside it")));
    };
    Ok(Output {
        header: json!({ "length": file.len() }),
        bytes: file.all(1 << 20)?,
    })
});
