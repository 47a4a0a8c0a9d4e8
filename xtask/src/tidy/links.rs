//! Links between the papers of this repository must lead somewhere, headings included.
//!
//! Only what a reader would click counts: code blocks and code spans are left out, and so are
//! links to other hosts, which no test can promise.

use super::Finding;
use super::files::SourceFile;

pub(super) fn links_resolve(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.has_extension(&["md"])) {
        for (line, target) in links(&file.text) {
            if let Some(what) = broken(files, file, &target) {
                findings.push(Finding::at(&file.path, line, format!("`{target}`: {what}")));
            }
        }
    }
    findings
}

fn broken(files: &[SourceFile], from: &SourceFile, target: &str) -> Option<&'static str> {
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let Some(path) = destination(&from.path, path) else {
        return Some("leaves the repository");
    };
    let file = files.iter().find(|file| file.path == path);
    let is_folder = || path.is_empty() || files.iter().any(|file| file.is_under(&path));
    match file {
        None if !is_folder() => Some("there is no such file"),
        Some(file) if file.has_extension(&["md"]) && !has_heading(&file.text, heading) => {
            Some("the file has no such heading")
        }
        _ => None,
    }
}

/// Line and target of every internal link: `[a](b)`, `[a]: b`, `src="b"` and `href="b"`.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, prose) in prose_lines(text) {
        let mut add = |target: &str| {
            let target = target.trim_start_matches('<').trim_end_matches('>');
            let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !is_elsewhere {
                found.push((line, target.to_owned()));
            }
        };
        for (start, end) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            for (at, _) in prose.match_indices(start) {
                let inside = prose[at + start.len()..]
                    .split(end)
                    .next()
                    .unwrap_or_default();
                add(inside.split_whitespace().next().unwrap_or_default());
            }
        }
        if let Some((_, target)) = prose
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]:"))
        {
            add(target.split_whitespace().next().unwrap_or_default());
        }
    }
    found
}

/// Lines outside fenced code, with code spans blanked.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        let spans = line.split('`').enumerate();
        let prose = spans.map(|(index, part)| if index % 2 == 0 { part } else { "" });
        (!fenced && !is_fence).then(|| (index + 1, prose.collect()))
    })
}

/// Whether a heading has this address, made as code hosts make it.
fn has_heading(text: &str, address: &str) -> bool {
    let slug = |heading: &str| {
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
        let heading = heading.trim().to_lowercase();
        heading
            .chars()
            .filter(kept)
            .map(|c| if c == ' ' { '-' } else { c })
            .collect::<String>()
    };
    let mut fenced = false;
    address.is_empty()
        || text.lines().any(|line| {
            fenced ^= line.trim_start().starts_with("```");
            !fenced && line.starts_with('#') && slug(line.trim_start_matches('#')) == address
        })
}

/// The path a link means, seen from a file; `None` if it leaves the repository.
fn destination(from: &str, link: &str) -> Option<String> {
    if link.is_empty() {
        return Some(from.to_owned());
    }
    let mut folders: Vec<&str> = from.split('/').collect();
    folders.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
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

    const GUIDE: (&str, &str) = ("docs/guide.md", "# The `API`, briefly\n\n## Run it\n");

    fn problems(text: &str) -> usize {
        links_resolve(&made_up(&[
            GUIDE,
            ("docs/picture.png", ""),
            ("docs/a.md", text),
        ]))
        .len()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        for text in [
            "[a](guide.md) and [b](../docs/guide.md#run-it), ![c](picture.png \"title\")",
            "[a](guide.md#the-api-briefly) [b](../docs) [c](../docs/) [d](./)",
            "# Here\n[a](#here)\n[ref]: guide.md\n<img src=\"picture.png\">",
            "[a](https://example.org/gone) [b](mailto:a@example.org) `[c](gone.md)`",
            "```\n[a](gone.md)\n```\n",
        ] {
            assert_eq!(problems(text), 0, "{text}");
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        for text in [
            "[a](gone.md)",
            "![a](gone.png)",
            "[ref]: gone.md",
            "<img src=\"gone.png\">",
            "[a](guide.md#gone)",
            "[a](#gone)",
            "[a](../../outside.md)",
        ] {
            assert_eq!(problems(text), 1, "{text}");
        }
    }
}
