//! What is counted for `/metrics`, in the `OpenMetrics` text form that Prometheus reads.

use std::sync::atomic::AtomicU64;

use axum::http::{Method, StatusCode};
use compactvault_vault::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// The `Content-Type` of the answer.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All meters, and the registry that writes them down.
pub(crate) struct Meters {
    registry: Registry,
    requests: Family<OfRequest, Counter>,
    seconds: Family<OfRoute, Histogram>,
    refused: Family<OfRefusal, Counter>,
    /// Open ones.
    pub(crate) connections: Gauge,
    /// Of connections, decrypted.
    pub(crate) received_bytes: Counter,
    /// Of connections, before they are encrypted.
    pub(crate) sent_bytes: Counter,
    now: Now,
}

/// What is looked up when it is asked for.
#[derive(Default)]
struct Now {
    downloads: Gauge,
    parts: Gauge,
    uploads: Gauge,
    listeners: Gauge,
    entries: Gauge,
    assets: Gauge,
    collections: Gauge,
    projects: Gauge,
    logical_bytes: Gauge,
    stored_bytes: Gauge,
    file_bytes: Gauge,
    repairs: Gauge,
    verified: Gauge<f64, AtomicU64>,
    memory_bytes: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRequest {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRoute {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRefusal {
    code: &'static str,
}

/// What goes on in the server at the moment of asking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Going {
    /// Downloads under way.
    pub(crate) downloads: usize,
    /// Parts of uploads that are being received.
    pub(crate) parts: usize,
    /// Pages that are told what happens.
    pub(crate) listeners: usize,
}

fn histogram() -> Histogram {
    // From a quarter of a millisecond to 16 s.
    Histogram::new(exponential_buckets(0.000_25, 4.0, 9))
}

impl Meters {
    /// All at nothing.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("compactvault");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", version);
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let seconds = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's header to the beginning of its answer",
            Unit::Seconds,
            seconds.clone(),
        );
        let refused = Family::default();
        registry.register("http_refused", "Requests refused", refused.clone());
        let (received_bytes, sent_bytes) = (Counter::default(), Counter::default());
        let mut bytes = |name, help, counter: &Counter| {
            registry.register_with_unit(name, help, Unit::Bytes, counter.clone());
        };
        bytes("http_received", "Received from clients", &received_bytes);
        bytes("http_sent", "Sent to clients", &sent_bytes);
        let connections = Gauge::default();
        let now = Now::default();
        let mut gauge = |name, help, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge("http_connections", "Open connections", &connections);
        gauge("downloads", "Downloads under way", &now.downloads);
        gauge(
            "upload_parts",
            "Parts of uploads being received",
            &now.parts,
        );
        gauge(
            "uploads_unfinished",
            "Uploads that have not ended",
            &now.uploads,
        );
        gauge(
            "event_listeners",
            "Pages that are told what happens",
            &now.listeners,
        );
        gauge("log_entries", "Entries of the vault's log", &now.entries);
        gauge("assets", "Assets in the vault", &now.assets);
        gauge("collections", "Collections in the vault", &now.collections);
        gauge("projects", "Projects in the vault", &now.projects);
        gauge(
            "repairs",
            "Damaged places repaired since the vault was made",
            &now.repairs,
        );
        let mut bytes = |name, help, gauge: &Gauge| {
            registry.register_with_unit(name, help, Unit::Bytes, gauge.clone());
        };
        bytes(
            "logical",
            "What the assets have together",
            &now.logical_bytes,
        );
        bytes(
            "stored",
            "What their chunks take, deduplicated and compressed",
            &now.stored_bytes,
        );
        bytes("file", "The vault file", &now.file_bytes);
        bytes(
            "resident_memory",
            "Memory of the process",
            &now.memory_bytes,
        );
        registry.register_with_unit(
            "verified_oldest_timestamp",
            "When the part of the vault that was verified longest ago was verified; 0 if some never was",
            Unit::Seconds,
            now.verified.clone(),
        );
        Self {
            registry,
            requests,
            seconds,
            refused,
            connections,
            received_bytes,
            sent_bytes,
            now,
        }
    }

    /// Counts a request. `route` is its pattern, not its path: few, and nobody's names.
    pub(crate) fn answered(&self, method: &Method, route: &str, status: StatusCode, seconds: f64) {
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            _ => "other",
        };
        let route = route.to_owned();
        let of_route = OfRoute {
            route: route.clone(),
        };
        self.seconds.get_or_create(&of_route).observe(seconds);
        let of_request = OfRequest {
            method,
            route,
            status: status.as_u16(),
        };
        self.requests.get_or_create(&of_request).inc();
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, code: &'static str) {
        self.refused.get_or_create(&OfRefusal { code }).inc();
    }

    /// Everything as text, with what the vault says of itself, if there is one.
    pub(crate) fn text(&self, going: Going, vault: Option<(&Status, u64)>) -> String {
        let now = &self.now;
        set(&now.downloads, going.downloads as u64);
        set(&now.parts, going.parts as u64);
        set(&now.listeners, going.listeners as u64);
        set(&now.memory_bytes, resident_bytes().unwrap_or(0));
        if let Some((status, uploads)) = vault {
            set(&now.uploads, uploads);
            set(&now.entries, status.entries);
            set(&now.assets, status.assets);
            set(&now.collections, status.collections);
            set(&now.projects, status.projects);
            set(&now.logical_bytes, status.logical_bytes);
            set(&now.stored_bytes, status.stored_bytes);
            set(&now.file_bytes, status.file_bytes);
            set(&now.repairs, status.repairs);
            let oldest = status.verified.oldest_unix_ms;
            let oldest = oldest.filter(|_| status.verified.never == 0).unwrap_or(0);
            #[expect(clippy::cast_precision_loss, reason = "a date has 41 bits")]
            now.verified.set(oldest as f64 / 1000.0);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}

fn set(gauge: &Gauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// What the process has in memory; `None` where the system does not tell it in this way.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let meters = Meters::new();
        meters.answered(&Method::GET, "/api/assets/{id}", StatusCode::OK, 0.001);
        meters.refused("cross_site");
        meters.sent_bytes.inc_by(7);
        let going = Going {
            downloads: 2,
            parts: 0,
            listeners: 1,
        };
        let text = meters.text(going, None);
        for line in [
            "compactvault_http_requests_total{method=\"GET\",route=\"/api/assets/{id}\",status=\"200\"} 1",
            "compactvault_http_refused_total{code=\"cross_site\"} 1",
            "compactvault_http_sent_bytes_total 7",
            "compactvault_downloads 2",
            "compactvault_http_request_duration_seconds_count{route=\"/api/assets/{id}\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
