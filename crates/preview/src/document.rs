//! Markdown as a tree of nodes from a fixed list of tags and attributes: there is no HTML in the answer, so whoever shows
//! it makes elements and texts and cannot be made to make anything else.

mod build;

use std::io::{Read, Seek, SeekFrom};

use pulldown_cmark::{Options, Parser};
use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::job::{Failure, Job, Limits, Output, Work};

/// Bytes of a document that are read; the longest of people's notes are a tenth of it.
pub const BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Elements inside each other; what lies deeper is shown at this depth.
const DEPTH_MAX: usize = 48;
/// Markers of containers (`>`, `-`, `1.`) at the beginning of a line; each costs the parser work on every line after it.
const MARKERS_MAX: usize = 64;
/// Elements and texts.
const NODES_MAX: usize = 200_000;

/// Reads Markdown: JSON of a [`Document`].
pub const JOB: Job = Job {
    name: "document",
    version: 1,
    limits: Limits {
        // Texts of control characters are six times as long in JSON.
        output_bytes: 32 << 20,
        ..Limits::USUAL
    },
    run,
};

fn run(work: &mut Work) -> Result<Output, Failure> {
    let document = read(&mut work.content)?;
    Ok(Output {
        bytes: serde_json::to_vec(&document).expect("text and numbers always serialise"),
        ..Output::default()
    })
}

/// A text, or an element with attributes and children: as JSON a string or `[tag, {attributes}, [nodes]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Shown as it is.
    Text(String),
    /// One of [`TAGS`].
    Element {
        /// The element's name.
        tag: &'static str,
        /// `href`, `start`, `class`, `align`, `checked`, each at one tag alone.
        attributes: Vec<(&'static str, Value)>,
        /// What is in it.
        children: Vec<Node>,
    },
}

/// All tags there are.
pub const TAGS: [&str; 26] = [
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "p",
    "ul",
    "ol",
    "li",
    "blockquote",
    "pre",
    "code",
    "em",
    "strong",
    "del",
    "a",
    "hr",
    "br",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "input",
];

/// A document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    /// From the beginning.
    pub nodes: Vec<Node>,
    /// Whether all of it is there, as it is nested.
    pub complete: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Attributes<'a>(&'a [(&'static str, Value)]);

        impl Serialize for Attributes<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
            }
        }

        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Element {
                tag,
                attributes,
                children,
            } => {
                let mut element = serializer.serialize_seq(Some(3))?;
                element.serialize_element(tag)?;
                element.serialize_element(&Attributes(attributes))?;
                element.serialize_element(children)?;
                element.end()
            }
        }
    }
}

/// Reads Markdown (`CommonMark` with tables, task lists and strikethrough) from the first [`BYTES_MAX`] of `content`.
pub fn read(mut content: impl Read + Seek) -> Result<Document, Failure> {
    let size = content.seek(SeekFrom::End(0))?;
    content.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    content.take(BYTES_MAX).read_to_end(&mut bytes)?;
    let mut message = (size > BYTES_MAX).then(|| {
        format!(
            "the document is longer than {} MiB; its beginning is shown",
            BYTES_MAX >> 20
        )
    });
    let (text, is_shallow) = flattened(&decoded(&bytes));
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let built = build::nodes(Parser::new_ext(&text, options), DEPTH_MAX, NODES_MAX);
    if !built.is_whole {
        message.get_or_insert_with(|| {
            "the document has too many parts; its beginning is shown".into()
        });
    } else if built.is_flattened || !is_shallow {
        message.get_or_insert_with(|| {
            "the document is nested too deeply; what lies deepest is shown less deep".into()
        });
    }
    Ok(Document {
        nodes: built.nodes,
        complete: message.is_none(),
        message,
    })
}

/// Whether JSON is what [`Document`] promises: nobody need believe the process that made it.
pub fn is_sound(document: &Value) -> bool {
    let Some(nodes) = document.get("nodes").and_then(Value::as_array) else {
        return false;
    };
    let mut waiting: Vec<&Value> = nodes.iter().collect();
    while let Some(node) = waiting.pop() {
        match node {
            Value::String(_) => {}
            Value::Array(element) => {
                let [
                    Value::String(tag),
                    Value::Object(attributes),
                    Value::Array(children),
                ] = &element[..]
                else {
                    return false;
                };
                let is_known = |(name, value): (&String, &Value)| match (&**name, value) {
                    ("href", Value::String(address)) => {
                        tag == "a" && build::href(address).is_some()
                    }
                    ("start", Value::Number(_)) => tag == "ol",
                    ("class", Value::String(class)) => {
                        tag == "code" && class.starts_with("language-")
                    }
                    ("align", Value::String(_)) => tag == "th" || tag == "td",
                    ("checked", Value::Bool(_)) => tag == "input",
                    _ => false,
                };
                if !TAGS.contains(&&**tag) || !attributes.iter().all(is_known) {
                    return false;
                }
                waiting.extend(children);
            }
            _ => return false,
        }
    }
    true
}

/// By the byte order mark, else UTF-8, in which what is none becomes U+FFFD.
fn decoded(bytes: &[u8]) -> String {
    let utf16 = |from: fn([u8; 2]) -> u16| {
        let units = bytes[2..]
            .chunks_exact(2)
            .map(|pair| from([pair[0], pair[1]]));
        char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    };
    match bytes {
        [0xff, 0xfe, ..] => utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf16(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        bytes => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// The text without the container markers beyond [`MARKERS_MAX`] of a line, and whether there were none.
fn flattened(text: &str) -> (String, bool) {
    let mut out = String::with_capacity(text.len());
    let mut is_shallow = true;
    for line in text.split_inclusive('\n') {
        match deep_markers(line) {
            Some((from, to)) => {
                is_shallow = false;
                out.push_str(&line[..from]);
                out.push_str(&line[to..]);
            }
            None => out.push_str(line),
        }
    }
    (out, is_shallow)
}

/// Where in `line` the markers past the first [`MARKERS_MAX`] are.
fn deep_markers(line: &str) -> Option<(usize, usize)> {
    let is_marker = |byte: u8| matches!(byte, b'>' | b'-' | b'+' | b'*');
    let is_part = |byte: u8| {
        is_marker(byte) || matches!(byte, b' ' | b'\t' | b'.' | b')') || byte.is_ascii_digit()
    };
    let bytes = line.as_bytes();
    let run = bytes.iter().take_while(|&&byte| is_part(byte)).count();
    let mut markers = bytes[..run]
        .iter()
        .enumerate()
        .filter(|(_, byte)| is_marker(**byte) || matches!(byte, b'.' | b')'));
    let (from, _) = markers.nth(MARKERS_MAX)?;
    // A rule of dashes or stars is one marker, however long.
    let is_rule = bytes[..run]
        .iter()
        .all(|&byte| byte == bytes[0] || byte.is_ascii_whitespace())
        && bytes[0] != b'>';
    (!is_rule).then_some((from, run))
}

#[cfg(test)]
mod tests;
