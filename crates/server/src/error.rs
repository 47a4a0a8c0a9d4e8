//! The one place where what went wrong becomes a status code and a JSON body. Causes that concern only the server's
//! operator are logged here and not sent.

use std::borrow::Cow;
use std::fmt::Display;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use compactvault_vault::prove::ProveError;
use compactvault_vault::uploads::UploadError;
use compactvault_vault::{IngestError, NameError, OpenError, ReadError, Retry};
use serde::Serialize;

use crate::auth::Needs;
use crate::wire::FailedInBatch;

/// Why somebody was turned away; on the answers that do so, for the log and the meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) &'static str);

/// An answer that is not the one asked for.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Box<Facts>);

#[derive(Clone, Debug)]
struct Facts {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    retry_after_seconds: Option<u64>,
    missing: Option<Vec<u64>>,
    allow: Option<&'static str>,
    challenge: bool,
}

#[derive(Serialize)]
struct Wire<'a> {
    message: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'a [u64]>,
}

impl ApiError {
    /// Any error. `message` says what happened, to what, and what to do next.
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Facts {
            status,
            code,
            message: message.into(),
            retry_after_seconds: None,
            missing: None,
            allow: None,
            challenge: false,
        }))
    }

    /// 400.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 422: understood, and cannot be done.
    pub(crate) fn impossible(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 421: asked for under a name that is not ours.
    pub(crate) fn host_not_allowed() -> Self {
        let message = "this server does not answer to that name; use its address, or allow the name when starting it";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed", message)
    }

    /// 405 with the methods that are allowed.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let message = "nothing in a vault can be replaced or removed; see Allow for the methods of this address";
        let mut error = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        );
        error.0.allow = Some(allow);
        error
    }

    /// 401; `challenge` makes a browser ask for a password by itself.
    pub(crate) fn unauthorized(challenge: bool) -> Self {
        let message = "sign in first: by the address that the server printed, or with its password";
        let mut error = Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
        error.0.challenge = challenge;
        error
    }

    /// 403: the token is right, and not for this.
    pub(crate) fn scope_missing(needs: Needs) -> Self {
        let message = match needs {
            Needs::Read => "this token is not good for reading; make one with --scope read",
            Needs::Add => "this token is not good for adding; make one with --scope add",
            Needs::Any => {
                "this token is good for nothing; make one with --scope read or --scope add"
            }
            Needs::All => "no token is good for this; use the password",
        };
        Self::new(StatusCode::FORBIDDEN, "scope_missing", message)
    }

    /// 429.
    pub(crate) fn too_many(retry_after: std::time::Duration) -> Self {
        let seconds = retry_after.as_secs().max(1);
        let message = format!("too many requests; try again in {seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).after(seconds)
    }

    /// 503: try again soon.
    pub(crate) fn busy() -> Self {
        let message = "the server is busy; nothing is lost, try again in a few seconds";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).after(5)
    }

    /// 500 whose cause is for the log.
    pub(crate) fn internal(cause: &dyn Display) -> Self {
        tracing::error!(%cause, "a request failed");
        let message = "the server could not do this; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// Says when to come back.
    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// Names the parts that are missing.
    pub(crate) fn with_missing(mut self, parts: Vec<u64>) -> Self {
        self.0.missing = Some(parts);
        self
    }

    #[cfg(test)]
    /// The status it is sent with.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The sentence it is sent with.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// An error of the vault that the operator, not the client, can do something about.
    fn operator(
        status: StatusCode,
        code: &'static str,
        message: &'static str,
        cause: &dyn Display,
    ) -> Self {
        tracing::error!(%cause, code, "a request failed");
        Self::new(status, code, message)
    }
}

impl From<ApiError> for FailedInBatch {
    fn from(error: ApiError) -> Self {
        Self {
            status: "failed",
            http_status: error.0.status.as_u16(),
            code: error.0.code,
            message: error.0.message.into_owned(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let facts = self.0;
        let wire = Wire {
            message: &facts.message,
            code: facts.code,
            missing: facts.missing.as_deref(),
        };
        let body = serde_json::to_vec(&wire).expect("strings and numbers always serialise");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = facts.status;
        if matches!(facts.status.as_u16(), 401 | 403 | 421 | 429) {
            response.extensions_mut().insert(Refusal(facts.code));
        }
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = facts.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = facts.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if facts.challenge {
            let challenge = HeaderValue::from_static("Basic realm=\"CompactVault\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<NameError> for ApiError {
    fn from(error: NameError) -> Self {
        Self::bad_request(error.code(), error.to_string())
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        let code = error.code();
        match error {
            ReadError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, code, error.to_string()),
            ReadError::Damaged { .. } | ReadError::Derived { .. } => {
                tracing::error!(%error, "damage was found");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, error.to_string())
            }
            ReadError::Busy => Self::busy(),
            _ => Self::operator(
                StatusCode::INTERNAL_SERVER_ERROR,
                code,
                "the vault cannot be read; the server's log says why",
                &error,
            ),
        }
    }
}

impl From<ProveError> for ApiError {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Read(error) => error.into(),
            ProveError::Checkpoint(error) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_checkpoint",
                error.to_string(),
            ),
            other => Self::internal(&other),
        }
    }
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        let code = error.code();
        let status = match error {
            IngestError::Read(error) => return error.into(),
            IngestError::NotFound { .. } => StatusCode::NOT_FOUND,
            IngestError::ReadOnly { .. }
            | IngestError::NeedsCollection
            | IngestError::SizeDiffers { .. }
            | IngestError::DigestDiffers { .. } => StatusCode::CONFLICT,
            IngestError::TooDeep { .. } | IngestError::TooLong { .. } => StatusCode::BAD_REQUEST,
            IngestError::DiskFull => {
                tracing::error!(%error, "the disk is full");
                StatusCode::INSUFFICIENT_STORAGE
            }
            _ if error.retry() == Retry::Later => StatusCode::SERVICE_UNAVAILABLE,
            _ => {
                let message = "the vault cannot be written; nothing that was sealed is lost, the server's log says why";
                return Self::operator(StatusCode::INTERNAL_SERVER_ERROR, code, message, &error);
            }
        };
        let sent = Self::new(status, code, error.to_string());
        if error.retry() == Retry::Later {
            sent.after(5)
        } else {
            sent
        }
    }
}

