//! The directory of a ZIP archive (APPNOTE 6.3), ZIP64 included; and, where a file was cut off and has none, the headers
//! before each member. Nothing is unpacked, so a bomb is just a large number.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::{Gathering, Kind, Limits, Listing, Member, days_from_civil, read_full};
use crate::job::Failure;

const END: &[u8; 4] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const END64: &[u8; 4] = b"PK\x06\x06";
const LOCATOR64: &[u8; 4] = b"PK\x06\x07";
const LOCATOR64_BYTES: usize = 20;
const DIRECTORY: &[u8; 4] = b"PK\x01\x02";
const DIRECTORY_BYTES: usize = 46;
const LOCAL: &[u8; 4] = b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;
/// The end record stands before a comment of at most 65,535 bytes.
const TAIL_BYTES_MAX: u64 = 65_535 + END_BYTES as u64;

/// Where the directory is.
struct Directory {
    start: u64,
    end: u64,
    /// What stands before the archive: a program that unpacks it, say.
    entries: u64,
}

/// Lists a ZIP; `None` if there is no sign of one.
pub(super) fn list(
    mut content: impl Read + Seek,
    head: &[u8],
    limits: &Limits,
) -> Result<Option<Listing>, Failure> {
    let mut gathering = Gathering::new("zip", limits);
    let size = content.seek(SeekFrom::End(0))?;
    let Some(directory) = find_directory(&mut content, size)? else {
        if !head.starts_with(LOCAL) {
            return Ok(None);
        }
        by_local_headers(&mut content, size, &mut gathering)?;
        gathering
            .listing
            .stop("the archive ends without its directory, as one that was cut off; shown is what can be told from its beginning");
        return Ok(Some(gathering.end(false)));
    };
    content.seek(SeekFrom::Start(directory.start))?;
    let taken = directory.end - directory.start;
    let mut reader = BufReader::with_capacity(64 * 1024, content.take(taken));
    let mut encrypted = 0_u64;
    let complete = loop {
        let mut fixed = [0; DIRECTORY_BYTES];
        let filled = read_full(&mut reader, &mut fixed)?;
        if filled == 0 {
            break true;
        }
        if filled < DIRECTORY_BYTES || !fixed.starts_with(DIRECTORY) {
            // A digital signature may follow the last member.
            break fixed.starts_with(b"PK\x05\x05");
        }
        let lengths = [28, 30, 32].map(|at| usize::from(u16_at(&fixed, at)));
        let mut variable = vec![0; lengths.iter().sum()];
        if read_full(&mut reader, &mut variable)? < variable.len() {
            break false;
        }
        encrypted += u64::from(u16_at(&fixed, 8) & 1);
        let (name, rest) = variable.split_at(lengths[0]);
        if !gathering.add(member(&fixed, name, &rest[..lengths[1]])) {
            break false;
        }
    };
    let listing = &mut gathering.listing;
    if !complete {
        listing.stop("the archive's directory is damaged; members after the damage are not shown");
    } else if listing.total != directory.entries {
        listing.stop(format!(
            "the archive says it has {} members, and its directory lists {}",
            directory.entries, listing.total
        ));
    }
    let mut listing = gathering.end(complete);
    if encrypted > 0 && listing.message.is_none() {
        listing.message = Some(format!("{encrypted} of the members are encrypted"));
    }
    Ok(Some(listing))
}

/// Finds the end record, the last one whose comment reaches to the end of the file, else the last one of all.
fn find_directory(
    content: &mut (impl Read + Seek),
    size: u64,
) -> Result<Option<Directory>, Failure> {
    let tail_start = size.saturating_sub(TAIL_BYTES_MAX);
    content.seek(SeekFrom::Start(tail_start))?;
    let mut tail = Vec::new();
    content
        .by_ref()
        .take(TAIL_BYTES_MAX)
        .read_to_end(&mut tail)?;
    let mut fallback = None;
    for at in (0..tail.len().saturating_sub(END_BYTES - 1)).rev() {
        if !tail[at..].starts_with(END) {
            continue;
        }
        let record = &tail[at..];
        let comment = usize::from(u16_at(record, 20));
        let is_exact = at + END_BYTES + comment == tail.len();
        if !is_exact && fallback.is_some() {
            continue;
        }
        let position = tail_start + at as u64;
        if let Some(directory) = directory_of(content, record, position)? {
            if is_exact {
                return Ok(Some(directory));
            }
            fallback = Some(directory);
        }
    }
    Ok(fallback)
}

