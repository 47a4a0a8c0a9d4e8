//! How far a verification is, and what it found.

use compactvault_vault as vault;
use compactvault_vault::Severity;
use serde::Serialize;

/// Findings that are sent; `findings_total` counts all.
const FINDINGS_MAX: usize = 100;

/// The verification that runs or ran last.
#[derive(Debug, Serialize)]
pub(crate) struct Verification {
    pub(crate) state: &'static str,
    pub(crate) depth: Option<&'static str>,
    pub(crate) bytes_done: u64,
    pub(crate) bytes_total: u64,
    pub(crate) entries_done: u64,
    pub(crate) entries_total: u64,
    pub(crate) started_unix_ms: Option<i64>,
    pub(crate) ended_unix_ms: Option<i64>,
    pub(crate) seconds: f64,
    findings: Vec<Finding>,
    findings_total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

#[derive(Debug, Serialize)]
struct Finding {
    code: &'static str,
    severity: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

impl Verification {
    /// None was asked for since the server started.
    pub(crate) fn idle() -> Self {
        Self {
            state: "idle",
            depth: None,
            bytes_done: 0,
            bytes_total: 0,
            entries_done: 0,
            entries_total: 0,
            started_unix_ms: None,
            ended_unix_ms: None,
            seconds: 0.0,
            findings: Vec::new(),
            findings_total: 0,
            message: None,
        }
    }

    /// Takes in what was found.
    pub(crate) fn found(&mut self, report: &vault::VerifyReport) {
        self.findings = report
            .findings
            .iter()
            .take(FINDINGS_MAX)
            .map(Finding::from)
            .collect();
        self.findings_total = report.findings.len() as u64 + report.findings_left_out;
    }
}

impl From<&vault::Finding> for Finding {
    fn from(finding: &vault::Finding) -> Self {
        let entry = finding.entry.map(vault::Seq::get);
        Self {
            code: finding.area,
            severity: match finding.severity {
                Severity::Repairable => "repairable",
                Severity::Lost => "lost",
            },
            message: finding.detail.clone(),
            entry_id: entry,
            asset_id: entry.filter(|_| finding.area == "asset"),
            path: finding.path.clone(),
        }
    }
}

/// The last verification that read every byte.
#[derive(Debug, Serialize)]
pub(crate) struct LastFullVerification {
    unix_ms: i64,
    depth: &'static str,
    findings: u64,
    log_size: u64,
    by: String,
}

impl From<vault::LastVerification> for LastFullVerification {
    fn from(last: vault::LastVerification) -> Self {
        Self {
            unix_ms: last.unix_ms,
            depth: if last.deep { "deep" } else { "full" },
            findings: last.findings,
            log_size: last.log_size,
            by: last.by,
        }
    }
}
