//! Text previews: the first bytes of a file as a string, by the encoding it was written in.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Bytes of a file shown as text at most.
pub(crate) const PREVIEW_BYTES_MAX: u64 = 256 * 1024;

/// Text as it was decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Without a byte order mark.
    pub(crate) content: String,
    /// `utf-8`, `utf-16le`, `utf-16be` or `windows-1252`.
    pub(crate) encoding: &'static str,
}

/// Decodes `head`: by its byte order mark, else as UTF-8 if it is, else as windows-1252, which takes any byte.
/// `is_cut` says that the file goes on after it; a character cut in two at the end is then left out.
pub(crate) fn decode(head: &[u8], is_cut: bool) -> Decoded {
    let (encoding, head) = match Encoding::for_bom(head) {
        Some((encoding, mark_bytes)) => (encoding, &head[mark_bytes..]),
        None => (UTF_8, head),
    };
    if encoding == UTF_8 {
        return match std::str::from_utf8(head) {
            Ok(content) => Decoded {
                content: content.to_owned(),
                encoding: "utf-8",
            },
            Err(error) if is_cut && error.error_len().is_none() => {
                let whole = String::from_utf8_lossy(&head[..error.valid_up_to()]);
                Decoded {
                    content: whole.into_owned(),
                    encoding: "utf-8",
                }
            }
            Err(_) => plain(head, WINDOWS_1252, "windows-1252"),
        };
    }
    let mut units = head.len() - head.len() % 2;
    let name = if encoding == UTF_16LE {
        "utf-16le"
    } else {
        "utf-16be"
    };
    if is_cut && units >= 2 {
        let high = if encoding == UTF_16LE {
            head[units - 1]
        } else {
            head[units - 2]
        };
        if (0xD8..0xDC).contains(&high) {
            units -= 2;
        }
    }
    let end = if is_cut { units } else { head.len() };
    plain(
        &head[..end],
        if encoding == UTF_16LE {
            UTF_16LE
        } else {
            UTF_16BE
        },
        name,
    )
}

fn plain(bytes: &[u8], encoding: &'static Encoding, name: &'static str) -> Decoded {
    let (content, _) = encoding.decode_without_bom_handling(bytes);
    Decoded {
        content: content.into_owned(),
        encoding: name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &[u8], is_cut: bool, content: &str, encoding: &'static str) {
        assert_eq!(
            decode(head, is_cut),
            Decoded {
                content: content.to_owned(),
                encoding
            }
        );
    }

    #[test]
    fn the_encodings() {
        check(b"", false, "", "utf-8");
        check("é\0".as_bytes(), false, "é\0", "utf-8");
        check(b"\xEF\xBB\xBFx", false, "x", "utf-8");
        check(b"\xFF\xFEa\0\x3D\xD8\x00\xDE", false, "a😀", "utf-16le");
        check(b"\xFE\xFF\0a", false, "a", "utf-16be");
        check(b"caf\xE9 \x80", false, "café €", "windows-1252");
        check(b"\xFF\xFEa\0b", false, "a\u{FFFD}", "utf-16le");
    }

    #[test]
    fn a_character_cut_in_two_is_left_out() {
        check(b"ab\xE2\x82", true, "ab", "utf-8");
        check(b"ab\xE2\x82", false, "abâ‚", "windows-1252");
        check(b"\xFF\xFEa\0\x3D\xD8", true, "a", "utf-16le");
        check(b"\xFE\xFF\0a\xD8", true, "a", "utf-16be");
        check(b"\xFF\xFEa\0b", true, "a", "utf-16le");
    }
}