/// The directory that the end record at `position` tells of, if it lies before it.
fn directory_of(
    content: &mut (impl Read + Seek),
    record: &[u8],
    position: u64,
) -> Result<Option<Directory>, Failure> {
    let mut entries = u64::from(u16_at(record, 10));
    let mut bytes = u64::from(u32_at(record, 12));
    let mut end = position;
    if let Some(record64) = record64(content, position)? {
        entries = u64_at(&record64.1, 32);
        bytes = u64_at(&record64.1, 40);
        end = record64.0;
    }
    // The directory ends where the record begins, which holds also where something was put before the archive.
    Ok(end.checked_sub(bytes).map(|start| Directory {
        start,
        end,
        entries,
    }))
}

/// The ZIP64 end record and where it is, if a locator stands before the plain one.
fn record64(
    content: &mut (impl Read + Seek),
    position: u64,
) -> Result<Option<(u64, [u8; 56])>, Failure> {
    let Some(locator_at) = position.checked_sub(LOCATOR64_BYTES as u64) else {
        return Ok(None);
    };
    let mut locator = [0; LOCATOR64_BYTES];
    content.seek(SeekFrom::Start(locator_at))?;
    read_full(content, &mut locator)?;
    if !locator.starts_with(LOCATOR64) {
        return Ok(None);
    }
    // Where it says, or directly before the locator if something was put before the archive.
    let told = u64_at(&locator, 8);
    for at in [Some(told), locator_at.checked_sub(56)]
        .into_iter()
        .flatten()
    {
        if at > locator_at {
            continue;
        }
        let mut record = [0; 56];
        content.seek(SeekFrom::Start(at))?;
        if read_full(content, &mut record)? == record.len() && record.starts_with(END64) {
            return Ok(Some((at, record)));
        }
    }
    Ok(None)
}

/// Goes from one local header to the next, as far as they say how long what follows is.
fn by_local_headers(
    content: &mut (impl Read + Seek),
    size: u64,
    gathering: &mut Gathering,
) -> Result<(), Failure> {
    let mut at = 0_u64;
    loop {
        let mut fixed = [0; LOCAL_BYTES];
        content.seek(SeekFrom::Start(at))?;
        if read_full(content, &mut fixed)? < LOCAL_BYTES || !fixed.starts_with(LOCAL) {
            return Ok(());
        }
        let lengths = [26, 28].map(|at| usize::from(u16_at(&fixed, at)));
        let mut variable = vec![0; lengths[0] + lengths[1]];
        if read_full(content, &mut variable)? < variable.len() {
            return Ok(());
        }
        // The same fields as in the directory, four bytes further on there, and no attributes.
        let mut as_directory = [0; DIRECTORY_BYTES];
        as_directory[6..30].copy_from_slice(&fixed[4..28]);
        let (name, extra) = variable.split_at(lengths[0]);
        let member = member(&as_directory, name, extra);
        let packed = member.packed.unwrap_or(0);
        let is_told_later = u16_at(&fixed, 6) & 8 != 0 && packed == 0;
        let goes_on = gathering.add(member);
        at = (at + LOCAL_BYTES as u64 + variable.len() as u64).saturating_add(packed);
        if !goes_on || is_told_later || at >= size {
            return Ok(());
        }
    }
}

