//! The pass over the parity: whether it would heal what it is there for.

use super::Pass;
use crate::error::ReadError;
use crate::parity::capsule::Header;
use crate::parity::descriptor::Object;
use crate::store::{parity, read};

impl Pass<'_> {
    /// Every stripe's capsules against their checksums, and whether every sealed row is in a stripe.
    pub(super) fn parity(&self) -> Result<(), ReadError> {
        let connection = self.connection()?;
        // One snapshot: others may be adding meanwhile.
        let _snapshot = connection.unchecked_transaction()?;
        let body = read::vault_body(&connection)?;
        let stripes = parity::stripe_numbers(&connection)?;
        if stripes.is_empty() && body.parity == crate::model::Parity::Off {
            return Ok(());
        }
        let (mut entries, mut manifests, mut packs) = (0, 0, 0);
        for stripe in stripes {
            if self.is_stopped() {
                return Ok(());
            }
            let gathered = parity::gather(&connection, stripe).unwrap_or_default();
            let is_foreign = |header: &Header| Some(header.vault) != body.id();
            if gathered.header().is_some_and(is_foreign) {
                let detail = format!("stripe {stripe} is another vault's and protects nothing");
                self.repairable("parity", None, detail);
                continue;
            }
            let Some(descriptor) = gathered.descriptor() else {
                let detail = format!("stripe {stripe} cannot be read and protects nothing");
                self.repairable("parity", None, detail);
                continue;
            };
            for object in &descriptor.objects {
                match object {
                    Object::Entries { lengths, .. } => entries += lengths.len() as u64,
                    Object::Manifest { .. } => manifests += 1,
                    Object::Pack { .. } => packs += 1,
                }
            }
            let expected = descriptor.checksums.len() - descriptor.data_shards();
            let good = gathered.good_parity(&descriptor).len();
            let rows = gathered
                .header()
                .map_or(0, |header| usize::from(header.rows));
            if good < expected || gathered.found() < rows {
                let detail = format!(
                    "stripe {stripe}: {good} of {expected} parity shards and {} of {rows} rows are as written",
                    gathered.found()
                );
                self.repairable("parity", None, detail);
            }
        }
        let there = parity::protected_rows(&connection)?;
        if (entries, manifests, packs) != there {
            let detail = format!(
                "stripes cover {entries} entries, {manifests} manifests and {packs} packs of {}, {} and {}",
                there.0, there.1, there.2
            );
            self.repairable("parity", None, detail);
        }
        Ok(())
    }
}
