//! A vault's file and the WAL beside it as numbered pages. Reads only; needs neither page 1 nor `SQLite`.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::wal::Frames;
use crate::store::{PAGE_BYTES, journal};

/// Bytes of a page.
pub(crate) const PAGE: usize = PAGE_BYTES as usize;
/// Bytes that are given up together where a disk cannot read.
const BLOCK: usize = 4096;

/// The pages of a vault that may be damaged. It keeps where the pages of its WAL or rollback journal lie and none of their
/// content.
pub(crate) struct Image {
    file: File,
    file_pages: u32,
    pages: u32,
    /// The WAL, or the rollback journal that a killed import left.
    aside: Option<(File, Frames)>,
    bad: BadBlocks,
}

/// A page that is not, or no longer, the vault's: rows in it are candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoosePage {
    /// The page it is said to be a version of; may be damaged, and 0.
    pub(crate) number: u32,
    source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    File,
    Aside(u64),
}

impl Image {
    /// Opens the file at `path` and, if there is one, the WAL `path-wal`, which is read to its end. A file that ends in
    /// the middle of a page has a last page that is filled up with zeros.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let bad = BadBlocks::default();
        let file = File::open(path)?;
        let file_pages = file.metadata()?.len().div_ceil(PAGE as u64);
        let mut wal_path = path.as_os_str().to_owned();
        wal_path.push("-wal");
        let wal = match File::open(Path::new(&wal_path)) {
            Ok(wal) => {
                let frames = Frames::read(&wal, &bad)?;
                Some((wal, frames))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        // A vault has the one or the other; an empty WAL may lie beside a journal.
        let aside = wal.filter(|(_, frames)| !frames.is_empty());
        let aside = aside.or_else(|| before(path));
        // SQLite numbers pages with 32 bits and stops below that.
        let file_pages = u32::try_from(file_pages).unwrap_or(u32::MAX);
        // Pages that the commit counts but neither file has are not worth walking through.
        let in_aside = aside.as_ref().map_or(0, |(_, frames)| {
            let last = frames.pages.keys().max().copied().unwrap_or(0);
            last.min(frames.committed_pages)
        });
        Ok(Self {
            file,
            file_pages,
            pages: file_pages.max(in_aside),
            aside,
            bad,
        })
    }

    /// Pages there are: the larger of what the file has and what the WAL's last commit says.
    pub(crate) const fn pages(&self) -> u32 {
        self.pages
    }

    /// Blocks of 4 KiB that the disk could not read so far, counted once a try.
    pub(crate) fn unreadable_blocks(&self) -> u64 {
        self.bad.0.load(Ordering::Relaxed)
    }

    /// Page `number`, from 1: as the WAL's last valid commit left it, else as it is in the file. Zeros beyond the end
    /// and where the disk cannot read.
    pub(crate) fn page(&self, number: u32, into: &mut [u8; PAGE]) -> io::Result<()> {
        self.read_pages(number, into)
    }

    /// The pages from `first`, as many as fit into `into`, which is a multiple of a page long.
    pub(crate) fn read_pages(&self, first: u32, into: &mut [u8]) -> io::Result<()> {
        let offset = u64::from(first.saturating_sub(1)) * PAGE as u64;
        read_or_zeros(&self.file, offset, into, &self.bad)?;
        if let Some((file, frames)) = &self.aside {
            for (number, page) in (first..).zip(into.chunks_exact_mut(PAGE)) {
                if let Some(&content) = frames.pages.get(&number) {
                    read_or_zeros(file, content, page, &self.bad)?;
                }
            }
        }
        Ok(())
    }

    /// Pages of the file that the WAL's last commit replaces, then the WAL's frames that this commit does not use:
    /// older versions, what came after a wrong checksum, and transactions that were not committed.
    pub(crate) fn loose_pages(&self) -> Vec<LoosePage> {
        let Some((_, frames)) = &self.aside else {
            return Vec::new();
        };
        let mut replaced: Vec<u32> = frames.pages.keys().copied().collect();
        replaced.retain(|&number| number <= self.file_pages);
        replaced.sort_unstable();
        let from_file = replaced.into_iter().map(|number| LoosePage {
            number,
            source: Source::File,
        });
        let from_aside = frames.loose.iter().map(|&(number, content)| LoosePage {
            number,
            source: Source::Aside(content),
        });
        from_file.chain(from_aside).collect()
    }

    /// Whether the WAL has a version of the page behind its last valid commit.
    pub(super) fn has_lost(&self, number: u32) -> bool {
        let frames = self.aside.as_ref().map(|(_, frames)| frames);
        frames.is_some_and(|frames| frames.lost.contains_key(&number))
    }

    /// The last version of a page behind the last valid commit of the WAL; as [`Image::page`] if there is none.
    pub(super) fn lost_page(&self, number: u32, into: &mut [u8; PAGE]) -> io::Result<()> {
        if let Some((file, frames)) = &self.aside
            && let Some(&content) = frames.lost.get(&number)
        {
            return read_or_zeros(file, content, into, &self.bad);
        }
        self.page(number, into)
    }

    /// The content of a loose page; `into` is one page long.
    pub(super) fn read_loose(&self, loose: LoosePage, into: &mut [u8]) -> io::Result<()> {
        let offset = u64::from(loose.number.saturating_sub(1)) * PAGE as u64;
        match (loose.source, &self.aside) {
            (Source::Aside(content), Some((file, _))) => {
                read_or_zeros(file, content, into, &self.bad)
            }
            _ => read_or_zeros(&self.file, offset, into, &self.bad),
        }
    }
}

/// The rollback journal beside `path`, if an interrupted transaction left one: its pages as they were before. One that
/// cannot be read is none.
fn before(path: &Path) -> Option<(File, Frames)> {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    let file = File::open(Path::new(&journal)).ok()?;
    let hot = journal::read(&file).ok()??;
    Some((file, Frames::of_journal(hot)))
}

/// How many blocks could not be read.
#[derive(Default)]
pub(super) struct BadBlocks(AtomicU64);

/// Fills `into` from `offset`, with zeros beyond the end of the file and for blocks that the disk cannot read.
pub(super) fn read_or_zeros(
    file: &File,
    offset: u64,
    into: &mut [u8],
    bad: &BadBlocks,
) -> io::Result<()> {
    let lost = read_around(|offset, into| read_at(file, offset, into), offset, into)?;
    bad.0.fetch_add(lost, Ordering::Relaxed);
    Ok(())
}

/// Reads in one go, and block by block if that meets a bad sector. Answers how many blocks were lost.
pub(super) fn read_around(
    read: impl Fn(u64, &mut [u8]) -> io::Result<usize>,
    offset: u64,
    into: &mut [u8],
) -> io::Result<u64> {
    match read_full(&read, offset, into) {
        Ok(()) => return Ok(0),
        Err(error) if !is_bad_sector(&error) => return Err(error),
        Err(_) => {}
    }
    let mut lost = 0;
    let mut done = 0;
    while done < into.len() {
        let at = offset + done as u64;
        // Cut where the disk does: pages of a WAL do not begin at a block.
        let to_boundary = BLOCK - usize::try_from(at % BLOCK as u64).expect("below a block");
        let end = into.len().min(done + to_boundary);
        let block = &mut into[done..end];
        match read_full(&read, at, block) {
            Ok(()) => {}
            Err(error) if is_bad_sector(&error) => {
                block.fill(0);
                lost += 1;
            }
            Err(error) => return Err(error),
        }
        done = end;
    }
    Ok(lost)
}

fn read_full(
    read: impl Fn(u64, &mut [u8]) -> io::Result<usize>,
    offset: u64,
    into: &mut [u8],
) -> io::Result<()> {
    let mut done = 0;
    while done < into.len() {
        match read(offset + done as u64, &mut into[done..]) {
            Ok(0) => {
                into[done..].fill(0);
                break;
            }
            Ok(bytes) => done += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether it is these bytes that cannot be read, rather than the whole disk or file.
fn is_bad_sector(error: &io::Error) -> bool {
    // EIO, and what file systems with checksums say of a block; on Windows ERROR_CRC and ERROR_IO_DEVICE.
    const CODES: &[i32] = if cfg!(windows) {
        &[23, 1117]
    } else {
        &[5, 74, 117]
    };
    error
        .raw_os_error()
        .is_some_and(|code| CODES.contains(&code))
}

#[cfg(unix)]
fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, offset)
}

#[cfg(windows)]
fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, offset)
}
