//! A disk as a recording leaves it: what is durable, what was written since, and what a loss of power may make of that.
//!
//! The disk promises what SQLite expects of one (sqlite.org/atomiccommit.html, with powersafe overwrite): what was
//! synced stays, and a sector that is being written may be old, new or torn within what was written, but takes none of
//! its neighbours along. Nothing else: bytes not synced may be there in part and in any order, a longer file may hold
//! zeros or rubbish where they are not, and names come and go only with a sync of their folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::random::Random;
use crate::record::{Mark, Named, NodeId, Op, ROOT, Recording};

/// What a disk writes at once, at most two sizes of which are about.
const SECTORS: [usize; 2] = [512, 4096];

/// A change of a file that is not durable.
#[derive(Clone)]
enum Change {
    Write(u64, Arc<[u8]>),
    Truncate(u64),
}

/// Names that change at once: (folder, name, what it stands for now).
type Names = Vec<(NodeId, OsString, Option<Named>)>;

/// A disk, at some point of a recording.
#[derive(Clone, Default)]
pub struct Disk {
    files: BTreeMap<NodeId, Arc<Vec<u8>>>,
    pending: BTreeMap<NodeId, Vec<Change>>,
    folders: BTreeMap<NodeId, BTreeMap<OsString, Named>>,
    names: Vec<Names>,
    /// The youngest picture of a WAL's index, and one before it.
    index: Vec<(NodeId, OsString, Arc<[u8]>)>,
}

/// What a loss of power makes of what is not durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing of it is there.
    All,
    /// All of it is: what a kill leaves.
    Nothing,
    /// Each sector is there or not, in every file; what is missing in a longer file is zeros.
    Sectors,
    /// The same, and what is missing in a longer file is rubbish.
    Rubbish,
    /// What was asked last is there, and what was asked before it is not.
    Reordered,
    /// What was asked first is there, up to the middle of a write.
    Torn,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::All,
        Self::Nothing,
        Self::Sectors,
        Self::Rubbish,
        Self::Reordered,
        Self::Torn,
    ];
}

impl Disk {
    /// The disk as the recording began.
    pub fn before(recording: &Recording) -> Self {
        let mut disk = Self::default();
        disk.folders.insert(ROOT, BTreeMap::new());
        for (folder, name, named, bytes) in &recording.before {
            disk.adopt(*named);
            if !named.is_folder {
                disk.files.insert(named.node, Arc::new(bytes.clone()));
            }
            let names = disk.folders.entry(*folder).or_default();
            names.insert(name.clone(), *named);
        }
        disk
    }

    fn adopt(&mut self, named: Named) {
        if named.is_folder {
            self.folders.entry(named.node).or_default();
        } else {
            self.files.entry(named.node).or_default();
        }
    }

