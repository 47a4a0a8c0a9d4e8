//! The parity itself: capsules as they were written, and everything covered.

use std::collections::BTreeMap;

use super::packs::Found;
use super::stripes::{Atlas, Key};
use super::{Ended, Remedy, Scrub};
use crate::error::ReadError;
use crate::ids::Digest;
use crate::model::Parity;
use crate::parity::builder::Builder;
use crate::parity::descriptor::{Descriptor, Object};
use crate::parity::plan::{BULK_SHARDS, SETTLED_SHARDS};
use crate::store::heal::{HealError, Healed, NewStripe};
use crate::store::parity;
use crate::store::pool::Connection;
use crate::store::remains::{self, Reach};

/// What is wrong with the parity, as of one snapshot.
struct Survey {
    /// The number that the next stripe gets.
    next: u64,
    /// Rows of stripes of which no descriptor can be read.
    unreadable: Vec<i64>,
    /// Stripes of which a part is damaged, with their rows.
    damaged: Vec<(u64, Vec<i64>, Descriptor, bool)>,
    uncovered: Vec<Key>,
    /// Data shards of all stripes.
    shards: usize,
}

impl Scrub<'_> {
    pub(super) fn parity(&mut self, connection: &Connection, reach: Reach) -> Result<(), Ended> {
        let survey = match self.survey(connection, reach) {
            Ok(Some(survey)) => survey,
            Ok(None) => return Ok(()),
            Err(Ended::Failed(error)) => {
                self.unhealed(Remedy::Rescue, "derived_parity", None, error.to_string());
                return Ok(());
            }
            Err(stopped) => return Err(stopped),
        };
        let mut next = survey.next;
        for (stripe, rows, descriptor, settled) in survey.damaged {
            let keys: BTreeMap<Key, bool> = keys_of(&descriptor)
                .filter(|key| !matches!(key, Key::Entry(_)))
                .map(|key| (key, false))
                .collect();
            let mut builder = read_again(connection, &descriptor);
            if builder.is_none() {
                // What it protects is damaged as well: that first, while this may still be enough.
                self.heal(connection, &keys)?;
                builder = read_again(connection, &descriptor);
            }
            let Some(mut builder) = builder else {
                let detail = "it is damaged, and so is what it protects";
                self.unhealed(Remedy::Rescue, "derived_parity", Some(stripe), detail);
                continue;
            };
            let new = self.new_stripe(next, settled, survey.shards);
            let outcome = self.healer()?.parity(&rows, &mut builder, new);
            next += u64::from(outcome.is_ok());
            self.note_stripe(stripe, outcome)?;
            self.rest()?;
        }
        if self.report.parity == Parity::Off {
            return Ok(());
        }
        self.cover(
            connection,
            next,
            &survey.unreadable,
            &survey.uncovered,
            survey.shards,
        )
    }

    fn new_stripe(&self, stripe: u64, settled: bool, vault_shards: usize) -> NewStripe {
        NewStripe {
            stripe,
            vault: self.vault,
            parity: self.report.parity,
            settled,
            vault_shards,
        }
    }

    fn note_stripe(
        &mut self,
        stripe: u64,
        outcome: Result<Option<u64>, HealError>,
    ) -> Result<(), Ended> {
        let healed = outcome.map(|_| [Healed::row("derived_parity", stripe, 0, None)]);
        self.note(("derived_parity", Some(stripe)), healed)
    }

    fn survey(&mut self, connection: &Connection, reach: Reach) -> Result<Option<Survey>, Ended> {
        let _snapshot = remains::snapshot(connection)?;
        let rows = remains::capsule_rows(connection)?;
        if rows.is_empty() && self.report.parity == Parity::Off {
            return Ok(None);
        }
        let mut atlas = Atlas::default();
        let mut survey = Survey {
            next: parity::next_stripe(connection)?,
            unreadable: Vec::new(),
            damaged: Vec::new(),
            uncovered: Vec::new(),
            shards: 0,
        };
        for (stripe, rows) in rows {
            let capsules = remains::capsules(connection, stripe, &rows);
            let gathered = &capsules.gathered;
            let ours = gathered
                .header()
                .filter(|header| header.vault == self.vault);
            let (Some(descriptor), Some(header)) = (gathered.descriptor(), ours) else {
                survey.unreadable.extend(rows);
                continue;
            };
            atlas.add(stripe, &descriptor);
            survey.shards += descriptor.data_shards();
            let expected = descriptor.checksums.len() - descriptor.data_shards();
            let complete = capsules.bad == 0
                && gathered.found() == usize::from(header.rows)
                && gathered.good_parity(&descriptor).len() == expected;
            if !complete {
                let settled = header.settled;
                survey.damaged.push((stripe, rows, descriptor, settled));
            }
            self.rest()?;
        }
        let all = (0..reach.entries)
            .map(Key::Entry)
            .chain((1..=reach.manifests).map(Key::Manifest))
            .chain((1..=reach.packs).map(Key::Pack));
        survey.uncovered = all.filter(|key| atlas.stripe_of(*key).is_none()).collect();
        Ok(Some(survey))
    }

    /// Writes stripes over what none covers, and removes rows that are of no use.
    fn cover(
        &mut self,
        connection: &Connection,
        mut next: u64,
        unreadable: &[i64],
        uncovered: &[Key],
        vault_shards: usize,
    ) -> Result<(), Ended> {
        let mut remove = unreadable;
        let mut builder = Builder::default();
        let mut left = uncovered.iter().peekable();
        while !remove.is_empty() || left.peek().is_some() {
            for &key in left.by_ref() {
                self.add(connection, key, &mut builder)?;
                let extent = builder.extent();
                if extent.aligned + extent.shared >= BULK_SHARDS {
                    break;
                }
            }
            if builder.is_empty() && remove.is_empty() {
                break;
            }
            let extent = builder.extent();
            let settled = extent.aligned + extent.shared >= SETTLED_SHARDS;
            let shards = vault_shards.max(extent.aligned + extent.shared);
            let new = self.new_stripe(next, settled, shards);
            let outcome = self.healer()?.parity(remove, &mut builder, new);
            let written = matches!(outcome, Ok(Some(_)));
            let failed = outcome.is_err();
            self.note_stripe(next, outcome)?;
            if failed {
                break;
            }
            remove = &[];
            next += u64::from(written);
            self.rest()?;
        }
        Ok(())
    }

    /// Adds a row to a new stripe if it is as it was sealed; one that is not is another pass's to report.
    fn add(
        &mut self,
        connection: &Connection,
        key: Key,
        builder: &mut Builder,
    ) -> Result<(), Ended> {
        let object = match key {
            Key::Entry(seq) => {
                let Some((entry, leaf)) = remains::entry(connection, seq) else {
                    return Ok(());
                };
                if entry.leaf_hash() == leaf {
                    let encoded = entry.leaf();
                    builder.entry(seq, crate::entry::Entry::columns(&encoded));
                }
                return Ok(());
            }
            Key::Manifest(id) => {
                let records = remains::manifest_records(connection, id).unwrap_or_default();
                let digest = Digest::of(&records.bytes);
                if remains::manifest_digest(connection, id) == Some(digest) {
                    builder.manifest(id, &records.bytes);
                }
                return Ok(());
            }
            Key::Pack(id) => {
                let reach = remains::reach(connection);
                let first = remains::first_chunk_of(connection, id, reach.chunks);
                let end = remains::first_chunk_of(connection, id + 1, reach.chunks);
                let count = usize::try_from(end.saturating_sub(first)).unwrap_or(0);
                let rows = remains::chunks(connection, first, count);
                let records: Option<Vec<_>> = rows
                    .into_iter()
                    .map(|row| {
                        row.filter(|(pack, _)| *pack == id)
                            .map(|(_, record)| record)
                    })
                    .collect();
                let Some(records) = records else {
                    return Ok(());
                };
                if self.pack(connection, id, &records) == Found::Damaged {
                    return Ok(());
                }
                let Some(columns) = remains::pack_columns(connection, id) else {
                    return Ok(());
                };
                Object::Pack {
                    id,
                    codec: u32::try_from(columns.codec).unwrap_or(0),
                    raw_size: columns.raw_size.cast_unsigned(),
                    length: 0,
                    first_chunk: first,
                    chunks: count,
                }
            }
        };
        Ok(parity::add_object(connection, &object, builder)?)
    }
}

/// What a stripe protects, if all of it is as it was.
fn read_again(connection: &Connection, descriptor: &Descriptor) -> Option<Builder> {
    let mut builder = Builder::default();
    let mark = builder.mark();
    let read = |builder: &mut Builder| -> Result<(), ReadError> {
        let mut objects = descriptor.objects.iter();
        objects.try_for_each(|object| parity::add_object(connection, object, builder))
    };
    (read(&mut builder).is_ok() && builder.agrees(&mark, descriptor)).then_some(builder)
}

fn keys_of(descriptor: &Descriptor) -> impl Iterator<Item = Key> {
    let keys = |key: fn(u64) -> Key, ids: std::ops::Range<u64>| ids.map(key);
    descriptor
        .objects
        .iter()
        .flat_map(move |object| match object {
            Object::Entries { first, lengths } => {
                let end = first + lengths.len() as u64;
                keys(Key::Entry, *first..end)
            }
            Object::Manifest { id, .. } => keys(Key::Manifest, *id..*id + 1),
            Object::Pack { id, .. } => keys(Key::Pack, *id..*id + 1),
        })
}
