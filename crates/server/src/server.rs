//! A server without its sockets: opened on a folder or a file, asked for its router, closed in good order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use compactvault_vault::{OpenError, OpenOptions, Vault};

use crate::app::App;
use crate::assets::Web;
use crate::auth::Auth;
use crate::blocking::Lane;
use crate::checkpoints;
use crate::error::ApiError;
use crate::events::WATCH_EVERY;
use crate::grants::{Grants, GrantsError, Kept};
use crate::host::Hosts;
use crate::previews::{self, WorkerCommand};
use crate::proxies::Proxies;
use crate::random::random_id;
use crate::routes::uploads::{drain as drain_uploads, tell_events};
use crate::shelf::{Place, Shelf};
use crate::tls::{Encryption, Tls, TlsError};

/// How often it is looked whether the password or the tokens that are kept have changed.
const GRANTS_WATCHED_EVERY: Duration = Duration::from_secs(1);
/// When all names are read after the start.
const SEARCH_PREPARED_AFTER: Duration = Duration::from_secs(1);

/// What to serve, and to whom.
#[derive(Clone)]
pub struct ServerOptions {
    /// A folder or one vault file.
    pub place: Place,
    /// The address given by the person who starts it; `None` for loopback at port 8000 or the next free one.
    pub listen: Option<SocketAddr>,
    /// The password, from `COMPACTVAULT_PASSWORD`; else the one that is kept for the vault. Without any, a token is made
    /// and only loopback is served.
    pub password: Option<String>,
    /// Names this server answers to besides its address: `name`, or `name:port`.
    pub allowed_hosts: Vec<String>,
    /// Encrypt connections.
    pub tls: Option<Tls>,
    /// Proxies that are believed whom they speak for: addresses, or networks such as `10.0.0.0/8`.
    pub trusted_proxies: Vec<String>,
    /// How long requests and queued uploads may take to end after the server was asked to stop.
    pub drain: Duration,
    /// Serve the page from this folder instead of the one embedded, for working on it.
    pub assets_dir: Option<PathBuf>,
    /// Where a checkpoint is written after each import and at the end, if anywhere.
    pub checkpoint_dir: Option<PathBuf>,
    /// Share of the time spent on scrubbing while nothing is uploaded, in percent; `None` for no scrubbing.
    pub scrub: Option<u8>,
    /// What makes thumbnails and the like; `None` for no such things.
    pub preview_worker: Option<WorkerCommand>,
    /// How vaults are opened.
    pub vault: OpenOptions,
}

/// Why a server did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The vault, or the folder it lies in.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Other machines could reach it, and there is nothing to keep them out.
    #[error(
        "{address} can be reached from other machines, which needs a password: set one with `compactvault passwd` or COMPACTVAULT_PASSWORD, or listen on 127.0.0.1"
    )]
    PasswordNeeded {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// An empty password keeps nobody out.
    #[error("COMPACTVAULT_PASSWORD is set but empty; give it a value or unset it")]
    PasswordEmpty,
    /// The password or the tokens that are kept cannot be read.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// A configured name cannot be one.
    #[error("{name} cannot be a host name; give it as name or name:port")]
    BadHost {
        /// The name.
        name: String,
    },
    /// A configured proxy cannot be one.
    #[error("{text} cannot be a proxy; give its address, or a network such as 10.0.0.0/8")]
    BadProxy {
        /// What was given.
        text: String,
    },
    /// Connections cannot be encrypted.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address, or the first of those tried.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// What was left when the server had stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerReport {
    /// The vault that was served, if one was chosen.
    pub vault: Option<PathBuf>,
    /// Uploads sealed while stopping.
    pub uploads_sealed: u64,
    /// Complete uploads that wait in the spool for the next start.
    pub uploads_queued: u64,
    /// Unfinished uploads whose parts wait in the spool.
    pub uploads_unfinished: u64,
}

/// A server without its sockets.
pub struct Server {
    app: App,
    checkpoint_dir: Option<PathBuf>,
}

