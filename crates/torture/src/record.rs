//! What was asked of the disk below a folder, in order, with what was there before.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A file or folder, whatever its name. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) usize);

/// The watched folder itself.
pub const ROOT: NodeId = NodeId(0);

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// It.
    pub node: NodeId,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Op {
    /// Names came, went or changed, all of them at once: (folder, name, what it stands for now).
    Names(Vec<(NodeId, OsString, Option<Named>)>),
    /// Bytes were written.
    Write {
        /// Where to.
        node: NodeId,
        /// Byte of the file.
        offset: u64,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// A file got another size.
    Truncate {
        /// Which.
        node: NodeId,
        /// Bytes.
        size: u64,
    },
    /// A file or folder was made durable.
    Sync(NodeId),
    /// A sync failed: what it was to make durable is taken for clean and never will be.
    SyncFailed(NodeId),
    /// The medium changed by itself.
    Damage {
        /// Which file.
        node: NodeId,
        /// Byte of the file.
        offset: u64,
        /// What is there now.
        bytes: Arc<[u8]>,
    },
    /// SQLite's index of a WAL, as it was in memory at this moment: the system may write it to disk at any time.
    Index {
        /// The folder it lies in.
        folder: NodeId,
        /// Its name.
        name: OsString,
        /// Its beginning.
        bytes: Arc<[u8]>,
    },
    /// Nothing was asked of the disk.
    Mark(Mark),
}

impl Op {
    /// Whether the disk is another one afterwards, or might be.
    pub fn is_io(&self) -> bool {
        !matches!(self, Self::Mark(_) | Self::Index { .. })
    }
}

/// What the workload notes.
#[derive(Clone, Debug)]
pub enum Mark {
    /// Something else begins.
    Phase(&'static str),
    /// An answer was given.
    Acknowledged(crate::oracle::Acknowledged),
    /// A checkpoint was printed.
    Checkpoint(String),
}

/// A folder as it was, and what happened since.
#[derive(Clone, Default)]
pub struct Recording {
    /// What was there, all of it durable: folders first.
    pub before: Vec<(NodeId, OsString, Named, Vec<u8>)>,
    /// What happened.
    pub ops: Vec<Op>,
}

pub(crate) struct Recorder {
    root: PathBuf,
    recording: Recording,
    /// Names as they are now, in every folder.
    folders: BTreeMap<NodeId, BTreeMap<OsString, Named>>,
    next: usize,
}

impl Recorder {
    /// `root` is canonical.
    pub(crate) fn begin(root: &Path) -> std::io::Result<Self> {
        let mut recorder = Self {
            root: root.to_path_buf(),
            recording: Recording::default(),
            folders: BTreeMap::from([(ROOT, BTreeMap::new())]),
            next: 1,
        };
        recorder.take_stock(root, ROOT)?;
        Ok(recorder)
    }

    fn take_stock(&mut self, path: &Path, folder: NodeId) -> std::io::Result<()> {
        let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let is_folder = entry.file_type()?.is_dir();
            let named = self.node(is_folder);
            let bytes = if is_folder {
                Vec::new()
            } else {
                std::fs::read(entry.path())?
            };
            self.set(folder, &entry.file_name(), Some(named));
            let name = entry.file_name();
            self.recording.before.push((folder, name, named, bytes));
            if is_folder {
                self.take_stock(&entry.path(), named.node)?;
            }
        }
        Ok(())
    }

    pub(crate) fn take(&mut self) -> Recording {
        std::mem::take(&mut self.recording)
    }

    pub(crate) fn push(&mut self, op: Op) {
        self.recording.ops.push(op);
    }

    pub(crate) fn is_folder(&self, node: NodeId) -> bool {
        self.folders.contains_key(&node)
    }

    pub(crate) fn node(&mut self, is_folder: bool) -> Named {
        let node = NodeId(self.next);
        self.next += 1;
        if is_folder {
            self.folders.insert(node, BTreeMap::new());
        }
        Named { node, is_folder }
    }

    /// What a name stands for now.
    pub(crate) fn named(&self, folder: NodeId, name: &OsStr) -> Option<Named> {
        self.folders.get(&folder)?.get(name).copied()
    }

    /// The folder that a path's last component is a name in, and that name.
    pub(crate) fn parent<'p>(&self, from: NodeId, path: &'p Path) -> Option<(NodeId, &'p OsStr)> {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        let name = relative.file_name()?;
        let mut at = from;
        for component in relative.parent()?.components() {
            match component {
                Component::Normal(part) => at = self.named(at, part).filter(|n| n.is_folder)?.node,
                Component::CurDir => {}
                _ => return None,
            }
        }
        Some((at, name))
    }

    /// What an absolute path leads to.
    pub(crate) fn find(&self, path: &Path) -> Option<NodeId> {
        if path == self.root {
            return Some(ROOT);
        }
        let (folder, name) = self.parent(ROOT, path)?;
        Some(self.named(folder, name)?.node)
    }

    fn set(&mut self, folder: NodeId, name: &OsStr, named: Option<Named>) {
        let Some(listed) = self.folders.get_mut(&folder) else {
            return;
        };
        match named {
            Some(named) => listed.insert(name.to_owned(), named),
            None => listed.remove(name),
        };
    }

    /// Notes that names changed, all at once.
    pub(crate) fn rename(&mut self, changes: Vec<(NodeId, OsString, Option<Named>)>) {
        for (folder, name, named) in &changes {
            self.set(*folder, name, *named);
        }
        self.push(Op::Names(changes));
    }
}
