//! Facts in the background: entry after entry of the log, slowly, while nobody uploads. What was looked at is remembered,
//! so that a start looks only at what is new; `compactvault reindex` has it looked at afresh.

use std::sync::Arc;
use std::time::Duration;

use compactvault_preview::kind::has_facts;
use compactvault_vault::{AssetReader, Node, ReadError, Seq, Vault};
use tokio::time::Instant;

use super::{FactStore, PreviewError, Priority, facts_ask};
use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;

/// When it begins after the start, and how long it rests when there is nothing to do or others come first.
const REST: Duration = Duration::from_secs(2);
/// Entries looked at in one go, of which each costs a fraction of a millisecond.
const ENTRIES_AT_ONCE: u64 = 200;
/// The shortest pause after a content; else as long as it took.
const PAUSE: Duration = Duration::from_millis(5);

/// Gathers until the server stops.
pub(crate) async fn gather(app: App) {
    let Ok(vault) = app.shelf.vault() else { return };
    let store = app.previews.facts(vault);
    let mut stopping = app.events.stopping();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = tokio::time::sleep(REST) => {}
        }
        // It was logged where it became an answer; the next round tries again.
        let _ = round(&app, &store).await;
    }
}

/// All that is new.
async fn round(app: &App, store: &Arc<FactStore>) -> Result<(), ApiError> {
    loop {
        if app.limits.receiving() > 0 {
            return Ok(());
        }
        let next = {
            let store = Arc::clone(store);
            move |vault: &Vault| next(vault, &store)
        };
        let (readers, upto) = app.ask(Lane::Read, next).await?;
        let Some(upto) = upto else { return Ok(()) };
        for reader in readers {
            let began = Instant::now();
            let ask = facts_ask(reader, store);
            let made = app.previews.run(ask, Priority::Background).await;
            // Others come first, or the server stops. Damage is for verification to report.
            if matches!(made, Err(PreviewError::Busy)) {
                return Ok(());
            }
            tokio::time::sleep(began.elapsed().max(PAUSE)).await;
        }
        let store = Arc::clone(store);
        let looked_at = move || {
            store.looked_at(upto);
            Ok::<_, ApiError>(())
        };
        app.lanes.run(Lane::Read, looked_at).await?;
    }
}

/// Contents to look into among the next entries, and where those end; `None` if there are no more.
fn next(vault: &Vault, store: &FactStore) -> Result<(Vec<AssetReader>, Option<u64>), ReadError> {
    let (from, end) = (store.upto().max(1), vault.log_size()?);
    let upto = end.min(from + ENTRIES_AT_ONCE);
    if from >= end {
        return Ok((Vec::new(), None));
    }
    let mut readers = Vec::new();
    for seq in from..upto {
        // A damaged entry tells nothing, and nobody asked for it.
        let Ok(Node::Asset(asset)) = vault.node(Seq::new(seq)) else {
            continue;
        };
        let is_due = has_facts(asset.media.media_type, asset.size) && !store.knows(&asset.sha256);
        if is_due && let Ok(reader) = vault.open_asset(asset.id) {
            readers.push(reader);
        }
    }
    Ok((readers, Some(upto)))
}
