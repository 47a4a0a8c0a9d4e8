//! The functions of libc by which this process changes files, under their own names: the linker takes these.
//!
//! Each either hands on to the system, or notes what is asked below a watched folder and then hands on. Syncs below a
//! watched folder are noted only: what they are worth is decided when the recording is replayed.
#![expect(
    unsafe_code,
    reason = "functions with C's names and pointers are what the linker can put in place of libc's"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the system answers its calls with a long, whatever they promise"
)]

use std::cell::Cell;
use std::ffi::{CStr, OsStr, OsString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libc::{mode_t, off_t, size_t, ssize_t};

use super::{Bypass, Inner, Request, Verdict, Watch, forget, is_idle, opened, remember, watch_of};
use crate::record::{NodeId, Op, ROOT};

thread_local! {
    /// Set while SQLite's own VFS works below ours: what it does to files is noted there, names and folders are here.
    static IN_VFS: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` of SQLite's own VFS.
pub(super) fn below_vfs<T>(work: impl FnOnce() -> T) -> T {
    let before = IN_VFS.replace(true);
    let result = work();
    IN_VFS.set(before);
    result
}

fn in_vfs() -> bool {
    IN_VFS.get()
}

fn fail(errno: c_int) -> c_int {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// A name that something is to be done to.
struct Place {
    watch: Arc<Watch>,
    folder: NodeId,
    name: OsString,
}

/// Where a path below a watched folder leads; `None` for all others. `base` is a folder's descriptor.
fn place(base: c_int, path: *const c_char) -> Option<Place> {
    // SAFETY: the caller of a POSIX function hands in a path that ends with NUL.
    let path = Path::new(OsStr::from_bytes(
        unsafe { CStr::from_ptr(path) }.to_bytes(),
    ));
    let (watch, from) = if path.is_absolute() {
        (watch_of(path)?, ROOT)
    } else {
        opened(base)?
    };
    let (folder, name) = {
        let inner = watch.inner();
        let (folder, name) = inner.recorder.parent(from, path)?;
        (folder, name.to_owned())
    };
    Some(Place {
        watch,
        folder,
        name,
    })
}

/// Whether a change of names may be done now.
fn judge_name(inner: &mut Inner) -> Option<c_int> {
    if in_vfs() {
        return None;
    }
    match inner.judge(Request::Name) {
        Verdict::Fail(errno) => Some(errno),
        Verdict::Go | Verdict::Short => None,
    }
}

fn open_at(base: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the arguments are those of a caller of openat(2).
    let go = || unsafe { libc::syscall(libc::SYS_openat, base, path, flags, mode) as c_int };
    if is_idle() {
        return go();
    }
    let _bypass = Bypass::begin();
    // SAFETY: as in `place`.
    let text = Path::new(OsStr::from_bytes(
        unsafe { CStr::from_ptr(path) }.to_bytes(),
    ));
    let place = place(base, path);
    if let Some(place) = place {
        let mut inner = place.watch.inner();
        let there = inner.recorder.named(place.folder, &place.name);
        let makes = flags & libc::O_CREAT != 0 && there.is_none();
        if makes && let Some(errno) = judge_name(&mut inner) {
            return fail(errno);
        }
        let fd = go();
        if fd < 0 {
            return fd;
        }
        let node = if let Some(named) = there {
            if flags & libc::O_TRUNC != 0 {
                let node = named.node;
                inner.recorder.push(Op::Truncate { node, size: 0 });
            }
            named.node
        } else {
            let named = inner.recorder.node(flags & libc::O_DIRECTORY != 0);
            inner
                .recorder
                .rename(vec![(place.folder, place.name, Some(named))]);
            named.node
        };
        drop(inner);
        remember(fd, place.watch, node);
        return fd;
    }
    let fd = go();
    if fd >= 0 {
        // A folder's descriptor may have been closed where nobody saw it.
        forget(fd);
        if let Some(watch) = watch_of(text).filter(|watch| watch.root == text) {
            remember(fd, watch, ROOT);
        }
    }
    fd
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    open_at(libc::AT_FDCWD, path, flags, mode)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    open_at(libc::AT_FDCWD, path, flags, mode)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn openat(base: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    open_at(base, path, flags, mode)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn openat64(
    base: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    open_at(base, path, flags, mode)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn close(fd: c_int) -> c_int {
    if !is_idle() {
        let _bypass = Bypass::begin();
        forget(fd);
    }
    // SAFETY: as the caller's close(2).
    unsafe { libc::syscall(libc::SYS_close, fd) as c_int }
}

/// The file that bytes go to, if that is to be noted here.
fn written(fd: c_int) -> Option<(Arc<Watch>, NodeId)> {
    if is_idle() || in_vfs() {
        return None;
    }
    let _bypass = Bypass::begin();
    opened(fd)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, length: size_t) -> ssize_t {
    // SAFETY: as the caller's write(2); a shorter length stays within its buffer.
    let go =
        |length: size_t| unsafe { libc::syscall(libc::SYS_write, fd, bytes, length) as ssize_t };
    let Some((watch, node)) = written(fd) else {
        return go(length);
    };
    let _bypass = Bypass::begin();
    let mut inner = watch.inner();
    let length = match inner.judge(Request::Write) {
        Verdict::Go => length,
        Verdict::Short => length.div_ceil(2),
        Verdict::Fail(errno) => return fail(errno) as ssize_t,
    };
    // SAFETY: the descriptor is open, since it was found among those that are.
    let offset = unsafe {
        let appends = libc::fcntl(fd, libc::F_GETFL) & libc::O_APPEND != 0;
        let whence = if appends {
            libc::SEEK_END
        } else {
            libc::SEEK_CUR
        };
        libc::lseek(fd, 0, whence)
    };
    let done = go(length);
    if done > 0 {
        // SAFETY: the system has just read as many bytes from there.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), done as usize) };
        inner.recorder.push(Op::Write {
            node,
            offset: offset.cast_unsigned(),
            bytes: bytes.into(),
        });
    }
    done
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate(fd: c_int, size: off_t) -> c_int {
    let go = || {
        // SAFETY: as the caller's ftruncate(2).
        unsafe { libc::syscall(libc::SYS_ftruncate, fd, size) as c_int }
    };
    let Some((watch, node)) = written(fd) else {
        return go();
    };
    let _bypass = Bypass::begin();
    let mut inner = watch.inner();
    if let Verdict::Fail(errno) = inner.judge(Request::Write) {
        return fail(errno);
    }
    let done = go();
    if done == 0 {
        let size = size.cast_unsigned();
        inner.recorder.push(Op::Truncate { node, size });
    }
    done
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(fd: c_int, size: off_t) -> c_int {
    // SAFETY: the same function where offsets have 64 bits.
    unsafe { ftruncate(fd, size) }
}

fn sync(fd: c_int) -> c_int {
    let watched = if is_idle() {
        None
    } else {
        let _bypass = Bypass::begin();
        opened(fd)
    };
    let Some((watch, node)) = watched else {
        // SAFETY: as the caller's fsync(2).
        return unsafe { libc::syscall(libc::SYS_fsync, fd) as c_int };
    };
    let _bypass = Bypass::begin();
    let is_folder = watch.inner().recorder.is_folder(node);
    if in_vfs() && !is_folder {
        return 0;
    }
    if is_folder && watch.ignore_directory_syncs.load(Ordering::Relaxed) {
        return 0;
    }
    match watch.sync(node, !in_vfs()) {
        Ok(()) => 0,
        Err(errno) => fail(errno),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    sync(fd)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync(fd)
}

/// Moves a name, or gives a file a second one.
fn move_name(
    (from_base, from): (c_int, *const c_char),
    (to_base, to): (c_int, *const c_char),
    links: bool,
    go: impl FnOnce() -> c_int,
) -> c_int {
    if is_idle() {
        return go();
    }
    let _bypass = Bypass::begin();
    let (Some(from), Some(to)) = (place(from_base, from), place(to_base, to)) else {
        return go();
    };
    let mut inner = from.watch.inner();
    if let Some(errno) = judge_name(&mut inner) {
        return fail(errno);
    }
    let there = inner.recorder.named(from.folder, &from.name);
    let done = go();
    if done == 0
        && let Some(named) = there
    {
        let mut changes = vec![(to.folder, to.name, Some(named))];
        if !links {
            changes.push((from.folder, from.name, None));
        }
        inner.recorder.rename(changes);
    }
    done
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the same arguments as rename(2) has here and below.
    unsafe { renameat2(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn renameat(
    from_base: c_int,
    from: *const c_char,
    to_base: c_int,
    to: *const c_char,
) -> c_int {
    // SAFETY: as above.
    unsafe { renameat2(from_base, from, to_base, to, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn renameat2(
    from_base: c_int,
    from: *const c_char,
    to_base: c_int,
    to: *const c_char,
    flags: libc::c_uint,
) -> c_int {
    move_name((from_base, from), (to_base, to), false, || {
        // SAFETY: as above.
        unsafe { libc::syscall(libc::SYS_renameat2, from_base, from, to_base, to, flags) as c_int }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn linkat(
    from_base: c_int,
    from: *const c_char,
    to_base: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    move_name((from_base, from), (to_base, to), true, || {
        // SAFETY: as the caller's linkat(2).
        unsafe { libc::syscall(libc::SYS_linkat, from_base, from, to_base, to, flags) as c_int }
    })
}

/// Removes a name.
fn remove_name(base: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as the caller's unlinkat(2).
    let go = || unsafe { libc::syscall(libc::SYS_unlinkat, base, path, flags) as c_int };
    if is_idle() {
        return go();
    }
    let _bypass = Bypass::begin();
    let Some(place) = place(base, path) else {
        return go();
    };
    let mut inner = place.watch.inner();
    if let Some(errno) = judge_name(&mut inner) {
        return fail(errno);
    }
    let done = go();
    if done == 0 {
        inner
            .recorder
            .rename(vec![(place.folder, place.name, None)]);
    }
    done
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    remove_name(libc::AT_FDCWD, path, 0)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlinkat(base: c_int, path: *const c_char, flags: c_int) -> c_int {
    remove_name(base, path, flags)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    remove_name(libc::AT_FDCWD, path, libc::AT_REMOVEDIR)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: as the caller's mkdir(2).
    let go = || unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, path, mode) as c_int };
    if is_idle() {
        return go();
    }
    let _bypass = Bypass::begin();
    let Some(place) = place(libc::AT_FDCWD, path) else {
        return go();
    };
    let mut inner = place.watch.inner();
    if let Some(errno) = judge_name(&mut inner) {
        return fail(errno);
    }
    let done = go();
    if done == 0 {
        let named = inner.recorder.node(true);
        inner
            .recorder
            .rename(vec![(place.folder, place.name, Some(named))]);
    }
    done
}
