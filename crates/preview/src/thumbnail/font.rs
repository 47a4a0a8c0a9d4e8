//! Fonts as a specimen: two large letters and the alphabet, or what the font has instead of letters.

use std::fmt::Write as _;
use std::sync::Arc;

use resvg::usvg::fontdb::{Database, ID};
use resvg::usvg::{FontResolver, Options, Tree};
use skrifa::raw::TableProvider as _;
use skrifa::string::StringId;
use skrifa::{FontRef, MetadataProvider as _};

use super::picture::{INK, PAPER, Picture};
use super::svg;
use crate::content::Content;
use crate::facts::Facts;
use crate::job::Failure;

/// Font files that are read at most; those for all of Chinese have about 30 MB.
const BYTES_MAX: u64 = 96 * 1024 * 1024;
/// Glyphs shown of a font without Latin letters.
const SAMPLES: usize = 12;

/// The font's bytes as a plain `sfnt`.
fn load(content: &mut Content) -> Result<Vec<u8>, Failure> {
    let bytes = content.all(BYTES_MAX)?;
    let broken = |_| Failure::malformed("the font does not unpack");
    match bytes.get(..4) {
        Some(b"wOFF") => wuff::decompress_woff1(&bytes).map_err(broken),
        Some(b"wOF2") => wuff::decompress_woff2(&bytes).map_err(broken),
        _ => Ok(bytes),
    }
}

/// The first face of a file, which collections have several of.
fn first(bytes: &[u8]) -> Result<FontRef<'_>, Failure> {
    FontRef::from_index(bytes, 0).map_err(|error| Failure::malformed(error.to_string()))
}

pub(super) fn draw(content: &mut Content, size: u32) -> Result<Picture, Failure> {
    let bytes = load(content)?;
    let lines = lines(&first(&bytes)?)?;
    let mut fonts = Database::new();
    fonts.load_font_data(bytes);
    let id = fonts.faces().next().map(|face| face.id);
    let id = id.ok_or_else(|| Failure::malformed("the font has no name and no outlines"))?;
    let options = Options {
        fontdb: Arc::new(fonts),
        // Whatever the font is called, it is the one.
        font_resolver: FontResolver {
            select_font: Box::new(move |_, _| Some(id)),
            select_fallback: Box::new(|_, _: &[ID], _| None),
        },
        ..Options::default()
    };
    let tree = Tree::from_str(&specimen(&lines), &options)
        .map_err(|error| Failure::malformed(error.to_string()))?;
    svg::render(&tree, size)
}

/// What to show: a large line, and small ones.
fn lines(font: &FontRef<'_>) -> Result<(String, Vec<String>), Failure> {
    let charmap = font.charmap();
    let has = |text: &str| text.chars().all(|letter| charmap.map(letter).is_some());
    if has("Aa") {
        let small = ["ABCDEFGHIJKLM", "nopqrstuvwxyz", "0123456789"];
        let small = small.into_iter().filter(|line| has(line));
        return Ok(("Aa".into(), small.map(str::to_owned).collect()));
    }
    let shown = |(code, _): (u32, _)| {
        char::from_u32(code).filter(|letter| !letter.is_whitespace() && !letter.is_control())
    };
    let mut samples = charmap.mappings().filter_map(shown);
    let large: String = samples.by_ref().take(2).collect();
    let samples: Vec<_> = samples.take(SAMPLES).collect();
    if large.is_empty() {
        return Err(Failure::unsupported("the font maps no characters"));
    }
    let small = samples.chunks(6).map(|line| line.iter().collect());
    Ok((large, small.collect()))
}

fn specimen((large, small): &(String, Vec<String>)) -> String {
    let hex =
        |colour: image::Rgba<u8>| format!("#{:02x}{:02x}{:02x}", colour[0], colour[1], colour[2]);
    let (paper, ink) = (hex(PAPER), hex(INK));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 400 300\" width=\"400\" height=\"300\">\
         <rect width=\"400\" height=\"300\" fill=\"{paper}\"/>\
         <g font-family=\"specimen\" text-anchor=\"middle\" fill=\"{ink}\">\
         <text x=\"200\" y=\"148\" font-size=\"128\">{}</text>",
        escaped(large)
    );
    for (number, line) in small.iter().enumerate() {
        let (y, line) = (194 + 36 * number, escaped(line));
        // Writing into a string cannot fail.
        let _ = write!(
            svg,
            "<text x=\"200\" y=\"{y}\" font-size=\"28\" opacity=\"0.8\">{line}</text>"
        );
    }
    svg + "</g></svg>"
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        let _ = write!(escaped, "&#{};", u32::from(letter));
    }
    escaped
}

/// What a font tells of itself. Of a collection the first face speaks.
pub(crate) fn facts(content: &mut Content, facts: &mut Facts) -> Result<(), Failure> {
    let bytes = load(content)?;
    let font = first(&bytes)?;
    for (key, ids) in [
        (
            "family",
            [StringId::TYPOGRAPHIC_FAMILY_NAME, StringId::FAMILY_NAME],
        ),
        (
            "style",
            [
                StringId::TYPOGRAPHIC_SUBFAMILY_NAME,
                StringId::SUBFAMILY_NAME,
            ],
        ),
    ] {
        let mut names = ids.into_iter().filter_map(|id| {
            let strings = font.localized_strings(id);
            strings.english_or_first().map(|name| name.to_string())
        });
        if let Some(name) = names.next() {
            facts.text(key, &name);
        }
    }
    if let Ok(maxp) = font.maxp() {
        facts.number("glyphs", maxp.num_glyphs());
    }
    Ok(())
}
