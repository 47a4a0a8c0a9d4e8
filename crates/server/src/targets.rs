//! What parses headers, each as a function of bytes alone: for fuzzers, and for the harness that counts what it sends
//! (`crates/torture`). Compiled for tests and with the feature `targets`; no release has it.

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

use crate::range::{Reply, Representation, evaluate};
use crate::{auth, host};

/// Takes bytes and must come back.
pub type Target = fn(&[u8]);

/// All targets by their names, which are those of the folders in `fuzz/corpus`.
pub const ALL: [(&str, Target); 2] = [("range", range), ("headers", headers)];

/// Preconditions and ranges: a part that is answered lies within what there is, in order and without overlap.
pub fn range(bytes: &[u8]) {
    let Some((size, text)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let size = u64::from(u16::from_be_bytes(*size));
    let mut lines = text.split(|byte| *byte == b'\n');
    let mut map = HeaderMap::new();
    for name in [
        header::RANGE,
        header::IF_RANGE,
        header::IF_NONE_MATCH,
        header::IF_MATCH,
        header::IF_MODIFIED_SINCE,
    ] {
        if let Some(Ok(value)) = lines.next().map(HeaderValue::from_bytes)
            && !value.is_empty()
        {
            map.insert(name, value);
        }
    }
    let this = Representation {
        etag: "\"a\"",
        last_modified: Some(("Thu, 01 Jan 1970 00:00:07 GMT", 7)),
        size,
    };
    if let Reply::Partial(ranges) = evaluate(&Method::GET, &map, this) {
        assert!(!ranges.is_empty(), "a part of nothing is no answer");
        for range in &ranges {
            assert!(range.start < range.end && range.end <= size, "{range:?}");
        }
        for (one, other) in ranges.iter().zip(ranges.iter().skip(1)) {
            assert!(
                one.end <= other.start || other.end <= one.start,
                "{one:?} and {other:?} overlap"
            );
        }
    }
}

/// `Host`, `Origin`, `Sec-Fetch-Site`, `Cookie` and `Authorization` of anybody.
pub fn headers(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut map = HeaderMap::new();
    for name in [
        header::HOST,
        header::ORIGIN,
        header::HeaderName::from_static("sec-fetch-site"),
        header::COOKIE,
        header::AUTHORIZATION,
    ] {
        if let Some(Ok(value)) = lines.next().map(HeaderValue::from_bytes) {
            map.insert(name, value);
        }
    }
    let _ = host::is_cross_site(&map);
    let _ = auth::cookies(&map).count();
    let hosts = host::Hosts::new(&[]).expect("no names are good names");
    let uri = lines
        .next()
        .and_then(|line| Uri::try_from(line).ok())
        .unwrap_or_default();
    let local = ([127, 0, 0, 1], 80).into();
    let peer = crate::Peer {
        remote: local,
        local,
        is_encrypted: false,
    };
    let _ = hosts.allow(&map, &uri, peer);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_corpus_is_taken_by_every_target() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        for (name, target) in ALL {
            let folder = corpus.join(name);
            let entries = std::fs::read_dir(&folder)
                .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            let mut taken = 0;
            for entry in entries {
                let path = entry.expect("the corpus can be listed").path();
                target(&std::fs::read(path).expect("the corpus can be read"));
                taken += 1;
            }
            assert!(taken > 0, "the target {name} has a corpus");
        }
    }
}
