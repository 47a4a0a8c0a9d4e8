//! What is said between whoever wants something and the worker: frames of one byte for the kind, four for the length
//! (little-endian) and so many bytes. The worker asks for content while it works, one question at a time.
//!
//! Frames are made and read here; carrying them is up to both sides, since one of them waits asynchronously.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::job::{Failure, Output};

/// Of every frame.
pub const HEAD_BYTES: usize = 5;
/// Most bytes of content in one answer: the largest chunk of a vault.
pub const BLOCK_BYTES_MAX: usize = 1024 * 1024;
/// Longest of all other frames but results: a request with its parameters, a name, a failure.
pub const SMALL_BYTES_MAX: usize = 64 * 1024;
/// Told by the worker first. Both are one program, so that a difference is a mistake in how it was started.
pub const GREETING: &[u8] = b"compactvault preview worker 1";

/// What a worker is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Name of the job.
    pub job: String,
    /// As the job knows them.
    pub parameters: Value,
    /// Bytes of the file.
    pub length: u64,
    /// Its name, without folders; never trusted.
    pub filename: String,
    /// What its content shows it to be.
    pub media_type: String,
}

/// To the worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Do this.
    Work(Request),
    /// The next bytes; never none.
    Bytes(Vec<u8>),
    /// Another file was found: its number in questions from now on, and its bytes.
    Opened(Option<(u32, u64)>),
    /// The bytes cannot be had; whoever sends this knows why.
    Unreadable,
}

/// From the worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It is there and confined.
    Greeting,
    /// The bytes of a file from here on, as many as are at hand.
    Read {
        /// 0 for the file that the request is about.
        file: u32,
        /// Before its end.
        offset: u64,
    },
    /// Another file of that name, beside the first.
    Open(String),
    /// The result.
    Done(Output),
    /// There is none. The worker ends after it.
    Failed(Failure),
}

/// A frame that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

/// Kind and length of a frame by its first bytes; `output_bytes_max` bounds results.
pub fn head(bytes: [u8; HEAD_BYTES], output_bytes_max: u64) -> Result<(u8, usize), Garbled> {
    let [kind, length @ ..] = bytes;
    let length = u32::from_le_bytes(length);
    let max = match kind {
        b'B' => BLOCK_BYTES_MAX as u64,
        b'd' => output_bytes_max,
        _ => SMALL_BYTES_MAX as u64,
    };
    let length = usize::try_from(length).map_err(|_| Garbled)?;
    if length as u64 > max {
        return Err(Garbled);
    }
    Ok((kind, length))
}

fn frame(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut frame = Vec::with_capacity(HEAD_BYTES + length);
    frame.push(kind);
    // What is longer than the other side accepts ends there.
    frame.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    for part in parts {
        frame.extend_from_slice(part);
    }
    frame
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and numbers always serialise")
}

impl Order {
    /// As a frame.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Work(request) => frame(b'W', &[&json(request)]),
            Self::Bytes(bytes) => frame(b'B', &[bytes]),
            Self::Opened(None) => frame(b'O', &[]),
            Self::Opened(Some((file, length))) => {
                frame(b'O', &[&file.to_le_bytes(), &length.to_le_bytes()])
            }
            Self::Unreadable => frame(b'U', &[]),
        }
    }

    /// From a frame's kind and content.
    pub fn decode(kind: u8, payload: Vec<u8>) -> Result<Self, Garbled> {
        match kind {
            b'W' => serde_json::from_slice(&payload)
                .map(Self::Work)
                .map_err(|_| Garbled),
            b'B' if !payload.is_empty() => Ok(Self::Bytes(payload)),
            b'O' if payload.is_empty() => Ok(Self::Opened(None)),
            b'O' => numbers(&payload).map(|numbers| Self::Opened(Some(numbers))),
            b'U' => Ok(Self::Unreadable),
            _ => Err(Garbled),
        }
    }
}

