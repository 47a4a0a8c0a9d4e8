//! Where a content lies, and whether a file lies in a place already.

use std::collections::HashMap;

use rusqlite::Connection;

use super::catalog::{self, Shared};
use super::read::Entries;
use super::rows::asset_from_entry;
use super::{Section, derived, listing, read, search};
use crate::entry::Kind;
use crate::error::ReadError;
use crate::ids::{AssetId, CollectionId, Seq};
use crate::model::{KnownBy, KnownFile, Placed, Places};
use crate::name::Name;
use crate::natural_order;

/// Entries of one content that are compared in full; more are counted by the first 8 bytes of their SHA-256.
const COMPARED_MAX: usize = 2000;

/// All assets with the content of `id`: itself first, then newest versions, then others, each group by age; `limit` of
/// them at most, and how many there are.
pub(crate) fn places(
    connection: &Connection,
    id: AssetId,
    limit: usize,
    shared: &Shared,
) -> Result<Places, ReadError> {
    let mut held = shared.lock();
    let transaction = connection.unchecked_transaction()?;
    let own = read::entry_of_kind(connection, id.seq(), Kind::Asset, "asset")?;
    let start = own.sha256.map_or(0, |sha256| sha256.head());
    let catalog = catalog::current(connection, &mut held)?.ok_or_else(search::too_large)?;
    let mut alike = catalog.alike(start);
    drop(held);
    alike.sort_unstable_by_key(|(seq, newest)| (*seq != own.seq, !newest, *seq));
    let mut total = alike.len() as u64;
    let mut found = Vec::new();
    let mut entries = Entries::new(connection)?;
    for (seq, _) in alike.into_iter().take(COMPARED_MAX) {
        let entry = entries.get(Seq::new(seq))?;
        if entry.sha256 != own.sha256 {
            total -= 1;
        } else if found.len() < limit {
            let listed = derived::listed(connection, entry.id())?;
            listing::require_listed(&entry, &listed, Kind::Asset)?;
            let asset = asset_from_entry(&entry, listed.media()?)?;
            let (project, path) = search::path(&mut entries, &asset)?;
            found.push(Placed {
                asset,
                project,
                path,
                newest: listed.newest,
            });
        }
    }
    transaction.finish()?;
    Ok(Places {
        places: found,
        total,
    })
}

/// For each file the newest version of its name in its place, if that is the file already. What is not found for sure is
/// not known: sending it again does no harm.
pub(crate) fn known(
    connection: &Connection,
    collection: CollectionId,
    files: &[KnownFile],
) -> Result<Vec<Option<(AssetId, KnownBy)>>, ReadError> {
    let transaction = connection.unchecked_transaction()?;
    read::entry_of_kind(connection, collection.seq(), Kind::Collection, "collection")?;
    let mut folders: HashMap<&[Name], Option<Seq>> = HashMap::new();
    let mut answers = Vec::with_capacity(files.len());
    for file in files {
        let folders_of = file.folders.as_slice();
        let place = if let Some(place) = folders.get(folders_of) {
            *place
        } else {
            let place = folder(connection, collection.seq(), folders_of)?;
            folders.insert(folders_of, place);
            place
        };
        answers.push(match place {
            Some(place) => is_known(connection, place, file)?,
            None => None,
        });
    }
    transaction.finish()?;
    Ok(answers)
}

fn folder(connection: &Connection, from: Seq, folders: &[Name]) -> Result<Option<Seq>, ReadError> {
    let mut at = from;
    for name in folders {
        let key = natural_order::sort_key(name.as_bytes());
        let Some(listed) = derived::newest(connection, at, Section::Places, &key)? else {
            return Ok(None);
        };
        let entry = read::entry(connection, listed.seq)?;
        listing::require_listed(&entry, &listed, Kind::Collection)?;
        at = listed.seq;
    }
    Ok(Some(at))
}

fn is_known(
    connection: &Connection,
    place: Seq,
    file: &KnownFile,
) -> Result<Option<(AssetId, KnownBy)>, ReadError> {
    let key = natural_order::sort_key(file.name.as_bytes());
    let Some(listed) = derived::newest(connection, place, Section::Assets, &key)? else {
        return Ok(None);
    };
    let entry = read::entry(connection, listed.seq)?;
    listing::require_listed(&entry, &listed, Kind::Asset)?;
    let asset = asset_from_entry(&entry, listed.media()?)?;
    if asset.size != file.size {
        return Ok(None);
    }
    let by = match (file.sha256, file.modified_unix_ms, asset.modified) {
        (Some(sha256), ..) => (sha256 == asset.sha256).then_some(KnownBy::Sha256),
        (None, Some(ms), Some(modified)) => {
            (modified.unix_ms() == ms).then_some(KnownBy::SizeAndTime)
        }
        _ => None,
    };
    Ok(by.map(|by| (asset.id, by)))
}
