//! Scrubbing in the background: one part of the vault after another, slowly, while nobody uploads.

use std::sync::Arc;
use std::time::Duration;

use compactvault_vault::{ScrubOptions, ScrubReport, Vault};
use tokio::time::Instant;

use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;

/// How long nothing may have been uploaded before a part is begun, and the time between two parts.
const QUIET: Duration = Duration::from_secs(5);
/// Parts that were verified less than so long ago are left alone.
const FRESH: Duration = Duration::from_hours(30 * 24);
/// How long to wait when every part is fresh, or the vault cannot be scrubbed now.
const NOTHING_DUE: Duration = Duration::from_mins(10);

/// Scrubs until the server stops. `pace` is the share of the time that it works, in percent.
pub(crate) async fn scrub(app: App, pace: u8) {
    let mut stopping = app.events.stopping();
    let mut damaged: Vec<u64> = Vec::new();
    let mut next = Instant::now() + QUIET;
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = tokio::time::sleep_until(next) => {}
        }
        next = Instant::now() + QUIET;
        if app.limits.receiving() > 0 {
            continue;
        }
        let (asked, limits) = (app.events.stopping(), app.limits.clone());
        let options = ScrubOptions {
            pace,
            parts: 1,
            fresh: Some(FRESH),
            leave_out: damaged.clone(),
            // An upload that begins comes first; the part is begun again later.
            stop: Arc::new(move || *asked.borrow() || limits.receiving() > 0),
            ..ScrubOptions::default()
        };
        let scrub = move |vault: &Vault| -> Result<Option<ScrubReport>, ApiError> {
            if vault.read_only().is_some() {
                return Ok(None);
            }
            Ok(Some(vault.scrub(&options, &|_| ())?))
        };
        match app.ask(Lane::Commit, scrub).await {
            Ok(Some(report)) => {
                tell(&report);
                damaged.extend(&report.parts_damaged);
                if report.parts_done == 0 && !report.stopped {
                    next = Instant::now() + NOTHING_DUE;
                }
            }
            Ok(None) => return,
            // It was logged where it became an answer; a vault that is busy now may not be later.
            Err(_) => next = Instant::now() + NOTHING_DUE,
        }
    }
}

fn tell(report: &ScrubReport) {
    for healed in &report.healed {
        tracing::warn!(table = %healed.table, id = healed.id, "damage was found and healed from parity");
    }
    for left in &report.unhealed {
        tracing::error!(table = %left.table, id = left.id, detail = %left.detail, "damage was found that could not be healed; copy the vault and run `compactvault scrub`");
    }
}