    /// What is asked next.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Names(changes) => {
                for (_, _, named) in changes {
                    if let Some(named) = named {
                        self.adopt(*named);
                    }
                }
                self.names.push(changes.clone());
            }
            Op::Write {
                node,
                offset,
                bytes,
            } => self.change(*node, Change::Write(*offset, Arc::clone(bytes))),
            Op::Truncate { node, size } => self.change(*node, Change::Truncate(*size)),
            Op::Sync(node) => self.sync(*node),
            Op::SyncFailed(node) => {
                self.pending.remove(node);
            }
            Op::Damage {
                node,
                offset,
                bytes,
            } => {
                let file = Arc::make_mut(self.files.entry(*node).or_default());
                put(file, *offset, bytes);
            }
            Op::Index {
                folder,
                name,
                bytes,
            } => {
                self.index.truncate(1);
                self.index
                    .insert(0, (*folder, name.clone(), Arc::clone(bytes)));
            }
            Op::Mark(_) => {}
        }
    }

    fn change(&mut self, node: NodeId, change: Change) {
        self.pending.entry(node).or_default().push(change);
    }

    fn sync(&mut self, node: NodeId) {
        if self.folders.contains_key(&node) {
            // Changes of one folder stay in order; those of others wait for theirs.
            let (now, later) = std::mem::take(&mut self.names)
                .into_iter()
                .partition(|changes: &Names| changes.iter().any(|(folder, ..)| *folder == node));
            self.names = later;
            for changes in now {
                self.name(&changes);
            }
        } else if let Some(changes) = self.pending.remove(&node) {
            let file = Arc::make_mut(self.files.entry(node).or_default());
            for change in &changes {
                match change {
                    Change::Write(offset, bytes) => put(file, *offset, bytes),
                    Change::Truncate(size) => file.resize(usize_of(*size), 0),
                }
            }
        }
    }

    fn name(&mut self, changes: &Names) {
        for (folder, name, named) in changes {
            let listed = self.folders.entry(*folder).or_default();
            match named {
                Some(named) => listed.insert(name.clone(), *named),
                None => listed.remove(name),
            };
        }
    }

    /// Whether a loss of power could change anything.
    pub fn is_settled(&self) -> bool {
        self.names.is_empty() && self.pending.values().all(Vec::is_empty)
    }

    /// Puts what a loss of power leaves into the empty folder `at`.
    pub fn crash(&self, loss: Loss, random: &mut Random, at: &Path) -> io::Result<()> {
        let mut disk = self.clone();
        let names = std::mem::take(&mut disk.names);
        // A journal keeps the order of names, and loses the last of them; another system may keep any of them.
        let ordered = random.coin();
        let kept = random.index(names.len() + 1);
        for (number, changes) in names.iter().enumerate() {
            let keep = match loss {
                Loss::All => false,
                Loss::Nothing => true,
                _ if ordered => number < kept,
                _ => random.coin(),
            };
            if keep {
                disk.name(changes);
            }
        }
        for (node, changes) in &self.pending {
            let file = Arc::make_mut(disk.files.entry(*node).or_default());
            lose(file, changes, loss, random);
        }
        disk.put_down(ROOT, at)?;
        // The index is there as it was, as it was before, or not at all.
        let pictures = self.index.len();
        if let Some((folder, name, bytes)) = self.index.get(random.index(pictures + 1))
            && let Some(folder) = disk.path_of(*folder, at)
        {
            let mut whole = bytes.to_vec();
            whole.resize(32 * 1024, 0);
            std::fs::write(folder.join(name), whole)?;
        }
        Ok(())
    }

    fn put_down(&self, folder: NodeId, at: &Path) -> io::Result<()> {
        for (name, named) in self.folders.get(&folder).into_iter().flatten() {
            let path = at.join(name);
            if named.is_folder {
                std::fs::create_dir(&path)?;
                self.put_down(named.node, &path)?;
            } else {
                let bytes = self.files.get(&named.node);
                std::fs::write(&path, bytes.map_or(&[][..], |bytes| bytes))?;
            }
        }
        Ok(())
    }

    fn path_of(&self, folder: NodeId, at: &Path) -> Option<std::path::PathBuf> {
        if folder == ROOT {
            return Some(at.to_path_buf());
        }
        let names = self.folders.get(&ROOT)?;
        let (name, _) = names.iter().find(|(_, named)| named.node == folder)?;
        Some(at.join(name))
    }
}

/// What was noted of an operation by the workload.
pub fn mark(op: &Op) -> Option<&Mark> {
    match op {
        Op::Mark(mark) => Some(mark),
        _ => None,
    }
}

fn lose(file: &mut Vec<u8>, changes: &[Change], loss: Loss, random: &mut Random) {
    let sector = SECTORS[random.index(2)];
    let cut = random.index(changes.len() + 1);
    let before = file.len();
    let mut reached = Vec::new();
    for (number, change) in changes.iter().enumerate() {
        let (keep, partly) = match loss {
            Loss::All => (false, false),
            Loss::Nothing => (true, false),
            Loss::Sectors | Loss::Rubbish => (true, true),
            Loss::Reordered => (number >= cut, false),
            Loss::Torn => (number <= cut, number == cut),
        };
        match change {
            Change::Truncate(size) => {
                if keep && (!partly || random.coin()) {
                    file.resize(usize_of(*size), 0);
                }
            }
            Change::Write(offset, bytes) if keep => {
                let mut done = 0;
                while done < bytes.len() {
                    let at = offset + done as u64;
                    let room = sector - usize_of(at % sector as u64);
                    let length = room.min(bytes.len() - done);
                    let piece = &bytes[done..done + length];
                    done += length;
                    if !partly || random.coin() {
                        put(file, at, piece);
                    } else {
                        reached.push((usize_of(at), length));
                    }
                }
            }
            Change::Write(..) => {}
        }
    }
    if matches!(loss, Loss::Sectors | Loss::Rubbish) && random.coin() {
        // The file's new size came to be durable before its bytes.
        let end = reached.iter().map(|(at, length)| at + length).max();
        if let Some(end) = end.filter(|end| *end > file.len()) {
            file.resize(end, 0);
        }
        if loss == Loss::Rubbish {
            for (at, length) in reached {
                let end = (at + length).min(file.len());
                if at >= before && at < end && file[at..end].iter().all(|byte| *byte == 0) {
                    random.fill(&mut file[at..end]);
                }
            }
        }
    }
}

fn put(file: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let offset = usize_of(offset);
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).expect("recorded files fit in memory")
}
