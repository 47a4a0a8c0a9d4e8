//! Reading Rust source as far as the rules need it: without comments, and without the tests.

/// The source with comments blanked out and everything from the first test module on cut off, so
/// that prose may name what code may not. Lines keep their numbers; strings stay, because that is
/// where SQL would be.
pub(super) fn shipped(source: &str) -> String {
    let code = without_comments(source);
    let end = tests_start(&code).unwrap_or(code.len());
    code[..end].to_owned()
}

/// How many lines come before the tests: what a person reads to understand the file.
pub(super) fn lines_before_tests(source: &str) -> usize {
    let end = tests_start(source).unwrap_or(source.len());
    source[..end].lines().count()
}

/// Where `#[cfg(test)]` stands before a module. Tests come last in a file by habit.
fn tests_start(source: &str) -> Option<usize> {
    const MARK: &str = "#[cfg(test)]";
    source.match_indices(MARK).map(|(at, _)| at).find(|at| {
        let after = source[at + MARK.len()..].trim_start();
        after.starts_with("mod ") || after.starts_with("#[")
    })
}

/// Positions where `word` stands by itself: an end of it that is part of an identifier must not
/// touch another part of an identifier.
pub(super) fn find_word<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (first, last) = (word.chars().next(), word.chars().next_back());
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            let before = text[..at].chars().next_back();
            let after = text[at + word.len()..].chars().next();
            !(joins(first) && joins(before) || joins(last) && joins(after))
        })
}

/// Counted from 1.
pub(super) fn line_of(text: &str, position: usize) -> usize {
    text[..position].matches('\n').count() + 1
}

/// Comments become spaces, line ends stay. Knows strings (also raw ones), character literals and
/// lifetimes, because `"//"` is no comment and `'"'` opens no string.
fn without_comments(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment_len(rest)
        } else {
            let length = literal_len(rest, code.chars().next_back()).unwrap_or(first.len_utf8());
            code.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        };
        code.extend(
            rest[..length]
                .chars()
                .map(|c| if c == '\n' { '\n' } else { ' ' }),
        );
        rest = &rest[length..];
    }
    code
}

/// Block comments nest in Rust.
fn block_comment_len(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let here = &text[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// How long the string or character literal is that starts here, if one does.
fn literal_len(text: &str, before: Option<char>) -> Option<usize> {
    let inside_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = text
        .strip_prefix("br")
        .or_else(|| text.strip_prefix('r'))
        .filter(|_| !inside_word);
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let opened = text.len() - raw.len() + hashes + 1;
            let length = text[opened..]
                .find(&close)
                .map_or(text.len(), |at| opened + at + close.len());
            return Some(length);
        }
    }
    match text.chars().next()? {
        '"' => Some(quoted_len(text, '"')),
        // `'a` is a lifetime unless a quote closes it after one character or an escape.
        '\'' if text[1..].starts_with('\\') => Some(quoted_len(text, '\'')),
        '\'' => {
            let inner = text[1..].chars().next()?.len_utf8();
            text[1 + inner..].starts_with('\'').then_some(inner + 2)
        }
        _ => None,
    }
}

fn quoted_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_lines_stay() {
        let source =
            "//! doc rusqlite\nlet a = 1; // tokio\n/* axum /* nested */\nstill */ let b;\n";
        let code = shipped(source);
        assert_eq!(code.lines().count(), source.lines().count());
        assert_eq!(
            code.split_whitespace().collect::<Vec<_>>().join(" "),
            "let a = 1; let b;"
        );
    }

    #[test]
    fn what_looks_like_a_comment_in_a_literal_stays() {
        for source in [
            r#"let url = "http://host"; let q = 1;"#,
            r##"let raw = r#"a " // b"#; let c = '"'; let d = "/*";"##,
            r#"let e = "\"//"; let f = '\''; fn g<'a>(x: &'a str) {}"#,
            r#"let h = b"//"; for_r("x//y");"#,
        ] {
            assert_eq!(shipped(source), source);
        }
    }

    #[test]
    fn tests_are_cut_off() {
        let source = "fn a() {}\n#[cfg(test)]\nfn helper() {}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(lines_before_tests(source), 3);
        assert!(!shipped(source).contains("mod tests"));
    }

    #[test]
    fn words_stand_by_themselves() {
        let text = "http:: reqwest_http::x StatusCode MyStatusCode StatusCodes";
        assert_eq!(find_word(text, "http::").collect::<Vec<_>>(), [0]);
        assert_eq!(find_word(text, "StatusCode").count(), 1);
        assert_eq!(line_of("a\nb\nc", 4), 3);
    }
}
