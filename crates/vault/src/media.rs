//! What kind of file an asset is: the class that lists and filters show, and the media type its bytes are served as.
//!
//! The two are decided apart. The *class* goes by the extension, because that is what its owner meant it to be. The
//! *media type* goes by the content, because a browser acts on it: a page called `x.png` must not pass for a picture.
//! Neither is sealed; both can be told again from the name and the first [`HEAD_BYTES`] bytes.

mod formats;
mod sniff;

use formats::{Format, Needs};
use sniff::TextKind;

/// How much of the content [`Media::detect`] looks at; more does no harm.
pub const HEAD_BYTES: usize = 4096;

/// The word shown as an asset's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaClass {
    /// Readable as text, source code and data included.
    Text,
    /// Pictures, drawings and photographs, also those no browser shows.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// Three-dimensional models and scenes.
    Model3d,
    /// Anything else: documents, archives, fonts, programs.
    Binary,
}

impl MediaClass {
    /// All of them, in their order.
    pub const ALL: [Self; 6] = [
        Self::Text,
        Self::Image,
        Self::Audio,
        Self::Video,
        Self::Model3d,
        Self::Binary,
    ];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Model3d => "3d",
            Self::Binary => "binary",
        }
    }

    /// The class that [`MediaClass::word`] names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }

    /// The class of a [`MediaClass::number`].
    pub(crate) fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.number() == number)
    }

    /// The number kept in databases; never reused.
    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Text => 1,
            Self::Image => 2,
            Self::Audio => 3,
            Self::Video => 4,
            Self::Model3d => 5,
            Self::Binary => 6,
        }
    }
}

/// An asset's class and media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Media {
    /// By the extension; by content where it is missing or unknown.
    pub class: MediaClass,
    /// By the content, the extension choosing among what the content can be. Without parameters: text is UTF-8 unless
    /// it starts with another byte order mark.
    pub media_type: &'static str,
}

impl Media {
    /// What nothing is known about.
    pub const UNKNOWN: Self = Self {
        class: MediaClass::Binary,
        media_type: "application/octet-stream",
    };

    /// Tells the media of a file from its name and the first [`HEAD_BYTES`] bytes of its content (all of it, if it is
    /// shorter).
    ///
    /// `text/html`, `image/svg+xml` and other types that can act in a browser are told truthfully: whoever serves
    /// them must isolate them.
    pub fn detect(name: &[u8], head: &[u8]) -> Self {
        let head = &head[..head.len().min(HEAD_BYTES)];
        let sniffed = sniff::magic(head);
        let text = sniff::text_kind(head, head.len() == HEAD_BYTES);
        let claims = extension(name).map_or(&[][..], |extension| formats::by_extension(&extension));
        if let Some(format) = claims
            .iter()
            .find(|format| holds(format, sniffed, text, head))
        {
            return Self {
                class: format.class,
                media_type: format.media_type,
            };
        }
        let truth = match (sniffed, text) {
            (Some(media_type), _) => media_type,
            // Text behind an extension that promises something else stays text, whatever it seems to be.
            (None, TextKind::Utf8 | TextKind::Utf16) if !claims.is_empty() => "text/plain",
            (None, TextKind::Utf8) => sniff::markup(head).unwrap_or("text/plain"),
            (None, TextKind::Utf16) => "text/plain",
            (None, TextKind::Legacy | TextKind::No) => Self::UNKNOWN.media_type,
        };
        let truth = formats::by_media_type(truth).expect("what sniffing finds is in the table");
        let class = claims.first().map_or(truth.class, |format| format.class);
        Self {
            class,
            media_type: truth.media_type,
        }
    }

    /// A number for this pair that keeps its meaning for ever. Needs rebuilding only when detection improves.
    pub fn code(self) -> u16 {
        let format = formats::by_media_type(self.media_type);
        self.class.number() << FORMAT_BITS | format.map_or(formats::UNKNOWN_CODE, |f| f.code)
    }

