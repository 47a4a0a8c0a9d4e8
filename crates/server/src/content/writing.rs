//! How a text is written: its encoding, told from its bytes, and what ends its lines.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};

use super::NotText;

/// What is looked at before anything is shown.
pub(super) const HEAD_BYTES: u64 = 64 * 1024;
/// Bytes with characters beyond ASCII that are judged; a language shows long before.
const JUDGED_BYTES_MAX: usize = 1024 * 1024;
/// What is judged in one piece.
const BLOCK_BYTES: usize = 16 * 1024;
/// One byte in so many may be a control character that text has no use for: logs hold some.
const CONTROL_ONE_IN: usize = 64;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Writing {
    /// As browsers know it.
    pub(crate) encoding: &'static Encoding,
    /// Bytes of the mark at the beginning.
    pub(crate) mark_bytes: u64,
    /// What ends a line: `\n`, or `\r` in a text from before 2001 that has nothing else.
    pub(crate) end: u8,
}

impl Writing {
    /// Bytes to a unit: a line's end is one unit.
    pub(crate) fn unit(self) -> usize {
        if self.encoding == UTF_16LE || self.encoding == UTF_16BE {
            2
        } else {
            1
        }
    }

    /// The positions after each line's end within a piece of whole units.
    pub(crate) fn ends(self, piece: &[u8]) -> impl Iterator<Item = usize> + '_ {
        let (unit, is_big) = (self.unit(), self.encoding == UTF_16BE);
        memchr::memchr_iter(self.end, piece).filter_map(move |at| match (unit, is_big) {
            (1, _) => Some(at + 1),
            (_, false) => (at % 2 == 0 && piece.get(at + 1) == Some(&0)).then_some(at + 2),
            (_, true) => (at % 2 == 1 && piece[at - 1] == 0).then_some(at + 1),
        })
    }

    /// The text of a line without its end.
    pub(crate) fn decode(self, raw: &[u8]) -> String {
        let (text, _) = self.encoding.decode_without_bom_handling(raw);
        let mut text = text.into_owned();
        if self.end == b'\n' && text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        } else if self.end == b'\r' && text.ends_with('\r') {
            text.pop();
        }
        text
    }
}

/// Judges a text by its bytes as they are read, and says at any time how it is written.
pub(crate) struct Judge {
    detector: EncodingDetector,
    left: usize,
    /// UTF-8 sequences beyond ASCII, and what is none.
    valid: u64,
    invalid: u64,
    has_escape: bool,
}

impl Judge {
    fn new() -> Self {
        Self {
            detector: EncodingDetector::new(Iso2022JpDetection::Allow),
            left: JUDGED_BYTES_MAX,
            valid: 0,
            invalid: 0,
            has_escape: false,
        }
    }

    /// Takes the next bytes into account.
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        self.take(piece, false);
    }

    fn take(&mut self, piece: &[u8], is_end: bool) {
        for (number, block) in (1..).zip(piece.chunks(BLOCK_BYTES)) {
            let has_escape = memchr::memchr(0x1b, block).is_some();
            if self.left == 0 || block.is_ascii() && !has_escape {
                continue;
            }
            self.has_escape |= has_escape;
            self.left = self.left.saturating_sub(block.len());
            self.detector.feed(block, false);
            let (valid, invalid) =
                utf8_sequences(block, is_end && number * BLOCK_BYTES >= piece.len());
            self.valid += valid;
            self.invalid += invalid;
        }
    }

    /// The encoding by all that was read. A text that is mostly UTF-8 is that, with its faults; guessing would garble the
    /// rest.
    pub(crate) fn encoding(&self) -> &'static Encoding {
        if self.valid + self.invalid == 0 && !self.has_escape {
            return UTF_8;
        }
        let guess = self.detector.guess(None, Utf8Detection::Deny);
        let is_utf8 = self.invalid == 0 || self.valid >= 4 * self.invalid;
        if self.valid + self.invalid > 0 && !is_utf8 || guess == ISO_2022_JP {
            guess
        } else {
            UTF_8
        }
    }
}

/// Counts well-formed sequences beyond ASCII and faults; what may be cut at either end is neither, but at the end of the
/// text nothing is cut.
fn utf8_sequences(block: &[u8], is_end: bool) -> (u64, u64) {
    let cut = block.iter().take(3);
    let cut = cut.take_while(|&&byte| byte & 0xc0 == 0x80).count();
    let (mut valid, mut invalid) = (0, 0);
    let mut chunks = block[cut..].utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        valid += chunk.valid().bytes().filter(|&byte| byte >= 0xc0).count() as u64;
        let is_begun =
            std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none());
        let is_cut = is_begun && !is_end && chunks.peek().is_none();
        invalid += u64::from(!chunk.invalid().is_empty() && !is_cut);
    }
    (valid, invalid)
}

/// Tells how a text is written by its head, which is all of it unless `is_cut`.
pub(crate) fn judge(head: &[u8], is_cut: bool) -> Result<(Writing, Option<Judge>), NotText> {
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(head) {
        let writing = with_end(encoding, mark_bytes, head);
        return Ok((writing, None));
    }
    if let Some(encoding) = wide(head, is_cut) {
        return Ok((with_end(encoding, 0, head), None));
    }
    let control = head.iter().filter(|&&byte| is_control(byte.into())).count();
    if head.contains(&0) || control * CONTROL_ONE_IN > head.len() {
        return Err(NotText);
    }
    let mut judge = Judge::new();
    judge.take(head, !is_cut);
    let writing = with_end(judge.encoding(), 0, head);
    Ok((writing, Some(judge)))
}

