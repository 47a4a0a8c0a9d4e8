//! What people write, and what nobody would.

use proptest::prelude::*;

use super::*;

fn tests(text: &str) -> Vec<(bool, Test)> {
    let query = Query::parse(text);
    query
        .terms
        .into_iter()
        .map(|term| (term.negated, term.test))
        .collect()
}

fn name(text: &str) -> Test {
    Test::Name(text.into())
}

/// Guards: words, phrases and signs mean what they mean in every other search box.
#[test]
fn words_phrases_and_signs() {
    assert_eq!(
        tests("  red\tcar "),
        [(false, name("red")), (false, name("car"))]
    );
    assert_eq!(tests("\"red car\""), [(false, name("red car"))]);
    assert_eq!(tests("“red car”"), [(false, name("red car"))]);
    assert_eq!(
        tests("-draft -\"old one\""),
        [(true, name("draft")), (true, name("old one"))]
    );
    assert_eq!(tests("\"-draft\""), [(false, name("-draft"))]);
    assert_eq!(
        tests("- a-b --c"),
        [(false, name("-")), (false, name("a-b")), (true, name("-c"))]
    );
    assert_eq!(
        tests(r#""say \"hi\" \\ \n""#),
        [(false, name("say \"hi\" \\ \\n"))]
    );
    assert_eq!(tests("\"open end"), [(false, name("open end"))]);
    assert_eq!(tests("a\"b\"c"), [(false, name("a\"b\"c"))]);
    assert_eq!(tests("\"\" \""), []);
    assert_eq!(tests(""), []);
}

/// Guards: every filter of docs/http-api.md is read, negated as well, and says what it means.
#[test]
fn filters_are_read_and_say_what_they_mean() {
    for (text, key, meaning) in [
        ("type:image,video", "type", "Images or Videos"),
        ("TYPE:Photo", "type", "Images"),
        ("ext:png,.JPG", "ext", "files ending in .png or .JPG"),
        ("size:>10mb", "size", "larger than 10 MB"),
        ("size:1kb..2mb", "size", "1 KB to 2 MB"),
        (
            "before:2024-01-01",
            "before",
            "added before 2024-01-01 (UTC)",
        ),
        ("after:2024", "after", "added in 2024 or later (UTC)"),
        (
            "modified:>2024-05",
            "modified",
            "modified after the end of 2024-05 (UTC)",
        ),
        (
            "added:2023..2024",
            "added",
            "added from 2023 to the end of 2024 (UTC)",
        ),
        (
            "in:\"Project/My Col\"",
            "in",
            "in “Project/My Col” and below",
        ),
        ("is:versioned", "is", "names with several versions"),
        (
            "sha256:E3B0c442",
            "sha256",
            "contents whose SHA-256 begins with e3b0c442",
        ),
        ("width:>4000", "width", "width more than 4000"),
        ("camera:\"X-T4\"", "camera", "camera contains “X-T4”"),
        ("focal_length:35mm", "focal_length", "focal length 35mm"),
        ("taken:2024", "taken", "taken in 2024 (UTC)"),
        ("-type:image", "type", "not: Images"),
    ] {
        let query = Query::parse(text);
        let [read] = &query.read[..] else {
            panic!("{text}: {query:?}")
        };
        assert_eq!(
            (read.kind, read.key),
            (ReadKind::Filter, Some(key)),
            "{text}"
        );
        assert_eq!(
            (read.meaning.as_str(), &read.suggestion),
            (meaning, &None),
            "{text}"
        );
        assert_eq!(query.terms.len(), 1, "{text}");
        assert_eq!(query.terms[0].negated, text.starts_with('-'), "{text}");
    }
}

/// Guards: what is no filter is looked for in names, never an error, with what may have been meant.
#[test]
fn what_is_no_filter_is_a_word() {
    for (text, kind, suggestion) in [
        ("typ:image", ReadKind::Unknown, Some("type:")),
        ("tpye:image", ReadKind::Unknown, Some("type:")),
        ("widht:>5", ReadKind::Unknown, Some("width:")),
        ("type:imag", ReadKind::Unknown, Some("type:image")),
        ("is:versiond", ReadKind::Unknown, Some("is:versioned")),
        ("size:big", ReadKind::Unknown, Some("size:>10mb")),
        (
            "modified:yesterday",
            ReadKind::Unknown,
            Some("modified:2024-05"),
        ),
        ("sha256:abc", ReadKind::Unknown, Some("sha256:e3b0c442")),
        ("width:wide", ReadKind::Unknown, Some("width:>100")),
        ("12:30", ReadKind::Word, None),
        ("https://a.example/b", ReadKind::Word, None),
        ("a:b:c", ReadKind::Word, None),
        (":x", ReadKind::Word, None),
        ("é:x", ReadKind::Word, None),
    ] {
        let query = Query::parse(text);
        assert_eq!(tests(text), [(false, name(text))], "{text}");
        let [read] = &query.read[..] else {
            panic!("{text}: {query:?}")
        };
        assert_eq!(
            (read.kind, read.suggestion.as_deref()),
            (kind, suggestion),
            "{text}"
        );
    }
    // A filter that is still being written asks for nothing.
    for text in ["type:", "size: ", "in:\"\"", "width:"] {
        let query = Query::parse(text);
        assert!(query.is_empty(), "{text}");
        assert_eq!(query.read[0].kind, ReadKind::Filter, "{text}");
    }
}

/// Guards: a query of a program gone wild is read to its bound, and says so.
#[test]
fn terms_are_bounded() {
    let text = "word ".repeat(1000);
    let query = Query::parse(&text);
    assert_eq!(query.terms.len(), TERMS_MAX);
    assert_eq!(query.read.len(), TERMS_MAX + 1);
    let last = &query.read[TERMS_MAX];
    assert_eq!(last.kind, ReadKind::Unknown);
    assert_eq!(last.range, TERMS_MAX * 5..text.len() - 1);
}

/// Pieces from which queries that come near to mattering are made.
const PIECES: [&str; 40] = [
    "-",
    ":",
    "\"",
    "“",
    "”",
    "\\",
    " ",
    "\t",
    "\u{3000}",
    "..",
    ">",
    "<",
    "=",
    ",",
    "/",
    "type",
    "ext",
    "size",
    "before",
    "modified",
    "in",
    "is",
    "sha256",
    "width",
    "taken",
    "image",
    "png",
    "10",
    "mb",
    "2024",
    "-05",
    "versioned",
    "e3b0",
    "é",
    "東",
    "🎉",
    "\u{301}",
    "\0",
    ".",
    "x",
];

fn check(text: &str) {
    let query = Query::parse(text);
    let mut at = 0;
    for read in &query.read {
        assert!(
            text[at..read.range.start].trim().is_empty(),
            "{text:?}: {query:?}"
        );
        assert!(
            !read.range.is_empty() && !read.meaning.is_empty(),
            "{text:?}: {query:?}"
        );
        assert!(
            text.get(read.range.clone()).is_some(),
            "{text:?}: {query:?}"
        );
        at = read.range.end;
    }
    assert!(text[at..].trim().is_empty(), "{text:?}: {query:?}");
    assert!(query.terms.len() <= TERMS_MAX);
    for pair in query.terms.windows(2) {
        assert!(pair[0].read < pair[1].read);
    }
    assert!(query.terms.iter().all(|term| term.read < query.read.len()));
    assert_eq!(query, Query::parse(text));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Guards: no text makes the parser panic, and every character that is no space belongs to exactly one term.
    #[test]
    fn any_text_can_be_read(text in ".{0,80}") {
        check(&text);
    }

    #[test]
    fn any_pieces_can_be_read(pieces in prop::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = pieces.into_iter().map(|at| PIECES[at]).collect();
        check(&text);
    }
}