impl Server {
    /// Opens the vault, if it is clear which, and makes ready to answer.
    pub async fn open(options: &ServerOptions) -> Result<Self, ServeError> {
        if options.password.as_deref() == Some("") {
            return Err(ServeError::PasswordEmpty);
        }
        let hosts =
            Hosts::new(&options.allowed_hosts).map_err(|name| ServeError::BadHost { name })?;
        let proxies =
            Proxies::new(&options.trusted_proxies).map_err(|text| ServeError::BadProxy { text })?;
        let (place, vault) = (options.place.clone(), options.vault.clone());
        let shelf = tokio::task::spawn_blocking(move || Shelf::new(place, vault)).await;
        let shelf = shelf.expect("opening a vault reports what goes wrong")?;
        // Known vaults keep their cookie's name, so that restarts do not fill the browser with stale ones.
        let server_id = shelf.vault().map_or_else(
            |_| random_id(),
            |vault| vault.id().to_string()[..16].to_owned(),
        );
        let kept = match shelf.vault() {
            Ok(vault) => Grants::in_folder(vault.state_dir()).load()?,
            Err(_) => Kept::default(),
        };
        let auth = Auth::new(options.password.as_deref(), kept, &server_id);
        let web = Web::new(options.assets_dir.clone());
        let app = App::new(auth, (hosts, proxies), web, shelf, options);
        if let Some(dir) = &options.checkpoint_dir {
            tokio::spawn(checkpoints::watch(app.clone(), dir.clone()));
        }
        if app.shelf.vault().is_ok() {
            vault_was_chosen(&app).await;
        }
        Ok(Self {
            app,
            checkpoint_dir: options.checkpoint_dir.clone(),
        })
    }

    /// Whether those who come need a password that lasts, and not just the token of this start.
    pub(crate) fn has_password(&self) -> bool {
        self.app.auth.token().is_none()
    }

    /// What every request shares.
    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// What connections to these addresses are encrypted with.
    pub(crate) async fn encryption(
        &self,
        tls: Tls,
        addresses: &[SocketAddr],
    ) -> Result<Encryption, TlsError> {
        let vault = self.app.shelf.vault().ok();
        let folder = vault.map(|vault| vault.state_dir().to_owned());
        let mut names: Vec<_> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        names.extend(self.app.hosts.names().map(str::to_owned));
        let specified = addresses.iter().map(|address| address.ip().to_canonical());
        names.extend(
            specified
                .filter(|ip| !ip.is_unspecified())
                .map(|ip| ip.to_string()),
        );
        names.sort();
        names.dedup();
        let making =
            tokio::task::spawn_blocking(move || Encryption::new(tls, folder.as_deref(), &names));
        making
            .await
            .expect("reading certificates reports what goes wrong")
    }

    /// The token to sign in with, if there is no password.
    pub fn token(&self) -> Option<&str> {
        self.app.auth.token()
    }

    /// The vault that is served, if one is chosen.
    pub fn vault_path(&self) -> Option<PathBuf> {
        self.app
            .shelf
            .vault()
            .ok()
            .map(|vault| vault.path().to_owned())
    }

    /// Every route with all checks around it. Requests must carry a [`crate::Peer`] among their extensions.
    pub fn router(&self) -> Router {
        self.app.router()
    }

    /// Ends the event streams, which would otherwise keep their connections open, and what is decoded.
    pub(crate) fn stop_events(&self) {
        self.app.events.stop();
        self.app.previews.close();
    }

