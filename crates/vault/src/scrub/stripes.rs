//! Which stripe protects what, and getting objects back from it.

use std::collections::{BTreeMap, HashMap};

use super::{Ended, Remedy, Scrub};
use crate::entry::Entry;
use crate::error::ReadError;
use crate::parity::capsule::Gathered;
use crate::parity::descriptor::{CHUNK_RECORD, Descriptor, Object};
use crate::parity::mending::{Mending, parse_head};
use crate::store::heal::RestoredPack;
use crate::store::pool::Connection;
use crate::store::remains;

/// A protected row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Entry(u64),
    Manifest(u64),
    Pack(u64),
}

impl Key {
    pub(super) const fn table(self) -> (&'static str, u64) {
        match self {
            Self::Entry(id) => ("entry", id),
            Self::Manifest(id) => ("manifest", id),
            Self::Pack(id) => ("pack", id),
        }
    }
}

/// Where everything is protected, as far as descriptors can be read.
#[derive(Default)]
pub(super) struct Atlas {
    /// Rows of each stripe's number.
    pub(super) stripes: BTreeMap<u64, Vec<i64>>,
    /// Runs of entries: first, to length and stripe.
    entries: BTreeMap<u64, (u64, u64)>,
    others: HashMap<Key, u64>,
    /// First chunk row of each pack.
    chunks: BTreeMap<u64, u64>,
}

impl Atlas {
    /// Reads all descriptors. Needs one snapshot.
    fn read(connection: &Connection) -> Result<Self, ReadError> {
        let mut atlas = Self {
            stripes: remains::capsule_rows(connection)?,
            ..Self::default()
        };
        for (stripe, rows) in atlas.stripes.clone() {
            let capsules = remains::capsules(connection, stripe, &rows);
            if let Some(descriptor) = capsules.gathered.descriptor() {
                atlas.add(stripe, &descriptor);
            }
        }
        Ok(atlas)
    }

    pub(super) fn add(&mut self, stripe: u64, descriptor: &Descriptor) {
        for object in &descriptor.objects {
            match object {
                Object::Entries { first, lengths } => {
                    self.entries.insert(*first, (lengths.len() as u64, stripe));
                }
                Object::Manifest { id, .. } => {
                    self.others.insert(Key::Manifest(*id), stripe);
                }
                Object::Pack {
                    id, first_chunk, ..
                } => {
                    self.others.insert(Key::Pack(*id), stripe);
                    self.chunks.insert(*first_chunk, *id);
                }
            }
        }
    }

    pub(super) fn stripe_of(&self, key: Key) -> Option<u64> {
        match key {
            Key::Entry(seq) => {
                let (first, (length, stripe)) = self.entries.range(..=seq).next_back()?;
                (seq - first < *length).then_some(*stripe)
            }
            other => self.others.get(&other).copied(),
        }
    }

    /// The pack that a chunk row belongs to.
    pub(super) fn pack_of_chunk(&self, chunk: u64) -> Option<u64> {
        let (_, pack) = self.chunks.range(..=chunk).next_back()?;
        Some(*pack)
    }

    /// The largest manifest's id that any stripe covers.
    pub(super) fn manifests(&self) -> u64 {
        let ids = self.others.keys().filter_map(|key| match key {
            Key::Manifest(id) => Some(*id),
            _ => None,
        });
        ids.max().unwrap_or(0)
    }

    /// Entries, up to the end of the last run that any stripe covers.
    pub(super) fn entries(&self) -> u64 {
        let last = self.entries.iter().next_back();
        last.map_or(0, |(first, (length, _))| first + length)
    }
}

/// A stripe with everything that could be read of it.
pub(super) struct Stripe {
    pub(super) mending: Mending,
    /// All shards are as they were sealed, restored ones among them.
    pub(super) whole: bool,
    /// Something was not read because the structure around it is damaged.
    pub(super) unreadable: bool,
}

impl Stripe {
    /// Reads what is there and restores the rest.
    pub(super) fn mend(
        connection: &Connection,
        gathered: &Gathered,
        descriptor: &Descriptor,
    ) -> Self {
        let mut mending = Mending::new(descriptor.clone());
        let mut unreadable = false;
        for (index, object) in descriptor.objects.iter().enumerate() {
            match object {
                Object::Entries { first, lengths } => {
                    let mut offset = 0;
                    for (seq, length) in (*first..).zip(lengths) {
                        if let Some((entry, _)) = remains::entry(connection, seq) {
                            let leaf = entry.leaf();
                            let columns = Entry::columns(&leaf);
                            if columns.len() == *length as usize {
                                mending.put_small(index, offset, columns);
                            }
                        }
                        offset += *length as usize;
                    }
                }
                Object::Manifest { id, .. } => {
                    let found = remains::manifest_records(connection, *id).unwrap_or_default();
                    unreadable |= !found.whole;
                    mending.put_blob(index, &found.bytes);
                }
                Object::Pack {
                    id,
                    first_chunk,
                    chunks,
                    ..
                } => {
                    let columns = remains::pack_columns(connection, *id);
                    if let Some(sha256) = columns.and_then(|columns| columns.sha256) {
                        mending.put_small(index, chunks * CHUNK_RECORD, sha256.as_bytes());
                    }
                    let rows = remains::chunks(connection, *first_chunk, *chunks);
                    for (at, row) in rows.into_iter().enumerate() {
                        let Some((_, record)) = row else { continue };
                        mending.put_small(index, at * CHUNK_RECORD, &record.encode());
                    }
                    let found = remains::pack_data(connection, *id).unwrap_or_default();
                    unreadable |= !found.whole;
                    mending.put_blob(index, &found.bytes);
                }
            }
        }
        let whole = mending.check() == 0 || mending.restore(gathered);
        Self {
            mending,
            whole,
            unreadable,
        }
    }

