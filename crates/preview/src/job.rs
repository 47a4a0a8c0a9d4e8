//! What a worker can be asked to do, and the bounds it works under.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::content::{Content, Files};
use crate::protocol::Request;

const MIB: u64 = 1024 * 1024;

/// One kind of work. A worker knows a table of them.
#[derive(Debug)]
pub struct Job {
    /// What it is asked for by.
    pub name: &'static str,
    /// Raised whenever it makes something else of the same content, which makes results that were kept worthless.
    pub version: u32,
    /// What it may take.
    pub limits: Limits,
    /// Does it. Panics, endless loops and greed are survived, and tell the person less than a [`Failure`] does.
    pub run: fn(&mut Work) -> Result<Output, Failure>,
}

/// What one job may take. Beyond it the worker is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of content that are sent to it, repeated ones counted again.
    pub read_bytes: u64,
    /// Bytes of its result, header included.
    pub output_bytes: u64,
    /// Address space of its process, program included.
    pub memory_bytes: u64,
    /// Processor time, in whole seconds.
    pub cpu: Duration,
    /// Time by the clock. Longer than `cpu`, since a busy machine is not the content's fault.
    pub time: Duration,
}

impl Limits {
    /// For what a person waits for: a picture of 100 megapixels fits.
    pub const USUAL: Self = Self {
        read_bytes: 512 * MIB,
        output_bytes: 8 * MIB,
        memory_bytes: 1024 * MIB,
        cpu: Duration::from_secs(15),
        time: Duration::from_mins(1),
    };
}

/// A request with its content at hand.
#[derive(Debug)]
pub struct Work {
    /// What was asked.
    pub request: Request,
    /// The file.
    pub content: Content,
    /// Others that belong to it.
    pub files: Files,
}

impl Work {
    /// A parameter of the request that is a whole number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.request.parameters.get(name)?.as_u64()
    }

    /// A parameter of the request that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.request.parameters.get(name)?.as_str()
    }
}

/// What a job made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// Whatever the job tells about it.
    pub header: Value,
    /// Whatever the job made.
    pub bytes: Vec<u8>,
}

/// Why a job made nothing. Says it to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable, `snake_case`.
    pub code: String,
    /// A sentence without a full stop.
    pub message: String,
}

impl Failure {
    /// Any failure.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        if message.len() > MESSAGE_BYTES_MAX {
            let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
            message.truncate(end);
            message.push('…');
        }
        Self {
            code: code.into(),
            message,
        }
    }

    /// There is no way to do this with content of that kind.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new("unsupported", message)
    }

    /// The content is not what it seems to be, or ends too early.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new("malformed", message)
    }

    /// It would take more than is allowed.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new("too_large", message)
    }
}

/// Decoders quote what they did not expect, which may be long.
const MESSAGE_BYTES_MAX: usize = 300;

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::FileTooLarge | io::ErrorKind::QuotaExceeded => {
                Self::too_large(error.to_string())
            }
            io::ErrorKind::UnexpectedEof => Self::malformed("the file ends too early"),
            _ => Self::malformed(error.to_string()),
        }
    }
}