impl From<OpenError> for ApiError {
    fn from(error: OpenError) -> Self {
        let code = error.code();
        match error {
            OpenError::Busy { .. } => {
                let message = "this vault is in use by another process; try again when it is done";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message).after(5)
            }
            OpenError::NotAVault { .. } | OpenError::Newer { .. } | OpenError::Original { .. } => {
                let message = match error {
                    OpenError::NotAVault { .. } => {
                        "this file is not a CompactVault vault; it was not touched"
                    }
                    OpenError::Newer { .. } => {
                        "this vault was written by a newer CompactVault; it was not touched, use that version"
                    }
                    _ => {
                        "this vault was written by the original CompactVault (Python); this program does not read it and did not touch it"
                    }
                };
                Self::new(StatusCode::CONFLICT, code, message)
            }
            _ => Self::operator(
                StatusCode::INTERNAL_SERVER_ERROR,
                code,
                "this vault cannot be opened; the server's log says why",
                &error,
            ),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let code = error.code();
        let status = match error {
            UploadError::Ingest(error) => return error.into(),
            UploadError::BadId { .. } | UploadError::TooManyParts => StatusCode::BAD_REQUEST,
            UploadError::PartTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            UploadError::PartsMissing { ref missing, .. } => {
                let missing = missing.clone();
                return Self::new(StatusCode::CONFLICT, code, error.to_string())
                    .with_missing(missing);
            }
            UploadError::PartDiffers { .. }
            | UploadError::Complete
            | UploadError::PartsDiffer { .. }
            | UploadError::SizeDiffers { .. }
            | UploadError::PartDamaged { .. }
            | UploadError::Failed { .. } => StatusCode::CONFLICT,
            UploadError::DiskFull => {
                tracing::error!(%error, "the disk is full");
                StatusCode::INSUFFICIENT_STORAGE
            }
            UploadError::Busy | UploadError::SpoolInUse | UploadError::Closing => {
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, code, error.to_string())
                    .after(5);
            }
            _ => return Self::internal(&error),
        };
        Self::new(status, code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(error: impl Into<ApiError>) -> (u16, &'static str, bool) {
        let facts = error.into().0;
        (
            facts.status.as_u16(),
            facts.code,
            facts.retry_after_seconds.is_some(),
        )
    }

    #[test]
    fn each_error_has_its_status() {
        let read_only = || IngestError::ReadOnly { reason: "x".into() };
        assert_eq!(sent(read_only()), (409, "read_only", false));
        assert_eq!(
            sent(UploadError::Ingest(read_only())),
            (409, "read_only", false)
        );
        assert_eq!(sent(IngestError::DiskFull), (507, "disk_full", false));
        assert_eq!(sent(UploadError::DiskFull), (507, "disk_full", false));
        assert_eq!(sent(IngestError::Busy), (503, "busy", true));
        assert_eq!(sent(IngestError::Closing), (503, "closing", true));
        assert_eq!(sent(UploadError::Busy), (503, "busy", true));
        assert_eq!(sent(ReadError::Busy), (503, "busy", true));
        assert_eq!(
            sent(IngestError::Read(ReadError::Busy)),
            (503, "busy", true)
        );
        assert_eq!(
            sent(UploadError::PartTooLarge),
            (413, "part_too_large", false)
        );
        assert_eq!(
            sent(IngestError::EncodeMismatch),
            (500, "encode_mismatch", false)
        );
        assert_eq!(sent(NameError::Slash), (400, "name_invalid", false));
    }

    #[test]
    fn internal_causes_stay_here() {
        let secret = "secret-folder/x.vault: disk I/O error";
        let store = ReadError::Store {
            detail: secret.into(),
        };
        let open = OpenError::Store {
            path: "secret-folder/x.vault".into(),
            detail: secret.into(),
        };
        for error in [
            ApiError::from(store),
            ApiError::from(open),
            ApiError::internal(&secret),
        ] {
            assert!(!error.message().contains("secret"), "{}", error.message());
        }
    }
}
