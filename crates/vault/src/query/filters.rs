//! What each key of a query means, and what is said about those that are none.

use super::lexer::Value;
use super::near::nearest;
use super::values::{self, Bounds, ContentPrefix, FactIs, FactTest, Period};
use super::{ReadKind, Test};
use crate::media::MediaClass;
use crate::natural_order::fold;

/// How one term was read.
pub(super) struct Reading {
    /// `None` if it asks for nothing (yet).
    pub(super) test: Option<Test>,
    pub(super) kind: ReadKind,
    pub(super) key: Option<&'static str>,
    pub(super) meaning: String,
    pub(super) suggestion: Option<String>,
}

/// The filters, other spellings of each, and an example.
const FILTERS: [(&str, &[&str], &str); 10] = [
    ("type", &["kind"], "type:image"),
    ("ext", &["extension", "format"], "ext:png"),
    ("size", &[], "size:>10mb"),
    ("before", &[], "before:2024-01-01"),
    ("after", &["since"], "after:2024-01-01"),
    ("added", &["sealed", "archived"], "added:2024"),
    ("modified", &["changed", "date"], "modified:2024-05"),
    ("in", &["path", "folder"], "in:\"Project/Collection\""),
    ("is", &["has"], "is:versioned"),
    ("sha256", &["hash"], "sha256:e3b0c442"),
];

/// What a fact is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Number,
    Text,
    Time,
}

/// Facts taken from contents that can be asked for.
const FACTS: [(&str, Of); 34] = [
    ("width", Of::Number),
    ("height", Of::Number),
    ("bit_depth", Of::Number),
    ("colour", Of::Text),
    ("orientation", Of::Number),
    ("camera", Of::Text),
    ("lens", Of::Text),
    ("exposure", Of::Number),
    ("aperture", Of::Number),
    ("iso", Of::Number),
    ("focal_length", Of::Number),
    ("taken", Of::Time),
    ("latitude", Of::Number),
    ("longitude", Of::Number),
    ("duration", Of::Number),
    ("sample_rate", Of::Number),
    ("channels", Of::Number),
    ("bitrate", Of::Number),
    ("codec", Of::Text),
    ("title", Of::Text),
    ("artist", Of::Text),
    ("album", Of::Text),
    ("track", Of::Number),
    ("year", Of::Number),
    ("genre", Of::Text),
    ("pages", Of::Number),
    ("author", Of::Text),
    ("producer", Of::Text),
    ("family", Of::Text),
    ("style", Of::Text),
    ("glyphs", Of::Number),
    ("vertices", Of::Number),
    ("triangles", Of::Number),
    ("frames", Of::Number),
];

/// Texts about the whole file that are asked for less.
const MORE_FACTS: [&str; 2] = ["software", "comment"];

/// Words for types besides their own.
const TYPES: [(&str, MediaClass); 14] = [
    ("images", MediaClass::Image),
    ("photo", MediaClass::Image),
    ("photos", MediaClass::Image),
    ("picture", MediaClass::Image),
    ("pictures", MediaClass::Image),
    ("sound", MediaClass::Audio),
    ("music", MediaClass::Audio),
    ("videos", MediaClass::Video),
    ("movie", MediaClass::Video),
    ("movies", MediaClass::Video),
    ("texts", MediaClass::Text),
    ("model", MediaClass::Model3d),
    ("models", MediaClass::Model3d),
    ("other", MediaClass::Binary),
];

/// A word or phrase.
pub(super) fn word(value: Value) -> Reading {
    if value.text.is_empty() {
        return nothing_yet(None, "an empty phrase: it asks for nothing".into(), None);
    }
    Reading {
        kind: ReadKind::Word,
        key: None,
        meaning: format!("“{}” in the name", value.text),
        suggestion: None,
        test: Some(Test::Name(value.text)),
    }
}

/// A term with a key.
pub(super) fn read(key: &str, value: &Value) -> Reading {
    let lower = key.to_ascii_lowercase();
    let filter = FILTERS
        .iter()
        .find(|(name, others, _)| *name == lower || others.contains(&lower.as_str()));
    if let Some((name, _, example)) = filter {
        if value.text.trim().is_empty() {
            let meaning = format!("asks for nothing yet; write for example {example}");
            return nothing_yet(Some(name), meaning, Some((*example).into()));
        }
        return match filter_test(name, value) {
            Ok((test, meaning)) => found(name, test, meaning),
            Err(suggestion) => as_word(
                key,
                value,
                format!("no {name} that can be read, so looked for in names"),
                Some(suggestion.unwrap_or_else(|| (*example).into())),
            ),
        };
    }
    let numeric = FACTS.iter().find(|(name, _)| *name == lower).copied();
    let textual = MORE_FACTS.iter().find(|name| **name == lower);
    if let Some((name, of)) = numeric.or(textual.map(|name| (*name, Of::Text))) {
        if value.text.trim().is_empty() {
            return nothing_yet(Some(name), "asks for nothing yet".into(), None);
        }
        return match fact_test(of, value) {
            Some((is, meaning)) => {
                let test = Test::Fact(FactTest { key: name, is });
                found(name, test, format!("{} {meaning}", name.replace('_', " ")))
            }
            None => as_word(
                key,
                value,
                format!("no {name} that can be read, so looked for in names"),
                Some(format!("{name}:>100")),
            ),
        };
    }
    let keys = FILTERS
        .iter()
        .map(|(name, ..)| *name)
        .chain(FACTS.iter().map(|(name, _)| *name))
        .chain(MORE_FACTS);
    let suggestion = nearest(&lower, keys).map(|near| format!("{near}:"));
    if value.quoted || suggestion.is_some() {
        let meaning = format!("there is no filter “{key}:”, so looked for in names");
        return as_word(key, value, meaning, suggestion);
    }
    // A colon alone makes no filter: `12:30`, `re:`, `C:\x`.
    word(literally(key, value))
}

