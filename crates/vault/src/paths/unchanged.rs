//! Finding what need not be read: files that are as they were when they were archived.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rayon::prelude::*;

use super::Watch;
use super::plan::Plan;
use super::seen::{Record, Seen, StateKey};
use super::system::{self, Stamp};
use crate::error::ReadError;
use crate::model::PlaceId;
use crate::name::Name;
use crate::vault::Vault;

/// Files of one folder that are looked up in one snapshot.
const LOOKED_UP_AT_ONCE: usize = 1024;

/// The files of a plan that need not be read.
#[derive(Default)]
pub(super) struct Unchanged {
    /// Folder and item, sorted.
    items: Vec<(usize, usize)>,
    pub(super) bytes: u64,
    pub(super) records: Vec<Record>,
}

impl Unchanged {
    /// Compares the plan with the records and the vault. Any doubt leaves a file to be read.
    pub(super) fn find(
        plan: &Plan,
        seen: &Seen,
        vault: &Vault,
        place: PlaceId,
        below: &[Name],
        watch: &Watch<'_>,
    ) -> Result<Self, ReadError> {
        // Where several arguments lead to the same names, which one is newest depends on those before it.
        if seen.is_empty() || plan.steps.len() > 1 {
            return Ok(Self::default());
        }
        let units: Vec<(usize, std::ops::Range<usize>)> = plan
            .folders
            .iter()
            .enumerate()
            .flat_map(|(folder, found)| {
                let items = found.items.len();
                (0..items)
                    .step_by(LOOKED_UP_AT_ONCE)
                    .map(move |start| (folder, start..items.min(start + LOOKED_UP_AT_ONCE)))
            })
            .collect();
        let look = |(folder, items): (usize, std::ops::Range<usize>)| {
            if watch.stop.load(Ordering::Relaxed) {
                return Ok(Self::default());
            }
            look_up(plan, seen, vault, place, below, folder, items)
        };
        let found: Vec<Self> = units.into_par_iter().map(look).collect::<Result<_, _>>()?;
        let mut all = Self::default();
        for part in found {
            all.items.extend(part.items);
            all.bytes += part.bytes;
            all.records.extend(part.records);
        }
        Ok(all)
    }

    pub(super) fn has(&self, folder: usize, item: usize) -> bool {
        self.items.binary_search(&(folder, item)).is_ok()
    }

    pub(super) fn files(&self) -> u64 {
        self.items.len() as u64
    }
}

fn look_up(
    plan: &Plan,
    seen: &Seen,
    vault: &Vault,
    place: PlaceId,
    below: &[Name],
    folder: usize,
    items: std::ops::Range<usize>,
) -> Result<Unchanged, ReadError> {
    let found = &plan.folders[folder];
    let Ok(source) = std::path::absolute(&found.source) else {
        return Ok(Unchanged::default());
    };
    let mut known: Vec<(usize, StateKey, u64)> = Vec::new();
    for number in items {
        let item = &found.items[number];
        if item.is_link {
            continue;
        }
        if let Some((key, bytes)) = state_of(&path_of(&source, &item.name))
            && seen.knows(key)
        {
            known.push((number, key, bytes));
        }
    }
    let mut unchanged = Unchanged::default();
    if known.is_empty() {
        return Ok(unchanged);
    }
    let mut folders = below.to_vec();
    folders.extend(plan.destination(folder));
    let names = known.iter().map(|(number, ..)| &found.items[*number].name);
    let newest = vault.newest_contents(place, &folders, names)?;
    for ((number, key, bytes), newest) in known.into_iter().zip(newest) {
        if let Some((size, sha256)) = newest
            && size == bytes
            && seen.had(key, &sha256)
        {
            unchanged.items.push((folder, number));
            unchanged.bytes += bytes;
            unchanged.records.push(Record::new(key, &sha256));
        }
    }
    Ok(unchanged)
}

fn path_of(folder: &Path, name: &Name) -> PathBuf {
    folder.join(system::os_bytes(name.as_bytes()).unwrap_or_default())
}

fn state_of(path: &Path) -> Option<(StateKey, u64)> {
    let metadata = fs::symlink_metadata(path)
        .ok()
        .filter(fs::Metadata::is_file)?;
    Some((StateKey::of(path, &Stamp::of(&metadata))?, metadata.len()))
}
