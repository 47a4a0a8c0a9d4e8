//! Walking what is to be archived: what lies where, and what of it cannot be taken.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::exclude::Exclude;
use super::system;
use super::{PlanError, PlanOptions, SKIPPED_MAX, SkipReason, Skipped};
use crate::limits::DEPTH_MAX;
use crate::name::Name;
use crate::platform::Identity;
use crate::store::files::{beside, directory_of};
use crate::vault::Vault;

/// What will be archived, in the order in which it will be read: folder by folder, names in byte order.
///
/// Holds about a hundred bytes per file. What lies in the file system can change between making and archiving it;
/// archiving looks again at each file.
#[derive(Debug)]
pub struct Plan {
    /// Parents before children.
    pub(super) folders: Vec<Folder>,
    /// Where the arguments' folders begin and end, if they must be archived one after the other because they lead
    /// to the same names; else one range.
    pub(super) steps: Vec<std::ops::Range<usize>>,
    pub(super) vault_file: Option<Identity>,
    files: u64,
    links: u64,
    walked: u64,
    bytes: u64,
    excluded: u64,
    skipped: Vec<Skipped>,
    skipped_left_out: u64,
    own_files: Vec<PathBuf>,
}

/// A folder on its way in, or the files named one by one.
#[derive(Debug)]
pub(super) struct Folder {
    /// Where it lies.
    pub(super) source: PathBuf,
    parent: Option<usize>,
    /// Its name as a collection; `None` if its contents go directly where the plan is archived.
    name: Option<Name>,
    depth: usize,
    pub(super) items: Vec<Item>,
    /// Nothing is in it: it is a collection of its own all the same.
    pub(super) is_empty: bool,
}

/// A file or a link in a folder.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: Name,
    pub(super) is_link: bool,
    /// When it was met; none for a link.
    pub(super) bytes: u64,
}

/// One thing that a plan holds, to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Where it will be, below the place that the plan is archived in.
    pub path: Vec<Name>,
    /// What it will be.
    pub kind: PlannedKind,
    /// Bytes of a file.
    pub bytes: u64,
}

/// What something planned will become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedKind {
    /// An asset.
    File,
    /// A link.
    Link,
    /// A collection.
    Folder,
}

impl Plan {
    /// Walks `paths` on all cores. `DIR` becomes a collection of that name, `DIR/.` and `DIR/..` give their contents;
    /// a symbolic link is itself. The vault's own files are left out wherever they are met.
    pub fn make(
        vault: &Vault,
        paths: &[PathBuf],
        options: &PlanOptions,
    ) -> Result<Self, PlanError> {
        let mut walker = Walker {
            exclude: Exclude::new(&options.exclude)?,
            own: OwnFiles::of(vault.path()),
            plan: Self {
                folders: Vec::new(),
                steps: Vec::new(),
                vault_file: Identity::of(vault.path()),
                files: 0,
                links: 0,
                walked: 0,
                bytes: 0,
                excluded: 0,
                skipped: Vec::new(),
                skipped_left_out: 0,
                own_files: Vec::new(),
            },
        };
        let mut unreadable = None;
        let mut readable = 0;
        for path in paths {
            match walker.argument(path) {
                Ok(()) => readable += 1,
                Err(reason) => {
                    unreadable.get_or_insert_with(|| (path.clone(), reason.clone()));
                    walker.plan.skip(path.clone(), reason);
                }
            }
        }
        match unreadable {
            Some((path, reason)) if readable == 0 => Err(PlanError::Nothing { path, reason }),
            _ => Ok(walker.plan.finish()),
        }
    }

    /// Files to read.
    pub fn files(&self) -> u64 {
        self.files
    }

    /// Symbolic links to keep.
    pub fn links(&self) -> u64 {
        self.links
    }

    /// Folders walked.
    pub fn folders(&self) -> u64 {
        self.walked
    }

    /// Bytes to read, as sizes were when the files were met.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Files, links and folders left out by a pattern; what is in such a folder is not counted.
    pub fn excluded(&self) -> u64 {
        self.excluded
    }

    /// What cannot be archived, up to [`SKIPPED_MAX`], and how many more there are.
    pub fn skipped(&self) -> (&[Skipped], u64) {
        (&self.skipped, self.skipped_left_out)
    }