fn literally(key: &str, value: &Value) -> Value {
    let quote = if value.quoted { "\"" } else { "" };
    Value {
        text: format!("{key}:{quote}{}{quote}", value.text),
        quoted: false,
    }
}

fn as_word(key: &str, value: &Value, meaning: String, suggestion: Option<String>) -> Reading {
    Reading {
        test: Some(Test::Name(literally(key, value).text)),
        kind: ReadKind::Unknown,
        key: None,
        meaning,
        suggestion,
    }
}

fn nothing_yet(key: Option<&'static str>, meaning: String, suggestion: Option<String>) -> Reading {
    let kind = if key.is_some() {
        ReadKind::Filter
    } else {
        ReadKind::Word
    };
    Reading {
        test: None,
        kind,
        key,
        meaning,
        suggestion,
    }
}

fn found(key: &'static str, test: Test, meaning: String) -> Reading {
    Reading {
        test: Some(test),
        kind: ReadKind::Filter,
        key: Some(key),
        meaning,
        suggestion: None,
    }
}

/// The test of a filter and what it means, or what may have been meant.
fn filter_test(key: &str, value: &Value) -> Result<(Test, String), Option<String>> {
    let text = value.text.trim();
    match key {
        "type" => types(text),
        "ext" => extensions(text).ok_or(None),
        "size" => {
            let (bounds, words) = values::sizes(text).ok_or(None)?;
            Ok((Test::Size(bounds), words))
        }
        "before" => {
            let (period, _) = values::period(&format!("<{text}")).ok_or(None)?;
            Ok((Test::Added(period), format!("added before {text} (UTC)")))
        }
        "after" => {
            let (period, _) = values::period(&format!(">={text}")).ok_or(None)?;
            let words = format!("added in {text} or later (UTC)");
            Ok((Test::Added(period), words))
        }
        "added" => dated(text, "added", Test::Added),
        "modified" => dated(text, "modified", Test::Modified),
        // What it names is only known where the places are.
        "in" => Ok((Test::In(text.to_owned()), format!("in “{text}” and below"))),
        "is" => match text.to_ascii_lowercase().as_str() {
            "versioned" | "versions" => Ok((Test::Versioned, "names with several versions".into())),
            "empty" => Ok((Test::Size(Bounds { min: 0, max: 0 }), "empty files".into())),
            other => {
                Err(nearest(other, ["versioned", "empty"].into_iter())
                    .map(|near| format!("is:{near}")))
            }
        },
        _ => {
            let prefix = ContentPrefix::parse(text).ok_or(None)?;
            let words = if prefix.hex().len() == 64 {
                "this content".to_owned()
            } else {
                format!("contents whose SHA-256 begins with {}", prefix.hex())
            };
            Ok((Test::Content(prefix), words))
        }
    }
}

fn dated(
    text: &str,
    what: &str,
    asks: fn(Period) -> Test,
) -> Result<(Test, String), Option<String>> {
    let (period, words) = values::period(text).ok_or(None)?;
    Ok((asks(period), format!("{what} {words}")))
}

fn types(text: &str) -> Result<(Test, String), Option<String>> {
    let mut classes = Vec::new();
    for word in text
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        let word = word.to_ascii_lowercase();
        let other = || TYPES.iter().find(|(name, _)| *name == word);
        let class = MediaClass::from_word(&word).or_else(|| other().map(|(_, class)| *class));
        let Some(class) = class else {
            let words = MediaClass::ALL.into_iter().map(MediaClass::word);
            return Err(nearest(&word, words).map(|near| format!("type:{near}")));
        };
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    if classes.is_empty() {
        return Err(None);
    }
    let names: Vec<&str> = classes.iter().map(|class| plural(*class)).collect();
    Ok((Test::Types(classes), names.join(" or ")))
}

fn plural(class: MediaClass) -> &'static str {
    match class {
        MediaClass::Text => "Texts",
        MediaClass::Image => "Images",
        MediaClass::Audio => "Audio",
        MediaClass::Video => "Videos",
        MediaClass::Model3d => "3D models",
        MediaClass::Binary => "Other files",
    }
}

fn extensions(text: &str) -> Option<(Test, String)> {
    let extensions: Vec<String> = text
        .split(',')
        .map(|extension| extension.trim().trim_start_matches('.').to_owned())
        .filter(|extension| !fold(extension).is_empty())
        .collect();
    let names: Vec<String> = extensions.iter().map(|e| format!(".{e}")).collect();
    let words = format!("files ending in {}", names.join(" or "));
    (!extensions.is_empty()).then_some((Test::Extensions(extensions), words))
}

fn fact_test(of: Of, value: &Value) -> Option<(FactIs, String)> {
    let text = value.text.trim();
    let contains = || {
        let folded = fold(text);
        (!folded.is_empty()).then(|| (FactIs::Text(folded), format!("contains “{text}”")))
    };
    match of {
        Of::Text => contains(),
        Of::Time => {
            let (period, words) = values::period(text)?;
            Some((FactIs::Time(period), words))
        }
        Of::Number if value.quoted => contains(),
        Of::Number => values::numbers(text),
    }
}
