//! Syntax highlighting of text previews: from content to spans with the class words of docs/http-api.md.
//!
//! Grammars are `syntect`'s, which backtrack; so the work is bounded by time, by line length and by spans, and what
//! lies beyond stays plain. Runs on a blocking thread.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

/// Time after which the rest of a text stays plain.
const TIME_MAX: Duration = Duration::from_millis(300);
/// A line longer than this ends the highlighting: minified code costs most and gains least.
const LINE_BYTES_MAX: usize = 4096;
/// Spans at most; each is some 20 bytes of JSON.
const SPANS_MAX: usize = 60_000;

/// UTF-16 code units from, to, and the class word.
pub(crate) type Span = (u32, u32, &'static str);

/// Spans over `content`, ascending and not overlapping. `format` is the lower-case extension. Empty where no grammar
/// fits.
pub(crate) fn highlight(content: &str, format: &str) -> Vec<Span> {
    let set = syntaxes();
    let first_line = content.lines().next().unwrap_or_default();
    let Some(syntax) = grammar(set, first_line, format) else {
        return Vec::new();
    };
    let mut out = Spans::default();
    let mut state = ParseState::new(syntax);
    let mut stack = ScopeStack::new();
    let started = Instant::now();
    for line in lines(content) {
        if line.len() > LINE_BYTES_MAX
            || out.spans.len() > SPANS_MAX
            || started.elapsed() > TIME_MAX
        {
            break;
        }
        if !out.paint(line, &mut state, &mut stack) {
            break;
        }
    }
    out.spans
}

/// A grammar in the middle of a text: colours one line after another.
#[derive(Clone)]
pub(crate) struct Painter {
    syntax: &'static SyntaxReference,
    state: ParseState,
    stack: ScopeStack,
}

impl Painter {
    /// At the beginning of a text with that first line; `None` where no grammar fits.
    pub(crate) fn new(first_line: &str, format: &str) -> Option<Self> {
        let syntax = grammar(syntaxes(), first_line, format)?;
        Some(Self {
            syntax,
            state: ParseState::new(syntax),
            stack: ScopeStack::new(),
        })
    }

    /// The grammar's name, as people know it.
    pub(crate) fn language(&self) -> &'static str {
        &self.syntax.name
    }

    /// Spans of the next line, which comes without what ends it; `None` for one that was not understood, after which the
    /// state means nothing.
    pub(crate) fn line(&mut self, text: &str) -> Option<Vec<Span>> {
        if text.len() > LINE_BYTES_MAX {
            return None;
        }
        let mut out = Spans::default();
        let line = format!("{text}\n");
        if !out.paint(&line, &mut self.state, &mut self.stack) {
            return None;
        }
        // What is coloured to its end is so with its line feed.
        let units = u32::try_from(text.encode_utf16().count()).ok()?;
        out.spans.retain_mut(|span| {
            span.1 = span.1.min(units);
            span.0 < span.1
        });
        Some(out.spans)
    }
}

#[derive(Default)]
struct Spans {
    at: u32,
    spans: Vec<Span>,
}

impl Spans {
    /// Passes over a line with its line feed; `false` if it was not understood.
    fn paint(&mut self, line: &str, state: &mut ParseState, stack: &mut ScopeStack) -> bool {
        let Ok(operations) = state.parse_line(line, syntaxes()) else {
            return false;
        };
        let mut at = 0;
        for (offset, operation) in operations {
            self.push(&line[at..offset], stack);
            at = offset;
            if stack.apply(&operation).is_err() {
                return false;
            }
        }
        self.push(&line[at..], stack);
        true
    }

    /// Passes over `text`, which stands under `stack`.
    fn push(&mut self, text: &str, stack: &ScopeStack) {
        if text.is_empty() {
            return;
        }
        let units = u32::try_from(text.encode_utf16().count()).expect("a line is at most 4 KiB");
        let (start, end) = (self.at, self.at + units);
        self.at = end;
        if text.trim().is_empty() {
            return;
        }
        let Some(class) = class_of(stack) else { return };
        match self.spans.last_mut() {
            Some((_, last_end, last_class)) if *last_end == start && *last_class == class => {
                *last_end = end;
            }
            _ => self.spans.push((start, end, class)),
        }
    }
}