    /// The pair that a number names; `None` for one that a later program gave out.
    pub fn from_code(code: u16) -> Option<Self> {
        let class = MediaClass::ALL
            .into_iter()
            .find(|c| c.number() == code >> FORMAT_BITS)?;
        let format = formats::by_code(code & ((1 << FORMAT_BITS) - 1))?;
        Some(Self {
            class,
            media_type: format.media_type,
        })
    }

    /// The short word shown as format: the lower-case extension where it is one we know, else the usual extension for
    /// the content, else whatever extension there is, else `binary`.
    pub fn format(self, name: &[u8]) -> String {
        let extension = extension(name);
        if let Some(known) = extension
            .as_deref()
            .filter(|e| !formats::by_extension(e).is_empty())
        {
            return known.to_owned();
        }
        let usual = formats::by_media_type(self.media_type).and_then(|f| f.extensions.first());
        usual
            .map(|&usual| usual.to_owned())
            .or(extension)
            .unwrap_or_else(|| "binary".into())
    }

    /// Whether the bytes are text: UTF-8, UTF-16 with a byte order mark, or an older 8-bit encoding.
    pub fn is_text(self) -> bool {
        formats::by_media_type(self.media_type).is_some_and(|format| format.needs.is_text())
    }
}

/// Bits of [`Media::code`] that number the media type; the class is above them.
const FORMAT_BITS: u32 = 10;

/// Whether content can be what an extension says it is.
fn holds(format: &Format, sniffed: Option<&str>, text: TextKind, head: &[u8]) -> bool {
    match format.needs {
        Needs::Text => is_text(sniffed, text),
        Needs::Svg => is_text(sniffed, text) && sniff::is_svg(head),
        Needs::Magic => sniffed == Some(format.media_type),
        Needs::MagicOf(types) => sniffed.is_some_and(|sniffed| types.contains(&sniffed)),
        Needs::Check(check) => sniffed.is_none() && check(head),
        Needs::NoOtherMagic => sniffed.is_none(),
        Needs::NoOtherMagicNorText => sniffed.is_none() && text == TextKind::No,
    }
}

/// Whether content can be what an extension for text promises. A magic number counts only against what is no UTF-8:
/// a text may well begin with `%PDF-`.
fn is_text(sniffed: Option<&str>, text: TextKind) -> bool {
    match text {
        TextKind::Utf8 | TextKind::Utf16 => true,
        TextKind::Legacy => sniffed.is_none(),
        TextKind::No => false,
    }
}