impl Reply {
    /// As a frame.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Greeting => frame(b'h', &[GREETING]),
            Self::Read { file, offset } => {
                frame(b'r', &[&file.to_le_bytes(), &offset.to_le_bytes()])
            }
            Self::Open(name) => frame(b'o', &[name.as_bytes()]),
            Self::Done(output) => {
                let header = json(&output.header);
                let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
                frame(b'd', &[&length.to_le_bytes(), &header, &output.bytes])
            }
            Self::Failed(failure) => frame(b'f', &[&json(failure)]),
        }
    }

    /// From a frame's kind and content.
    pub fn decode(kind: u8, mut payload: Vec<u8>) -> Result<Self, Garbled> {
        match kind {
            b'h' if payload == GREETING => Ok(Self::Greeting),
            b'r' => numbers(&payload).map(|(file, offset)| Self::Read { file, offset }),
            b'o' => String::from_utf8(payload)
                .map(Self::Open)
                .map_err(|_| Garbled),
            b'd' => {
                let length = payload.first_chunk().ok_or(Garbled)?;
                let length = u32::from_le_bytes(*length) as usize;
                let header = payload[4..].get(..length).ok_or(Garbled)?;
                let header = serde_json::from_slice(header).map_err(|_| Garbled)?;
                payload.drain(..4 + length);
                Ok(Self::Done(Output {
                    header,
                    bytes: payload,
                }))
            }
            b'f' => serde_json::from_slice(&payload)
                .map(Self::Failed)
                .map_err(|_| Garbled),
            _ => Err(Garbled),
        }
    }
}

fn numbers(payload: &[u8]) -> Result<(u32, u64), Garbled> {
    let (file, rest) = payload.split_first_chunk().ok_or(Garbled)?;
    let offset = rest.try_into().map_err(|_| Garbled)?;
    Ok((u32::from_le_bytes(*file), u64::from_le_bytes(offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(frame: &[u8]) -> (u8, Vec<u8>) {
        let (head_bytes, rest) = frame.split_first_chunk().unwrap();
        let (kind, length) = head(*head_bytes, 1000).unwrap();
        assert_eq!(rest.len(), length);
        (kind, rest.to_vec())
    }

    #[test]
    fn frames_read_back() {
        let request = Request {
            job: "thumbnail".into(),
            parameters: serde_json::json!({ "size": 256 }),
            length: u64::MAX,
            filename: "a\u{202e}.png".into(),
            media_type: "image/png".into(),
        };
        for order in [
            Order::Work(request),
            Order::Bytes(vec![0, 1]),
            Order::Opened(None),
            Order::Opened(Some((3, u64::MAX))),
            Order::Unreadable,
        ] {
            let (kind, payload) = split(&order.encode());
            assert_eq!(Order::decode(kind, payload), Ok(order));
        }
        let output = Output {
            header: serde_json::json!({ "media_type": "image/png" }),
            bytes: vec![1, 2, 3],
        };
        for reply in [
            Reply::Greeting,
            Reply::Read {
                file: 0,
                offset: 1 << 40,
            },
            Reply::Open("b.bin".into()),
            Reply::Done(output),
            Reply::Failed(Failure::malformed("no")),
        ] {
            let (kind, payload) = split(&reply.encode());
            assert_eq!(Reply::decode(kind, payload), Ok(reply));
        }
    }

    #[test]
    fn what_a_broken_worker_says_is_refused() {
        assert_eq!(head(*b"d\xff\xff\xff\xff", 1000), Err(Garbled));
        assert_eq!(head(*b"r\xff\xff\xff\xff", 1000), Err(Garbled));
        for (kind, payload) in [
            (b'd', &b"\xff\xff\xff\xff"[..]),
            (b'd', b"\x02\0\0\0{"),
            (b'd', b"\x01\0\0\0{"),
            (b'd', b""),
            (b'r', b"\0\0\0\0"),
            (b'o', b"\xff"),
            (b'f', b"[]"),
            (b'h', b"another program"),
            (b'x', b""),
        ] {
            assert_eq!(Reply::decode(kind, payload.to_vec()), Err(Garbled));
        }
        assert_eq!(Order::decode(b'B', Vec::new()), Err(Garbled));
    }
}
