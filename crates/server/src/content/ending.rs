//! Whether a file of a known kind ends before its own account of itself does. Browsers show a picture or play a sound as
//! far as it goes and say nothing; a person should be told. Reads a few bytes from both ends.

use compactvault_vault::ReadError;
use memchr::memmem;

use super::Bytes;

/// How far from the end a mark may stand.
const TAIL_BYTES: u64 = 65_536;
/// What a file begins with, as far as it is looked at.
const HEAD_BYTES: u64 = 64;
/// Boxes at the outermost level that are walked; films have a handful.
const BOXES_MAX: usize = 12;

/// Whether the bytes, which are of that media type, end early. `false` says nothing of kinds that have no such mark.
pub(crate) fn ends_early(bytes: &dyn Bytes, media_type: &str) -> Result<bool, ReadError> {
    let size = bytes.size();
    let head = || read(bytes, 0, HEAD_BYTES);
    let tail = || read(bytes, size.saturating_sub(TAIL_BYTES), TAIL_BYTES);
    let lacks = |mark: &[u8]| Ok(memmem::find(&tail()?, mark).is_none());
    match media_type {
        "image/png" => lacks(b"IEND"),
        "image/jpeg" => lacks(b"\xff\xd9"),
        "application/pdf" => lacks(b"%%EOF"),
        "image/gif" => Ok(!gif_ends(&tail()?)),
        "image/webp" | "audio/wav" | "video/x-msvideo" => Ok(riff_ends_early(&head()?, size)),
        "model/gltf-binary" => Ok(little(&head()?, 8).is_some_and(|length| length > size)),
        "model/stl" => {
            let head = head()?;
            if head.trim_ascii_start().len() >= 5
                && head.trim_ascii_start()[..5].eq_ignore_ascii_case(b"solid")
            {
                let tail = tail()?.to_ascii_lowercase();
                return Ok(memmem::find(&tail, b"endsolid").is_none());
            }
            // After 80 bytes of anything a count of triangles, each of 50 bytes.
            let triangles = little(&read(bytes, 80, 4)?, 0);
            Ok(triangles.is_some_and(|count| 84 + count * 50 > size))
        }
        "audio/ogg" | "video/ogg" => Ok(!ogg_ends(&tail()?)),
        "video/webm" | "audio/webm" | "video/x-matroska" => {
            Ok(matroska_end(&head()?).is_some_and(|end| end > size))
        }
        "video/mp4" | "audio/mp4" | "video/quicktime" => boxes_end_early(bytes),
        _ => Ok(false),
    }
}

/// Up to `length` bytes from `at` on.
fn read(bytes: &dyn Bytes, at: u64, length: u64) -> Result<Vec<u8>, ReadError> {
    let end = bytes.size().min(at.saturating_add(length));
    let pieces: Result<Vec<_>, _> = bytes.pieces(at.min(end)..end).collect();
    Ok(pieces?.concat())
}

fn little(bytes: &[u8], at: usize) -> Option<u64> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u64::from(u32::from_le_bytes(*four)))
}

fn big(bytes: &[u8], at: usize) -> Option<u64> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u64::from(u32::from_be_bytes(*four)))
}

/// Some programs fill up what follows the trailer.
fn gif_ends(tail: &[u8]) -> bool {
    let is_filling = |byte: &&u8| **byte == 0 || byte.is_ascii_whitespace();
    let filling = tail.iter().rev().take_while(is_filling).count();
    filling < 64 && tail.iter().rev().nth(filling) == Some(&b';')
}

/// RIFF says how long it is; streams that never knew write 0 or all ones.
fn riff_ends_early(head: &[u8], size: u64) -> bool {
    match little(head, 4) {
        None | Some(0 | 0xffff_ffff) => false,
        Some(length) => length + 8 > size + 1,
    }
}

/// Whether the last page says that it is that.
fn ogg_ends(tail: &[u8]) -> bool {
    let flags = memmem::rfind(tail, b"OggS").and_then(|last| tail.get(last + 5));
    flags.is_some_and(|flags| flags & 4 != 0)
}

/// Where the one segment of a Matroska file ends by its own account, if that is said.
fn matroska_end(head: &[u8]) -> Option<u64> {
    if head.first() != Some(&0x1a) {
        return None;
    }
    let (inside, at) = vint(head, 4)?;
    let segment = at.checked_add(usize::try_from(inside).ok()?)?;
    if !head.get(segment..)?.starts_with(&[0x18, 0x53]) {
        return None;
    }
    let (length, at) = vint(head, segment + 4)?;
    (at as u64).checked_add(length)
}

