//! One connection to a server that stays open, as a browser keeps it: no time is lost in the client.
//!
//! Knows HTTP/1.1 as far as the servers that are measured speak it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// No answer takes longer; a server that hangs must not hang the whole run.
const PATIENCE: Duration = Duration::from_mins(5);
/// Up to here head and body leave together.
const SMALL: usize = 64 * 1024;

pub(super) struct Connection {
    address: String,
    authorization: Option<String>,
    stream: BufReader<TcpStream>,
    /// Whether the server has answered on this stream; if not, a break is no idle close.
    used: bool,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The body of an answer that says that all went well.
    pub(super) fn json(self) -> Result<Value> {
        let text = String::from_utf8_lossy(&self.body);
        ensure!(
            (200..300).contains(&self.status),
            "the server answered {}: {text}",
            self.status
        );
        Ok(serde_json::from_str(&text)?)
    }
}

/// What is asked.
#[derive(Clone, Copy, Default)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) content_type: Option<&'a str>,
    /// First and last byte.
    pub(super) range: Option<(u64, u64)>,
    pub(super) body: &'a [u8],
}

impl Connection {
    /// `credentials` are `user:password`.
    pub(super) fn open(address: &str, credentials: Option<&str>) -> Result<Self> {
        use base64::Engine as _;
        let encoded = credentials.map(|text| base64::prelude::BASE64_STANDARD.encode(text));
        Ok(Self {
            stream: connect(address)?,
            address: address.to_owned(),
            authorization: encoded,
            used: false,
        })
    }

    pub(super) fn get(&mut self, path: &str) -> Result<Answer> {
        self.ask(Request {
            method: "GET",
            path,
            ..Request::default()
        })
    }

    pub(super) fn get_json(&mut self, path: &str) -> Result<Value> {
        let answer = self.get(path)?;
        answer.json().with_context(|| format!("GET {path}"))
    }

    pub(super) fn post_json(&mut self, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let answer = self.ask(Request {
            method: "POST",
            path,
            content_type: Some("application/json"),
            body: body.as_bytes(),
            ..Request::default()
        })?;
        answer.json().with_context(|| format!("POST {path}"))
    }

    pub(super) fn ask(&mut self, request: Request<'_>) -> Result<Answer> {
        let first = self.attempt(request);
        if first.is_ok() || !self.used {
            return first.with_context(|| format!("{} {}", request.method, request.path));
        }
        // A server may close a connection between two requests; all requests here can be sent twice.
        self.stream = connect(&self.address)?;
        self.used = false;
        self.attempt(request)
            .with_context(|| format!("{} {}", request.method, request.path))
    }

    fn attempt(&mut self, request: Request<'_>) -> Result<Answer> {
        let Request {
            method, path, body, ..
        } = request;
        let mut head = Vec::new();
        write!(
            head,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n",
            self.address
        )?;
        if let Some(credentials) = &self.authorization {
            write!(head, "Authorization: Basic {credentials}\r\n")?;
        }
        if let Some(content_type) = request.content_type {
            write!(head, "Content-Type: {content_type}\r\n")?;
        }
        if let Some((first, last)) = request.range {
            write!(head, "Range: bytes={first}-{last}\r\n")?;
        }
        if method == "POST" {
            write!(head, "Content-Length: {}\r\n", body.len())?;
        }
        head.extend_from_slice(b"\r\n");
        let stream = self.stream.get_mut();
        if body.len() <= SMALL {
            head.extend_from_slice(body);
            stream.write_all(&head)?;
        } else {
            stream.write_all(&head)?;
            stream.write_all(body)?;
        }
        self.read_answer()
    }

    fn read_answer(&mut self) -> Result<Answer> {
        let line = read_line(&mut self.stream)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.with_context(|| format!("the answer begins with {line:?}"))?;
        let mut length = 0;
        let (mut chunked, mut retry_after) = (false, None);
        loop {
            let line = read_line(&mut self.stream)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse()?,
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "retry-after" => retry_after = value.parse().ok(),
                _ => {}
            }
        }
        let mut body = Vec::new();
        if chunked {
            read_chunks(&mut self.stream, &mut body)?;
        } else {
            body.resize(length, 0);
            self.stream.read_exact(&mut body)?;
        }
        self.used = true;
        Ok(Answer {
            status,
            retry_after,
            body,
        })
    }
}

fn connect(address: &str) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(BufReader::with_capacity(SMALL, stream))
}

/// Without its end.
fn read_line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        bail!("the server closed the connection");
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

fn read_chunks(stream: &mut impl BufRead, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let line = read_line(stream)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).with_context(|| format!("chunk of {line:?}"))?;
        let start = body.len();
        body.resize(start + size, 0);
        stream.read_exact(&mut body[start..])?;
        ensure!(
            read_line(stream)?.is_empty(),
            "a chunk has another length than told"
        );
        if size == 0 {
            return Ok(());
        }
    }
}

/// Text as a value in an address.
pub(super) fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes everything");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_for_addresses() {
        assert_eq!(encoded("a b/é&+.txt"), "a%20b%2F%C3%A9%26%2B.txt");
    }

    #[test]
    fn chunked_bodies_are_put_together() {
        let mut body = Vec::new();
        let text = b"4\r\nwiki\r\n5;x=y\r\npedia\r\n0\r\n\r\n";
        read_chunks(&mut text.as_slice(), &mut body).expect("well-formed");
        assert_eq!(body, b"wikipedia");
        assert!(read_chunks(&mut b"4\r\nwikipedia\r\n0\r\n\r\n".as_slice(), &mut body).is_err());
    }
}
