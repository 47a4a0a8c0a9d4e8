//! Reading requests: ids, query parameters and JSON bodies, each with an error that says what was wrong.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;
use compactvault_vault::Seq;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::ApiError;
use crate::limits::BODY_TIME_MAX;

/// The one `{name}` of a path, whatever it stands for.
#[derive(Clone, Debug)]
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        // Percent signs that hide something other than UTF-8 name nothing that is here.
        text.map(|Path(text)| Self(text))
            .map_err(|_| ApiError::not_found("there is nothing of that name"))
    }
}

/// The `{id}` of a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryId(pub(crate) Seq);

impl<S: Send + Sync> FromRequestParts<S> for EntryId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        text.ok()
            .and_then(|Path(text)| parse_id(&text))
            .map(Self)
            .ok_or_else(bad_id)
    }
}

/// The number of an entry that is not the vault's own, in digits.
pub(crate) fn parse_id(text: &str) -> Option<Seq> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    // SQLite's row ids are signed, and 0 is the vault itself.
    let id = text
        .parse()
        .ok()
        .filter(|id| is_number && (1..=i64::MAX.unsigned_abs()).contains(id));
    id.map(Seq::new)
}

fn bad_id() -> ApiError {
    ApiError::bad_request("bad_id", "an id is a positive whole number")
}

/// An id in a JSON body: a number, or a number as text, which scripts for the original may send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonId(u64);

impl<'de> Deserialize<'de> for JsonId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "an id is a whole number")]
        enum Raw {
            Number(u64),
            Text(String),
            Whole(Whole),
        }
        Ok(Self(match Raw::deserialize(deserializer)? {
            Raw::Number(number) => number,
            // 0 is no entry's id either; `JsonId::seq` says so.
            Raw::Whole(Whole(whole)) => u64::try_from(whole).unwrap_or(0),
            Raw::Text(text) => parse_id(&text).map_or(0, Seq::get),
        }))
    }
}

impl JsonId {
    /// The entry it names.
    pub(crate) fn seq(self) -> Result<Seq, ApiError> {
        (1..=i64::MAX.unsigned_abs())
            .contains(&self.0)
            .then(|| Seq::new(self.0))
            .ok_or_else(bad_id)
    }
}

/// A whole number in JSON, which may be written `5.0`: to JSON Schema, and to some programs, that is the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole(i128);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a whole number is needed")]
        enum Raw {
            Unsigned(u64),
            Signed(i64),
            Float(f64),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Unsigned(number) => Ok(Self(number.into())),
            Raw::Signed(number) => Ok(Self(number.into())),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it is whole and has 64 bits"
            )]
            // Of what has no type of its own, the nearest number may be in range where the one that was sent is not.
            Raw::Float(number) if number.fract() == 0.0 && number.abs() < TWO_TO_63 => {
                Ok(Self(number as i128))
            }
            Raw::Float(_) => Err(serde::de::Error::custom("a whole number is needed")),
        }
    }
}

/// 2^63.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// A whole number of some type, or none, as a field of a JSON body.
pub(crate) fn whole<'de, D: Deserializer<'de>, N: TryFrom<i128>>(
    deserializer: D,
) -> Result<Option<N>, D::Error> {
    let whole = Option::<Whole>::deserialize(deserializer)?;
    let number = whole.map(|Whole(number)| N::try_from(number));
    let out_of_range = |_| serde::de::Error::custom("a number is out of its range");
    number.transpose().map_err(out_of_range)
}

/// The query of an address. Of several parameters of a name the first counts. Texts without a value count as absent.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        Ok(Self(form_urlencoded::parse(query).into_owned().collect()))
    }
}

