//! Facts that a file tells about itself: a flat object of numbers and short texts under fixed words.

mod exif;
mod media;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::job::{Failure, Job, Limits, Output, Work};
use crate::kind::Kind;
use crate::thumbnail::{facts_of_drawing, facts_of_font, facts_of_pages, facts_of_pixels};

/// Facts told of one file at most.
pub const KEYS_MAX: usize = 40;
/// Characters of a text at most.
pub const TEXT_MAX: usize = 200;

/// Gathers them. The header is `{"facts": {…}}`; what tells nothing has none.
pub static FACTS: Job = Job {
    name: "facts",
    version: 1,
    limits: Limits {
        output_bytes: 256 * 1024,
        ..Limits::USUAL
    },
    run: gather,
};

/// Facts being gathered.
#[derive(Debug, Default)]
pub(crate) struct Facts(Map<String, Value>);

impl Facts {
    /// A number, if it is one. The first that is told stays.
    pub(crate) fn number(&mut self, key: &str, number: impl Into<f64>) {
        let number: f64 = number.into();
        if !number.is_finite() {
            return;
        }
        // Six digits after the point are finer than any device measures.
        let rounded = (number * 1e6).round() / 1e6;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole numbers below 2^53 are exact"
        )]
        let value = if rounded.fract() == 0.0 && rounded.abs() < 9e15 {
            Value::from(rounded as i64)
        } else {
            Value::from(rounded)
        };
        self.put(key, value);
    }

    /// A text without line breaks and the like, cut at [`TEXT_MAX`]; an empty one is none.
    pub(crate) fn text(&mut self, key: &str, text: &str) {
        let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let text: String = visible.take(TEXT_MAX * 4).collect();
        let words: Vec<_> = text.split_whitespace().collect();
        let text: String = words.join(" ").chars().take(TEXT_MAX).collect();
        if !text.is_empty() {
            self.put(key, Value::from(text));
        }
    }

    fn put(&mut self, key: &str, value: Value) {
        if self.0.len() < KEYS_MAX {
            self.0.entry(key).or_insert(value);
        }
    }

    #[cfg(test)]
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }
}

fn gather(work: &mut Work) -> Result<Output, Failure> {
    let media_type = work.request.media_type.clone();
    let content = &mut work.content;
    let mut facts = Facts::default();
    match Kind::of(&media_type).filter(|kind| kind.has_facts()) {
        Some(Kind::Raster) => {
            let pixels = facts_of_pixels(content, &media_type, &mut facts);
            exif::read(content, &mut facts);
            // A photograph that cannot be decoded may tell its camera all the same.
            if facts.0.is_empty() {
                pixels?;
            }
        }
        Some(Kind::Photo) => exif::read(content, &mut facts),
        Some(Kind::Svg) => facts_of_drawing(content, &mut facts)?,
        Some(Kind::Audio | Kind::Video) => media::read(content, &media_type, &mut facts)?,
        Some(Kind::Font) => facts_of_font(content, &mut facts)?,
        Some(Kind::Pdf) => facts_of_pages(content, &mut facts)?,
        Some(Kind::Text) | None => {}
    }
    Ok(Output {
        header: json!({ "facts": facts.0 }),
        bytes: Vec::new(),
    })
}
