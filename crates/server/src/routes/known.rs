//! Which of some files need not be sent: the newest version of their name in their place is what they are.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use compactvault_vault::{AssetId, CollectionId, KnownBy, KnownFile, Name};
use serde::Deserialize;

use super::uploads::folders;
use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::extract::{JsonId, json, json_body, whole};
use crate::limits::{JSON_IDS_BYTES_MAX, KNOWN_MAX};
use crate::wire;

#[derive(Deserialize)]
struct Asked {
    collection_id: JsonId,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path_prefix: Option<String>,
    filename: String,
    filename_base64: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    size: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    modified_unix_ms: Option<i64>,
    sha256: Option<String>,
}

impl File {
    /// `None` for what no file in a vault can be called.
    fn read(self) -> Option<KnownFile> {
        let name = match self.filename_base64 {
            Some(exact) => Name::new(STANDARD.decode(exact).ok()?),
            None => Name::new(self.filename),
        };
        // A digest that is none equals none.
        let sha256 = self.sha256.map(|hex| hex.parse());
        Some(KnownFile {
            folders: folders(self.path_prefix.as_deref()).ok()?,
            name: name.ok()?,
            size: self.size?,
            modified_unix_ms: self.modified_unix_ms,
            sha256: sha256.transpose().ok()?,
        })
    }
}

/// `POST /api/known`.
pub(crate) async fn known(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    let Asked {
        collection_id,
        files,
    } = json_body(request, JSON_IDS_BYTES_MAX).await?;
    if files.len() > KNOWN_MAX {
        let message = format!("at most {KNOWN_MAX} files can be asked about at once");
        return Err(ApiError::bad_request("too_many_files", message));
    }
    let collection = CollectionId::new(collection_id.seq()?);
    let files: Vec<Option<KnownFile>> = files.into_iter().map(File::read).collect();
    let ask = move |vault: &compactvault_vault::Vault| {
        let asked: Vec<KnownFile> = files.iter().flatten().cloned().collect();
        let mut known = vault.known(collection, &asked)?.into_iter();
        let answer = |file: &Option<KnownFile>| match file {
            Some(_) => known.next().flatten(),
            None => None,
        };
        Ok::<_, ApiError>(files.iter().map(answer).collect::<Vec<_>>())
    };
    let known: Vec<Option<(AssetId, KnownBy)>> = app.ask(Lane::Read, ask).await?;
    Ok(json(StatusCode::OK, &wire::KnownFiles::from(known)))
}