fn with_end(encoding: &'static Encoding, mark_bytes: usize, head: &[u8]) -> Writing {
    let writing = Writing {
        encoding,
        mark_bytes: mark_bytes as u64,
        end: b'\n',
    };
    let body = &head[mark_bytes..];
    let has = |end| Writing { end, ..writing }.ends(body).next().is_some();
    let end = if !has(b'\n') && has(b'\r') {
        b'\r'
    } else {
        b'\n'
    };
    Writing { end, ..writing }
}

/// UTF-16 without a mark: every other byte of what is mostly ASCII is 0, and all units are characters of texts.
fn wide(head: &[u8], is_cut: bool) -> Option<&'static Encoding> {
    let units = head.len() / 2;
    if units < 2 || !is_cut && !head.len().is_multiple_of(2) {
        return None;
    }
    let zeros = |at: usize| head.chunks_exact(2).filter(|pair| pair[at] == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    let (encoding, from): (_, fn([u8; 2]) -> u16) =
        if second * 10 > units * 3 && first * 10 < second {
            (UTF_16LE, u16::from_le_bytes)
        } else if first * 10 > units * 3 && second * 10 < first {
            (UTF_16BE, u16::from_be_bytes)
        } else {
            return None;
        };
    let decoded = char::decode_utf16(head.chunks_exact(2).map(|pair| from([pair[0], pair[1]])));
    let faults = decoded.filter(|unit| match unit {
        Ok(char) => is_control(*char as u32),
        Err(_) => true,
    });
    // The head may end within a pair.
    (faults.count() <= usize::from(is_cut)).then_some(encoding)
}

/// Control characters that text has no use for.
fn is_control(code: u32) -> bool {
    matches!(code, 0..=8 | 0xb | 0xe..=0x1a | 0x1c..=0x1f | 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(head: &[u8]) -> &'static str {
        judge(head, false).map_or("no text", |(writing, _)| writing.encoding.name())
    }

    #[test]
    fn encodings_are_told_from_bytes() {
        let wide = |text: &str, to: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(to).collect()
        };
        let text = "Grüße aus Köln, é 😀\n";
        assert_eq!(name(b""), "UTF-8");
        assert_eq!(name(text.as_bytes()), "UTF-8");
        assert_eq!(name(b"\xEF\xBB\xBFx"), "UTF-8");
        assert_eq!(name(&wide(text, u16::to_le_bytes)), "UTF-16LE");
        assert_eq!(name(&wide(text, u16::to_be_bytes)), "UTF-16BE");
        assert_eq!(name(b"caf\xe9"), "windows-1252");
        assert_eq!(name(b"caf\xe9 x"), "windows-1252");
        assert_eq!(name(b"\xFF\xFEa\0"), "UTF-16LE");
        assert_eq!(name(b"\xFE\xFF\0a"), "UTF-16BE");
        let in_encoding = |label: &str, text: &str| {
            let encoding = Encoding::for_label(label.as_bytes()).unwrap();
            name(&encoding.encode(text).0)
        };
        assert_eq!(
            in_encoding("windows-1252", "Gr\u{fc}\u{df}e aus K\u{f6}ln, caf\u{e9}\n"),
            "windows-1252"
        );
        assert_eq!(
            in_encoding("shift_jis", "これは日本語の文章です。漢字とかな。\n"),
            "Shift_JIS"
        );
        assert_eq!(
            in_encoding("euc-jp", "これは日本語の文章です。漢字とかな。\n"),
            "EUC-JP"
        );
        assert_eq!(
            in_encoding("iso-2022-jp", "これは日本語の文章です。\n"),
            "ISO-2022-JP"
        );
        assert_eq!(
            in_encoding("windows-1251", "Это русский текст, написанный по-русски.\n"),
            "windows-1251"
        );
        assert_eq!(
            in_encoding("koi8-r", "Это русский текст, написанный по-русски.\n"),
            "KOI8-U"
        );
        assert_eq!(
            in_encoding("big5", "這是一個繁體中文的句子,用來測試。\n"),
            "Big5"
        );
        assert_eq!(
            in_encoding("gbk", "这是一个简体中文的句子,用来测试。\n"),
            "GBK"
        );
    }

    #[test]
    fn what_is_no_text() {
        for head in [
            &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..],
            b"a\0b",
            b"\x01\x02\x03",
            &[0; 1000],
        ] {
            assert_eq!(name(head), "no text", "{head:?}");
        }
        // A log with colours and a bell is one.
        assert_eq!(
            name(format!("\x1b[31mred\x1b[0m {}\x07", "x".repeat(100)).as_bytes()),
            "UTF-8"
        );
    }

    #[test]
    fn one_fault_does_not_garble_a_text() {
        let text = "é".repeat(100).into_bytes();
        assert_eq!(name(&[&text[..], b"\xff", &text[..]].concat()), "UTF-8");
        // Characters cut at the blocks' ends are no faults.
        let long = "日本".repeat(20_000);
        assert_eq!(name(&long.as_bytes()[1..]), "UTF-8");
    }

    #[test]
    fn what_ends_lines() {
        let end = |head: &[u8]| judge(head, false).unwrap().0.end;
        assert_eq!(end(b"a\rb\r"), b'\r');
        assert_eq!(end(b"a\r\nb"), b'\n');
        assert_eq!(end(b"50%\r60%\n"), b'\n');
        assert_eq!(end(b"a"), b'\n');
        let writing = judge(b"\xFE\xFF\0a\0\n\n\0", false).unwrap().0;
        assert_eq!(writing.ends(b"\0a\0\n\n\0\0\n").collect::<Vec<_>>(), [4, 8]);
        assert_eq!(writing.decode(b"\0a\0\r\0\n"), "a");
    }
}
