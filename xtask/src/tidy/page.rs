//! The page loads quickly: everything the first screen imports is asked for at once instead of level
//! by level. No bundler keeps the list of preloads, so this holds it against the real imports.

use std::collections::BTreeSet;

use super::Finding;
use super::files::SourceFile;
use super::web::{code_lines, quoted, resolve};

const PAGE: &str = "web/index.html";
const BEGIN: &str = "web/app.js";

pub(super) fn preloads_match(files: &[SourceFile]) -> Vec<Finding> {
    let Some(page) = files.iter().find(|file| file.path == PAGE) else {
        return Vec::new();
    };
    let needed = imported(files);
    let mut findings = Vec::new();
    let mut there = BTreeSet::new();
    for (line, text) in code_lines(&page.text) {
        if !text.contains("rel=\"modulepreload\"") {
            continue;
        }
        let address = text.split("href=").nth(1).and_then(quoted);
        let path = address.map(|address| address.replace("{{prefix}}/", "web/"));
        let Some(path) = path.filter(|path| needed.contains(path)) else {
            let message = "preloads what app.js does not import: remove the line";
            findings.push(Finding::at(PAGE, line, message));
            continue;
        };
        there.insert(path);
    }
    for path in needed.difference(&there) {
        let message =
            format!("app.js imports {path}, but no <link rel=\"modulepreload\"> asks for it early");
        findings.push(Finding::whole(PAGE, message));
    }
    findings
}

/// What loads before the page can do anything: the static imports of `app.js`, theirs, and so on.
fn imported(files: &[SourceFile]) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![BEGIN.to_owned()];
    while let Some(path) = waiting.pop() {
        let Some(file) = files.iter().find(|file| file.path == path) else {
            continue;
        };
        for (_, line) in code_lines(&file.text) {
            let is_static = line.starts_with("import ") || line.starts_with("export ");
            let specifier = line
                .rsplit_once(" from ")
                .map(|(_, rest)| rest)
                .or_else(|| line.strip_prefix("import "));
            let target = specifier
                .filter(|_| is_static || line.starts_with("} from "))
                .and_then(quoted)
                .and_then(|specifier| resolve(&path, specifier));
            if let Some(target) = target
                && reached.insert(target.clone())
            {
                waiting.push(target);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::files::made_up;
    use super::*;

    #[test]
    fn preloads_are_held_against_imports() {
        let script = "import { a } from './lib/a.js';\nimport './b.js';\nimport {\n  c,\n} from './c.js';\n\
                      const later = () => import('./later.js');\n";
        let page = |links: &[&str]| -> String {
            let line = |name: &&str| {
                format!("<link rel=\"modulepreload\" href=\"{{{{prefix}}}}/{name}\">\n")
            };
            links.iter().map(line).collect()
        };
        let check = |links: &[&str]| {
            let page = page(links);
            let files = made_up(&[
                ("web/index.html", &page),
                ("web/app.js", script),
                ("web/lib/a.js", "export { d } from '../d.js';"),
                ("web/b.js", ""),
                ("web/c.js", ""),
                ("web/d.js", ""),
                ("web/later.js", ""),
            ]);
            preloads_match(&files).len()
        };
        assert_eq!(check(&["lib/a.js", "b.js", "c.js", "d.js"]), 0);
        assert_eq!(check(&["lib/a.js", "b.js", "c.js"]), 1, "one is missing");
        assert_eq!(check(&["lib/a.js", "b.js", "c.js", "d.js", "later.js"]), 1);
    }
}
