//! Where everything that a vault's process asks the disk for passes by: SQLite's requests at a VFS that is this
//! process's default, all others at the functions of libc.
//!
//! The product knows nothing of this. Its connections name no VFS, so they get the default one; and its other files
//! are written through `std` and `rustix`, which call libc by name, and in this process those names are ours
//! (`libc_calls`). Only what lies below a watched folder is looked at; everything else goes straight on.
//!
//! A watch records what was asked, in order ([`crate::record`]), and lets the n-th request fail.

mod libc_calls;
mod vfs;

use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, RwLock};

use crate::fault::{Fault, Request};
use crate::record::{NodeId, Op, Recorder, Recording};

/// A folder that is watched. Everything in it must be closed when the watch begins and when it ends.
pub struct Watch {
    root: PathBuf,
    inner: Mutex<Inner>,
    ignore_syncs: AtomicBool,
    ignore_directory_syncs: AtomicBool,
    swallow_sync_errors: AtomicBool,
}

struct Inner {
    recorder: Recorder,
    fault: Option<Fault>,
    /// Requests so far, by kind.
    seen: [u64; Request::KINDS],
    /// Faults that were met.
    met: u64,
}

/// What a request is to do.
enum Verdict {
    Go,
    Fail(i32),
    /// Do half of it.
    Short,
}

static WATCHES: RwLock<Vec<Arc<Watch>>> = RwLock::new(Vec::new());
/// A file or folder, and whose it is.
type Opened = (Arc<Watch>, NodeId);

/// Open files and folders below a watched folder.
static OPEN: RwLock<Option<HashMap<i32, Opened>>> = RwLock::new(None);
/// How many folders are watched; most calls of most processes end here.
static ACTIVE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Set while this thread is in the shim's own code, or in SQLite's below the VFS: its calls are not looked at.
    static BYPASS: Cell<u32> = const { Cell::new(0) };
}

/// Until it is dropped this thread's calls go straight on.
struct Bypass;

impl Bypass {
    fn begin() -> Self {
        BYPASS.with(|depth| depth.set(depth.get() + 1));
        Self
    }
}

impl Drop for Bypass {
    fn drop(&mut self) {
        BYPASS.with(|depth| depth.set(depth.get() - 1));
    }
}

fn is_idle() -> bool {
    ACTIVE.load(Ordering::Acquire) == 0 || BYPASS.with(Cell::get) > 0
}

/// Makes the VFS the default of this process. To be called before the first connection.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(vfs::register);
}

impl Watch {
    /// Watches the folder, which must exist, from what it holds now on.
    pub fn begin(root: &Path, fault: Option<Fault>) -> std::io::Result<Arc<Self>> {
        let _bypass = Bypass::begin();
        let root = root.canonicalize()?;
        let watch = Arc::new(Self {
            inner: Mutex::new(Inner {
                recorder: Recorder::begin(&root)?,
                fault,
                seen: [0; Request::KINDS],
                met: 0,
            }),
            root,
            ignore_syncs: AtomicBool::new(false),
            ignore_directory_syncs: AtomicBool::new(false),
            swallow_sync_errors: AtomicBool::new(false),
        });
        write(&WATCHES).push(Arc::clone(&watch));
        ACTIVE.fetch_add(1, Ordering::AcqRel);
        Ok(watch)
    }

    /// Ends the watch; gives what was recorded.
    pub fn end(self: Arc<Self>) -> Recording {
        let _bypass = Bypass::begin();
        let mut watches = write(&WATCHES);
        watches.retain(|watch| !Arc::ptr_eq(watch, &self));
        ACTIVE.fetch_sub(1, Ordering::AcqRel);
        drop(watches);
        if let Some(open) = &mut *write(&OPEN) {
            open.retain(|_, (watch, _)| !Arc::ptr_eq(watch, &self));
        }
        let mut inner = self.inner();
        inner.recorder.take()
    }