    fn find(&self, key: Key) -> Option<(usize, &Object)> {
        let objects = &self.mending.descriptor().objects;
        objects.iter().enumerate().find(|(_, object)| match object {
            Object::Entries { first, lengths } => {
                matches!(key, Key::Entry(seq) if (*first..*first + lengths.len() as u64).contains(&seq))
            }
            Object::Manifest { id, .. } => key == Key::Manifest(*id),
            Object::Pack { id, .. } => key == Key::Pack(*id),
        })
    }

    pub(super) fn entry(&self, seq: u64) -> Option<Entry> {
        let (index, object) = self.find(Key::Entry(seq))?;
        let Object::Entries { first, lengths } = object else {
            return None;
        };
        let before = usize::try_from(seq - first).ok()?;
        let start: usize = lengths[..before].iter().map(|l| *l as usize).sum();
        let columns = &self.mending.entries(index)[start..][..lengths[before] as usize];
        Entry::from_columns(columns).filter(|entry| entry.seq == seq)
    }

    fn manifest(&self, id: u64) -> Option<Vec<u8>> {
        let (index, _) = self.find(Key::Manifest(id))?;
        Some(self.mending.blob(index))
    }

    fn pack(&self, id: u64) -> Option<RestoredPack> {
        let (index, object) = self.find(Key::Pack(id))?;
        let Object::Pack {
            codec,
            raw_size,
            first_chunk,
            ..
        } = *object
        else {
            return None;
        };
        let (sha256, records) = parse_head(&self.mending.head(index))?;
        Some(RestoredPack {
            id,
            codec,
            raw_size,
            first_chunk,
            sha256,
            records,
            data: self.mending.blob(index),
        })
    }
}

impl Scrub<'_> {
    /// The atlas, read again if parity was written since. Needs one snapshot.
    pub(super) fn atlas(&mut self, connection: &Connection) -> Result<&Atlas, ReadError> {
        let stripes = remains::capsule_rows(connection)?;
        if self
            .atlas
            .as_ref()
            .is_none_or(|atlas| atlas.stripes != stripes)
        {
            self.atlas = Some(Atlas::read(connection)?);
        }
        Ok(self.atlas.as_ref().expect("it was just set"))
    }

    /// The stripe that protects `key`, mended as far as it goes; `None` if there is none that can be read.
    pub(super) fn stripe(
        &mut self,
        connection: &Connection,
        stripe: u64,
    ) -> Result<Option<Stripe>, ReadError> {
        let rows = self.atlas(connection)?.stripes.get(&stripe).cloned();
        let capsules = remains::capsules(connection, stripe, &rows.unwrap_or_default());
        let descriptor = capsules.gathered.descriptor();
        Ok(descriptor.map(|descriptor| Stripe::mend(connection, &capsules.gathered, &descriptor)))
    }

    /// Heals manifests and packs. `certain` ones are known to differ; others may turn out to be good.
    pub(super) fn heal(
        &mut self,
        connection: &Connection,
        keys: &BTreeMap<Key, bool>,
    ) -> Result<(), Ended> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut by_stripe: BTreeMap<Option<u64>, Vec<(Key, bool)>> = BTreeMap::new();
        {
            let _snapshot = remains::snapshot(connection)?;
            // Parity that cannot be listed helps as little as none.
            let atlas = self.atlas(connection).ok();
            for (&key, &certain) in keys {
                let stripe = atlas.and_then(|atlas| atlas.stripe_of(key));
                by_stripe.entry(stripe).or_default().push((key, certain));
            }
        }
        for (number, keys) in by_stripe {
            let stripe = match number {
                Some(number) => {
                    let _snapshot = remains::snapshot(connection)?;
                    self.stripe(connection, number)?
                }
                None => None,
            };
            for (key, certain) in keys {
                self.heal_one(stripe.as_ref(), key, certain)?;
            }
            drop(stripe);
            self.rest()?;
        }
        Ok(())
    }

    fn heal_one(&mut self, stripe: Option<&Stripe>, key: Key, certain: bool) -> Result<(), Ended> {
        let (table, id) = key.table();
        let Some(stripe) = stripe else {
            if certain {
                let detail = "it differs from what was sealed, and no parity covers it";
                self.unhealed(Remedy::None, table, Some(id), detail);
            }
            return Ok(());
        };
        if !stripe.whole {
            if certain && stripe.unreadable {
                let detail = "its pages cannot be reached, and parity alone is too little";
                self.unhealed(Remedy::Rescue, table, Some(id), detail);
            } else if certain {
                let detail =
                    "it differs from what was sealed, and more is damaged than parity restores";
                self.unhealed(Remedy::None, table, Some(id), detail);
            }
            return Ok(());
        }
        let outcome = match key {
            Key::Entry(_) => return Ok(()),
            Key::Manifest(id) => match stripe.manifest(id) {
                Some(records) => {
                    let healed = self.healer()?.manifest(id, &records);
                    healed.map(|healed| healed.into_iter().collect::<Vec<_>>())
                }
                None => return Ok(()),
            },
            Key::Pack(id) => match stripe.pack(id) {
                Some(pack) => self.healer()?.pack(&pack),
                None => return Ok(()),
            },
        };
        self.note((table, Some(id)), outcome)
    }
}
