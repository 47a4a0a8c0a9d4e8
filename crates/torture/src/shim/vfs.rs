//! A VFS for SQLite that notes what is asked of it and lets it be done by SQLite's own, or fail.
//!
//! It is that one's copy, but for opening files and what is done to them. A file of ours is a few words before one of
//! the other's.
#![expect(
    unsafe_code,
    reason = "a VFS is a table of C functions that get pointers to C structures"
)]

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;
use std::sync::OnceLock;

use rusqlite::ffi;

use super::libc_calls::below_vfs;
use super::{Bypass, Request, Verdict, Watch, watch_of};
use crate::record::{NodeId, Op};

/// What lies before the other VFS's file.
#[repr(C)]
struct File {
    methods: *const ffi::sqlite3_io_methods,
    /// Owned; none for what nobody watches.
    watched: *mut Watched,
    /// The first words of the index, while it is mapped.
    index: *const u8,
    /// Keeps what follows as aligned as any C structure needs.
    _pad: usize,
}

struct Watched {
    watch: Arc<Watch>,
    node: NodeId,
    path: PathBuf,
}

/// Of the index, both headers and how much was copied: what one who has just come looks at.
const INDEX_BYTES: usize = 136;

struct Original(*mut ffi::sqlite3_vfs);

// SAFETY: SQLite's own VFS is never freed, and may be used from any thread.
unsafe impl Send for Original {}
// SAFETY: as above.
unsafe impl Sync for Original {}

static ORIGINAL: OnceLock<Original> = OnceLock::new();

fn original() -> *mut ffi::sqlite3_vfs {
    ORIGINAL.get().expect("the VFS is registered").0
}

pub(super) fn register() {
    // SAFETY: called once, before any connection. The copy is leaked, as a registered VFS has to live for ever.
    unsafe {
        ffi::sqlite3_initialize();
        let found = ffi::sqlite3_vfs_find(ptr::null());
        assert!(!found.is_null(), "SQLite has a VFS of its own");
        assert!(ORIGINAL.set(Original(found)).is_ok(), "registered once");
        let mut ours = Box::new(ptr::read(found));
        ours.zName = c"torture".as_ptr();
        ours.pNext = ptr::null_mut();
        ours.szOsFile += c_int::try_from(size_of::<File>()).expect("a few words");
        ours.xOpen = Some(x_open);
        ours.xDelete = Some(x_delete);
        let result = ffi::sqlite3_vfs_register(Box::into_raw(ours), 1);
        assert_eq!(result, ffi::SQLITE_OK, "it can be registered");
    }
}

unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: SQLite has allocated room for ours and the other's behind it.
    unsafe { file.cast::<File>().add(1).cast() }
}

unsafe fn watched<'f>(file: *mut ffi::sqlite3_file) -> Option<&'f Watched> {
    // SAFETY: set when the file was opened, freed when it is closed.
    unsafe { (*file.cast::<File>()).watched.as_ref() }
}

/// Calls the other VFS's method of that name.
macro_rules! below {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        let file = inner($file);
        let method = (*(*file).pMethods).$method.expect("SQLite's own VFS has all methods");
        below_vfs(|| method(file $(, $argument)*))
    }};
}

