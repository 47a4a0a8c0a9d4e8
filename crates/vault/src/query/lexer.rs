//! Cutting a query into terms: at spaces, but not inside quotation marks.

use std::ops::Range;

/// A term before anybody asked what its key means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lexeme {
    /// Where it lies, sign and key included.
    pub(super) range: Range<usize>,
    /// It began with `-`.
    pub(super) negated: bool,
    /// What stood before the first colon, if that can be a key: letters, digits and `_`.
    pub(super) key: Option<String>,
    /// The rest, without the quotation marks around it.
    pub(super) value: Value,
}

/// What a term says after its sign and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    /// It stood in quotation marks.
    pub(super) quoted: bool,
}

/// Keys are words; a longer run of letters before a colon is text.
const KEY_BYTES_MAX: usize = 32;

/// The terms of a text, in order. They cover every character of it that is no space.
pub(super) fn lexemes(text: &str) -> impl Iterator<Item = Lexeme> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = &text[at..];
        if rest.is_empty() {
            return None;
        }
        let (lexeme, length) = first(rest, at);
        at += length;
        Some(lexeme)
    })
}

/// The term that `rest` begins with, and its length.
fn first(rest: &str, at: usize) -> (Lexeme, usize) {
    // A lone dash is what it is.
    let negated = rest.starts_with('-') && rest[1..].starts_with(|c: char| !c.is_whitespace());
    let body = &rest[usize::from(negated)..];
    let key = key(body).map(str::to_owned);
    let after_key = key.as_ref().map_or(0, |key| key.len() + 1);
    let (value, length) = value(&body[after_key..]);
    let length = usize::from(negated) + after_key + length;
    let lexeme = Lexeme {
        range: at..at + length,
        negated,
        key,
        value,
    };
    (lexeme, length)
}

fn key(body: &str) -> Option<&str> {
    let (key, _) = body.split_once(':')?;
    let can_be = !key.is_empty()
        && key.len() <= KEY_BYTES_MAX
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    can_be.then_some(key)
}

/// What a value says, and how long it is as written.
fn value(text: &str) -> (Value, usize) {
    let Some(open) = text.chars().next().filter(|c| is_quote(*c)) else {
        let length = text.find(char::is_whitespace).unwrap_or(text.len());
        let text = text[..length].to_owned();
        return (
            Value {
                text,
                quoted: false,
            },
            length,
        );
    };
    let mut said = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    let mut end = text.len();
    while let Some((at, c)) = chars.next() {
        if c == '\\'
            && let Some((_, next)) = chars.next_if(|(_, next)| is_quote(*next) || *next == '\\')
        {
            said.push(next);
        } else if closes(open, c) {
            end = at + c.len_utf8();
            break;
        } else {
            said.push(c);
        }
    }
    // What follows a closing mark without a space begins a term of its own.
    let value = Value {
        text: said,
        quoted: true,
    };
    (value, end)
}

/// Telephones write curved ones by themselves.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„')
}

fn closes(open: char, c: char) -> bool {
    match open {
        '"' => c == '"',
        _ => is_quote(c),
    }
}