/// Lines with their line feeds, as the grammars want them.
fn lines(content: &str) -> impl Iterator<Item = &str> {
    content.split_inclusive('\n')
}

fn syntaxes() -> &'static SyntaxSet {
    static SET: OnceLock<SyntaxSet> = OnceLock::new();
    SET.get_or_init(SyntaxSet::load_defaults_newlines)
}

fn grammar<'a>(set: &'a SyntaxSet, first_line: &str, format: &str) -> Option<&'a SyntaxReference> {
    // Grammars that stand in for those the set lacks.
    let token = match format {
        "txt" | "csv" | "tsv" | "log" | "binary" => return None,
        "ts" | "tsx" | "jsx" | "mjs" | "cjs" => "js",
        "jsonc" | "geojson" | "webmanifest" | "ipynb" => "json",
        "toml" | "ini" | "cfg" | "conf" => "properties",
        "vue" | "svelte" => "html",
        "svg" | "xhtml" | "gpx" | "kml" => "xml",
        "kt" | "kts" => "java",
        other => other,
    };
    set.find_syntax_by_token(token)
        .or_else(|| {
            (first_line.len() <= LINE_BYTES_MAX)
                .then(|| set.find_syntax_by_first_line(first_line))
                .flatten()
        })
        .filter(|syntax| syntax.name != "Plain Text")
}

/// The first of the scopes, innermost first, that has a class.
fn class_of(stack: &ScopeStack) -> Option<&'static str> {
    let rules = rules();
    for scope in stack.scopes.iter().rev() {
        // Longer prefixes stand first.
        if let Some((_, class)) = rules
            .classes
            .iter()
            .find(|(prefix, _)| prefix.is_prefix_of(*scope))
        {
            let is_key = *class == Some("string")
                && stack
                    .scopes
                    .iter()
                    .any(|scope| rules.keys.iter().any(|key| key.is_prefix_of(*scope)));
            return if is_key { Some("attribute") } else { *class };
        }
    }
    None
}