unsafe extern "C" fn x_open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite hands in room for a file of `szOsFile` bytes, and a name that lives as long as the file.
    unsafe {
        let ours = file.cast::<File>();
        ours.write(File {
            methods: ptr::null(),
            watched: ptr::null_mut(),
            index: ptr::null(),
            _pad: 0,
        });
        let path = (!name.is_null())
            .then(|| PathBuf::from(OsStr::from_bytes(CStr::from_ptr(name).to_bytes())));
        let watch = path.as_deref().and_then(|path| {
            let _bypass = Bypass::begin();
            watch_of(path)
        });
        if let (Some(watch), Some(path)) = (&watch, &path) {
            let _bypass = Bypass::begin();
            let mut inner = watch.inner();
            let makes = flags & ffi::SQLITE_OPEN_CREATE != 0 && inner.recorder.find(path).is_none();
            if makes && let Verdict::Fail(_) = inner.judge(Request::Name) {
                return ffi::SQLITE_CANTOPEN;
            }
        }
        let open = (*original()).xOpen.expect("every VFS opens files");
        let result = below_vfs(|| open(original(), name, inner(file), flags, out_flags));
        if result != ffi::SQLITE_OK {
            return result;
        }
        (*ours).methods = &raw const METHODS;
        if let (Some(watch), Some(path)) = (watch, path) {
            let _bypass = Bypass::begin();
            let node = watch.inner().recorder.find(&path);
            if let Some(node) = node {
                (*ours).watched = Box::into_raw(Box::new(Watched { watch, node, path }));
            }
        }
        result
    }
}

unsafe extern "C" fn x_delete(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync: c_int,
) -> c_int {
    // SAFETY: SQLite hands in a path.
    unsafe {
        let path = Path::new(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()));
        let failed = {
            let _bypass = Bypass::begin();
            watch_of(path)
                .is_some_and(|watch| matches!(watch.inner().judge(Request::Name), Verdict::Fail(_)))
        };
        if failed {
            return ffi::SQLITE_IOERR_DELETE;
        }
        let delete = (*original()).xDelete.expect("every VFS deletes files");
        below_vfs(|| delete(original(), name, sync))
    }
}

unsafe extern "C" fn x_close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is open, and closed once.
    unsafe {
        let ours = file.cast::<File>();
        let watched = std::mem::replace(&mut (*ours).watched, ptr::null_mut());
        if !watched.is_null() {
            let _bypass = Bypass::begin();
            drop(Box::from_raw(watched));
        }
        below!(file, xClose)
    }
}

unsafe extern "C" fn x_read(
    file: *mut ffi::sqlite3_file,
    bytes: *mut c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's arguments are handed on.
    unsafe {
        if let Some(watched) = watched(file) {
            let _bypass = Bypass::begin();
            if let Verdict::Fail(_) = watched.watch.inner().judge(Request::Read) {
                return ffi::SQLITE_IOERR_READ;
            }
        }
        below!(file, xRead, bytes, length, offset)
    }
}

unsafe extern "C" fn x_write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite hands in a buffer of `length` bytes; a shorter length stays within it.
    unsafe {
        let Some(watched) = watched(file) else {
            return below!(file, xWrite, bytes, length, offset);
        };
        let _bypass = Bypass::begin();
        let mut inner = watched.watch.inner();
        let (length, answer) = match inner.judge(Request::Write) {
            Verdict::Go => (length, None),
            Verdict::Short => (length / 2, Some(ffi::SQLITE_FULL)),
            Verdict::Fail(libc::ENOSPC) => return ffi::SQLITE_FULL,
            Verdict::Fail(_) => return ffi::SQLITE_IOERR_WRITE,
        };
        let result = below!(file, xWrite, bytes, length, offset);
        if result == ffi::SQLITE_OK {
            let length = usize::try_from(length).unwrap_or(0);
            let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length);
            inner.recorder.push(Op::Write {
                node: watched.node,
                offset: offset.cast_unsigned(),
                bytes: bytes.into(),
            });
        }
        answer.unwrap_or(result)
    }
}

unsafe extern "C" fn x_truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite's arguments are handed on.
    unsafe {
        let Some(watched) = watched(file) else {
            return below!(file, xTruncate, size);
        };
        let _bypass = Bypass::begin();
        let mut inner = watched.watch.inner();
        if let Verdict::Fail(_) = inner.judge(Request::Write) {
            return ffi::SQLITE_IOERR_TRUNCATE;
        }
        let result = below!(file, xTruncate, size);
        if result == ffi::SQLITE_OK {
            inner.recorder.push(Op::Truncate {
                node: watched.node,
                size: size.cast_unsigned(),
            });
        }
        result
    }
}

