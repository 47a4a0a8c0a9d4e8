//! A VFS below the writing connections that gathers what they write to the WAL into large blocks.
//!
//! `SQLite` writes a WAL as frames, 24 bytes and then a page, so that nearly every page of the system's cache is begun in
//! one call and filled in the next, and cleared in between: 1 GiB took 1.0 s of the kernel's time, and takes 0.5 s in
//! whole blocks. Everything else is done by the VFS that is the process's default; a file of ours is a few words before
//! one of that one's.
//!
//! What is gathered is written before anybody may look for it: a commit syncs the WAL before it tells others of its frames
//! (`synchronous=FULL`), and what no commit follows is written before the lock is given up under which it was made, since
//! from then on the same place in the WAL is somebody else's.
#![expect(
    unsafe_code,
    reason = "a VFS is a table of C functions that get pointers to C structures"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi;

use self::gathered::{Found, Gathered};

mod gathered;

const NAME: &CStr = c"compactvault";

/// Room for a file of the VFS below. `SQLite`'s own needs a hundred bytes.
const ROOM: usize = 1024;
/// The lock on the index of a WAL that its writer holds (walformat, "WAL Locks").
const WAL_WRITE_LOCK: c_int = 0;

/// What lies before the other VFS's file.
#[repr(C)]
struct File {
    methods: *const ffi::sqlite3_io_methods,
    /// Of a WAL: itself, owned. Of a vault: its WAL, while that is open.
    wal: *mut Wal,
    /// Of a WAL: the vault's file, if it is one of ours.
    vault: *mut File,
    /// Keeps what follows as aligned as any C structure needs.
    _pad: usize,
}

/// A WAL of ours: what was not written yet, and where it will be.
struct Wal {
    file: *mut ffi::sqlite3_file,
    gathered: Gathered,
}

impl Wal {
    /// Takes in what belongs at `offset`, and writes what has become whole blocks.
    ///
    /// # Safety
    /// The file is open.
    unsafe fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), c_int> {
        let file = self.file;
        // SAFETY: as this one's.
        let sink = |bytes: &[u8], offset| unsafe { write(file, bytes, offset) };
        self.gathered.write(bytes, offset, sink)
    }

    /// Writes what there is.
    ///
    /// # Safety
    /// The file is open.
    unsafe fn flush(&mut self) -> Result<(), c_int> {
        let file = self.file;
        // SAFETY: as this one's.
        let sink = |bytes: &[u8], offset| unsafe { write(file, bytes, offset) };
        self.gathered.flush(sink)
    }
}

/// Has the VFS below write.
unsafe fn write(file: *mut ffi::sqlite3_file, bytes: &[u8], offset: u64) -> Result<(), c_int> {
    let length = c_int::try_from(bytes.len()).expect("at most what is gathered");
    // SAFETY: the file is open, and the buffer as long as it says.
    let result = unsafe {
        let write = (*(*file).pMethods).xWrite.expect("files can be written");
        write(file, bytes.as_ptr().cast(), length, offset.cast_signed())
    };
    if result == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(result)
    }
}

/// The name to open a connection with, made known to `SQLite`.
pub(super) fn name() -> &'static CStr {
    static REGISTERED: OnceLock<()> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        // SAFETY: the structure that is copied lives as long as the process, and so does the copy.
        unsafe {
            let mut ours = Box::new(ptr::read(default_vfs()));
            ours.zName = NAME.as_ptr();
            ours.pNext = ptr::null_mut();
            ours.szOsFile = c_int::try_from(size_of::<File>() + ROOM).expect("a few words");
            ours.xOpen = Some(x_open);
            ours.xDelete = Some(x_delete);
            let result = ffi::sqlite3_vfs_register(Box::into_raw(ours), 0);
            assert_eq!(result, ffi::SQLITE_OK, "it can be registered");
        }
    });
    NAME
}

/// What is the process's default now.
fn default_vfs() -> *mut ffi::sqlite3_vfs {
    // SAFETY: both may be called at any time and from any thread.
    let found = unsafe {
        ffi::sqlite3_initialize();
        ffi::sqlite3_vfs_find(ptr::null())
    };
    assert!(!found.is_null(), "SQLite has a VFS of its own");
    found
}

unsafe fn below(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: SQLite has allocated room for ours and the other's behind it.
    unsafe { file.cast::<File>().add(1).cast() }
}

unsafe fn wal<'f>(file: *mut ffi::sqlite3_file) -> Option<&'f mut Wal> {
    // SAFETY: a connection and its files are used by one thread at a time; set and taken back as the WAL is opened and closed.
    unsafe { (*file.cast::<File>()).wal.as_mut() }
}

unsafe extern "C" fn x_open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let is_vault = flags & ffi::SQLITE_OPEN_MAIN_DB != 0;
    let is_wal = flags & ffi::SQLITE_OPEN_WAL != 0;
    let original = default_vfs();
    // SAFETY: SQLite hands in room for a file of `szOsFile` bytes, and a name that lives as long as the file.
    unsafe {
        // What it takes for no file, should this fail.
        (*file).pMethods = ptr::null();
        if usize::try_from((*original).szOsFile).is_ok_and(|bytes| bytes > ROOM) {
            return ffi::SQLITE_CANTOPEN;
        }
        let open = (*original).xOpen.expect("every VFS opens files");
        if !is_vault && !is_wal {
            return open(original, name, file, flags, out_flags);
        }
        let inner = below(file);
        let result = open(original, name, inner, flags, out_flags);
        if result != ffi::SQLITE_OK {
            return result;
        }
        let mut ours = File {
            methods: &raw const VAULT_METHODS,
            wal: ptr::null_mut(),
            vault: ptr::null_mut(),
            _pad: 0,
        };
        if is_wal {
            let vault = ffi::sqlite3_database_file_object(name).cast::<File>();
            assert!(
                ptr::eq((*vault).methods, &raw const VAULT_METHODS),
                "a vault's file is opened like its WAL"
            );
            ours.methods = &raw const WAL_METHODS;
            ours.wal = Box::into_raw(Box::new(Wal {
                file: inner,
                gathered: Gathered::default(),
            }));
            (*vault).wal = ours.wal;
            ours.vault = vault;
        }
        file.cast::<File>().write(ours);
        result
    }
}

