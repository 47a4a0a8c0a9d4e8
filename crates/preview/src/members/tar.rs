//! The headers of a TAR archive: ustar, GNU's long names and sparse files, pax records. Contents are passed over.

use std::io::{self, Read, Seek, SeekFrom};

use super::{Gathering, Kind, Limits, Listing, Member, read_full};

const BLOCK: usize = 512;
/// Bytes of a pax record block or of a GNU long name that are read; longer ones are passed over.
const RECORDS_BYTES_MAX: u64 = 64 * 1024;
/// Blocks that may stand between two members and are neither: pax headers, long names, volume labels.
const NOTES_MAX: usize = 64;

/// Where headers come from.
pub(super) trait Forward {
    /// Fills `buffer`; less only at the end.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Passes over so many bytes; `false` if the content ends before.
    fn pass(&mut self, bytes: u64) -> io::Result<bool>;
}

/// A file whose contents need not be read to be passed over.
struct Seeking<R> {
    content: R,
    at: u64,
    size: u64,
}

impl<R: Read + Seek> Forward for Seeking<R> {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let filled = read_full(&mut self.content, buffer)?;
        self.at += filled as u64;
        Ok(filled)
    }

    fn pass(&mut self, bytes: u64) -> io::Result<bool> {
        let to = self.at.saturating_add(bytes);
        if to > self.size {
            return Ok(false);
        }
        self.content.seek(SeekFrom::Start(to))?;
        self.at = to;
        Ok(true)
    }
}

/// Lists a TAR that is not compressed.
pub(super) fn list_plain(content: impl Read + Seek, limits: &Limits) -> Listing {
    let mut gathering = Gathering::new("tar", limits);
    let mut content = content;
    let complete = content.seek(SeekFrom::End(0)).and_then(|size| {
        content.seek(SeekFrom::Start(0))?;
        let mut source = Seeking {
            content,
            at: 0,
            size,
        };
        walk(&mut source, &mut gathering)
    });
    end(gathering, complete)
}

/// The listing after a walk, which says how it ended.
pub(super) fn end(mut gathering: Gathering, complete: io::Result<bool>) -> Listing {
    match complete {
        Ok(true) => gathering.end(true),
        Ok(false) => {
            gathering
                .listing
                .stop("the archive is cut off or damaged; members after that are not shown");
            gathering.end(false)
        }
        Err(error) => {
            gathering.listing.stop(format!(
                "the archive cannot be read further ({error}); members until there are shown"
            ));
            gathering.end(false)
        }
    }
}

/// Whether this is the first block of a TAR: its checksum fits.
pub(super) fn is_header(block: &[u8]) -> bool {
    let Some(block) = block.get(..BLOCK) else {
        return false;
    };
    let Some(expected) = number(&block[148..156]) else {
        return false;
    };
    let sum = |value: fn(u8) -> i64| -> i64 {
        let fields = block[..148].iter().chain(&block[156..]);
        8 * i64::from(b' ') + fields.map(|&byte| value(byte)).sum::<i64>()
    };
    // Some programs of old added signed bytes.
    let expected = i64::try_from(expected).ok();
    block[0] != 0
        && (expected == Some(sum(i64::from))
            || expected == Some(sum(|byte| i64::from(byte.cast_signed()))))
}

/// What headers before a member say about it.
#[derive(Default)]
struct Notes {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    /// Of a sparse file, whose archived bytes are fewer.
    real_size: Option<u64>,
    modified_unix_ms: Option<i64>,
}

/// Goes through all headers. `Ok(true)` if the archive ended as it should.
pub(super) fn walk(source: &mut impl Forward, gathering: &mut Gathering) -> io::Result<bool> {
    let mut notes = Notes::default();
    let mut notes_since_member = 0;
    loop {
        let mut block = [0; BLOCK];
        let filled = source.fill(&mut block)?;
        // Two empty blocks end an archive; one, or the bare end, is often all there is.
        if filled == 0 || block == [0; BLOCK] {
            return Ok(notes_since_member == 0);
        }
        if filled < BLOCK || !is_header(&block) {
            return Ok(false);
        }
        let Some(archived) = number(&block[124..136]) else {
            return Ok(false);
        };
        match block[156] {
            b'x' | b'X' | b'L' | b'K' => {
                notes_since_member += 1;
                if notes_since_member > NOTES_MAX {
                    return Ok(false);
                }
                let Some(records) = read_records(source, archived)? else {
                    return Ok(false);
                };
                match block[156] {
                    b'L' => notes.path = Some(until_nul(&records).to_vec()),
                    b'K' => notes.target = Some(until_nul(&records).to_vec()),
                    _ => notes.read_pax(&records),
                }
            }
            // Records for all members, and the volume's label: no members.
            b'g' | b'V' => {
                notes_since_member += 1;
                if notes_since_member > NOTES_MAX || !source.pass(padded(archived))? {
                    return Ok(false);
                }
            }
            kind => {
                let archived = notes.size.unwrap_or(archived);
                let mut blocks_after = 0;
                let mut is_extended = kind == b'S' && block[482] != 0;
                if kind == b'S' && notes.real_size.is_none() {
                    notes.real_size = number(&block[483..495]);
                }
                let goes_on = gathering.add(member(&block, std::mem::take(&mut notes), archived));
                notes_since_member = 0;
                if !goes_on {
                    return Ok(false);
                }
                while is_extended {
                    let mut map = [0; BLOCK];
                    blocks_after += 1;
                    if blocks_after > 1_000_000 || source.fill(&mut map)? < BLOCK {
                        return Ok(false);
                    }
                    is_extended = map[504] != 0;
                }
                // Links and folders have no content, whatever size they carry.
                let has_content = !matches!(kind, b'1'..=b'6');
                if has_content && !source.pass(padded(archived))? {
                    return Ok(false);
                }
            }
        }
    }
}