    /// Ends what is going on, seals or spools what was uploaded, and closes the vault. Requests must have ended or
    /// been given up before.
    pub async fn close(self, drain: Duration) -> Result<ServerReport, ServeError> {
        self.stop_events();
        let started = Instant::now();
        let mut report = ServerReport {
            vault: self.vault_path(),
            ..ServerReport::default()
        };
        let Ok(vault) = self.app.shelf.vault().cloned() else {
            return Ok(report);
        };
        let left = drain.saturating_sub(started.elapsed());
        let drained = tokio::task::spawn_blocking({
            let vault = vault.clone();
            move || drain_uploads(&vault, left)
        });
        if let Ok(drained) = drained.await {
            (
                report.uploads_sealed,
                report.uploads_queued,
                report.uploads_unfinished,
            ) = drained;
        }
        let verified = tokio::task::spawn_blocking({
            let app = self.app.clone();
            move || app.verification.close()
        });
        verified.await.expect("waiting for a thread does not panic");
        self.app.lanes.close().await;
        if let Some(dir) = self.checkpoint_dir {
            let vault = vault.clone();
            let kept = tokio::task::spawn_blocking(move || checkpoints::keep(&vault, &dir)).await;
            kept.expect("keeping a checkpoint reports what goes wrong");
        }
        let closed = tokio::task::spawn_blocking(move || vault.close()).await;
        closed.expect("closing a vault reports what goes wrong")?;
        Ok(report)
    }
}

/// Begins to watch the vault for those who listen to events.
pub(crate) async fn vault_was_chosen(app: &App) {
    let events = Arc::clone(&app.events);
    let begin = |vault: &Vault| -> Result<_, ApiError> {
        // This also takes up again what an earlier run left in the spool.
        tell_events(vault, events)?;
        // The first look only tells where the log stands; without it, the first commit would go unnoticed.
        Ok(vault.poll_changes()?)
    };
    match app.ask(Lane::Commit, begin).await {
        Ok(change) => app.events.begin(change.map_or(0, |change| change.log_size)),
        Err(error) => tracing::warn!(error = error.message(), "events may be incomplete"),
    }
    tokio::spawn(watch(app.clone()));
    tokio::spawn(watch_grants(app.clone()));
    tokio::spawn(prepare_search(app.clone()));
    if let Ok(vault) = app.shelf.vault() {
        vault.set_fact_source(app.previews.facts(vault));
    }
    if app.previews.is_on() {
        tokio::spawn(previews::gather(app.clone()));
    }
    if let Some(pace) = app.scrub {
        tokio::spawn(crate::scrub::scrub(app.clone(), pace));
    }
}

/// Reads all names once the first page had its turn: searching a million of them would begin with a wait of seconds.
async fn prepare_search(app: App) {
    let mut stopping = app.events.stopping();
    tokio::select! {
        _ = stopping.wait_for(|stopping| *stopping) => return,
        () = tokio::time::sleep(SEARCH_PREPARED_AFTER) => {}
    }
    if let Err(error) = app.ask(Lane::Read, Vault::prepare_search).await {
        tracing::warn!(
            error = error.message(),
            "the first search will read all names"
        );
    }
}

/// Lets in and keeps out whom the owner of the vault lets in and keeps out meanwhile.
async fn watch_grants(app: App) {
    let mut ticks = tokio::time::interval(GRANTS_WATCHED_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stopping = app.events.stopping();
    let mut last = None;
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            _ = ticks.tick() => {}
        }
        let load = |vault: &Vault| Ok::<_, ApiError>(Grants::in_folder(vault.state_dir()).load());
        let Ok(loaded) = app.ask(Lane::Read, load).await else {
            continue;
        };
        let kept = loaded.unwrap_or_else(|error| {
            if last != Some(Kept::default()) {
                tracing::error!(%error, "no token is good until this is settled");
            }
            Kept::default()
        });
        if last.as_ref() != Some(&kept) {
            app.auth.update(kept.clone());
            last = Some(kept);
        }
    }
}

async fn watch(app: App) {
    let mut ticks = tokio::time::interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stopping = app.events.stopping();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            _ = ticks.tick() => {}
        }
        if !app.events.has_readers() {
            continue;
        }
        match app.ask(Lane::Read, Vault::poll_changes).await {
            Ok(Some(change)) => app.events.sealed(&change),
            Ok(None) => {}
            // It was logged where it became an answer; a vault that cannot be read now may be in a while.
            Err(_) => tokio::time::sleep(Duration::from_secs(5)).await,
        }
    }
}