unsafe extern "C" fn x_delete(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync: c_int,
) -> c_int {
    let original = default_vfs();
    // SAFETY: SQLite's arguments are handed on.
    unsafe {
        let delete = (*original).xDelete.expect("every VFS deletes files");
        delete(original, name, sync)
    }
}

/// Calls the other VFS's method of that name.
macro_rules! below {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        let file = below($file);
        let method = (*(*file).pMethods).$method.expect("what a file with a WAL needs");
        method(file $(, $argument)*)
    }};
}

/// Returns what went wrong, if something did.
macro_rules! flush {
    ($file:expr) => {
        if let Some(Err(failed)) = wal($file).map(|wal| wal.flush()) {
            return failed;
        }
    };
}

unsafe extern "C" fn wal_close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is open, and closed once; the vault's is closed after it. What is gathered now belongs to no commit,
    // and its place may be somebody else's.
    unsafe {
        let ours = &mut *file.cast::<File>();
        if let Some(vault) = ours.vault.as_mut() {
            vault.wal = ptr::null_mut();
        }
        drop(Box::from_raw(ours.wal));
        ours.wal = ptr::null_mut();
        below!(file, xClose)
    }
}

unsafe extern "C" fn wal_read(
    file: *mut ffi::sqlite3_file,
    bytes: *mut c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite hands in a buffer of `length` bytes.
    unsafe {
        let wanted = usize::try_from(length).expect("a length");
        if let Some(wal) = wal(file) {
            match wal.gathered.find(offset.cast_unsigned(), wanted) {
                Found::Here(source) => {
                    ptr::copy_nonoverlapping(source.as_ptr(), bytes.cast::<u8>(), wanted);
                    return ffi::SQLITE_OK;
                }
                Found::InPart => flush!(file),
                Found::Not => {}
            }
        }
        below!(file, xRead, bytes, length, offset)
    }
}

unsafe extern "C" fn wal_write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite hands in a buffer of `length` bytes.
    unsafe {
        let length = usize::try_from(length).expect("a length");
        let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length);
        let wal = wal(file).expect("a WAL has it while it is open");
        let written = wal.write(bytes, offset.cast_unsigned());
        written.err().unwrap_or(ffi::SQLITE_OK)
    }
}

unsafe extern "C" fn wal_truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite's arguments are handed on.
    unsafe {
        flush!(file);
        below!(file, xTruncate, size)
    }
}

unsafe extern "C" fn wal_sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite's arguments are handed on.
    unsafe {
        flush!(file);
        below!(file, xSync, flags)
    }
}

unsafe extern "C" fn wal_file_size(
    file: *mut ffi::sqlite3_file,
    size: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's arguments are handed on.
    unsafe {
        flush!(file);
        below!(file, xFileSize, size)
    }
}

unsafe extern "C" fn x_shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: SQLite's arguments are handed on.
    unsafe {
        let gives_up =
            flags & ffi::SQLITE_SHM_UNLOCK != 0 && flags & ffi::SQLITE_SHM_EXCLUSIVE != 0;
        if gives_up
            && (offset..offset + count).contains(&WAL_WRITE_LOCK)
            && let Some(wal) = wal(file)
        {
            // Of no commit, so nobody misses it.
            let _ = wal.flush();
            wal.gathered.end_transaction();
        }
        below!(file, xShmLock, offset, count, flags)
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
    x_close = xClose() -> c_int;
    x_read = xRead(bytes: *mut c_void, length: c_int, offset: ffi::sqlite3_int64) -> c_int;
    x_write = xWrite(bytes: *const c_void, length: c_int, offset: ffi::sqlite3_int64) -> c_int;
    x_truncate = xTruncate(size: ffi::sqlite3_int64) -> c_int;
    x_sync = xSync(flags: c_int) -> c_int;
    x_file_size = xFileSize(size: *mut ffi::sqlite3_int64) -> c_int;
    x_lock = xLock(lock: c_int) -> c_int;
    x_unlock = xUnlock(lock: c_int) -> c_int;
    x_check_reserved_lock = xCheckReservedLock(out: *mut c_int) -> c_int;
    x_file_control = xFileControl(op: c_int, argument: *mut c_void) -> c_int;
    x_sector_size = xSectorSize() -> c_int;
    x_device_characteristics = xDeviceCharacteristics() -> c_int;
    x_shm_map = xShmMap(region: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int;
    x_shm_barrier = xShmBarrier();
    x_shm_unmap = xShmUnmap(delete: c_int) -> c_int;
    x_fetch = xFetch(offset: ffi::sqlite3_int64, length: c_int, out: *mut *mut c_void) -> c_int;
    x_unfetch = xUnfetch(offset: ffi::sqlite3_int64, page: *mut c_void) -> c_int;
}

static VAULT_METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
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

static WAL_METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    xClose: Some(wal_close),
    xRead: Some(wal_read),
    xWrite: Some(wal_write),
    xTruncate: Some(wal_truncate),
    xSync: Some(wal_sync),
    xFileSize: Some(wal_file_size),
    ..VAULT_METHODS
};

#[cfg(test)]
mod tests;