fn member(block: &[u8], notes: Notes, archived: u64) -> Member {
    let path = notes.path.unwrap_or_else(|| {
        let name = until_nul(&block[..100]);
        let prefix = until_nul(&block[345..500]);
        // GNU keeps other things where ustar has a prefix.
        if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
            [prefix, b"/", name].concat()
        } else {
            name.to_vec()
        }
    });
    let kind = match block[156] {
        b'1' | b'2' => Kind::Link,
        b'5' => Kind::Folder,
        _ if path.ends_with(b"/") => Kind::Folder,
        _ => Kind::File,
    };
    let target = notes
        .target
        .unwrap_or_else(|| until_nul(&block[157..257]).to_vec());
    let modified =
        || number(&block[136..148]).and_then(|s| i64::try_from(s).ok()?.checked_mul(1000));
    Member {
        path: String::from_utf8_lossy(&path).into_owned(),
        kind,
        size: match kind {
            Kind::File => notes.real_size.unwrap_or(archived),
            Kind::Folder | Kind::Link => 0,
        },
        packed: None,
        modified_unix_ms: notes.modified_unix_ms.or_else(modified),
        target: (kind == Kind::Link).then(|| String::from_utf8_lossy(&target).into_owned()),
    }
}

/// Reads what a header describes as records; empty if it is too long to be read, `None` if it is cut off.
fn read_records(source: &mut impl Forward, bytes: u64) -> io::Result<Option<Vec<u8>>> {
    if bytes > RECORDS_BYTES_MAX {
        return Ok(source.pass(padded(bytes))?.then(Vec::new));
    }
    let bytes = usize::try_from(bytes).expect("at most 64 KiB");
    let mut records = vec![0; bytes.next_multiple_of(BLOCK)];
    let filled = source.fill(&mut records)?;
    let is_whole = filled == records.len();
    records.truncate(bytes);
    Ok(is_whole.then_some(records))
}

impl Notes {
    /// Takes over pax records, `LENGTH KEY=VALUE\n` each, until one is not so.
    fn read_pax(&mut self, mut records: &[u8]) {
        while let Some((key, value, rest)) = pax_record(records) {
            records = rest;
            match key {
                // The name of a sparse file in `path` is made up, and its own comes later.
                b"path" | b"GNU.sparse.name" => self.path = Some(value.to_vec()),
                b"linkpath" => self.target = Some(value.to_vec()),
                b"size" => self.size = decimal(value),
                b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.real_size = decimal(value),
                b"mtime" => {
                    let seconds = std::str::from_utf8(value).ok();
                    self.modified_unix_ms = seconds.and_then(|s| milliseconds(s.trim()));
                }
                _ => {}
            }
        }
    }
}

fn pax_record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().take(20).position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(&records[..space])?).ok()?;
    let record = records.get(..length)?.get(space + 1..)?;
    let record = record.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], &records[length..]))
}

/// Seconds with a fraction.
fn milliseconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let mut digits = fraction
        .bytes()
        .take(3)
        .map(|b| i64::from(b.wrapping_sub(b'0')));
    let thousandths = (0..3).fold(0, |sum, _| sum * 10 + digits.next().unwrap_or(0).min(9));
    let sign = if text.starts_with('-') { -1 } else { 1 };
    seconds.checked_mul(1000)?.checked_add(sign * thousandths)
}

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// A numeric field: octal digits, or GNU's base 256. A negative one is none; an empty one is 0.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let is_negative = field[0] & 0x40 != 0;
        let mut bytes = std::iter::once(field[0] & 0x3f).chain(field[1..].iter().copied());
        let number = bytes.try_fold(0_u64, |sum, byte| {
            sum.checked_mul(256)?.checked_add(u64::from(byte))
        });
        return number.filter(|_| !is_negative);
    }
    let digits = until_nul(field).trim_ascii();
    digits.iter().try_fold(0_u64, |sum, &byte| {
        let digit = matches!(byte, b'0'..=b'7').then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(8)?.checked_add(digit)
    })
}

fn padded(bytes: u64) -> u64 {
    bytes
        .checked_next_multiple_of(BLOCK as u64)
        .unwrap_or(u64::MAX)
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}
