//! An HTTP client that uploads as the page does: parts, then `complete`, and everything again after a lost answer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::server::PASSWORD;
use super::tree::{SourceFile, hex};

/// What the original's page sends.
const PART_BYTES: usize = 5 * 1024 * 1024;
/// How long one request is tried again while the server is away.
const PATIENCE: Duration = Duration::from_mins(1);

/// The last word on an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uploaded {
    Sealed,
    Queued,
}

/// A client of one server; shared by threads.
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
    authorization: String,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        Self::with_password(address, PASSWORD)
    }

    /// Of a server with another password, or with a token.
    pub(crate) fn with_password(address: &str, password: &str) -> Self {
        use base64::Engine as _;
        let credentials = base64::prelude::BASE64_STANDARD.encode(format!("corpus:{password}"));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(2)))
            .build()
            .new_agent();
        Self {
            agent,
            base: format!("http://{address}"),
            authorization: format!("Basic {credentials}"),
        }
    }

    /// Archives a small file in one request.
    pub(crate) fn add(&self, collection: u64, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = format!(
            "{}/api/collections/{collection}/assets?filename={name}",
            self.base
        );
        let request = self.agent.post(&path);
        let request = request.header("Authorization", &self.authorization);
        let answer = request
            .content_type("application/octet-stream")
            .send(bytes)?;
        ensure!(
            answer.status() == 200,
            "{name} is answered {}",
            answer.status()
        );
        Ok(())
    }

    /// The same, until the server says that it is safe.
    pub(crate) fn add_patiently(
        &self,
        collection: u64,
        name: &str,
        bytes: &[u8],
        retries: &AtomicU64,
    ) -> anyhow::Result<()> {
        let path = format!("/api/collections/{collection}/assets?filename={name}");
        patiently(retries, || self.post_bytes(&path, bytes))?;
        Ok(())
    }

    /// Uploads bytes in parts until the server says that they are safe.
    pub(crate) fn upload_bytes(
        &self,
        collection: u64,
        name: &str,
        bytes: &[u8],
        part_bytes: usize,
        retries: &AtomicU64,
    ) -> anyhow::Result<()> {
        for (index, part) in bytes.chunks(part_bytes).enumerate() {
            let path = format!("/api/upload/chunk?upload_id={name}&chunk_index={index}");
            patiently(retries, || self.post_bytes(&path, part))?;
        }
        let completion = json!({
            "upload_id": name,
            "filename": name,
            "collection_id": collection,
            "total_size": bytes.len(),
            "sha256": hex(&Sha256::digest(bytes)),
        });
        patiently(retries, || self.post("/api/upload/complete", &completion))?;
        Ok(())
    }

    /// Uploads bytes in three parts, each sent once; without an error they are safe.
    pub(crate) fn upload_once(
        &self,
        collection: u64,
        id: &str,
        name: &str,
        bytes: &[u8],
    ) -> anyhow::Result<()> {
        for (index, part) in bytes.chunks(bytes.len().div_ceil(3).max(1)).enumerate() {
            let path = format!("/api/upload/chunk?upload_id={id}&chunk_index={index}");
            self.post_bytes(&path, part)?;
        }
        let completion = json!({
            "upload_id": id,
            "filename": name,
            "collection_id": collection,
            "total_size": bytes.len(),
        });
        self.post("/api/upload/complete", &completion)?;
        Ok(())
    }

    /// Name and id of the asset at a place in the list.
    pub(crate) fn listed(
        &self,
        collection: u64,
        offset: usize,
    ) -> anyhow::Result<Option<(String, u64)>> {
        let path = format!("/api/collections/{collection}/assets?offset={offset}&limit=1");
        let page = self.get(&path)?;
        let asset = &page["assets"][0];
        let name = asset["filename"].as_str().map(str::to_owned);
        Ok(name.zip(asset["id"].as_u64()))
    }

    /// Searches the whole vault.
    pub(crate) fn search(&self, text: &str) -> anyhow::Result<()> {
        self.get(&format!("/api/search?query={text}"))?;
        Ok(())
    }

    /// SHA-256 by name of all assets of a collection, as listed.
    pub(crate) fn digests(&self, collection: u64) -> anyhow::Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        for offset in (0..).step_by(1000) {
            let path = format!("/api/collections/{collection}/assets?offset={offset}&limit=1000");
            let page = self.get(&path)?;
            let assets = page["assets"].as_array().context("a page of assets")?;
            if assets.is_empty() {
                break;
            }
            for asset in assets {
                let text = |field: &str| asset[field].as_str().unwrap_or_default().to_owned();
                found.insert(text("filename"), text("sha256"));
            }
        }
        Ok(found)
    }

    /// The header's value.
    pub(crate) fn authorization(&self) -> &str {
        &self.authorization
    }

    /// Finds or creates a project and a collection in it.
    pub(crate) fn create_place(&self, project: &str, collection: &str) -> anyhow::Result<u64> {
        let project = self.post("/api/projects", &json!({ "name": project }))?;
        let place = json!({ "project_id": project["id"], "name": collection });
        self.post("/api/collections", &place)?["id"]
            .as_u64()
            .context("a collection's id")
    }

    /// Uploads one file until the server says that it is safe.
    pub(crate) fn upload(
        &self,
        index: usize,
        file: &SourceFile,
        collection: u64,
        retries: &AtomicU64,
    ) -> anyhow::Result<Uploaded> {
        let id = format!("corpus-{index}");
        let mut source = File::open(&file.path)?;
        let mut whole = Sha256::new();
        let mut parts = 0_u64;
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            let read = source
                .by_ref()
                .take(PART_BYTES as u64)
                .read_to_end(&mut buffer)?;
            if read == 0 {
                break;
            }
            whole.update(&buffer);
            let path = format!("/api/upload/chunk?upload_id={id}&chunk_index={parts}");
            // After the answer to `complete` was lost and the asset sealed, nothing is sent again.
            patiently(retries, || self.post_bytes(&path, &buffer))?;
            parts += 1;
        }
        let completion = json!({
            "upload_id": id,
            "filename": file.name(),
            "collection_id": collection,
            "path_prefix": file.prefix(),
            "total_size": file.size,
            "parts": parts,
            "sha256": hex(&whole.finalize()),
            "modified": file.modified_ms,
        });
        let answer = patiently(retries, || self.post("/api/upload/complete", &completion))?;
        match answer["status"].as_str() {
            Some("sealed") => Ok(Uploaded::Sealed),
            Some("queued") => Ok(Uploaded::Queued),
            other => bail!("complete answered status {other:?}"),
        }
    }

    /// Waits until no upload is left in the queue.
    pub(crate) fn wait_until_sealed(&self, timeout: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let uploads = self.get("/api/uploads")?;
            if uploads["uploads"].as_array().is_some_and(Vec::is_empty) {
                return Ok(());
            }
            ensure!(
                started.elapsed() < timeout,
                "uploads are still queued: {uploads}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until all that was promised is sealed; uploads that were never completed may stay.
    pub(crate) fn wait_until_none_is_queued(&self, timeout: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let uploads = self.get("/api/uploads")?;
            let waits = |upload: &Value| upload["status"] != "receiving";
            let queued = uploads["uploads"]
                .as_array()
                .is_some_and(|all| all.iter().any(waits));
            if !queued {
                return Ok(());
            }
            ensure!(
                started.elapsed() < timeout,
                "uploads are still queued: {uploads}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// All assets of a collection and what is below it: their ids by path.
    pub(crate) fn list_everything(&self, collection: u64) -> anyhow::Result<BTreeMap<String, u64>> {
        let project = self.get(&format!("/api/collections/{collection}"))?["project_id"].clone();
        let places = self.get(&format!("/api/projects/{project}/collections"))?;
        let mut paths = BTreeMap::from([(collection, String::new())]);
        let mut found = BTreeMap::new();
        // Parents come before children.
        for place in places.as_array().context("a list of collections")? {
            let (id, parent) = (place["id"].as_u64(), place["parent_id"].as_u64());
            let above = parent.and_then(|parent| paths.get(&parent).cloned());
            if let (Some(id), Some(above), Some(name)) = (id, above, place["name"].as_str()) {
                paths.insert(id, format!("{above}{name}/"));
            }
        }
        for (id, path) in paths {
            let mut offset = 0;
            loop {
                let page = self.get(&format!(
                    "/api/collections/{id}/assets?offset={offset}&limit=1000"
                ))?;
                let assets = page["assets"].as_array().context("a page of assets")?;
                for asset in assets {
                    let name = asset["filename"].as_str().context("a file name")?;
                    let asset = asset["id"].as_u64().context("an asset's id")?;
                    found.insert(format!("{path}{name}"), asset);
                }
                offset += assets.len();
                if assets.is_empty() || page["total"].as_u64() == Some(offset as u64) {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// SHA-256 of an asset's bytes as downloaded, hex.
    pub(crate) fn digest_of(&self, asset: u64) -> anyhow::Result<String> {
        let url = format!("{}/api/assets/{asset}", self.base);
        let mut response = self
            .agent
            .get(url)
            .header("Authorization", &self.authorization)
            .call()?;
        ensure!(
            response.status() == 200,
            "asset {asset} answered {}",
            response.status()
        );
        let mut reader = response.body_mut().as_reader();
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let read = reader.read(&mut buffer)?;
            if read == 0 {
                return Ok(hex(&hasher.finalize()));
            }
            hasher.update(&buffer[..read]);
        }
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.base));
        json_of(
            request
                .header("Authorization", &self.authorization)
                .call()?,
        )
    }

    fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let request = request
            .header("Authorization", &self.authorization)
            .header("Content-Type", "application/json");
        json_of(request.send(body.to_string())?)
    }

    fn post_bytes(&self, path: &str, body: &[u8]) -> anyhow::Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let request = request
            .header("Authorization", &self.authorization)
            .header("Content-Type", "application/octet-stream");
        json_of(request.send(body)?)
    }
}

/// Tries again while the server is away or asks to wait.
fn patiently(
    retries: &AtomicU64,
    request: impl Fn() -> anyhow::Result<Value>,
) -> anyhow::Result<Value> {
    let started = Instant::now();
    loop {
        let error = match request() {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let is_final = error
            .downcast_ref::<Refused>()
            .is_some_and(Refused::is_final);
        if is_final || started.elapsed() > PATIENCE {
            return Err(error);
        }
        retries.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// An answer that is not a success.
#[derive(Debug)]
struct Refused {
    status: u16,
    body: Value,
}

impl Refused {
    fn is_final(&self) -> bool {
        !matches!(self.status, 429 | 503)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.status, self.body)
    }
}

impl std::error::Error for Refused {}

fn json_of(mut response: ureq::http::Response<ureq::Body>) -> anyhow::Result<Value> {
    let status = response.status().as_u16();
    let text = response
        .body_mut()
        .with_config()
        .limit(64 << 20)
        .read_to_string()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if (200..300).contains(&status) {
        Ok(body)
    } else {
        Err(Refused { status, body }.into())
    }
}
