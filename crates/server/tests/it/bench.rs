//! The workbench of these tests: a server without sockets on a temporary folder, and a client that is signed in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use compactvault_server::previews::WorkerCommand;
use compactvault_server::{Peer, Place, Server, ServerOptions};
use compactvault_vault::{Name, NewAsset, OpenOptions, PlaceId, Ticket, Timestamp, Vault};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::description;

pub(crate) const PASSWORD: &str = "correct horse";

/// A folder to serve.
pub(crate) struct Bench {
    pub(crate) server: Server,
    router: Router,
    dir: TempDir,
}

/// An answer whose body was read to its end, or to where it broke.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Result<Bytes, axum::Error>,
}

impl Answer {
    pub(crate) fn bytes(&self) -> &Bytes {
        self.body.as_ref().expect("the body broke off")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.bytes()).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The status and the error code, for comparing both at once.
    pub(crate) fn outcome(&self) -> (u16, String) {
        let code = self.json()["code"].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), code)
    }
}

pub(crate) fn options(folder: &Path) -> ServerOptions {
    ServerOptions {
        place: Place::Folder(folder.join("served")),
        listen: None,
        password: Some(PASSWORD.into()),
        allowed_hosts: Vec::new(),
        tls: None,
        trusted_proxies: Vec::new(),
        drain: Duration::from_secs(10),
        assets_dir: None,
        checkpoint_dir: None,
        scrub: None,
        preview_worker: Some(worker()),
        vault: vault_options(folder),
    }
}

/// The worker with jobs that misbehave besides the others.
pub(crate) fn worker() -> WorkerCommand {
    WorkerCommand {
        program: env!("CARGO_BIN_EXE_compactvault-test-worker").into(),
        arguments: Vec::new(),
    }
}

pub(crate) fn vault_options(folder: &Path) -> OpenOptions {
    OpenOptions {
        state_dir: Some(folder.join("state")),
        ..OpenOptions::default()
    }
}

impl Bench {
    /// A server with an empty `default.vault`.
    pub(crate) async fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap(), |_| ()).await
    }

    pub(crate) async fn on(dir: TempDir, change: impl FnOnce(&mut ServerOptions)) -> Self {
        std::fs::create_dir_all(dir.path().join("served")).unwrap();
        let mut options = options(dir.path());
        change(&mut options);
        let server = Server::open(&options).await.unwrap();
        Self {
            router: server.router(),
            server,
            dir,
        }
    }

    pub(crate) fn vault_path(&self) -> PathBuf {
        self.server.vault_path().unwrap()
    }

    /// Where the vault's keys are kept.
    pub(crate) fn state_dir(&self) -> PathBuf {
        let folders = std::fs::read_dir(self.dir.path().join("state")).unwrap();
        let mut folders = folders.map(|item| item.unwrap().path());
        let folder = folders.next().expect("one vault");
        assert_eq!(folders.next(), None, "one vault");
        folder
    }

    /// Stops the server and keeps the folder.
    pub(crate) async fn close(self) -> TempDir {
        self.server.close(Duration::from_secs(10)).await.unwrap();
        self.dir
    }

    /// Sends anything as it is; nothing is added but the connection's ends.
    pub(crate) async fn raw(&self, mut request: Request<Body>) -> Answer {
        let peer = Peer {
            remote: "127.0.0.1:50000".parse().unwrap(),
            local: "127.0.0.1:8000".parse().unwrap(),
            is_encrypted: false,
        };
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(peer);
        }
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await;
        let checked = body
            .as_ref()
            .ok()
            .filter(|_| !parts.headers.contains_key(header::CONTENT_ENCODING));
        description::check(
            &method,
            &path,
            parts.status,
            &parts.headers,
            checked.map(|body| &body[..]),
        );
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// A signed-in request with extra headers.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request
            .header(header::HOST, "localhost:8000")
            .header(header::AUTHORIZATION, basic(PASSWORD));
        for (name, value) in headers {
            request = request.header(HeaderName::try_from(*name).unwrap(), *value);
        }
        self.raw(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(
            Method::POST,
            path,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
    }

    /// Creates a project and a collection in it; their ids.
    pub(crate) async fn place(&self, project: &str, collection: &str) -> (u64, u64) {
        let project = self
            .post("/api/projects", &serde_json::json!({ "name": project }))
            .await
            .json();
        let project = project["id"].as_u64().unwrap();
        let body = serde_json::json!({ "project_id": project, "name": collection });
        let collection = self.post("/api/collections", &body).await.json();
        (project, collection["id"].as_u64().unwrap())
    }

    /// Seals files by a second handle on the vault, as another process would; their ids.
    pub(crate) async fn seal(&self, files: Vec<File>) -> Vec<u64> {
        let (path, options) = (self.vault_path(), vault_options(self.dir.path()));
        tokio::task::spawn_blocking(move || {
            let vault = Vault::open(&path, &options).unwrap();
            // Everything first, so that they share their commits.
            let tickets: Vec<_> = files.into_iter().map(|file| file.archive(&vault)).collect();
            let ids = tickets
                .into_iter()
                .map(|ticket| ticket.wait().unwrap().seq.get())
                .collect();
            vault.close().unwrap();
            ids
        })
        .await
        .unwrap()
    }
}

/// A file to be sealed.
pub(crate) struct File {
    pub(crate) collection: u64,
    pub(crate) folders: &'static [&'static str],
    pub(crate) name: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) modified_seconds: Option<i64>,
    pub(crate) executable: bool,
}

impl File {
    pub(crate) fn new(
        collection: u64,
        name: impl Into<Vec<u8>>,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        Self {
            collection,
            folders: &[],
            name: name.into(),
            bytes: bytes.into(),
            modified_seconds: Some(1_234_567_890),
            executable: false,
        }
    }

    fn archive(self, vault: &Vault) -> Ticket {
        let collection =
            compactvault_vault::CollectionId::new(compactvault_vault::Seq::new(self.collection));
        let asset = NewAsset {
            place: PlaceId::Collection(collection),
            folders: self
                .folders
                .iter()
                .map(|name| Name::new(*name).unwrap())
                .collect(),
            name: Name::new(self.name).unwrap(),
            modified: self.modified_seconds.map(|seconds| Timestamp {
                seconds,
                nanoseconds: 0,
            }),
            executable: self.executable,
            expected_size: None,
            expected_sha256: None,
        };
        let (ticket, _) = vault
            .ingest()
            .unwrap()
            .archive(asset, &mut &self.bytes[..])
            .unwrap();
        ticket
    }
}

pub(crate) fn basic(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("me:{password}")))
}

/// Bytes that do not compress and are the same each time.
pub(crate) fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(bytes);
    out
}

/// Flips one bit of what `bytes` holds at `at`, wherever it lies in the vault file.
pub(crate) fn damage(vault: &Path, bytes: &[u8], at: usize) {
    let mut file = std::fs::read(vault).unwrap();
    let wanted = &bytes[at..at + 32];
    let found = file
        .windows(32)
        .position(|window| window == wanted)
        .expect("the bytes are stored as they are");
    file[found] ^= 1;
    std::fs::write(vault, file).unwrap();
}