struct Rules {
    classes: Vec<(Scope, Option<&'static str>)>,
    /// A string under one of these is a key.
    keys: Vec<Scope>,
}

/// Scope prefixes and their classes. `None` ends the search: plain text inside something coloured.
#[rustfmt::skip]
const CLASSES: &[(&str, Option<&str>)] = &[
    ("comment", Some("comment")),
    ("punctuation.definition.comment", Some("comment")),
    ("string", Some("string")),
    ("punctuation.definition.string", Some("string")),
    ("constant.character.escape", Some("constant")),
    ("constant.numeric", Some("number")),
    ("constant.other.color", Some("number")),
    ("keyword.other.unit", Some("number")),
    ("constant", Some("constant")),
    ("support.constant", Some("constant")),
    ("variable.language", Some("constant")),
    ("keyword.operator.word", Some("keyword")),
    ("keyword.operator.logical.python", Some("keyword")),
    ("keyword.operator", Some("punctuation")),
    ("keyword", Some("keyword")),
    ("storage.type.c", Some("type")),
    ("storage.type.c++", Some("type")),
    ("storage.type.cs", Some("type")),
    ("storage.type.go", Some("type")),
    ("storage.type.java", Some("type")),
    ("storage.type.primitive", Some("type")),
    ("storage.type.rust", Some("type")),
    ("storage", Some("keyword")),
    ("support.type.property-name", Some("attribute")),
    ("support.type", Some("type")),
    ("support.class", Some("type")),
    ("entity.name.function", Some("function")),
    ("entity.name.tag", Some("tag")),
    ("entity.name.section", Some("heading")),
    ("entity.name.constant", Some("constant")),
    ("entity.name.label", Some("constant")),
    ("entity.name", Some("type")),
    ("entity.other.inherited-class", Some("type")),
    ("entity.other.attribute-name", Some("attribute")),
    ("variable.function", Some("function")),
    ("variable.annotation", Some("attribute")),
    ("support.function", Some("function")),
    ("support.macro", Some("function")),
    ("markup.heading", Some("heading")),
    ("punctuation.definition.heading", Some("heading")),
    ("meta.diff.header", Some("heading")),
    ("meta.diff.range", Some("heading")),
    ("markup.bold", Some("emphasis")),
    ("markup.italic", Some("emphasis")),
    ("punctuation.definition.bold", Some("emphasis")),
    ("punctuation.definition.italic", Some("emphasis")),
    ("markup.underline.link", Some("link")),
    ("markup.inserted", Some("inserted")),
    ("punctuation.definition.inserted", Some("inserted")),
    ("markup.deleted", Some("deleted")),
    ("punctuation.definition.deleted", Some("deleted")),
    ("markup.raw", Some("string")),
    ("markup.quote", Some("comment")),
    ("punctuation", Some("punctuation")),
    ("meta.interpolation", None),
    ("meta.template.expression", None),
    ("source.shell.embedded", None),
];

fn rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    let scope = |text: &str| Scope::new(text).expect("a scope has at most eight atoms");
    RULES.get_or_init(|| {
        let mut classes: Vec<_> = CLASSES
            .iter()
            .map(|(text, class)| (scope(text), *class))
            .collect();
        classes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        let keys = ["meta.structure.dictionary.key", "meta.mapping.key"];
        Rules {
            classes,
            keys: keys.iter().map(|text| scope(text)).collect(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 15] = [
        "comment",
        "string",
        "number",
        "keyword",
        "type",
        "function",
        "constant",
        "tag",
        "attribute",
        "punctuation",
        "heading",
        "emphasis",
        "link",
        "inserted",
        "deleted",
    ];

    /// The spans with the text they cover.
    fn painted(content: &str, format: &str) -> Vec<(String, &'static str)> {
        let units: Vec<u16> = content.encode_utf16().collect();
        let spans = highlight(content, format);
        assert!(
            spans
                .iter()
                .all(|(start, end, class)| start < end && WORDS.contains(class)),
            "{spans:?}"
        );
        assert!(
            spans.windows(2).all(|pair| pair[0].1 <= pair[1].0),
            "{spans:?}"
        );
        let text = |start, end| String::from_utf16(&units[start as usize..end as usize]).unwrap();
        spans
            .into_iter()
            .map(|(start, end, class)| (text(start, end).trim().to_owned(), class))
            .collect()
    }

    fn has(content: &str, format: &str, text: &str, class: &'static str) {
        let painted = painted(content, format);
        assert!(
            painted.contains(&(text.to_owned(), class)),
            "{text} {class} in {painted:?}"
        );
    }

    #[test]
    fn each_language_gets_its_classes() {
        let python = "# é😀 note\nclass A(B):\n    def f(self): return 'x' + str(12)\n";
        has(python, "py", "# é😀 note", "comment");
        has(python, "py", "'x'", "string");
        has(python, "py", "12", "number");
        has(python, "py", "return", "keyword");
        has(python, "py", "f", "function");
        let html = "<a class=\"keyword\">x</a>";
        has(html, "html", "a", "tag");
        has(html, "html", "class", "attribute");
        has(html, "html", "\"keyword\"", "string");
        has(
            "{\"key\": [true, 1.5, \"v\"]}",
            "json",
            "\"key\"",
            "attribute",
        );
        has("{\"key\": [true, 1.5, \"v\"]}", "json", "\"v\"", "string");
        has(
            "# Title\n\n*soft* [t](http://x)\n",
            "md",
            "Title",
            "heading",
        );
        has("+new\n-old\n", "diff", "+new", "inserted");
        has("+new\n-old\n", "diff", "-old", "deleted");
        has("#!/bin/sh\necho 1\n", "", "#!/bin/sh", "comment");
        has("fn main() { let x: u32 = 1; }", "rs", "u32", "type");
        has("const x: number = 1", "ts", "const", "keyword");
        has("a { color: #fff }", "css", "color", "attribute");
    }

    #[test]
    fn what_has_no_grammar_stays_plain() {
        assert!(highlight("hello 'x' 12", "txt").is_empty());
        assert!(highlight("hello 'x' 12", "unheard-of").is_empty());
        assert!(highlight("", "rs").is_empty());
    }

    #[test]
    fn endless_lines_and_texts_are_given_up() {
        let started = Instant::now();
        assert!(highlight(&"(".repeat(256 * 1024), "js").is_empty());
        let many = "f(1, 'a', [b]);\n".repeat(16 * 1024);
        assert!(highlight(&many, "js").len() <= SPANS_MAX + LINE_BYTES_MAX);
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
    }
}
