//! The page is served as written, so no bundler checks it: this does.
//!
//! Imports must lead somewhere, files must be used, and the two things that would open a hole (a
//! string turned into markup or code, a request to somebody else's host) must not be there at all.
//! Comments may name what code may not; a line that starts like a comment is taken for one.

use std::collections::BTreeSet;

use super::Finding;
use super::code::find_word;
use super::files::SourceFile;

const TESTS: &str = "web/tests";

/// Ways to make markup or code from a string, and dialogs the browser draws.
const MARKUP_WORDS: &[&str] = &[
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "setHTMLUnsafe",
    "parseFromString",
    "document.write",
    "eval(",
    "new Function(",
    "prompt(",
    "confirm(",
    "alert(",
];

/// Blocked by the page's policy, so they would fail silently.
const INLINE_ATTRIBUTES: &[&str] = &[
    " style=\"",
    " onclick=\"",
    " onload=\"",
    " onerror=\"",
    " onsubmit=\"",
    " oninput=\"",
];

/// Addresses that are never fetched: names of XML vocabularies, and the reserved host that serves
/// as a base when a relative address is taken apart.
const HARMLESS: &[&str] = &["http://www.w3.org/", "http://page.invalid"];

pub(super) fn imports_resolve(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in in_web(files).filter(|file| file.has_extension(&["js", "mjs", "html", "css"])) {
        for (line, specifier) in references(file) {
            let is_bare = !specifier.starts_with(['.', '/']);
            if is_bare && file.is_under(TESTS) {
                continue;
            }
            let target = if is_bare {
                None
            } else {
                resolve(&file.path, &specifier)
            };
            if !target.is_some_and(|target| files.iter().any(|other| other.path == target)) {
                let message = format!("`{specifier}` leads nowhere");
                findings.push(Finding::at(&file.path, line, message));
            }
        }
    }
    findings
}

/// Every module and style sheet is reached from a page, through imports or by being named where a
/// worker is started.
pub(super) fn nothing_is_orphaned(files: &[SourceFile]) -> Vec<Finding> {
    let served: Vec<_> = in_web(files)
        .filter(|file| !file.is_under(TESTS) && file.has_extension(&["js", "mjs", "css"]))
        .collect();
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<_> = in_web(files)
        .filter(|file| file.has_extension(&["html"]))
        .collect();
    while let Some(file) = waiting.pop() {
        let mut targets: Vec<_> = references(file)
            .into_iter()
            .filter_map(|(_, specifier)| resolve(&file.path, &specifier))
            .collect();
        targets.extend(named_files(file));
        for next in served.iter().filter(|next| targets.contains(&next.path)) {
            if reached.insert(next.path.as_str()) {
                waiting.push(next);
            }
        }
    }
    let message = "is not reached from any page: import it, or remove it";
    let orphans = served
        .iter()
        .filter(|file| !reached.contains(file.path.as_str()));
    orphans
        .map(|file| Finding::whole(&file.path, message))
        .collect()
}

pub(super) fn no_markup_from_strings(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in in_web(files).filter(|file| !file.is_under(TESTS)) {
        let words = match file.name().rsplit_once('.') {
            Some((_, "js" | "mjs")) => MARKUP_WORDS,
            Some((_, "html")) => INLINE_ATTRIBUTES,
            _ => continue,
        };
        for (line, text) in code_lines(&file.text) {
            for word in words
                .iter()
                .filter(|word| find_word(text, word).next().is_some())
            {
                let message = format!(
                    "`{}`: names are hostile input and the page's policy is strict; use templates \
                     and textContent, classes and listeners",
                    word.trim()
                );
                findings.push(Finding::at(&file.path, line, message));
            }
        }
    }
    findings
}

pub(super) fn no_other_origin(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in in_web(files).filter(|file| !file.is_under(TESTS) && file.name() != "README.md") {
        for (line, text) in code_lines(&file.text) {
            let text = HARMLESS
                .iter()
                .fold(text.to_owned(), |text, good| text.replace(good, ""));
            if text.contains("http://") || text.contains("https://") {
                let message = "an address: the page asks nobody but its own server";
                findings.push(Finding::at(&file.path, line, message));
            }
        }
    }
    findings
}

fn in_web(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files.iter().filter(|file| file.is_under("web"))
}

pub(super) fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_comment = |line: &str| {
        ["//", "/*", "*", "<!--"]
            .iter()
            .any(|mark| line.trim_start().starts_with(mark))
    };
    let numbered = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    numbered.filter(move |(_, line)| !is_comment(line))
}

/// What a file refers to by address, with the line: imports of scripts, sources and sheets of
/// pages, `@import` and `url()` of sheets. The server's `{{prefix}}/` is the folder `web/`.
fn references(file: &SourceFile) -> Vec<(usize, String)> {
    let starts: &[&str] = match file.name().rsplit_once('.') {
        Some((_, "html")) => &["src=", "href="],
        Some((_, "css")) => &["@import", "url("],
        _ => &["import", "from"],
    };
    let mut found = Vec::new();
    for (line, text) in code_lines(&file.text) {
        for start in starts {
            for at in find_word(text, start) {
                let rest = text[at + start.len()..].trim_start_matches([' ', '(']);
                let Some(quoted) = quoted(rest) else { continue };
                let address = quoted.replace("{{prefix}}/", "/");
                if is_file_address(&address) {
                    found.push((line, address));
                }
            }
        }
    }
    found
}

/// The content of the string that starts here; empty and templated ones are of no use.
pub(super) fn quoted(text: &str) -> Option<&str> {
    let quote = text
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))?;
    text[1..].split_once(quote).map(|(inside, _)| inside)
}

