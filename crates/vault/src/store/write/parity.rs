//! Parity's share of a transaction: a stripe over what it seals; and the merging of small stripes into larger ones.

use super::Writer;
use super::append::Transaction;
use crate::doing::Doing;
use crate::error::IngestError;
use crate::ids::VaultId;
use crate::model::Parity;
use crate::parity::builder::{Builder, Mark};
use crate::parity::plan::{self, Stripe};
use crate::store::parity;

/// Whose parity is kept, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Protection {
    pub(crate) vault: VaultId,
    pub(crate) parity: Parity,
}

impl Protection {
    pub(crate) fn is_on(self) -> bool {
        self.parity != Parity::Off
    }
}

impl Transaction<'_> {
    /// Shards gathered for this transaction's stripe.
    pub(crate) fn shards(&self) -> usize {
        let extent = self.writer.parity.extent();
        extent.aligned + extent.shared
    }

    /// Writes the stripe over what this transaction seals.
    pub(super) fn add_parity(&mut self) -> Result<Option<Stripe>, IngestError> {
        if self.writer.parity.is_empty() {
            return Ok(None);
        }
        // A bulk import's stripes are large enough to stay.
        let settled = self.shards() >= plan::SETTLED_SHARDS;
        let again = self.writer.gather_again_if_short(settled)?;
        let id = parity::next_stripe(&self.writer.connection)?;
        let stripe = self.writer.put_stripe(id, settled, false, 0)?;
        if again {
            // It is made for the length of that one stripe.
            self.writer.parity = Builder::default();
        }
        Ok(Some(stripe))
    }
}

impl Writer {
    /// Merges what would be too small to survive the promised damage. A stripe whose rows cannot be read as they were
    /// written stays as it is, for `scrub` to heal.
    pub(crate) fn settle(&mut self) -> Result<(), IngestError> {
        if !self.protection.is_on() {
            return Ok(());
        }
        let stripes = self.stripes()?.to_vec();
        for group in plan::merges(&stripes) {
            self.merge(&group, true)?;
        }
        // An import has come to its end, or nothing has come for a while.
        self.parity = Builder::default();
        Ok(())
    }

    /// Merges small stripes in passing, when many have gathered.
    pub(crate) fn merge_crowded(&mut self) -> Result<(), IngestError> {
        if !self.protection.is_on() {
            return Ok(());
        }
        let group = plan::crowded(self.stripes()?);
        if group.len() > 1 {
            let shards: usize = group.iter().map(|stripe| stripe.shards).sum();
            self.merge(&group, shards >= plan::SETTLED_SHARDS)?;
        }
        Ok(())
    }

    /// Reads what this transaction has written once more if its parity was begun as for a longer stripe.
    fn gather_again_if_short(&mut self, settled: bool) -> Result<bool, IngestError> {
        let parity = self.protection.parity;
        if !self.parity.is_cut_short(parity, settled) {
            return Ok(false);
        }
        let expected = self.parity.checksums_since(&Mark::default());
        let objects = self.parity.objects().to_vec();
        self.parity = Builder::default();
        self.parity = Builder::of_known_size(parity, expected.len(), settled, 0);
        for object in &objects {
            parity::add_object(&self.connection, object, &mut self.parity)?;
        }
        if self.parity.checksums_since(&Mark::default()) != expected {
            return Err(IngestError::Store {
                detail: "what was just written reads differently".into(),
            });
        }
        Ok(true)
    }

    fn stripes(&mut self) -> Result<&[Stripe], IngestError> {
        if self.stripes.is_none() {
            self.stripes = Some(parity::stripes(&self.connection, self.protection.vault)?);
        }
        Ok(self.stripes.as_deref().unwrap_or_default())
    }

    /// Replaces the stripes of `group` by one over the same objects, in one transaction, after proving that the new one
    /// holds what it should.
    fn merge(&mut self, group: &[Stripe], settled: bool) -> Result<(), IngestError> {
        let _doing = Doing::begin("merge parity");
        let total = self.stripes()?.iter().map(|stripe| stripe.shards).sum();
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        // Another process may have merged them in the meantime.
        let there = parity::stripes(&self.connection, self.protection.vault)?;
        let merged = if group.iter().all(|stripe| there.contains(stripe)) {
            self.try_merge(group, settled, total)
        } else {
            Ok(None)
        };
        // What a merge takes is not held until the next one, which may be hours away.
        self.parity = Builder::default();
        match merged {
            Ok(Some(stripe)) => {
                self.connection.execute_batch("COMMIT")?;
                if let Some(stripes) = &mut self.stripes {
                    stripes.retain(|old| !group.iter().any(|merged| merged.id == old.id));
                    stripes.push(stripe);
                }
                Ok(())
            }
            other => {
                self.connection.execute_batch("ROLLBACK")?;
                self.stripes = None;
                other.map(|_| ())
            }
        }
    }

    fn try_merge(
        &mut self,
        group: &[Stripe],
        settled: bool,
        total: usize,
    ) -> Result<Option<Stripe>, IngestError> {
        // What the import before it took is not held as well.
        self.parity = Builder::default();
        let shards = group.iter().map(|stripe| stripe.shards).sum();
        let parity = self.protection.parity;
        let mut builder = Builder::of_known_size(parity, shards, settled, total);
        for stripe in group {
            let gathered = parity::gather(&self.connection, stripe.id)?;
            let Some(descriptor) = gathered.descriptor() else {
                tracing::warn!(
                    stripe = stripe.id,
                    "parity is damaged and stays unmerged; run `compactvault scrub`"
                );
                return Ok(None);
            };
            let mark = builder.mark();
            let read = descriptor
                .objects
                .iter()
                .try_for_each(|object| parity::add_object(&self.connection, object, &mut builder));
            if read.is_err() || !builder.agrees(&mark, &descriptor) {
                tracing::warn!(
                    stripe = stripe.id,
                    "what a stripe protects differs from it; run `compactvault scrub`"
                );
                return Ok(None);
            }
        }
        super::require_transaction(&self.connection)?;
        // Numbers are never used again: what is left of a stripe in a freed page must not pass for another.
        let id = parity::next_stripe(&self.connection)?;
        for stripe in group {
            parity::remove(&self.connection, stripe.id)?;
        }
        self.parity = builder;
        self.put_stripe(id, settled, true, total).map(Some)
    }

    /// Inserts a stripe's capsules; one that was merged from others is read back and compared.
    fn put_stripe(
        &mut self,
        id: u64,
        settled: bool,
        merged: bool,
        total: usize,
    ) -> Result<Stripe, IngestError> {
        let Protection { vault, parity } = self.protection;
        if settled {
            // The disk is busy while parity is computed.
            self.write_ahead()?;
        }
        let finished = self
            .parity
            .finish(vault, id, parity, settled, total, merged);
        self.parity.clear();
        let stripe = finished.map_err(|error| IngestError::Store {
            detail: format!("parity cannot be computed: {error}"),
        })?;
        parity::insert(&self.connection, &stripe.capsules)?;
        let shards = stripe.descriptor.data_shards();
        if merged {
            let expected = stripe.descriptor.checksums.len() - shards;
            drop(stripe.capsules);
            let gathered = parity::gather(&self.connection, id)?;
            let same = gathered.descriptor().as_ref() == Some(&stripe.descriptor)
                && gathered.good_parity(&stripe.descriptor).len() == expected;
            if !same {
                return Err(IngestError::Store {
                    detail: "parity read back differs from what was written".into(),
                });
            }
        }
        Ok(Stripe {
            id,
            shards,
            settled,
        })
    }
}
