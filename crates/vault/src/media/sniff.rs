//! Telling formats by their bytes: magic numbers, and what counts as text.

/// How the start of a file reads as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextKind {
    /// Valid UTF-8 without control characters; nothing at all counts too.
    Utf8,
    /// A byte order mark, then valid UTF-16 without control characters.
    Utf16,
    /// Not UTF-8, but without control bytes: an older encoding, if something else says that it is text.
    Legacy,
    /// Not text.
    No,
}

/// Judges `head`; `cut` says that the file goes on after it.
pub(super) fn text_kind(head: &[u8], cut: bool) -> TextKind {
    if let [0xff, 0xfe, rest @ ..] = head {
        return utf16_kind(
            rest.chunks_exact(2)
                .map(|unit| u16::from_le_bytes([unit[0], unit[1]])),
        );
    }
    if let [0xfe, 0xff, rest @ ..] = head {
        return utf16_kind(
            rest.chunks_exact(2)
                .map(|unit| u16::from_be_bytes([unit[0], unit[1]])),
        );
    }
    if has_binary(head) {
        return TextKind::No;
    }
    match std::str::from_utf8(head) {
        Ok(_) => TextKind::Utf8,
        Err(error) if error.error_len().is_none() && cut => TextKind::Utf8,
        Err(_) => TextKind::Legacy,
    }
}

fn utf16_kind(units: impl Iterator<Item = u16> + Clone) -> TextKind {
    if units.clone().any(|unit| is_binary(u32::from(unit))) {
        return TextKind::No;
    }
    // The head may end inside a pair, so one error at the end is none.
    let errors = char::decode_utf16(units).filter(Result::is_err).count();
    if errors <= 1 {
        TextKind::Utf16
    } else {
        TextKind::No
    }
}

/// Whether a byte of `head` is one that [`is_binary`]. Asked of every file, hence without branches: the compiler makes it a
/// comparison of many bytes at once.
#[expect(clippy::needless_bitwise_bool, reason = "lazy ones are branches")]
fn has_binary(head: &[u8]) -> bool {
    let is_binary = |byte: u8| {
        let is_space = (byte.wrapping_sub(0x9) < 2) | (byte.wrapping_sub(0xc) < 2);
        ((byte < 0x20) & !is_space & (byte != 0x1b)) | (byte == 0x7f)
    };
    let any = |block: &[u8]| block.iter().fold(false, |any, byte| any | is_binary(*byte));
    head.chunks(256).any(any)
}

/// The control characters that text does not contain (WHATWG MIME Sniffing, "binary data byte", and DEL).
const fn is_binary(code: u32) -> bool {
    matches!(code, 0..=8 | 0xb | 0xe..=0x1a | 0x1c..=0x1f | 0x7f)
}

/// The markup language of a text whose name does not tell.
pub(super) fn markup(head: &[u8]) -> Option<&'static str> {
    let start = head
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(head)
        .trim_ascii_start();
    if begins(start, b"<!doctype html") || begins(start, b"<html") {
        Some("text/html")
    } else if (begins(start, b"<?xml") || begins(start, b"<!--") || begins(start, b"<svg"))
        && is_svg(head)
    {
        Some("image/svg+xml")
    } else if begins(start, b"<?xml") {
        Some("application/xml")
    } else {
        None
    }
}

/// Whether an SVG drawing starts somewhere in `head`: long comments and declarations may come first.
pub(super) fn is_svg(head: &[u8]) -> bool {
    [&b"<svg"[..], b"<!DOCTYPE svg", b"<svg:svg"]
        .iter()
        .any(|tag| contains(head, tag))
}

