//! Files that come in one piece and are too large for memory: an upload of one part, which nobody else has a name for.

use super::completion::Completion;
use super::error::UploadError;
use super::part::PartWriter;
use super::spool::Key;
use super::{Completed, Inner, Uploads, lock};
use crate::uploads::upload::Phase;

const ID_PREFIX: &str = "whole-";

/// Whether an id is one of those made here, which no client knows before the file is complete.
pub(super) fn is_whole(upload_id: &str) -> bool {
    upload_id.strip_prefix(ID_PREFIX).is_some_and(|digits| {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        digits.len() == 32 && digits.bytes().all(is_digit)
    })
}

impl Uploads {
    /// Begins a file that comes in one piece, however large. Dropped, nothing of it is kept.
    pub fn whole(&self) -> Result<PartWriter, UploadError> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|error| UploadError::Io {
            action: "find random numbers for",
            path: self.inner.spool.path().to_owned(),
            source: error.into(),
        })?;
        let id = format!("{ID_PREFIX}{:032x}", u128::from_be_bytes(random));
        Ok(self.part(&id, 0)?.without_bound())
    }

    /// Ends it: like [`Uploads::complete`], but a refusal leaves nothing in the spool, since nobody could go on with it.
    /// The completion's `upload_id` and `parts` are of no interest. Gives the upload's id, for those that are queued.
    pub fn complete_whole(
        &self,
        writer: PartWriter,
        mut completion: Completion,
    ) -> Result<(Completed, String), UploadError> {
        writer.upload_id().clone_into(&mut completion.upload_id);
        completion.parts = Some(1);
        writer.finish()?;
        match self.complete(&completion) {
            Ok(completed) => Ok((completed, completion.upload_id)),
            Err(error) => {
                self.inner.discard(&completion.upload_id);
                Err(error)
            }
        }
    }
}

impl Inner {
    /// Drops an upload that nobody goes on with.
    fn discard(&self, upload_id: &str) {
        let key = Key::of(upload_id.as_bytes());
        let known = lock(&self.open).get(&key).cloned();
        let Some(upload) = known else { return };
        let mut state = lock(&upload.state);
        // Queued, it was promised to be sealed; it is another process's if this one has let go.
        if !state.is_receiving() || state.writers > 0 || self.is_stopped() {
            return;
        }
        state.phase = Phase::Gone;
        self.spool.remove_upload(&key);
        drop(state);
        upload.changed.notify_all();
        self.forget(&upload);
    }
}