    /// Notes something that is no request: what the workload was told, or where a phase begins.
    pub fn mark(&self, mark: crate::record::Mark) {
        let _bypass = Bypass::begin();
        self.inner().recorder.push(Op::Mark(mark));
    }

    /// Changes bytes of a file behind everybody's back, as a failing disk does: at once durable.
    pub fn damage(&self, path: &Path, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        use std::os::unix::fs::FileExt as _;
        let _bypass = Bypass::begin();
        let file = std::fs::File::options().write(true).open(path)?;
        file.write_all_at(bytes, offset)?;
        let mut inner = self.inner();
        if let Some(node) = inner.recorder.find(path) {
            let op = Op::Damage {
                node,
                offset,
                bytes: bytes.into(),
            };
            inner.recorder.push(op);
        }
        Ok(())
    }

    /// Requests that were seen of a kind.
    pub fn seen(&self, request: Request) -> u64 {
        self.inner().seen[request as usize]
    }

    /// Requests that were made to fail.
    pub fn met(&self) -> u64 {
        self.inner().met
    }

    /// Lets everything succeed from here on.
    pub fn mend(&self) {
        self.inner().fault = None;
    }

    /// Plants a bug: syncs are answered and not done, as with `synchronous=OFF`.
    pub fn ignore_syncs(&self) {
        self.ignore_syncs.store(true, Ordering::Relaxed);
    }

    /// Plants a bug: folders are never synced.
    pub fn ignore_directory_syncs(&self) {
        self.ignore_directory_syncs.store(true, Ordering::Relaxed);
    }

    /// Plants a bug: a sync that fails is taken for one that succeeded.
    pub fn swallow_sync_errors(&self) {
        self.swallow_sync_errors.store(true, Ordering::Relaxed);
    }

    /// Notes that something is made durable, or lets that fail with an error of the system. `may_fail`: this is not a
    /// sync whose outcome nobody looks at.
    fn sync(&self, node: NodeId, may_fail: bool) -> Result<(), i32> {
        if self.ignore_syncs.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut inner = self.inner();
        let verdict = if may_fail {
            inner.judge(Request::Sync)
        } else {
            Verdict::Go
        };
        if let Verdict::Fail(errno) = verdict {
            inner.recorder.push(Op::SyncFailed(node));
            let swallowed = self.swallow_sync_errors.load(Ordering::Relaxed);
            return if swallowed { Ok(()) } else { Err(errno) };
        }
        inner.recorder.push(Op::Sync(node));
        Ok(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Counts a request, and says whether it fails.
    fn judge(&mut self, request: Request) -> Verdict {
        let seen = &mut self.seen[request as usize];
        *seen += 1;
        let verdict = match &self.fault {
            Some(fault) => fault.judge(request, *seen),
            None => Verdict::Go,
        };
        self.met += u64::from(!matches!(verdict, Verdict::Go));
        verdict
    }
}

impl Fault {
    fn judge(&self, request: Request, number: u64) -> Verdict {
        if !self.strikes(request, number) {
            return Verdict::Go;
        }
        match self.errno() {
            Some(errno) => Verdict::Fail(errno),
            None => Verdict::Short,
        }
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// The watch that a path belongs to. `-shm` is memory and no file: what it says is taken where SQLite maps it.
fn watch_of(path: &Path) -> Option<Arc<Watch>> {
    if path.as_os_str().as_encoded_bytes().ends_with(b"-shm") {
        return None;
    }
    read(&WATCHES)
        .iter()
        .find(|watch| path.starts_with(&watch.root))
        .cloned()
}

fn opened(fd: i32) -> Option<Opened> {
    read(&OPEN).as_ref()?.get(&fd).cloned()
}

fn remember(fd: i32, watch: Arc<Watch>, node: NodeId) {
    write(&OPEN)
        .get_or_insert_default()
        .insert(fd, (watch, node));
}

fn forget(fd: i32) {
    let known = read(&OPEN)
        .as_ref()
        .is_some_and(|open| open.contains_key(&fd));
    if known && let Some(open) = &mut *write(&OPEN) {
        open.remove(&fd);
    }
}