    /// The vault itself and what lies beside it, where it was met.
    pub fn own_files(&self) -> &[PathBuf] {
        &self.own_files
    }

    /// Whether files or links would lie directly in the place that the plan is archived in, which then must be a
    /// collection; the first of them.
    pub fn needs_collection(&self) -> Option<&Name> {
        let mut direct = self.folders.iter().filter(|folder| folder.depth == 0);
        direct.find_map(|folder| folder.items.first().map(|item| &item.name))
    }

    /// Everything that would be archived.
    pub fn items(&self) -> impl Iterator<Item = Planned> + '_ {
        self.folders.iter().enumerate().flat_map(|(index, folder)| {
            let path = self.destination(index);
            let itself = (!path.is_empty()).then(|| Planned {
                path: path.clone(),
                kind: PlannedKind::Folder,
                bytes: 0,
            });
            let items = folder.items.iter().map(move |item| Planned {
                path: path.iter().chain([&item.name]).cloned().collect(),
                kind: if item.is_link {
                    PlannedKind::Link
                } else {
                    PlannedKind::File
                },
                bytes: item.bytes,
            });
            itself.into_iter().chain(items)
        })
    }

    /// Names of the collections from the target down to a folder.
    pub(super) fn destination(&self, index: usize) -> Vec<Name> {
        destination(&self.folders, index)
    }

    fn skip(&mut self, path: PathBuf, reason: SkipReason) {
        if self.skipped.len() < SKIPPED_MAX {
            self.skipped.push(Skipped { path, reason });
        } else {
            self.skipped_left_out += 1;
        }
    }

    /// Decides whether arguments may be archived at the same time.
    fn finish(mut self) -> Self {
        let overlap = self.steps.len() > 1 && {
            let mut names: Vec<&[u8]> = Vec::new();
            let mut contents = 0;
            for step in &self.steps {
                let first = &self.folders[step.start];
                match &first.name {
                    Some(name) => names.push(name.as_bytes()),
                    None if step.len() == 1 && first.items.len() == 1 => {
                        names.push(first.items[0].name.as_bytes());
                    }
                    None => contents += 1,
                }
            }
            let arguments = names.len();
            names.sort_unstable();
            names.dedup();
            names.len() < arguments || contents > 0
        };
        if !overlap {
            self.steps.clear();
            self.steps.push(0..self.folders.len());
        }
        self
    }
}

fn destination(folders: &[Folder], index: usize) -> Vec<Name> {
    let chain = std::iter::successors(Some(&folders[index]), |folder| {
        folder.parent.map(|parent| &folders[parent])
    });
    let mut names: Vec<Name> = chain.filter_map(|folder| folder.name.clone()).collect();
    names.reverse();
    names
}

/// The vault's own files, by name in their folder, and the vault itself by any other name.
struct OwnFiles {
    folder: Option<Identity>,
    names: Vec<Vec<u8>>,
    vault: Option<Identity>,
}

impl OwnFiles {
    fn of(vault: &Path) -> Self {
        let name = |path: PathBuf| system::name_bytes(path.file_name()?).map(<[u8]>::to_vec);
        let suffixes = ["", "-wal", "-shm", "-journal", "-alone", "-uploads"];
        Self {
            folder: Identity::of(&directory_of(vault)),
            names: suffixes
                .iter()
                .filter_map(|suffix| name(beside(vault, suffix)))
                .collect(),
            vault: Identity::of(vault),
        }
    }

    fn is_home(&self, folder: &Path) -> bool {
        self.folder.is_some() && Identity::of(folder) == self.folder
    }

    fn holds(&self, at_home: bool, name: &[u8], metadata: &Metadata) -> bool {
        #[cfg(unix)]
        if metadata.is_file() && Some(Identity::from(metadata)) == self.vault {
            return true;
        }
        let _ = (metadata, &self.vault);
        at_home && self.names.iter().any(|own| own == name)
    }
}

struct Walker {
    exclude: Exclude,
    own: OwnFiles,
    plan: Plan,
}

/// What was found in one folder.
#[derive(Default)]
struct Listing {
    items: Vec<Item>,
    folders: Vec<Name>,
    skipped: Vec<(PathBuf, SkipReason)>,
    own_files: Vec<PathBuf>,
    excluded: u64,
}

