//! Conditional and range requests (RFC 9110 sections 13 and 14): from request headers and what is known about the
//! bytes to the kind of answer. Pure; it reads no bytes and writes no headers but the framing of
//! `multipart/byteranges`.

use std::ops::Range;

use axum::http::{HeaderMap, HeaderName, Method, header};

/// Ranges answered in one `multipart/byteranges`; more are answered with the whole.
pub(crate) const RANGES_MAX: usize = 16;
/// Ranges looked at in one header; a longer list is no honest request and is ignored.
const RANGES_PARSED_MAX: usize = 1024;

/// What a client can hold a copy of, and how it names that copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Representation<'a> {
    /// Strong entity tag with its quotes.
    pub(crate) etag: &'a str,
    /// The `Last-Modified` value as it is sent, and the same in seconds since the epoch.
    pub(crate) last_modified: Option<(&'a str, i64)>,
    /// Bytes in all.
    pub(crate) size: u64,
}

/// The kind of answer that preconditions and ranges call for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// 200 with everything.
    Full,
    /// 206: one range, or several in `multipart/byteranges`. Never empty, never overlapping.
    Partial(Vec<Range<u64>>),
    /// 304.
    NotModified,
    /// 412.
    PreconditionFailed,
    /// 416 with `Content-Range: bytes */size`.
    Unsatisfiable,
}

/// Evaluates the preconditions in the order of RFC 9110 section 13.2.2, then the range.
pub(crate) fn evaluate(method: &Method, headers: &HeaderMap, this: Representation<'_>) -> Reply {
    if headers.contains_key(header::IF_MATCH) {
        if !tags_match(headers, &header::IF_MATCH, this.etag, Comparison::Strong) {
            return Reply::PreconditionFailed;
        }
    } else if let Some(since) = date(headers, &header::IF_UNMODIFIED_SINCE)
        && this.last_modified.is_some_and(|(_, at)| at > since)
    {
        return Reply::PreconditionFailed;
    }
    if headers.contains_key(header::IF_NONE_MATCH) {
        if tags_match(headers, &header::IF_NONE_MATCH, this.etag, Comparison::Weak) {
            return Reply::NotModified;
        }
    } else if let Some(since) = date(headers, &header::IF_MODIFIED_SINCE)
        && this.last_modified.is_some_and(|(_, at)| at <= since)
    {
        return Reply::NotModified;
    }
    // Ranges are defined for GET alone; a HEAD describes the whole.
    if *method != Method::GET || !if_range_holds(headers, this) {
        return Reply::Full;
    }
    let mut values = headers.get_all(header::RANGE).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value
            .to_str()
            .map_or(Reply::Full, |text| select(text, this.size)),
        _ => Reply::Full,
    }
}

/// Which of the ranges asked for exist. A header that is malformed or of another unit is ignored.
fn select(header: &str, size: u64) -> Reply {
    let Some(specs) = parse(header) else {
        return Reply::Full;
    };
    if size == 0 && specs.iter().any(|spec| matches!(spec, Spec::Suffix(1..))) {
        // Satisfiable by definition, but `Content-Range` cannot express a range of no bytes.
        return Reply::Full;
    }
    let mut ranges: Vec<_> = specs.iter().filter_map(|spec| spec.within(size)).collect();
    if ranges.is_empty() {
        return Reply::Unsatisfiable;
    }
    coalesce(&mut ranges);
    if ranges.len() > RANGES_MAX {
        Reply::Full
    } else {
        Reply::Partial(ranges)
    }
}

/// Merges ranges if any two overlap; else the order asked for is kept.
fn coalesce(ranges: &mut Vec<Range<u64>>) {
    let mut sorted = ranges.clone();
    sorted.sort_by_key(|range| range.start);
    if sorted.windows(2).all(|pair| pair[0].end <= pair[1].start) {
        return;
    }
    ranges.clear();
    for range in sorted {
        match ranges.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => ranges.push(range),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    From(u64),
    FromTo(u64, u64),
    Suffix(u64),
}

impl Spec {
    fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first) => first..size,
            Self::FromTo(first, last) => first..last.saturating_add(1).min(size),
            Self::Suffix(bytes) => size.saturating_sub(bytes)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

fn parse(header: &str) -> Option<Vec<Spec>> {
    let (unit, set) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut specs = Vec::new();
    // RFC 9110 section 5.6.1 lets lists hold empty elements.
    for element in set
        .split(',')
        .map(|element| element.trim_matches([' ', '\t']))
    {
        if element.is_empty() {
            continue;
        }
        if specs.len() == RANGES_PARSED_MAX {
            return None;
        }
        let (first, last) = element.split_once('-')?;
        specs.push(match (first, last) {
            ("", last) => Spec::Suffix(number(last)?),
            (first, "") => Spec::From(number(first)?),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return None;
                }
                Spec::FromTo(first, last)
            }
        });
    }
    (!specs.is_empty()).then_some(specs)
}

