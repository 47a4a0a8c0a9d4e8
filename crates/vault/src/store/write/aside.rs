//! A thread beside the writer that does one thing whenever it is asked to.

use std::io;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

/// Ends with its thread when it is dropped.
pub(super) struct Aside {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Aside {
    pub(super) fn start(name: &str, mut act: impl FnMut() + Send + 'static) -> io::Result<Self> {
        // One request waits at most: whoever acts on it does all there is to do.
        let (wake, asked) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                while asked.recv().is_ok() {
                    act();
                }
            })?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    /// Does not wait for it.
    pub(super) fn ask(&self) {
        if let Some(wake) = &self.wake {
            // Full: it has been asked already.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