fn begins(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// The media type that unmistakable magic numbers show. Weak ones, of two bytes or so, only ever support what an
/// extension claims, see the checks below.
pub(super) fn magic(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, bytes: &[u8]| head.get(offset..).is_some_and(|h| h.starts_with(bytes));
    if let Some(&(_, _, media_type)) = MAGIC.iter().find(|&&(offset, bytes, _)| at(offset, bytes)) {
        return Some(media_type);
    }
    if at(0, b"RIFF") || at(0, b"RF64") {
        return match head.get(8..12)? {
            b"WAVE" => Some("audio/wav"),
            b"WEBP" => Some("image/webp"),
            b"AVI " => Some("video/x-msvideo"),
            _ => None,
        };
    }
    if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        return Some("audio/aiff");
    }
    if at(0, b"\x1a\x45\xdf\xa3") {
        let start = &head[..head.len().min(64)];
        let webm = contains(start, b"webm");
        return Some(if webm { "video/webm" } else { "video/matroska" });
    }
    if at(0, b"OggS\0") {
        return Some(ogg(&head[..head.len().min(128)]));
    }
    if at(4, b"ftyp") {
        return Some(iso_media(head));
    }
    // QuickTime from before there was `ftyp`; the first four bytes are the size of the first box.
    if at(4, b"moov") || (at(4, b"mdat") && at(0, b"\0")) || at(4, b"wide") {
        return Some("video/quicktime");
    }
    // `BM` alone begins many a text; the size of the second header tells.
    if at(0, b"BM")
        && matches!(
            head.get(14..18),
            Some([12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])
        )
    {
        return Some("image/bmp");
    }
    if at(0, b"ID3") && matches!(head.get(3..5), Some([2..=4, 0..=0x10])) {
        return Some("audio/mpeg");
    }
    if at(0, b"MZ") && portable_executable(head) {
        return Some("application/vnd.microsoft.portable-executable");
    }
    // Transport streams repeat the sync byte each 188 bytes; those of cameras put 4 bytes before each packet.
    if [0, 4].iter().any(|o| {
        let packet = 188 + o;
        (0..3).all(|i| head.get(o + i * packet) == Some(&0x47))
    }) {
        return Some("video/mp2t");
    }
    None
}

fn ogg(start: &[u8]) -> &'static str {
    if contains(start, b"\x80theora") {
        "video/ogg"
    } else if [&b"\x01vorbis"[..], b"OpusHead", b"\x7fFLAC", b"Speex   "]
        .iter()
        .any(|id| contains(start, id))
    {
        "audio/ogg"
    } else {
        "application/ogg"
    }
}

/// By the brands of the `ftyp` box: the major one, and for pictures the compatible ones too.
fn iso_media(head: &[u8]) -> &'static str {
    let major = head.get(8..12).unwrap_or_default();
    let size = head
        .first_chunk()
        .map_or(0, |size| u32::from_be_bytes(*size));
    let end = usize::try_from(size).unwrap_or(usize::MAX).min(head.len());
    let is_avif = |brand: &[u8]| brand == b"avif" || brand == b"avis";
    match major {
        brand if is_avif(brand) => "image/avif",
        b"mif1" | b"msf1" if head[..end].chunks_exact(4).any(is_avif) => "image/avif",
        b"mif1" | b"msf1" | b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" => {
            "image/heic"
        }
        b"crx " => "image/x-canon-cr3",
        b"qt  " => "video/quicktime",
        b"M4A " | b"M4B " | b"M4P " => "audio/mp4",
        [b'3', b'g', _, _] => "video/3gpp",
        _ => "video/mp4",
    }
}

fn portable_executable(head: &[u8]) -> bool {
    let Some(offset) = head.get(0x3c..0x40).and_then(|bytes| bytes.first_chunk()) else {
        return false;
    };
    // Beyond the head it is a guess that can do no harm: the class is the same.
    let offset = usize::try_from(u32::from_le_bytes(*offset)).unwrap_or(usize::MAX);
    head.get(offset..)
        .is_none_or(|rest| rest.starts_with(b"PE\0\0"))
}

/// An MPEG audio frame of layer I to III, for files that start without tags.
pub(super) fn is_mpeg_audio(head: &[u8]) -> bool {
    let Some(&[a, b, c]) = head.first_chunk::<3>() else {
        return false;
    };
    // Eleven sync bits, then neither a reserved version, layer, bit rate nor sampling rate.
    a == 0xff
        && b & 0xe0 == 0xe0
        && b & 0x18 != 0x08
        && b & 0x06 != 0
        && c & 0xf0 != 0xf0
        && c & 0x0c != 0x0c
}

/// An AAC frame with an ADTS header.
pub(super) fn is_adts(head: &[u8]) -> bool {
    matches!(head, [0xff, b, ..] if b & 0xf6 == 0xf0)
}

/// An icon or cursor directory: reserved, kind, then a count that is not 0.
pub(super) fn is_icon(head: &[u8]) -> bool {
    matches!(head, [0, 0, 1 | 2, 0, count, 0, ..] if *count > 0)
}

/// A bare JPEG XL codestream.
pub(super) fn is_jxl_codestream(head: &[u8]) -> bool {
    head.starts_with(b"\xff\x0a")
}