impl Walker {
    fn argument(&mut self, path: &Path) -> Result<(), SkipReason> {
        let metadata = fs::symlink_metadata(path).map_err(|e| unreadable(&e))?;
        let start = self.plan.folders.len();
        if metadata.is_dir() {
            let name = if means_contents(path) {
                // Its type and readability are told now, since nothing else names it.
                fs::read_dir(path).map_err(|e| unreadable(&e))?;
                None
            } else {
                Some(name_of(path.file_name().unwrap_or_default())?)
            };
            self.plan.folders.push(Folder {
                source: path.to_path_buf(),
                parent: None,
                depth: usize::from(name.is_some()),
                name,
                items: Vec::new(),
                is_empty: false,
            });
            self.walk(start);
        } else {
            let folder = directory_of(path);
            let at_home = self.own.is_home(&folder);
            let listing = self.named(path, &metadata, at_home)?;
            self.plan.folders.push(Folder {
                source: folder,
                parent: None,
                name: None,
                depth: 0,
                items: Vec::new(),
                is_empty: false,
            });
            self.take(start, listing);
        }
        self.plan.steps.push(start..self.plan.folders.len());
        Ok(())
    }

    /// A file or link that was named itself.
    fn named(
        &self,
        path: &Path,
        metadata: &Metadata,
        at_home: bool,
    ) -> Result<Listing, SkipReason> {
        let mut listing = Listing::default();
        let name = name_of(path.file_name().unwrap_or_default())?;
        if self.own.holds(at_home, name.as_bytes(), metadata) {
            listing.own_files.push(path.to_path_buf());
        } else if self
            .exclude
            .matches(name.as_bytes(), false, || name.as_bytes().to_vec())
        {
            listing.excluded += 1;
        } else {
            listing.items.push(item(name, metadata)?);
        }
        Ok(listing)
    }

    /// Walks below the folder at `start`, one level of the tree after the other, then orders what was found by
    /// depth first, so that neighbours are read together.
    fn walk(&mut self, start: usize) {
        let mut level = start..self.plan.folders.len();
        while !level.is_empty() {
            let listings: Vec<Listing> = level
                .clone()
                .into_par_iter()
                .map(|index| self.list(index))
                .collect();
            let next = level.end;
            for (index, listing) in level.zip(listings) {
                self.take(index, listing);
            }
            level = next..self.plan.folders.len();
        }
        let walked = self.plan.folders.split_off(start);
        self.plan.walked += walked.len() as u64;
        self.plan.folders.extend(depth_first(walked, start));
    }

    fn list(&self, index: usize) -> Listing {
        let folder = &self.plan.folders[index];
        let mut listing = Listing::default();
        let entries = match fs::read_dir(&folder.source) {
            Ok(entries) => entries,
            Err(error) => {
                let path = folder.source.clone();
                listing.skipped.push((path, unreadable(&error)));
                return listing;
            }
        };
        let at_home = self.own.is_home(&folder.source);
        for entry in entries {
            let found = entry.map(|entry| (entry.metadata(), entry));
            match found {
                Ok((metadata, entry)) => {
                    let name = entry.file_name();
                    if let Err(reason) = self.sort_in(&mut listing, index, &name, metadata, at_home)
                    {
                        listing.skipped.push((folder.source.join(name), reason));
                    }
                }
                Err(error) => {
                    let path = folder.source.clone();
                    listing.skipped.push((path, unreadable(&error)));
                }
            }
        }
        listing.items.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        listing.folders.sort_unstable();
        listing
    }