fn member(fixed: &[u8], name: &[u8], extra: &[u8]) -> Member {
    let mut size = u64::from(u32_at(fixed, 24));
    let mut packed = u64::from(u32_at(fixed, 20));
    let mut modified = dos_time(u16_at(fixed, 14), u16_at(fixed, 12));
    let is_utf8 = u16_at(fixed, 8) & 0x800 != 0;
    let mut path = text(name, is_utf8);
    for (id, data) in Extras(extra) {
        match id {
            0x0001 => {
                let mut numbers = data.chunks_exact(8).map(|bytes| u64_at(bytes, 0));
                for field in [&mut size, &mut packed] {
                    if *field == u64::from(u32::MAX) {
                        *field = numbers.next().unwrap_or(*field);
                    }
                }
            }
            // Extended timestamp: bit 0 says that the time of change is there, in seconds.
            0x5455 if data.len() >= 5 && data[0] & 1 != 0 => {
                #[expect(clippy::cast_possible_wrap, reason = "the field is signed")]
                let seconds = u32_at(data, 1) as i32;
                modified = Some(i64::from(seconds) * 1000);
            }
            // Info-ZIP's name in UTF-8, with the CRC-32 of the plain one, which is not checked: it is only shown.
            0x7075 if data.len() > 5 && data[0] == 1 && !is_utf8 => {
                if let Ok(name) = std::str::from_utf8(&data[5..]) {
                    name.clone_into(&mut path);
                }
            }
            _ => {}
        }
    }
    let mode = if fixed[5] == 3 {
        u32_at(fixed, 38) >> 16
    } else {
        0
    };
    let kind = match mode & 0o170_000 {
        0o120_000 => Kind::Link,
        0o040_000 => Kind::Folder,
        _ if path.ends_with(['/', '\\']) => Kind::Folder,
        _ => Kind::File,
    };
    Member {
        path,
        kind,
        size,
        packed: Some(packed),
        modified_unix_ms: modified,
        target: None,
    }
}

/// The fields after a header's name, each with its number; a field that is longer than what is left ends them.
struct Extras<'a>(&'a [u8]);

impl<'a> Iterator for Extras<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16::from_le_bytes([*self.0.get(2)?, *self.0.get(3)?]));
        let id = u16_at(self.0, 0);
        let data = self.0.get(4..4 + length)?;
        self.0 = &self.0[4 + length..];
        Some((id, data))
    }
}

/// A name: UTF-8 where the archive says so or it is, else the code page that DOS had.
fn text(name: &[u8], is_utf8: bool) -> String {
    match std::str::from_utf8(name) {
        Ok(text) => text.to_owned(),
        Err(_) if is_utf8 => String::from_utf8_lossy(name).into_owned(),
        Err(_) => name
            .iter()
            .map(|&byte| match byte {
                0..0x80 => char::from(byte),
                _ => CP437[usize::from(byte - 0x80)],
            })
            .collect(),
    }
}

/// The upper half of code page 437.
const CP437: [char; 128] = [
    'Ç', 'ü', 'é', 'â', 'ä', 'à', 'å', 'ç', 'ê', 'ë', 'è', 'ï', 'î', 'ì', 'Ä', 'Å', 'É', 'æ', 'Æ',
    'ô', 'ö', 'ò', 'û', 'ù', 'ÿ', 'Ö', 'Ü', '¢', '£', '¥', '₧', 'ƒ', 'á', 'í', 'ó', 'ú', 'ñ', 'Ñ',
    'ª', 'º', '¿', '⌐', '¬', '½', '¼', '¡', '«', '»', '░', '▒', '▓', '│', '┤', '╡', '╢', '╖', '╕',
    '╣', '║', '╗', '╝', '╜', '╛', '┐', '└', '┴', '┬', '├', '─', '┼', '╞', '╟', '╚', '╔', '╩', '╦',
    '╠', '═', '╬', '╧', '╨', '╤', '╥', '╙', '╘', '╒', '╓', '╫', '╪', '┘', '┌', '█', '▄', '▌', '▐',
    '▀', 'α', 'ß', 'Γ', 'π', 'Σ', 'σ', 'µ', 'τ', 'Φ', 'Θ', 'Ω', 'δ', '∞', 'φ', 'ε', '∩', '≡', '±',
    '≥', '≤', '⌠', '⌡', '÷', '≈', '°', '∙', '·', '√', 'ⁿ', '²', '■', '\u{a0}',
];

/// Milliseconds of a DOS date and time; `None` for none.
fn dos_time(date: u16, time: u16) -> Option<i64> {
    if date == 0 {
        return None;
    }
    let (date, time) = (i64::from(date), i64::from(time));
    let days = days_from_civil(1980 + (date >> 9), date >> 5 & 15, date & 31);
    let seconds = (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2;
    Some((days * 86_400 + seconds) * 1000)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
