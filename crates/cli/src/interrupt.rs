//! Ctrl+C and SIGTERM: the first asks to stop in good order, the second stops at once.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use compactvault_vault::Vault;

use crate::exit::Exit;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether somebody asked to stop.
pub(crate) fn was_interrupted() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Calls `first` from a thread of its own when somebody asks to stop; the second time the process ends. What a vault
/// has sealed survives that, as it survives everything.
pub(crate) fn on_interrupt(mut first: impl FnMut() + Send + 'static) -> anyhow::Result<()> {
    ctrlc::set_handler(move || {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Error as i32);
        }
        first();
    })
    .context("cannot wait for Ctrl+C")
}

/// A flag that is set when somebody asks to stop.
pub(crate) fn stop_flag() -> anyhow::Result<&'static AtomicBool> {
    on_interrupt(|| ())?;
    Ok(&ASKED)
}

/// Closes the vault when somebody asks to stop, so that nothing is left beside it, and ends.
pub(crate) fn close_and_end(vault: &Vault) -> anyhow::Result<()> {
    let vault = vault.clone();
    on_interrupt(move || {
        // There is nobody left to tell about a failure, and reading has changed nothing.
        let _ = vault.close();
        std::process::exit(Exit::Error as i32);
    })
}
