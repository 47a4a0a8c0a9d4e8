//! The rows of `derived_parity`, and the sealed rows that stripes protect.

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{ENTRY_COLUMNS, unchecked_entry_from_row};
use crate::entry::Entry;
use crate::error::ReadError;
use crate::ids::{Digest, VaultId};
use crate::parity::builder::{Builder, ChunkRecord, PackObject};
use crate::parity::capsule::{Capsule, Gathered, HEADER, Header, row_id, stripe_of};
use crate::parity::descriptor::Object;
use crate::parity::plan::Stripe;

/// All stripes, oldest first. Those of which no header can be read are left out.
pub(crate) fn stripes(connection: &Connection, vault: VaultId) -> Result<Vec<Stripe>, ReadError> {
    let mut stripes = Vec::new();
    for (stripe, id) in first_rows(connection)? {
        let mut bytes = [0; HEADER];
        let header = connection
            .blob_open("main", "derived_parity", "data", id, true)
            .and_then(|blob| blob.read_at_exact(&mut bytes, 0))
            .ok()
            .and_then(|()| Header::decode(&bytes));
        let fits = |header: &Header| header.vault == vault && header.stripe == stripe;
        if let Some(header) = header.filter(fits) {
            stripes.push(Stripe {
                id: header.stripe,
                shards: header.data_shards as usize,
                settled: header.settled,
            });
        }
    }
    Ok(stripes)
}

/// The number of the next stripe.
pub(crate) fn next_stripe(connection: &Connection) -> Result<u64, ReadError> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(id) FROM derived_parity")?
        .query_row([], |row| row.get(0))?;
    Ok(stripe_of(last.unwrap_or(0)) + 1)
}

/// What can be read of a stripe's capsules.
pub(crate) fn gather(connection: &Connection, stripe: u64) -> Result<Gathered, ReadError> {
    let mut gathered = Gathered::default();
    let mut statement = connection
        .prepare_cached("SELECT data FROM derived_parity WHERE id >= ?1 AND id < ?2 ORDER BY id")?;
    let mut rows = statement.query(rows_of(stripe))?;
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(0)?.as_blob().unwrap_or_default();
        if let Some(capsule) = Capsule::parse(bytes).filter(|c| c.header.stripe == stripe) {
            gathered.add(&capsule);
        }
    }
    Ok(gathered)
}

/// Adds an object to a stripe as its rows are now, unchecked.
pub(crate) fn add_object(
    connection: &Connection,
    object: &Object,
    builder: &mut Builder,
) -> Result<(), ReadError> {
    let gone = || ReadError::Store {
        detail: "a row that parity protects is missing".into(),
    };
    match object {
        Object::Entries { first, lengths } => {
            for seq in *first..*first + lengths.len() as u64 {
                let entry = entry(connection, seq)?.ok_or_else(gone)?;
                builder.entry(seq, Entry::columns(&entry.leaf()));
            }
        }
        Object::Manifest { id, .. } => {
            let records = connection
                .prepare_cached("SELECT records FROM manifest WHERE id = ?1")?
                .query_row([id.cast_signed()], |row| row.get::<_, Vec<u8>>(0))
                .optional()?
                .ok_or_else(gone)?;
            builder.manifest(*id, &records);
        }
        Object::Pack {
            id,
            first_chunk,
            chunks,
            ..
        } => {
            let chunks = chunk_rows(connection, *id, *first_chunk, *chunks)?;
            let mut statement = connection
                .prepare_cached("SELECT codec, raw_size, sha256, data FROM pack WHERE id = ?1")?;
            let mut rows = statement.query([id.cast_signed()])?;
            let row = rows.next()?.ok_or_else(gone)?;
            builder.pack(&PackObject {
                id: *id,
                codec: row.get(0)?,
                raw_size: row.get::<_, i64>(1)?.cast_unsigned(),
                sha256: Digest::try_from(row.get_ref(2)?.as_blob().unwrap_or_default())
                    .map_err(|()| gone())?,
                data: row.get_ref(3)?.as_blob().unwrap_or_default(),
                first_chunk: *first_chunk,
                chunks: &chunks,
            });
        }
    }
    Ok(())
}

/// An entry as its row is, unchecked.
pub(crate) fn entry(connection: &Connection, seq: u64) -> Result<Option<Entry>, ReadError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {ENTRY_COLUMNS} FROM entry WHERE seq = ?1"))?;
    let mut rows = statement.query([seq.cast_signed()])?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => unchecked_entry_from_row(row).map(|(entry, _)| Some(entry)),
    }
}