    fn sort_in(
        &self,
        listing: &mut Listing,
        folder: usize,
        name: &OsStr,
        metadata: io::Result<Metadata>,
        at_home: bool,
    ) -> Result<(), SkipReason> {
        let name = name_of(name)?;
        let metadata = metadata.map_err(|error| unreadable(&error))?;
        if self.own.holds(at_home, name.as_bytes(), &metadata) {
            let source = &self.plan.folders[folder].source;
            let own = system::os_bytes(name.as_bytes()).unwrap_or_default();
            listing.own_files.push(source.join(own));
            return Ok(());
        }
        let path = || {
            let mut path = Vec::new();
            for part in destination(&self.plan.folders, folder) {
                path.extend_from_slice(part.as_bytes());
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            path
        };
        if self
            .exclude
            .matches(name.as_bytes(), metadata.is_dir(), path)
        {
            listing.excluded += 1;
        } else if !metadata.is_dir() {
            listing.items.push(item(name, &metadata)?);
        } else if self.plan.folders[folder].depth < DEPTH_MAX {
            listing.folders.push(name);
        } else {
            return Err(SkipReason::TooDeep);
        }
        Ok(())
    }

    /// Puts what was found in the folder at `index` into the plan.
    fn take(&mut self, index: usize, listing: Listing) {
        let plan = &mut self.plan;
        for item in &listing.items {
            if item.is_link {
                plan.links += 1;
            } else {
                plan.files += 1;
                plan.bytes += item.bytes;
            }
        }
        plan.excluded += listing.excluded;
        plan.own_files.extend(listing.own_files);
        for (path, reason) in listing.skipped {
            plan.skip(path, reason);
        }
        let folder = &mut plan.folders[index];
        folder.is_empty = listing.items.is_empty() && listing.folders.is_empty();
        folder.items = listing.items;
        let (source, depth) = (folder.source.clone(), folder.depth + 1);
        plan.folders
            .extend(listing.folders.into_iter().map(|name| Folder {
                source: source.join(system::os_bytes(name.as_bytes()).unwrap_or_default()),
                parent: Some(index),
                name: Some(name),
                depth,
                items: Vec::new(),
                is_empty: false,
            }));
    }
}

/// Brings folders that were found level by level into the order in which a person would walk them. Indices count
/// from `start`.
fn depth_first(folders: Vec<Folder>, start: usize) -> Vec<Folder> {
    let mut children = vec![Vec::new(); folders.len()];
    for (index, folder) in folders.iter().enumerate() {
        if let Some(parent) = folder.parent {
            children[parent - start].push(index);
        }
    }
    let mut order = Vec::with_capacity(folders.len());
    let mut moved_to = vec![0; folders.len()];
    let mut stack = vec![0];
    while let Some(index) = stack.pop() {
        moved_to[index] = start + order.len();
        order.push(index);
        stack.extend(children[index].iter().rev());
    }
    let mut folders: Vec<Option<Folder>> = folders.into_iter().map(Some).collect();
    order
        .into_iter()
        .map(|index| {
            let mut folder = folders[index]
                .take()
                .expect("a tree leads to each folder once");
            folder.parent = folder.parent.map(|parent| moved_to[parent - start]);
            folder
        })
        .collect()
}

fn item(name: Name, metadata: &Metadata) -> Result<Item, SkipReason> {
    let is_link = metadata.is_symlink();
    if !is_link && !metadata.is_file() {
        return Err(SkipReason::Special(system::special_kind(metadata)));
    }
    Ok(Item {
        name,
        is_link,
        bytes: if is_link { 0 } else { metadata.len() },
    })
}

fn name_of(name: &OsStr) -> Result<Name, SkipReason> {
    let bytes = system::name_bytes(name).ok_or(SkipReason::NotUnicode)?;
    Name::new(bytes).map_err(SkipReason::Name)
}

pub(super) fn unreadable(error: &io::Error) -> SkipReason {
    SkipReason::Unreadable(error.to_string())
}

/// Whether a path ends in `.` or `..` or is the root: there is no name to give to a collection.
fn means_contents(path: &Path) -> bool {
    // `Path` drops a `.` at the end, so the bytes have to be asked.
    let Some(bytes) = system::name_bytes(path.as_os_str()) else {
        return path.file_name().is_none();
    };
    let separator = |byte: &u8| *byte == b'/' || (cfg!(windows) && *byte == b'\\');
    let end = bytes
        .iter()
        .rposition(|byte| !separator(byte))
        .map_or(0, |last| last + 1);
    let last = bytes[..end].rsplit(separator).next().unwrap_or_default();
    matches!(last, b"" | b"." | b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_at_the_end_means_contents() {
        for path in [".", "..", "/", "a/.", "a/./", "/a/..", "./"] {
            assert!(means_contents(Path::new(path)), "{path}");
        }
        for path in ["a", "a/", "/a//", "./a", "../a", "a.", ".a", "a/..b"] {
            assert!(!means_contents(Path::new(path)), "{path}");
        }
    }
}