/// A number of EBML (RFC 8794, 4) and where it ends; `None` for one that is unknown or cut.
fn vint(head: &[u8], at: usize) -> Option<(u64, usize)> {
    let length = head.get(at)?.leading_zeros() as usize + 1;
    let bytes = head.get(at..at + length).filter(|_| length <= 8)?;
    let all = bytes
        .iter()
        .fold(0, |all, byte| all << 8 | u64::from(*byte));
    let ones = (1 << (7 * length)) - 1;
    let value = all & ones;
    (value != ones).then_some((value, at + length))
}

/// Goes from box to box (ISO/IEC 14496-12, 4.2), each of which says how long it is.
fn boxes_end_early(bytes: &dyn Bytes) -> Result<bool, ReadError> {
    let size = bytes.size();
    let mut at = 0_u64;
    for _ in 0..BOXES_MAX {
        if at + 8 > size {
            break;
        }
        let head = read(bytes, at, 16)?;
        let length = match (big(&head, 0), big(&head, 8), big(&head, 12)) {
            (Some(1), Some(high), Some(low)) => high << 32 | low,
            (Some(short), ..) => short,
            (None, ..) => 0,
        };
        // 0 reaches to the end, whatever that is.
        if length < 8 {
            return Ok(false);
        }
        at = at.saturating_add(length);
    }
    Ok(at > size)
}

#[cfg(test)]
mod tests {
    use super::super::bytes::tests::Memory;
    use super::*;

    fn early(media_type: &str, bytes: &[u8]) -> bool {
        ends_early(&Memory::new(bytes, 7), media_type).unwrap()
    }

    #[test]
    fn an_end_mark_tells() {
        for (media_type, whole, cut) in [
            (
                "image/png",
                &b"\x89PNG....IEND...."[..],
                &b"\x89PNG....IDAT...."[..],
            ),
            ("image/jpeg", b"\xff\xd8....\xff\xd9", b"\xff\xd8...."),
            ("image/gif", b"GIF89a....;\0\0 ", b"GIF89a...."),
            ("application/pdf", b"%PDF-1.4 ... %%EOF\n", b"%PDF-1.4 ..."),
            ("audio/ogg", b"OggS\0\x04......", b"OggS\0\x00......"),
            (
                "model/stl",
                b"solid a\nfacet\nendsolid a\n",
                b"  SOLID a\nfacet\n",
            ),
        ] {
            assert!(!early(media_type, whole), "{media_type}");
            assert!(early(media_type, cut), "{media_type}");
        }
    }

    #[test]
    fn the_length_it_gives_itself_tells() {
        let mut stl = vec![0; 84 + 50];
        stl[80] = 1;
        let mut wav = vec![0; 100];
        wav[..8].copy_from_slice(b"RIFF\x5c\0\0\0");
        let mut mp4 = vec![0; 64];
        mp4[3] = 24;
        mp4[27] = 40;
        let mut long = vec![0; 64];
        long[3] = 1;
        long[15] = 64;
        let mut glb = b"glTF\x02\0\0\0\x14\0\0\0".to_vec();
        glb.resize(20, 0);
        // An EBML head of 4 bytes, then a segment of 16.
        let mut webm = vec![
            0x1a, 0x45, 0xdf, 0xa3, 0x84, 0, 0, 0, 0, 0x18, 0x53, 0x80, 0x67, 0x90,
        ];
        webm.resize(30, 0);
        for (media_type, whole) in [
            ("model/stl", &stl),
            ("audio/wav", &wav),
            ("video/mp4", &mp4),
            ("video/quicktime", &long),
            ("model/gltf-binary", &glb),
            ("video/webm", &webm),
        ] {
            assert!(!early(media_type, whole), "{media_type}");
            assert!(early(media_type, &whole[..whole.len() - 8]), "{media_type}");
        }
        // What never knew how long it would be claims nothing.
        wav[4..8].fill(0xff);
        webm[13] = 0xff;
        assert!(!early("audio/wav", &wav[..60]));
        assert!(!early("video/webm", &webm[..29]));
    }

    #[test]
    fn nothing_is_claimed_of_other_kinds_and_any_bytes_will_do() {
        for media_type in ["audio/mpeg", "text/plain", "application/zip"] {
            assert!(!early(media_type, b"x"));
        }
        for media_type in [
            "image/gif",
            "image/webp",
            "model/stl",
            "video/mp4",
            "video/webm",
        ] {
            for length in 0..40 {
                early(media_type, &vec![0xff; length]);
                early(media_type, &vec![0; length]);
                early(media_type, &[0x1a, 0, 0, 0, 1].repeat(length));
            }
        }
    }
}