/// Netpbm: `P1` to `P7`, then white space.
pub(super) fn is_netpbm(head: &[u8]) -> bool {
    matches!(head, [b'P', b'1'..=b'7', space, ..] if space.is_ascii_whitespace())
}

/// Offset, bytes, and what they show.
const MAGIC: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"8BPS\0", "image/vnd.adobe.photoshop"),
    (0, b"gimp xcf", "image/x-xcf"),
    (0, b"\x76\x2f\x31\x01", "image/x-exr"),
    (0, b"#?RADIANCE", "image/vnd.radiance"),
    (0, b"qoif", "image/qoi"),
    (0, b"DDS |\0\0\0", "image/vnd.ms-dds"),
    (0, b"CSFCHUNK", "image/x-clip-studio"),
    (0, b"FUJIFILMCCD-RAW", "image/x-fuji-raf"),
    (0, b"fLaC", "audio/flac"),
    (0, b"MThd\0\0\0\x06", "audio/midi"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"MAC \x96\x0f", "audio/x-ape"),
    (0, b"wvpk", "audio/x-wavpack"),
    (0, b"caff\0\x01", "audio/x-caf"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (0, b"\0\0\x01\xba", "video/mpeg"),
    (0, b"\0\0\x01\xb3", "video/mpeg"),
    (0, b"glTF\x01\0\0\0", "model/gltf-binary"),
    (0, b"glTF\x02\0\0\0", "model/gltf-binary"),
    (0, b"ply\n", "model/ply"),
    (0, b"ply\r\n", "model/ply"),
    (0, b"Kaydara FBX Binary  \0", "model/x-fbx"),
    (0, b"BLENDER", "model/x-blender"),
    (0, b"PXR-USDC", "model/vnd.usd"),
    (0, b"BB3D", "model/x-b3d"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS", "application/postscript"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"\x04\x22\x4d\x18", "application/x-lz4"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (257, b"ustar", "application/x-tar"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"OTTO\0", "font/otf"),
    (0, b"\0\x01\0\0\0", "font/ttf"),
    (0, b"ttcf\0", "font/collection"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"\0asm\x01\0\0\0", "application/wasm"),
    (0, b"\x7fELF", "application/x-elf"),
    (
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "application/x-ole-storage",
    ),
    (0, b"!<arch>\n", "application/x-archive"),
    (0, b"\xed\xab\xee\xdb", "application/x-rpm"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"\xca\xfe\xba\xbe\0\0\0", "application/java-vm"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_magic_number_is_found_by_the_type_it_shows() {
        for &(offset, bytes, media_type) in MAGIC {
            let mut head = vec![b' '; offset];
            head.extend_from_slice(bytes);
            assert_eq!(magic(&head), Some(media_type), "{bytes:?}");
            assert!(
                super::super::formats::by_media_type(media_type).is_some(),
                "{media_type}"
            );
            assert_eq!(magic(&head[..head.len() - 1]), None, "{bytes:?} cut short");
        }
    }

    #[test]
    fn texts_that_begin_like_something_else_are_texts() {
        for text in [
            &b"BM is a city\nand so on, and on"[..],
            b"ID3 tags explained",
            b"MZ\n",
            b"RIFF me",
        ] {
            assert_eq!(magic(text), None);
            assert_eq!(text_kind(text, false), TextKind::Utf8);
        }
    }

    #[test]
    fn a_byte_is_binary_in_text_of_bytes_as_in_text_of_others() {
        for byte in 0..=u8::MAX {
            let head = [&[b'a'; 300][..], &[byte]].concat();
            let expected = byte < 0x80 && is_binary(u32::from(byte));
            assert_eq!(has_binary(&head), expected, "{byte:#x}");
        }
    }

    #[test]
    fn a_byte_order_mark_makes_utf16_text() {
        for head in [
            &b"\xff\xfeh\0i\0\n\0"[..],
            b"\xfe\xff\0h\0i",
            b"\xff\xfe",
            b"\xff\xfe\x3d\xd8",
        ] {
            assert_eq!(text_kind(head, false), TextKind::Utf16);
        }
        for head in [&b"\xff\xfe\0\0h\0\0\0"[..], b"\xff\xfe\0\xdc\0\xdca\0"] {
            assert_eq!(text_kind(head, false), TextKind::No);
        }
        assert_eq!(text_kind(b"a\x1b[1mb\tc\r\n\x0c", false), TextKind::Utf8);
        assert_eq!(text_kind(b"a\x08", false), TextKind::No);
    }
}