/// Digits only; what is beyond 64 bits is beyond every file as well.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

fn if_range_holds(headers: &HeaderMap, this: Representation<'_>) -> bool {
    let Some(value) = headers.get(header::IF_RANGE) else {
        return true;
    };
    let Ok(value) = value.to_str() else {
        return false;
    };
    let value = value.trim();
    if value.starts_with('"') || value.starts_with("W/") {
        return value == this.etag;
    }
    // A date must be the very one that was sent; "not modified since" is not enough to patch a copy together.
    this.last_modified.is_some_and(|(text, _)| text == value)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

fn tags_match(headers: &HeaderMap, name: &HeaderName, etag: &str, how: Comparison) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            let mut rest = value.trim();
            if rest == "*" {
                return true;
            }
            while !rest.is_empty() {
                let (weak, tag) = match rest.strip_prefix("W/") {
                    Some(tag) => (true, tag),
                    None => (false, rest),
                };
                // A tag may hold commas, so the closing quote is what ends it.
                let Some(end) = tag.strip_prefix('"').and_then(|inner| inner.find('"')) else {
                    return false;
                };
                let (tag, after) = tag.split_at(end + 2);
                if tag == etag && !(weak && how == Comparison::Strong) {
                    return true;
                }
                rest = after.trim_start_matches([',', ' ', '\t']);
            }
            false
        })
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let text = headers.get(name)?.to_str().ok()?;
    let time = httpdate::parse_http_date(text).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// The framing of a `multipart/byteranges` body, made before the first byte so that its length is known.
#[derive(Debug)]
pub(crate) struct Multipart {
    /// What stands before each range, in order.
    pub(crate) heads: Vec<String>,
    /// What stands after the last.
    pub(crate) tail: String,
    /// The whole body's length.
    pub(crate) length: u64,
}

impl Multipart {
    /// `boundary` must be unguessable: the bytes between are anybody's.
    pub(crate) fn new(boundary: &str, media_type: &str, size: u64, ranges: &[Range<u64>]) -> Self {
        let heads: Vec<String> = ranges
            .iter()
            .enumerate()
            .map(|(index, range)| {
                let separator = if index == 0 { "" } else { "\r\n" };
                format!(
                    "{separator}--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {}\r\n\r\n",
                    content_range(range, size)
                )
            })
            .collect();
        let tail = format!("\r\n--{boundary}--\r\n");
        let framing = heads.iter().map(String::len).sum::<usize>() + tail.len();
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        Self {
            heads,
            tail,
            length: framing as u64 + bytes,
        }
    }
}

