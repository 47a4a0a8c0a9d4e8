//! A stand-in for ingest that does as it is told.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex};

use super::super::{Door, Pending, lock};
use crate::error::IngestError;
use crate::ids::{Digest, Seq};
use crate::ingest::{ArchiveError, HeadStart, NewAsset, Sealed};

/// What the stand-in has been handed, and how it shall behave.
#[derive(Default)]
pub(super) struct Fake {
    assets: Mutex<Vec<Vec<u8>>>,
    /// Outcomes of the next commits; then they succeed.
    pub(super) failures: Mutex<VecDeque<IngestError>>,
    /// While set, no commit ends.
    stalled: Mutex<bool>,
    moved: Condvar,
}

impl Fake {
    pub(super) fn stall(&self, stalled: bool) {
        *lock(&self.stalled) = stalled;
        self.moved.notify_all();
    }

    pub(super) fn fail_next(&self, errors: impl IntoIterator<Item = IngestError>) {
        lock(&self.failures).extend(errors);
    }

    pub(super) fn assets(&self) -> Vec<Vec<u8>> {
        lock(&self.assets).clone()
    }

    fn commit(self: &Arc<Self>, bytes: Vec<u8>) -> Pending {
        let fake = Arc::clone(self);
        let answer = Mutex::new(None);
        Box::new(move |timeout| {
            let stalled = lock(&fake.stalled);
            let (stalled, _) = fake
                .moved
                .wait_timeout_while(stalled, timeout, |stalled| *stalled)
                .unwrap();
            if *stalled {
                return None;
            }
            drop(stalled);
            Some(
                lock(&answer)
                    .get_or_insert_with(|| fake.outcome(&bytes))
                    .clone(),
            )
        })
    }

    fn outcome(&self, bytes: &[u8]) -> Result<Sealed, IngestError> {
        if let Some(error) = lock(&self.failures).pop_front() {
            return Err(error);
        }
        let mut assets = lock(&self.assets);
        let known = assets.iter().position(|asset| asset == bytes);
        let at = known.unwrap_or_else(|| {
            assets.push(bytes.to_vec());
            assets.len() - 1
        });
        Ok(Sealed {
            seq: Seq::new(at as u64),
            already_archived: known.is_some(),
            log_size: 0,
        })
    }
}

impl Door for Arc<Fake> {
    fn read_ahead(&self, _: &mut HeadStart, _: &mut dyn Read) -> io::Result<bool> {
        Ok(false)
    }

    fn archive(
        &self,
        asset: NewAsset,
        source: &mut dyn Read,
        _: HeadStart,
    ) -> Result<Pending, ArchiveError> {
        let mut bytes = Vec::new();
        source
            .read_to_end(&mut bytes)
            .map_err(ArchiveError::Source)?;
        let found = Digest::of(&bytes);
        if let Some(expected) = asset.expected_sha256.filter(|expected| *expected != found) {
            return Err(IngestError::DigestDiffers { expected, found }.into());
        }
        assert_eq!(asset.expected_size, Some(bytes.len() as u64));
        Ok(self.commit(bytes))
    }
}
