//! A part on its way in, and the parts of an upload on their way out, read as one.

use std::collections::{BTreeMap, btree_map};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::UploadError;
use super::spool::Part;
use super::upload::Upload;
use super::{Inner, lock};
use crate::doing::Doing;
use crate::limits::PART_BYTES_MAX;
use crate::platform::private_file;

/// Takes one part's bytes. It counts when [`PartWriter::finish`] has answered; dropped before, nothing of it is kept.
///
/// Nothing is held locked in between, so the bytes may come as slowly as they like.
pub struct PartWriter {
    inner: Arc<Inner>,
    upload: Arc<Upload>,
    index: u64,
    path: PathBuf,
    file: Option<File>,
    size: u64,
    size_max: u64,
    crc: crc32fast::Hasher,
    /// The first error, for `finish` to tell.
    failed: Option<UploadError>,
    _doing: Doing,
}

impl PartWriter {
    /// The upload has counted this writer in already.
    pub(super) fn create(
        inner: Arc<Inner>,
        upload: Arc<Upload>,
        index: u64,
    ) -> Result<Self, UploadError> {
        let path = inner
            .spool
            .folder(&upload.key)
            .join(inner.spool.temporary_name("new"));
        let mut writer = Self {
            inner,
            upload,
            index,
            path,
            file: None,
            size: 0,
            size_max: PART_BYTES_MAX,
            crc: crc32fast::Hasher::new(),
            failed: None,
            _doing: Doing::begin("receive a part"),
        };
        let file = private_file()
            .write(true)
            .create_new(true)
            .open(&writer.path);
        // Dropping the writer counts it out again, so it exists before this can fail.
        match file {
            Ok(file) => writer.file = Some(file),
            // Completed, sealed and removed meanwhile.
            Err(_) if !lock(&writer.upload.state).is_receiving() => {
                return Err(UploadError::Complete);
            }
            Err(error) => return Err(UploadError::io("create", &writer.path)(error)),
        }
        Ok(writer)
    }

    /// Lets the part have any size: it is a whole file, and a client that cannot go on with a part gains nothing from
    /// smaller ones.
    pub(super) fn without_bound(mut self) -> Self {
        self.size_max = u64::MAX;
        self
    }

    pub(super) fn upload_id(&self) -> &str {
        &self.upload.id
    }

    /// Adds bytes. After an error every further call fails, and so does `finish`, with the error that was first.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        self.write_all(bytes)
            .map_err(|error| match self.failed.take() {
                Some(first) => {
                    // Told once; what follows is told the short way.
                    self.file = None;
                    first
                }
                None => UploadError::io("write", &self.path)(error),
            })
    }

    /// Ends the part: all its bytes have been written. Answers that it is there (a crash of the program does not
    /// lose it), or why it cannot count.
    pub fn finish(mut self) -> Result<(), UploadError> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        if self.file.take().is_none() {
            return Err(UploadError::Io {
                action: "write",
                path: self.path.clone(),
                source: io::Error::other("an earlier write failed"),
            });
        }
        let part = Part {
            size: self.size,
            crc32: self.crc.clone().finalize(),
        };
        let folder = self.inner.spool.folder(&self.upload.key);
        let there = {
            let mut state = lock(&self.upload.state);
            if self.inner.is_stopped() {
                // The spool may be another process's by now.
                return Err(UploadError::Closing);
            }
            if !state.is_receiving() {
                return Err(UploadError::Complete);
            }
            let Some(there) = state.parts.get(&self.index) else {
                fs::rename(&self.path, part.path(&folder, self.index))
                    .map_err(UploadError::io("rename", &self.path))?;
                state.add_part(self.index, part);
                let received = state.received;
                drop(state);
                self.inner.ask_ahead(&self.upload, received);
                return Ok(());
            };
            *there
        };
        // The same part again, after a lost answer or at once. What is there never changes, so it can be compared
        // without keeping others waiting.
        let same = if part == there {
            same_content(&self.path, &part.path(&folder, self.index))
        } else {
            Ok(false)
        };
        match same {
            Ok(true) => Ok(()),
            Ok(false) => Err(UploadError::PartDiffers { index: self.index }),
            // Sealed and removed meanwhile.
            Err(_) if !lock(&self.upload.state).is_receiving() => Err(UploadError::Complete),
            Err(error) => Err(UploadError::io("compare", &self.path)(error)),
        }
    }
}

