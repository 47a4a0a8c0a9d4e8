//! Checkpoints written to a folder while serving: one after each import that came to rest, one at the end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use compactvault_vault::Vault;

use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;

/// How often the log's size is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks without growth after which an import is at rest: two seconds.
const QUIET_LOOKS: u32 = 4;

/// Writes a checkpoint whenever the log grew and then did not for a while, until the server stops. Takes a place
/// among the readers for a moment; uploads wait for nothing here.
pub(crate) async fn watch(app: App, dir: PathBuf) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stopping = app.events.stopping();
    let (mut seen, mut kept, mut quiet) = (None, None, 0);
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            _ = ticks.tick() => {}
        }
        // No vault is chosen yet, or it cannot be read now.
        let Ok(size) = app.ask(Lane::Read, Vault::log_size).await else {
            tokio::time::sleep(5 * LOOK_EVERY).await;
            continue;
        };
        // What was there at the start was imported earlier; the end of this run keeps it anyway.
        kept.get_or_insert(size);
        if seen.replace(size) != Some(size) {
            quiet = 0;
            continue;
        }
        quiet += 1;
        if quiet < QUIET_LOOKS || kept == Some(size) {
            continue;
        }
        let dir = dir.clone();
        let keep_it = move |vault: &Vault| -> Result<(), ApiError> {
            keep(vault, &dir);
            Ok(())
        };
        if app.ask(Lane::Read, keep_it).await.is_ok() {
            kept = Some(size);
        }
    }
}

/// Writes today's checkpoint; what goes wrong is logged, since nobody waits for it. Blocks.
pub(crate) fn keep(vault: &Vault, dir: &Path) {
    match vault.keep_checkpoint(dir) {
        Ok(kept) if kept.is_new => {
            tracing::info!(file = %kept.path.display(), "a checkpoint was written");
        }
        Ok(_) => {}
        Err(error) => {
            tracing::error!(folder = %dir.display(), %error, "no checkpoint was written");
        }
    }
}
