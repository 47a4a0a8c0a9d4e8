//! The progress bar of long commands: bytes, rate and time left, on a terminal only.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// How often the text beside the bar changes: as fast as one can read.
const TEXT_EVERY: Duration = Duration::from_millis(100);

/// A bar on standard error. Can be moved from several threads.
pub(crate) struct Bar {
    bar: ProgressBar,
    text_changed: Mutex<Option<Instant>>,
}

impl Bar {
    /// A bar for so many bytes; 0 if that is not known.
    pub(crate) fn new(output: &Output, bytes_total: u64) -> Self {
        let target = if output.quiet {
            ProgressDrawTarget::hidden()
        } else {
            // Draws nothing where standard error is no terminal.
            ProgressDrawTarget::stderr()
        };
        let (length, template) = if bytes_total == 0 {
            (
                None,
                "{decimal_bytes:>10} {decimal_bytes_per_sec:>12}  {wide_msg}",
            )
        } else {
            (
                Some(bytes_total),
                "{bar:24} {percent:>3} %  {decimal_bytes:>10} of {decimal_total_bytes} \
                 {decimal_bytes_per_sec:>12}  {eta:>4} left  {wide_msg}",
            )
        };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━━╌");
        Self {
            bar: ProgressBar::with_draw_target(length, target).with_style(style),
            text_changed: Mutex::new(None),
        }
    }

    /// Moves the bar; `text` is asked for only when it will be shown.
    pub(crate) fn set(&self, bytes: u64, text: impl FnOnce() -> String) {
        self.bar.set_position(bytes);
        if self.bar.is_hidden() {
            return;
        }
        // Whoever comes while another thread changes the text comes too soon anyway.
        if let Ok(mut changed) = self.text_changed.try_lock()
            && changed.is_none_or(|then| then.elapsed() >= TEXT_EVERY)
        {
            self.bar.set_message(text());
            *changed = Some(Instant::now());
        }
    }

    /// Corrects how much there is.
    pub(crate) fn set_total(&self, bytes_total: u64) {
        if self.bar.length() != Some(bytes_total) {
            self.bar.set_length(bytes_total);
        }
    }

    /// How long it has been there.
    pub(crate) fn elapsed(&self) -> Duration {
        self.bar.elapsed()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