/// The extension in lower case: ASCII letters and digits after the last dot, at most 16; a leading dot is none.
fn extension(name: &[u8]) -> Option<String> {
    const BYTES_MAX: usize = 16;
    let dot = name
        .iter()
        .rposition(|&byte| byte == b'.')
        .filter(|&dot| dot > 0)?;
    let extension = std::str::from_utf8(&name[dot + 1..]).ok()?;
    let fits = (1..=BYTES_MAX).contains(&extension.len());
    (fits && extension.bytes().all(|b| b.is_ascii_alphanumeric()))
        .then(|| extension.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const HTML: &[u8] = b"<!DOCTYPE html>\n<script>alert(1)</script>";
    const SVG: &[u8] = b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";

    fn media_type(name: &str, head: &[u8]) -> &'static str {
        Media::detect(name.as_bytes(), head).media_type
    }

    fn class(name: &str, head: &[u8]) -> &'static str {
        Media::detect(name.as_bytes(), head).class.word()
    }

    /// The table of the wire contract, which clients of the Python original rely on.
    #[test]
    fn the_contract_s_extensions_have_their_classes() {
        for (word, extensions) in [
            ("text", "txt html css js md json csv xml py"),
            ("image", "png jpg jpeg gif svg webp"),
            ("audio", "mp3 wav ogg m4a flac"),
            ("video", "mp4 mov webm mkv avi flv"),
            ("3d", "gltf glb"),
            ("binary", "pdf zip docx exe ttf"),
        ] {
            for extension in extensions.split(' ') {
                for head in [&b""[..], b"plain text", b"\0\x01\x02\xff", PNG, HTML] {
                    for name in [
                        format!("a.{extension}"),
                        format!("A.B.{}", extension.to_uppercase()),
                    ] {
                        assert_eq!(class(&name, head), word, "{name} with {head:?}");
                        let media = Media::detect(name.as_bytes(), head);
                        assert_eq!(media.format(name.as_bytes()), extension);
                    }
                }
            }
        }
    }

    #[test]
    fn content_decides_how_bytes_are_served() {
        assert_eq!(media_type("x.png", PNG), "image/png");
        assert_eq!(media_type("x.png", HTML), "text/plain");
        assert_eq!(media_type("x.png", SVG), "text/plain");
        assert_eq!(
            media_type("x.png", b"\0\x01\x02"),
            "application/octet-stream"
        );
        assert_eq!(
            media_type("x.png", b"\xff\xd8\xff\xe0\0\x10JFIF"),
            "image/jpeg"
        );
        assert_eq!(
            media_type("x.png", b"%PDF-1.7\n%\xe2\xe3"),
            "application/pdf"
        );
        assert_eq!(media_type("x.html", HTML), "text/html");
        assert_eq!(media_type("x.html", b"no tag at all"), "text/html");
        assert_eq!(media_type("x.html", PNG), "image/png");
        assert_eq!(media_type("x.txt", HTML), "text/plain");
        assert_eq!(media_type("x.svg", SVG), "image/svg+xml");
        assert_eq!(media_type("x.svg", HTML), "text/plain");
        assert_eq!(media_type("x.js", b"let a = 1;"), "text/javascript");
        assert_eq!(media_type("x.js", b"\0\0"), "application/octet-stream");
        assert_eq!(media_type("x.css", b""), "text/css");
        assert_eq!(media_type("x.pdf", b"<html>"), "text/plain");
    }

    #[test]
    fn without_a_known_extension_content_decides_all() {
        for (head, class_word, type_word, format) in [
            (PNG, "image", "image/png", "png"),
            (HTML, "text", "text/html", "html"),
            (b"\xef\xbb\xbf  <HTML lang=en>", "text", "text/html", "html"),
            (SVG, "image", "image/svg+xml", "svg"),
            (b"<svg viewBox=''/>", "image", "image/svg+xml", "svg"),
            (
                b"<?xml version='1.0'?><a/>",
                "text",
                "application/xml",
                "xml",
            ),
            (b"#!/bin/sh\necho \xc3\xa9\n", "text", "text/plain", "txt"),
            (b"", "text", "text/plain", "txt"),
            (b"\xff\xfea\0b\0", "text", "text/plain", "txt"),
            (b"caf\xe9", "binary", "application/octet-stream", "binary"),
            (b"a\0b", "binary", "application/octet-stream", "binary"),
            (b"ID3\x04\0\0\0\0\0\0", "audio", "audio/mpeg", "mp3"),
            (b"glTF\x02\0\0\0", "3d", "model/gltf-binary", "glb"),
            (b"PK\x03\x04\x14\0", "binary", "application/zip", "zip"),
        ] {
            for name in ["README", ".hidden", "trailing.", "a.b c", "x.\u{e9}"] {
                let media = Media::detect(name.as_bytes(), head);
                assert_eq!(media.class.word(), class_word, "{name} with {head:?}");
                assert_eq!(media.media_type, type_word, "{name} with {head:?}");
                assert_eq!(
                    media.format(name.as_bytes()),
                    format,
                    "{name} with {head:?}"
                );
            }
        }
        let odd = Media::detect(b"x.Qzz", b"\0");
        assert_eq!((odd, &*odd.format(b"x.Qzz")), (Media::UNKNOWN, "qzz"));
    }

    #[test]
    fn containers_take_the_extension_s_word_for_what_is_in_them() {
        let mp4 = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
        let quicktime = b"\0\0\0\x14ftypqt  \0\0\0\0qt  ";
        let zip = b"PK\x03\x04\x14\0\x06\0";
        let ogg = |codec: &[u8]| [b"OggS\0\x02", &[0; 20][..], b"\x01\x1e", codec].concat();
        assert_eq!(media_type("a.mp4", mp4), "video/mp4");
        assert_eq!(media_type("a.m4a", mp4), "audio/mp4");
        assert_eq!(media_type("a.mov", quicktime), "video/quicktime");
        assert_eq!(media_type("a.mov", mp4), "video/mp4");
        assert_eq!(media_type("a.mp4", quicktime), "video/mp4");
        assert_eq!(
            media_type("a.docx", zip).split('.').next_back(),
            Some("document")
        );
        assert_eq!(media_type("a.ogg", &ogg(b"\x01vorbis")), "audio/ogg");
        assert_eq!(media_type("a.ogg", &ogg(b"\x80theora")), "video/ogg");
        assert_eq!(class("a.ogg", &ogg(b"\x80theora")), "audio");
        assert_eq!(
            media_type("a.webm", b"\x1a\x45\xdf\xa3\x9fB\x82\x84webm"),
            "video/webm"
        );
        assert_eq!(
            media_type("a.mkv", b"\x1a\x45\xdf\xa3\x9fB\x82\x88matroska"),
            "video/matroska"
        );
        assert_eq!(
            media_type("a.avif", b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif"),
            "image/avif"
        );
    }

    #[test]
    fn ambiguous_extensions_go_by_content() {
        let transport_stream: Vec<u8> = (0..600)
            .map(|i| if i % 188 == 0 { 0x47 } else { 0xff })
            .collect();
        assert_eq!(class("a.ts", b"let a: number = 1;"), "text");
        assert_eq!(class("a.ts", &transport_stream), "video");
        assert_eq!(media_type("a.stl", b"solid cube\n"), "model/stl");
        assert_eq!(media_type("a.stl", &[0; 84]), "model/stl");
        assert_eq!(media_type("a.obj", b"v 0 0 0\n"), "model/obj");
        assert_eq!(media_type("a.mp3", b"\xff\xfb\x90\x64\0\0"), "audio/mpeg");
        assert_eq!(
            media_type("a", b"\xff\xfb\x90\x64\0\0"),
            "application/octet-stream"
        );
        assert_eq!(
            media_type("a.ico", b"\0\0\x01\0\x01\0\x10\x10\0\0"),
            "image/vnd.microsoft.icon"
        );
    }

    #[test]
    fn text_in_older_encodings_is_text_where_the_extension_says_so() {
        let latin1 = Media::detect(b"a.txt", b"caf\xe9\n");
        assert_eq!(latin1.media_type, "text/plain");
        assert!(latin1.is_text());
        // A character cut by the end of the head is no reason for doubt, one cut by the end of the file is.
        let mut head = vec![b'a'; HEAD_BYTES - 1];
        head.push(0xc3);
        assert_eq!(media_type("README", &head), "text/plain");
        assert_eq!(
            media_type("README", &head[HEAD_BYTES - 2..]),
            "application/octet-stream"
        );
        assert!(!Media::UNKNOWN.is_text());
    }

    #[test]
    fn every_code_reads_back() {
        for class in MediaClass::ALL {
            assert_eq!(MediaClass::from_word(class.word()), Some(class));
            for format in formats::FORMATS {
                let media = Media {
                    class,
                    media_type: format.media_type,
                };
                assert_eq!(Media::from_code(media.code()), Some(media));
            }
        }
        assert_eq!(Media::from_code(0), None);
        assert_eq!(Media::from_code(u16::MAX), None);
        assert_eq!(MediaClass::from_word("Text"), None);
    }
}
