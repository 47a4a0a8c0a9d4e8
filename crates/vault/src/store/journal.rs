//! A rollback journal as bytes: whether `SQLite` would put back all of what it should.
//!
//! Format: sqlite.org/fileformat2.html, section 3. `SQLite` stops at the first record whose checksum is wrong and takes
//! that for the journal's end, which would leave a transaction half undone.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::PAGE_BYTES;
use super::files::beside;
use super::wal::word;
use crate::error::OpenError;

const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
const HEADER: usize = 28;
const PAGE: usize = PAGE_BYTES as usize;
/// A record is a page's number, the page, and a checksum.
const RECORD: usize = 4 + PAGE + 4;
/// The checksum takes every so many bytes, counted from the page's end.
const STRIDE: usize = 200;
/// Sectors are padded to at most this (`MAX_SECTOR_SIZE` in `SQLite`'s `pager.c`).
const SECTOR_MAX: u32 = 65_536;

/// What an interrupted transaction left to be undone.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Hot {
    /// Pages of the file before that transaction.
    pub(crate) pages_before: u32,
    /// Pages as they were, as (number, where their bytes lie in the journal).
    pub(crate) pages: Vec<(u32, u64)>,
    /// The first record that is not what was written, a clause.
    pub(crate) damage: Option<String>,
}

/// Refuses a vault beside which lies a journal that `SQLite` would not put back whole. Nobody may have the vault open.
pub(crate) fn refuse_damaged(path: &Path) -> Result<(), OpenError> {
    let journal = beside(path, "-journal");
    let read = match File::open(&journal) {
        Ok(file) => read(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
    };
    let hot = read.map_err(|source| OpenError::Io {
        action: "read",
        path: journal.clone(),
        source,
    })?;
    match hot.and_then(|hot| hot.damage) {
        None => Ok(()),
        Some(detail) => Err(OpenError::JournalDamaged {
            path: path.to_path_buf(),
            journal,
            detail,
        }),
    }
}

/// Reads a journal to its end; `None` if it holds nothing to undo.
pub(crate) fn read(file: &File) -> io::Result<Option<Hot>> {
    let bytes = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut hot = None;
    let mut at = 0;
    while let Some(header) = Header::at(&mut reader, at)? {
        let hot = hot.get_or_insert_with(|| Hot {
            pages_before: header.pages_before,
            ..Hot::default()
        });
        let first = at + u64::from(header.sector);
        let records = match header.records {
            // Said where syncing is off: as many as there are.
            u32::MAX => bytes.saturating_sub(first) / RECORD as u64,
            records => records.into(),
        };
        if records == 0 {
            break;
        }
        reader.seek(SeekFrom::Start(first))?;
        let mut record = vec![0; RECORD];
        for index in 0..records {
            let offset = first + index * RECORD as u64;
            let whole = match reader.read_exact(&mut record) {
                Ok(()) => header.is_sound(&record),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
                Err(error) => return Err(error),
            };
            if !whole {
                hot.damage = Some(format!(
                    "record {} of {records} from byte {first} on is not what was written",
                    index + 1
                ));
                return Ok(Some(std::mem::take(hot)));
            }
            hot.pages.push((word(&record, 0), offset + 4));
        }
        let sector = u64::from(header.sector);
        at = (first + records * RECORD as u64).next_multiple_of(sector);
    }
    Ok(hot)
}

struct Header {
    records: u32,
    nonce: u32,
    pages_before: u32,
    sector: u32,
}

impl Header {
    /// `None` where no header is: the journal is finished, or ends before it. `SQLite` writes the magic last.
    fn at(reader: &mut (impl Read + Seek), at: u64) -> io::Result<Option<Self>> {
        reader.seek(SeekFrom::Start(at))?;
        let mut bytes = [0; HEADER];
        match reader.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let sector = word(&bytes, 20);
        let known = bytes[..8] == MAGIC
            && word(&bytes, 24) == PAGE_BYTES
            && sector.is_power_of_two()
            && (32..=SECTOR_MAX).contains(&sector);
        Ok(known.then(|| Self {
            records: word(&bytes, 8),
            nonce: word(&bytes, 12),
            pages_before: word(&bytes, 16),
            sector,
        }))
    }

    fn is_sound(&self, record: &[u8]) -> bool {
        let page = &record[4..4 + PAGE];
        let places = (1..).map(|step| PAGE.checked_sub(step * STRIDE));
        let sum = places
            .map_while(|place| place.filter(|&place| place > 0))
            .fold(self.nonce, |sum, place| {
                sum.wrapping_add(u32::from(page[place]))
            });
        word(record, 0) != 0 && sum == word(record, 4 + PAGE)
    }
}
