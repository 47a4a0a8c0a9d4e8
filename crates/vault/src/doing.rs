//! Tells the log, at level debug, what is being written: that something begins, and that it ended.
//!
//! For people who ask what a vault is busy with (`-vv`), and for those who kill it on purpose at such a moment.

/// Something that writes, under way for as long as this lives.
#[derive(Debug)]
pub(crate) struct Doing(&'static str);

impl Doing {
    /// `what` is a word or two, always the same for the same work.
    pub(crate) fn begin(what: &'static str) -> Self {
        tracing::debug!(what, "begins");
        Self(what)
    }
}

impl Drop for Doing {
    fn drop(&mut self) {
        tracing::debug!(what = self.0, "ended");
    }
}
