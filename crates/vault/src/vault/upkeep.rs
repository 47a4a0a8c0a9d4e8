//! Looking after a vault: verifying, healing, and what can be made again.

use std::io;
use std::sync::Arc;

use super::Vault;
use crate::error::{IngestError, ReadError};
use crate::scrub::{ScrubOptions, ScrubProgress, ScrubReport};
use crate::verify::{LastVerification, Stop, VerifyLevel, VerifyProgress, VerifyReport, record};

impl Vault {
    /// Reads and compares everything, on all cores. `progress` is called from several threads, about once a
    /// mebibyte.
    pub fn verify(
        &self,
        level: VerifyLevel,
        progress: &(dyn Fn(VerifyProgress) + Sync),
    ) -> Result<VerifyReport, ReadError> {
        self.verify_until(level, progress, Arc::new(|| false))
    }

    /// The same, until `stop` says so: then it ends within milliseconds, with a report that says so.
    pub fn verify_until(
        &self,
        level: VerifyLevel,
        progress: &(dyn Fn(VerifyProgress) + Sync),
        stop: Stop,
    ) -> Result<VerifyReport, ReadError> {
        crate::verify::verify(&self.inner.reading, level, progress, stop)
    }

    /// Remembers in the state folder that this file was verified, if every byte of it was. `by` is the program's word
    /// for itself.
    pub fn note_verification(&self, report: &VerifyReport, by: &str) -> io::Result<()> {
        record::keep(report, by, self.path(), self.state_dir())
    }

    /// When every byte of this file was last verified, by whichever program; `None` if that is not known.
    pub fn last_verification(&self) -> Option<LastVerification> {
        record::last(self.path(), self.state_dir())
    }

    /// Verifies the vault part by part, those first whose turn was longest ago, and heals what parity can restore.
    /// Only bytes that are proven to be what was sealed are written; an entry of the log says which. Blocks until the
    /// budget is used up, all parts are done, or `options.stop` says so. Durable part by part: a run that is killed
    /// leaves whole transactions, and the next one goes on.
    pub fn scrub(
        &self,
        options: &ScrubOptions,
        progress: &(dyn Fn(ScrubProgress) + Sync),
    ) -> Result<ScrubReport, IngestError> {
        crate::scrub::scrub(&self.inner.reading, self.ingest()?, options, progress)
    }

    /// Makes all derived data again from what is sealed: what mends findings in the area `derived`. Reads every entry
    /// and the head of every asset. Nothing sealed is touched.
    pub fn rebuild_derived(&self) -> Result<(), IngestError> {
        let rebuilt = self.ingest()?.rebuild();
        self.inner.reading.catalog.forget();
        rebuilt
    }

    /// Copies the WAL into the file, brings derived data up to date and merges small stripes of parity. Nothing sealed is touched.
    pub fn upkeep(&self) -> Result<(), IngestError> {
        self.ingest()?.upkeep()
    }
}