/// The `Content-Range` of one range.
pub(crate) fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"abc\"";
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn reply(size: u64, pairs: &[(&'static str, &str)]) -> Reply {
        reply_to(&Method::GET, size, pairs)
    }

    fn reply_to(method: &Method, size: u64, pairs: &[(&'static str, &str)]) -> Reply {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let last_modified = Some((DATE, 784_111_777));
        evaluate(
            method,
            &headers,
            Representation {
                etag: TAG,
                last_modified,
                size,
            },
        )
    }

    fn ranges(size: u64, header: &str) -> Reply {
        reply(size, &[("range", header)])
    }

    fn partial(list: &[(u64, u64)]) -> Reply {
        Reply::Partial(list.iter().map(|&(start, end)| start..end).collect())
    }

    #[test]
    fn single_ranges_are_clamped() {
        assert_eq!(ranges(100, "bytes=0-0"), partial(&[(0, 1)]));
        assert_eq!(ranges(100, "bytes=10-"), partial(&[(10, 100)]));
        assert_eq!(ranges(100, "bytes=10-5000"), partial(&[(10, 100)]));
        assert_eq!(ranges(100, "bytes=-30"), partial(&[(70, 100)]));
        assert_eq!(ranges(100, "bytes=-3000"), partial(&[(0, 100)]));
        assert_eq!(ranges(100, "BYTES= 5-6 "), partial(&[(5, 7)]));
        assert_eq!(
            ranges(100, "bytes=5-99999999999999999999999999"),
            partial(&[(5, 100)])
        );
        let all = u64::MAX;
        assert_eq!(
            ranges(all, "bytes=0-18446744073709551615"),
            partial(&[(0, all)])
        );
    }

    #[test]
    fn what_lies_past_the_end_is_unsatisfiable() {
        for header in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=100-,-0"] {
            assert_eq!(ranges(100, header), Reply::Unsatisfiable, "{header}");
        }
        assert_eq!(ranges(0, "bytes=0-"), Reply::Unsatisfiable);
        assert_eq!(ranges(0, "bytes=-1"), Reply::Full);
    }

    #[test]
    fn what_is_malformed_is_ignored() {
        for header in [
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=5",
            "bytes=b-c",
            "bytes=7-5",
            "bytes=1--2",
            "items=0-1",
            "bytes=+1-2",
            "bytes=1 - 2",
            "bytes=0-1;2-3",
        ] {
            assert_eq!(ranges(100, header), Reply::Full, "{header}");
        }
        assert_eq!(
            reply(100, &[("range", "bytes=0-1"), ("range", "bytes=2-3")]),
            Reply::Full
        );
    }

    #[test]
    fn several_ranges_keep_their_order_unless_they_overlap() {
        assert_eq!(
            ranges(100, "bytes=50-59, ,0-9"),
            partial(&[(50, 60), (0, 10)])
        );
        assert_eq!(
            ranges(100, "bytes=50-59,0-9,200-"),
            partial(&[(50, 60), (0, 10)])
        );
        assert_eq!(
            ranges(100, "bytes=5-20,0-9,50-"),
            partial(&[(0, 21), (50, 100)])
        );
        let sixteen: Vec<String> = (0..16).map(|i| format!("{}-{}", i * 4, i * 4)).collect();
        assert!(matches!(
            ranges(100, &format!("bytes={}", sixteen.join(","))),
            Reply::Partial(_)
        ));
        assert_eq!(
            ranges(100, &format!("bytes={},90-91", sixteen.join(","))),
            Reply::Full
        );
        let same = vec!["0-9"; 900].join(",");
        assert_eq!(ranges(100, &format!("bytes={same}")), partial(&[(0, 10)]));
        let endless = vec!["0-9"; 1100].join(",");
        assert_eq!(ranges(100, &format!("bytes={endless}")), Reply::Full);
    }

    #[test]
    fn if_range_wants_the_same_bytes() {
        let range = ("range", "bytes=0-9");
        assert_eq!(reply(100, &[range, ("if-range", TAG)]), partial(&[(0, 10)]));
        assert_eq!(
            reply(100, &[range, ("if-range", DATE)]),
            partial(&[(0, 10)])
        );
        for other in ["\"abd\"", "W/\"abc\"", "Sun, 06 Nov 1994 08:49:38 GMT", "x"] {
            assert_eq!(
                reply(100, &[range, ("if-range", other)]),
                Reply::Full,
                "{other}"
            );
        }
    }

    #[test]
    fn preconditions_come_before_ranges() {
        let range = ("range", "bytes=0-9");
        for value in [TAG, "*", "W/\"abc\"", "\"x,y\", \"abc\""] {
            assert_eq!(
                reply(9, &[range, ("if-none-match", value)]),
                Reply::NotModified,
                "{value}"
            );
        }
        assert_eq!(
            reply(100, &[range, ("if-none-match", "\"x\"")]),
            partial(&[(0, 10)])
        );
        assert_eq!(reply(9, &[("if-modified-since", DATE)]), Reply::NotModified);
        let older = "Sun, 06 Nov 1994 08:49:36 GMT";
        assert_eq!(reply(9, &[("if-modified-since", older)]), Reply::Full);
        let both = [("if-modified-since", DATE), ("if-none-match", "\"x\"")];
        assert_eq!(reply(9, &both), Reply::Full);
        assert_eq!(
            reply(9, &[("if-match", "\"x\"")]),
            Reply::PreconditionFailed
        );
        assert_eq!(
            reply(9, &[("if-match", "W/\"abc\"")]),
            Reply::PreconditionFailed
        );
        assert_eq!(reply(9, &[("if-match", TAG)]), Reply::Full);
        assert_eq!(
            reply(9, &[("if-unmodified-since", older)]),
            Reply::PreconditionFailed
        );
        assert_eq!(reply_to(&Method::HEAD, 9, &[range]), Reply::Full);
    }

    #[test]
    fn multipart_framing_has_the_length_it_says() {
        let ranges = [0..3, 5..9];
        let multipart = Multipart::new("B", "text/plain", 10, &ranges);
        let mut body = String::new();
        for (head, range) in multipart.heads.iter().zip(&ranges) {
            body.push_str(head);
            body.extend((range.start..range.end).map(|_| 'x'));
        }
        body.push_str(&multipart.tail);
        assert_eq!(body.len() as u64, multipart.length);
        assert!(body.starts_with(
            "--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-2/10\r\n\r\nxxx\r\n--B"
        ));
        assert!(body.ends_with("xxxx\r\n--B--\r\n"));
    }
}
