//! Having content looked into by the processes that decode, for routes that show what comes of it.

use std::sync::Arc;

use compactvault_preview::{Failure, Job, Output};
use compactvault_vault::{AssetId, AssetReader, Name, Node, ReadError, Vault};
use serde_json::Value;

use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::previews::{Ask, PreviewError, Priority, Siblings};

/// Has a job done with an asset, and, if it asks for them, the newest assets of other names in the same place.
pub(crate) async fn look(
    app: &App,
    id: AssetId,
    job: &'static Job,
) -> Result<Arc<Output>, ApiError> {
    let vault = app.shelf.vault()?.clone();
    let open = move |vault: &Vault| -> Result<_, ReadError> {
        Ok((vault.open_asset(id)?, vault.asset_details(id)?.path))
    };
    let (reader, path) = app.ask(Lane::Read, open).await?;
    let ask = Ask {
        job,
        parameters: Value::Null,
        reader,
        siblings: Some(Siblings::new(move |name| beside(&vault, &path, name))),
        keep: None,
    };
    let made = app.previews.run(ask, Priority::Visible).await;
    made.map_err(|error| match error {
        PreviewError::Failed(failure) => not_shown(&failure),
        other => other.into(),
    })
}

/// The asset of that name beside the one at `path`.
fn beside(vault: &Vault, path: &[Name], name: &str) -> Result<Option<AssetReader>, ReadError> {
    let (Ok(name), Some((_, place))) = (Name::new(name), path.split_last()) else {
        return Ok(None);
    };
    let path: Vec<Name> = place.iter().cloned().chain([name]).collect();
    match vault.resolve(&path) {
        Ok(Node::Asset(asset)) => vault.open_asset(asset.id).map(Some),
        Ok(_) | Err(ReadError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// 422: the asset is there, and what is in it cannot be shown this way.
pub(crate) fn not_shown(failure: &Failure) -> ApiError {
    const CODES: [&str; 5] = [
        "unsupported",
        "malformed",
        "too_large",
        "crashed",
        "timed_out",
    ];
    let code = CODES.into_iter().find(|code| *code == failure.code);
    let message = failure.message.clone();
    ApiError::impossible(code.unwrap_or("malformed"), message)
}

/// The same for what a process made and should not have.
pub(crate) fn garbled() -> ApiError {
    not_shown(&Failure::new(
        "crashed",
        "what looked into this file answered nonsense; the bytes themselves can be downloaded",
    ))
}