impl Write for PartWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed.is_some() {
            return Err(io::Error::other("an earlier write failed"));
        }
        let Some(file) = &mut self.file else {
            return Err(io::Error::other("an earlier write failed"));
        };
        if self.size + bytes.len() as u64 > self.size_max {
            self.failed = Some(UploadError::PartTooLarge);
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                UploadError::PartTooLarge,
            ));
        }
        match file.write(bytes) {
            Ok(written) => {
                self.crc.update(&bytes[..written]);
                self.size += written as u64;
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(UploadError::io("write", &self.path)(error));
                Err(kind.into())
            }
        }
    }

    /// Nothing is buffered.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        self.file = None;
        // Gone already if the part counts.
        let _ = fs::remove_file(&self.path);
        self.inner.writer_left(&self.upload);
    }
}

fn same_content(a: &Path, b: &Path) -> io::Result<bool> {
    let (a, b) = (File::open(a)?, File::open(b)?);
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    loop {
        of_a.clear();
        of_b.clear();
        (&a).take(COMPARED_BYTES).read_to_end(&mut of_a)?;
        (&b).take(COMPARED_BYTES).read_to_end(&mut of_b)?;
        if of_a != of_b {
            return Ok(false);
        }
        if of_a.is_empty() {
            return Ok(true);
        }
    }
}

/// Bytes of each file that are compared at a time.
const COMPARED_BYTES: u64 = 256 * 1024;

/// The parts of an upload in their order, as one source. Ends with an error if a part is not what was received
/// ([`damaged_part`]), or if the program is stopping.
pub(super) struct PartsReader<'a> {
    inner: &'a Inner,
    folder: PathBuf,
    parts: btree_map::Iter<'a, u64, Part>,
    current: Option<Current>,
}

struct Current {
    index: u64,
    part: Part,
    file: File,
    size: u64,
    crc: crc32fast::Hasher,
}

impl<'a> PartsReader<'a> {
    pub(super) fn new(inner: &'a Inner, folder: PathBuf, parts: &'a BTreeMap<u64, Part>) -> Self {
        Self {
            inner,
            folder,
            parts: parts.iter(),
            current: None,
        }
    }
}

impl Read for PartsReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.inner.is_stopped() {
            return Err(io::Error::other(Stopped));
        }
        loop {
            let Some(current) = &mut self.current else {
                let Some((&index, &part)) = self.parts.next() else {
                    return Ok(0);
                };
                let file = match File::open(part.path(&self.folder, index)) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return Err(io::Error::other(Damaged(index)));
                    }
                    file => file?,
                };
                let crc = crc32fast::Hasher::new();
                self.current = Some(Current {
                    index,
                    part,
                    file,
                    size: 0,
                    crc,
                });
                continue;
            };
            let read = current.file.read(buffer)?;
            if read > 0 {
                current.crc.update(&buffer[..read]);
                current.size += read as u64;
                return Ok(read);
            }
            let found = Part {
                size: current.size,
                crc32: current.crc.clone().finalize(),
            };
            if found != current.part {
                return Err(io::Error::other(Damaged(current.index)));
            }
            self.current = None;
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("part {0} is not what was received")]
struct Damaged(u64);

#[derive(Debug, thiserror::Error)]
#[error("the program is stopping")]
struct Stopped;

/// What a [`PartsReader`]'s error means.
pub(super) fn source_error(error: io::Error, folder: &Path) -> UploadError {
    let inner = error.get_ref();
    if let Some(Damaged(index)) = inner.and_then(|inner| inner.downcast_ref()) {
        return UploadError::PartDamaged { index: *index };
    }
    if let Some(Stopped) = inner.and_then(|inner| inner.downcast_ref()) {
        return UploadError::Closing;
    }
    UploadError::io("read", folder)(error)
}