/// Leaves out fragments, `data:` and what is no address but a word in a sentence. In a page, an
/// address without an extension is a place of the router.
fn is_file_address(address: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@/_:.-".contains(c);
    let looks_like_file = address.contains('.') || address.contains(':');
    !address.starts_with("data:") && address.chars().all(plain) && looks_like_file
}

/// Paths of scripts and sheets named in any string, as where a worker is started or a sheet is
/// adopted later. `"../workers/hash.js"` counts from the file and from `web/`.
fn named_files(file: &SourceFile) -> Vec<String> {
    let mut paths = Vec::new();
    for (_, text) in code_lines(&file.text) {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/_.-".contains(c)));
        for word in words.filter(|word| matches!(word.rsplit_once('.'), Some((_, "js" | "css")))) {
            paths.extend(resolve(&file.path, word));
            paths.push(format!("web/{}", word.trim_start_matches(['.', '/'])));
        }
    }
    paths
}

/// The path a specifier means, seen from a file; `None` if it leaves the repository.
pub(super) fn resolve(from: &str, specifier: &str) -> Option<String> {
    if let Some(absolute) = specifier.strip_prefix('/') {
        return Some(format!("web/{absolute}"));
    }
    let mut folders: Vec<&str> = from.split('/').collect();
    folders.pop();
    for part in specifier.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                folders.pop()?;
            }
            name => folders.push(name),
        }
    }
    Some(folders.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::files::made_up;
    use super::*;

    const PAGE: (&str, &str) = (
        "web/index.html",
        "<link rel=\"stylesheet\" href=\"{{prefix}}/styles/base.css\">\n\
         <a href=\"/trust\">x</a><use href=\"#i-seal\">\n\
         <script type=\"module\" src=\"{{prefix}}/app.js\"></script>\n",
    );

    fn page() -> Vec<(&'static str, &'static str)> {
        vec![
            PAGE,
            (
                "web/styles/base.css",
                "a { background: url(\"data:image/png;base64,AA\"); }",
            ),
            (
                "web/app.js",
                "import { a } from './lib/a.js';\nconst b = () => import(\"./b.js\");",
            ),
            (
                "web/lib/a.js",
                "export { c } from '../c.js';\nnew Worker(worker(\"workers/w.js\"));",
            ),
            (
                "web/b.js",
                "// import './gone.js'\nlabel('picked from ' + name);",
            ),
            ("web/c.js", ""),
            ("web/workers/w.js", ""),
            (
                "web/tests/a.test.js",
                "import test from 'node:test';\nimport '../lib/a.js';",
            ),
        ]
    }

    #[test]
    fn a_whole_page_is_fine() {
        let files = made_up(&page());
        assert_eq!(imports_resolve(&files), []);
        assert_eq!(nothing_is_orphaned(&files), []);
    }

    #[test]
    fn imports_that_lead_nowhere_are_found() {
        for planted in [
            "import { x } from './gone.js';",
            "import './lib/gone.js';",
            "await import('../outside.js');",
            "import lodash from 'lodash/fp.js';",
            "import '../../../etc.js';",
        ] {
            let mut files = page();
            files.push(("web/planted.js", planted));
            assert_eq!(imports_resolve(&made_up(&files)).len(), 1, "{planted}");
        }
        let mut files = page();
        files.push((
            "web/other.html",
            "<script src=\"{{prefix}}/gone.js\"></script>",
        ));
        assert_eq!(imports_resolve(&made_up(&files)).len(), 1);
    }

    #[test]
    fn orphans_are_found_even_if_they_import_each_other() {
        let mut files = page();
        files.push(("web/x.js", "import './y.js';"));
        files.push(("web/y.js", "import './x.js';"));
        files.push(("web/styles/unused.css", ""));
        let paths: Vec<_> = nothing_is_orphaned(&made_up(&files))
            .into_iter()
            .map(|f| f.path)
            .collect();
        assert_eq!(paths, ["web/x.js", "web/y.js", "web/styles/unused.css"]);
    }

    #[test]
    fn markup_from_strings_is_found() {
        for planted in [
            "el.innerHTML = name;",
            "el.outerHTML = name;",
            "el.insertAdjacentHTML('beforeend', name);",
            "document.write(name);",
            "const name = prompt('Name?');",
            "eval(code);",
        ] {
            let files = made_up(&[("web/planted.js", planted)]);
            assert_eq!(no_markup_from_strings(&files).len(), 1, "{planted}");
        }
        let files = made_up(&[("web/index.html", "<p style=\"color: red\">")]);
        assert_eq!(no_markup_from_strings(&files).len(), 1);
        let fine = made_up(&[
            (
                "web/fine.js",
                "// never innerHTML\nretrieval(x); el.textContent = name;",
            ),
            (
                "web/tests/fine.test.js",
                "assert(!source.includes('innerHTML'));",
            ),
        ]);
        assert_eq!(no_markup_from_strings(&fine), []);
    }

    #[test]
    fn addresses_of_others_are_found() {
        let files = made_up(&[
            ("web/a.js", "fetch('https://example.org/x');"),
            ("web/b.css", "@import 'http://example.org/font.css';"),
            (
                "web/icons.svg",
                "<svg xmlns=\"http://www.w3.org/2000/svg\">",
            ),
            ("web/c.js", "// as https://example.org explains"),
        ]);
        let paths: Vec<_> = no_other_origin(&files)
            .into_iter()
            .map(|f| f.path)
            .collect();
        assert_eq!(paths, ["web/a.js", "web/b.css"]);
    }
}
