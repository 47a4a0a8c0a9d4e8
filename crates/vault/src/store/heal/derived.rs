//! What is derived and can be made again: indexes, parity, and the marks of scrubbing.

use rusqlite::params;

use super::{HealError, Healer};
use crate::ids::VaultId;
use crate::model::Parity;
use crate::parity::builder::Builder;
use crate::store::parity;

/// How new parity is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewStripe {
    /// Its number, which must still be the next one.
    pub(crate) stripe: u64,
    pub(crate) vault: VaultId,
    pub(crate) parity: Parity,
    pub(crate) settled: bool,
    /// Data shards of all stripes.
    pub(crate) vault_shards: usize,
}

impl Healer {
    /// Makes all indexes of a table again.
    pub(crate) fn reindex(&self, table: &str) -> Result<(), HealError> {
        self.within(|connection| Ok(connection.execute_batch(&format!("REINDEX {table}"))?))
    }

    /// Remembers that a part was found good, or healed.
    pub(crate) fn mark(&self, part: u64, verified_at: i64) -> Result<(), HealError> {
        self.within(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO derived_scrub (part, verified_at) VALUES (?1, ?2) \
                     ON CONFLICT (part) DO UPDATE SET verified_at = excluded.verified_at",
                )?
                .execute(params![part, verified_at])?;
            Ok(())
        })
    }

    /// Removes rows of parity, and writes a stripe over what `builder` holds unless that is nothing. The stripe is read
    /// back and compared before it counts.
    pub(crate) fn parity(
        &self,
        remove: &[i64],
        builder: &mut Builder,
        new: NewStripe,
    ) -> Result<Option<u64>, HealError> {
        let mut finished = None;
        if !builder.is_empty() {
            let id = new.stripe;
            let stripe = builder
                .finish(
                    new.vault,
                    id,
                    new.parity,
                    new.settled,
                    new.vault_shards,
                    true,
                )
                .map_err(|error| HealError::Unreachable(error.to_string()))?;
            finished = Some((id, stripe));
        }
        builder.clear();
        self.within_table("derived_parity", |connection| {
            if parity::next_stripe(connection)? != new.stripe {
                // Somebody wrote parity since it was looked at; what is to be removed may be needed.
                return Err(HealError::Other(crate::error::IngestError::Busy));
            }
            for row in remove {
                connection
                    .prepare_cached("DELETE FROM derived_parity WHERE id = ?1")?
                    .execute([row])?;
            }
            let Some((id, stripe)) = &finished else {
                return Ok(None);
            };
            parity::insert(connection, &stripe.capsules)?;
            let gathered = parity::gather(connection, *id)?;
            let expected = stripe.descriptor.checksums.len() - stripe.descriptor.data_shards();
            let same = gathered.descriptor().as_ref() == Some(&stripe.descriptor)
                && gathered.good_parity(&stripe.descriptor).len() == expected;
            super::require_read_back(same)?;
            Ok(Some(*id))
        })
    }
}