/// The chunk rows of a pack as they are, unchecked; fewer if some are missing or belong elsewhere.
pub(crate) fn chunk_rows(
    connection: &Connection,
    pack: u64,
    first: u64,
    count: usize,
) -> Result<Vec<ChunkRecord>, ReadError> {
    let mut statement = connection.prepare_cached(
        "SELECT sha256, offset, size FROM chunk WHERE id >= ?1 AND id < ?2 AND pack = ?3 ORDER BY id",
    )?;
    let end = first.saturating_add(count as u64);
    let mut rows = statement.query([first.cast_signed(), end.cast_signed(), pack.cast_signed()])?;
    let mut chunks = Vec::with_capacity(count);
    while let Some(row) = rows.next()? {
        let sha256 = Digest::try_from(row.get_ref(0)?.as_blob().unwrap_or_default());
        let (Ok(sha256), Ok(offset), Ok(size)) = (sha256, row.get(1), row.get(2)) else {
            continue;
        };
        chunks.push(ChunkRecord {
            sha256,
            offset,
            size,
        });
    }
    Ok(chunks)
}

/// The numbers of all stripes.
pub(crate) fn stripe_numbers(connection: &Connection) -> Result<Vec<u64>, ReadError> {
    let rows = first_rows(connection)?;
    Ok(rows.into_iter().map(|(stripe, _)| stripe).collect())
}

/// Bytes of parity, and the stripes they make up.
pub(crate) fn extent(connection: &Connection) -> Result<(u64, u64), ReadError> {
    // A blob's length stands in its row's head: nothing of it is read.
    let bytes: i64 = connection
        .prepare_cached("SELECT coalesce(sum(length(data)), 0) FROM derived_parity")?
        .query_row([], |row| row.get(0))?;
    Ok((bytes.cast_unsigned(), first_rows(connection)?.len() as u64))
}

/// The first row of each stripe, found by one step down the tree each.
fn first_rows(connection: &Connection) -> Result<Vec<(u64, i64)>, ReadError> {
    let mut statement =
        connection.prepare_cached("SELECT min(id) FROM derived_parity WHERE id >= ?1")?;
    let mut rows = Vec::new();
    let mut from = 0;
    while let Some(id) = statement.query_row([from], |row| row.get::<_, Option<i64>>(0))? {
        let stripe = stripe_of(id);
        rows.push((stripe, id));
        // A damaged id can be the last that there is.
        let next = row_id(stripe + 1, 0);
        if next <= from {
            break;
        }
        from = next;
    }
    Ok(rows)
}

/// Writes a stripe's capsules.
pub(crate) fn insert(connection: &Connection, capsules: &[(i64, Vec<u8>)]) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT INTO derived_parity (id, data) VALUES (?1, ?2)")?;
    for (id, capsule) in capsules {
        insert.execute(params![id, capsule])?;
    }
    Ok(())
}

/// Makes all stripes those of `vault`.
pub(crate) fn adopt(connection: &Connection, vault: VaultId) -> Result<(), ReadError> {
    let ids: Vec<i64> = connection
        .prepare("SELECT id FROM derived_parity")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in ids {
        let mut row = connection.blob_open("main", "derived_parity", "data", id, false)?;
        let mut bytes = vec![0; row.len()];
        row.read_at_exact(&mut bytes, 0)?;
        if let Some(capsule) = Capsule::parse(&bytes) {
            row.write_at(&capsule.header_in(vault), 0)?;
        }
    }
    Ok(())
}

/// Removes a stripe.
pub(crate) fn remove(connection: &Connection, stripe: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM derived_parity WHERE id >= ?1 AND id < ?2")?
        .execute(rows_of(stripe))?;
    Ok(())
}

/// The ids of a stripe's rows: from the first to the second, without that.
fn rows_of(stripe: u64) -> [i64; 2] {
    [row_id(stripe, 0), row_id(stripe + 1, 0)]
}

/// How many entries, manifests and packs there are to protect.
pub(crate) fn protected_rows(connection: &Connection) -> Result<(u64, u64, u64), ReadError> {
    let counts = connection.query_row(
        "SELECT (SELECT count(*) FROM entry), (SELECT count(*) FROM manifest), \
         (SELECT count(*) FROM pack)",
        [],
        |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
            ))
        },
    )?;
    Ok((
        counts.0.cast_unsigned(),
        counts.1.cast_unsigned(),
        counts.2.cast_unsigned(),
    ))
}