impl Params {
    /// The value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let value = self
            .0
            .iter()
            .find(|(of, value)| of == name && !value.is_empty());
        value.map(|(_, value)| value.as_str())
    }

    /// The value of `name`, also where it is empty: a script whose variable is empty means no entry, not all of them, and
    /// does not mean what is usual where something is sealed for good.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(of, _)| of == name);
        value.map(|(_, value)| value.as_str())
    }

    /// The value of `name` as an entry's id.
    pub(crate) fn id(&self, name: &str) -> Result<Option<Seq>, ApiError> {
        let id = self
            .given(name)
            .map(|text| parse_id(text).ok_or_else(bad_id));
        id.transpose()
    }

    /// The value of `name` as a number from 0; `code` if it is none.
    pub(crate) fn number(&self, name: &str, code: &'static str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.given(name) else {
            return Ok(None);
        };
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        number.map(Some).ok_or_else(|| {
            ApiError::bad_request(
                code,
                format!("{name} must be a whole number that is not negative"),
            )
        })
    }
}

impl Params {
    /// How many of something are asked for: `usual` if nothing is said, at most `most`; 0 is an error.
    pub(crate) fn count(&self, name: &str, usual: u64, most: u64) -> Result<u64, ApiError> {
        match self.number(name, "bad_limit")? {
            Some(0) => Err(ApiError::bad_request(
                "bad_limit",
                format!("{name} must be at least 1"),
            )),
            count => Ok(count.unwrap_or(usual).min(most)),
        }
    }
}

/// Reads a body of at most `bytes_max` whole.
pub(crate) async fn whole_body(body: Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(BODY_TIME_MAX, to_bytes(body, bytes_max)).await {
        Ok(read) => read.map_err(|error| body_error(&error, bytes_max)),
        Err(_) => Err(body_too_slow()),
    }
}

/// Reads a JSON body of at most `bytes_max`.
pub(crate) async fn json_body<T: DeserializeOwned>(
    request: Request,
    bytes_max: usize,
) -> Result<T, ApiError> {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "send JSON with Content-Type: application/json",
        ));
    }
    let bytes = whole_body(request.into_body(), bytes_max).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        ApiError::bad_request(
            "bad_json",
            format!("the body is not as it should be: {error}"),
        )
    })
}

/// Tells a body that is too large from one that broke off.
fn body_error(error: &axum::Error, bytes_max: usize) -> ApiError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            let message = format!("this body can have at most {bytes_max} bytes");
            return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message);
        }
        cause = error.source();
    }
    body_incomplete()
}

/// 400: the client's body ended before its end.
pub(crate) fn body_incomplete() -> ApiError {
    ApiError::bad_request(
        "body_incomplete",
        "the body ended early; nothing of it was kept, send it again",
    )
}

/// 408: the client left a body for too long.
pub(crate) fn body_too_slow() -> ApiError {
    let message =
        "the body came too slowly or stopped coming; nothing of it was kept, send it again";
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message)
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("wire types hold only text, numbers and lists");
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        axum::http::HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        axum::http::HeaderValue::from_static("no-store"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_taken_as_they_were_sent_or_not_at_all() {
        #[derive(Debug, Deserialize)]
        struct Asked {
            #[serde(default, deserialize_with = "whole")]
            number: Option<i64>,
        }
        let read = |number: &str| {
            let body = format!("{{\"number\": {number}}}");
            serde_json::from_str::<Asked>(&body).map(|asked| asked.number)
        };
        assert_eq!(read("5.0").expect("it is whole"), Some(5));
        assert_eq!(
            read("-9223372036854775808").expect("the least"),
            Some(i64::MIN)
        );
        for wrong in [
            "-9223372036854775809",
            "9223372036854775808",
            "5.5",
            "1e99",
            "\"5\"",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_are_positive_numbers() {
        assert_eq!(parse_id("17"), Some(Seq::new(17)));
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "1.0",
            " 1",
            "0x1",
            "²",
            "٣",
            "9223372036854775808",
            "x",
        ] {
            assert_eq!(parse_id(text), None, "{text}");
        }
        let id = |json: &str| serde_json::from_str::<JsonId>(json).map(|id| id.seq().ok());
        assert_eq!(id("5").unwrap(), Some(Seq::new(5)));
        assert_eq!(id("\"5\"").unwrap(), Some(Seq::new(5)));
        for json in ["0", "-5", "\"x\"", "18446744073709551615"] {
            assert_eq!(id(json).unwrap(), None, "{json}");
        }
        for json in ["null", "1.5", "[]", "true"] {
            assert!(id(json).is_err(), "{json}");
        }
    }
}