unsafe extern "C" fn x_sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite's arguments are handed on. The index is mapped while the file has it.
    unsafe {
        let Some(watched) = watched(file) else {
            return below!(file, xSync, flags);
        };
        let synced = {
            let _bypass = Bypass::begin();
            watched.note_index((*file.cast::<File>()).index);
            watched.watch.sync(watched.node, true)
        };
        if synced.is_err() {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        // What lies below syncs the folder, too, where that is due; the file itself was dealt with above.
        below!(file, xSync, flags)
    }
}

impl Watched {
    unsafe fn note_index(&self, index: *const u8) {
        if index.is_null() {
            return;
        }
        let mut bytes = [0; INDEX_BYTES];
        // SAFETY: the first region of the index is mapped and 32 KiB long. Others may write to it meanwhile, so it is
        // read word by word; the disk would get no better picture.
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = unsafe { index.add(at).read_volatile() };
        }
        let mut inner = self.watch.inner();
        let Some((folder, name)) = inner.recorder.parent(crate::record::ROOT, &self.path) else {
            return;
        };
        let mut name = name.to_owned();
        name.push("-shm");
        inner.recorder.push(Op::Index {
            folder,
            name,
            bytes: bytes.as_slice().into(),
        });
    }
}

unsafe extern "C" fn x_shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite's arguments are handed on; what it gets is looked at while it is mapped.
    unsafe {
        let result = below!(file, xShmMap, region, size, extend, out);
        if region == 0 && result == ffi::SQLITE_OK {
            (*file.cast::<File>()).index = (*out).cast::<u8>();
        }
        result
    }
}

unsafe extern "C" fn x_shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: as above.
    unsafe {
        (*file.cast::<File>()).index = ptr::null();
        below!(file, xShmUnmap, delete)
    }
}

/// Methods that are only handed on.
macro_rules! hand_on {
    ($($name:ident = $method:ident ( $($argument:ident : $kind:ty),* ) $(-> $result:ty)?;)*) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $kind)*) $(-> $result)? {
            // SAFETY: SQLite's arguments are handed on.
            unsafe { below!(file, $method $(, $argument)*) }
        }
    )*};
}

hand_on! {
    x_file_size = xFileSize(size: *mut ffi::sqlite3_int64) -> c_int;
    x_lock = xLock(lock: c_int) -> c_int;
    x_unlock = xUnlock(lock: c_int) -> c_int;
    x_check_reserved_lock = xCheckReservedLock(out: *mut c_int) -> c_int;
    x_file_control = xFileControl(op: c_int, argument: *mut c_void) -> c_int;
    x_sector_size = xSectorSize() -> c_int;
    x_device_characteristics = xDeviceCharacteristics() -> c_int;
    x_shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    x_shm_barrier = xShmBarrier();
    x_fetch = xFetch(offset: ffi::sqlite3_int64, length: c_int, out: *mut *mut c_void) -> c_int;
    x_unfetch = xUnfetch(offset: ffi::sqlite3_int64, page: *mut c_void) -> c_int;
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(x_close),
    xRead: Some(x_read),
    xWrite: Some(x_write),
    xTruncate: Some(x_truncate),
    xSync: Some(x_sync),
    xFileSize: Some(x_file_size),
    xLock: Some(x_lock),
    xUnlock: Some(x_unlock),
    xCheckReservedLock: Some(x_check_reserved_lock),
    xFileControl: Some(x_file_control),
    xSectorSize: Some(x_sector_size),
    xDeviceCharacteristics: Some(x_device_characteristics),
    xShmMap: Some(x_shm_map),
    xShmLock: Some(x_shm_lock),
    xShmBarrier: Some(x_shm_barrier),
    xShmUnmap: Some(x_shm_unmap),
    xFetch: Some(x_fetch),
    xUnfetch: Some(x_unfetch),
};
