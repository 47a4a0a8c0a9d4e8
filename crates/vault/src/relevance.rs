//! How well a name answers a search: what people mean by a few letters is mostly how a name, or a word of it, begins.

use memchr::memmem::Finder;

/// The best place a text has in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relevance {
    /// It is the whole name, the extension left out or not.
    Whole,
    /// The name begins with it.
    Start,
    /// A word of the name begins with it.
    Word,
    /// It lies somewhere within a word.
    Within,
    /// Nowhere.
    None,
}

impl Relevance {
    /// From the best to none at all.
    pub(crate) const ALL: [Self; 5] = [
        Self::Whole,
        Self::Start,
        Self::Word,
        Self::Within,
        Self::None,
    ];
}

/// How well a name answers several texts, of which all are looked for: as well as the one it answers worst.
pub fn of_all(each: impl Iterator<Item = Relevance>) -> Relevance {
    each.max().unwrap_or(Relevance::Start)
}

/// Looks for one text in many names.
pub struct Ranker<'t> {
    text: &'t [u8],
    finder: Finder<'t>,
    starts_word: bool,
}

impl<'t> Ranker<'t> {
    /// For a text that is folded (see [`crate::natural_order::fold`]).
    pub fn new(text: &'t str) -> Self {
        let text = text.as_bytes();
        Self {
            text,
            finder: Finder::new(text),
            starts_word: !text.first().is_some_and(|byte| is_separator(*byte)),
        }
    }

    /// How well a name answers, folded too. An empty text is at the start of every name.
    pub fn rank(&self, name: &[u8]) -> Relevance {
        if let Some(rest) = name.strip_prefix(self.text) {
            return if !self.text.is_empty() && is_extension_or_nothing(rest) {
                Relevance::Whole
            } else {
                Relevance::Start
            };
        }
        let mut best = Relevance::None;
        for at in self.finder.find_iter(name) {
            // `at` is not 0: that was looked at above.
            if self.starts_word && is_separator(name[at - 1]) {
                return Relevance::Word;
            }
            best = Relevance::Within;
        }
        best
    }
}

fn is_extension_or_nothing(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b'.', extension @ ..] => !extension.is_empty() && !extension.contains(&b'.'),
        _ => false,
    }
}

/// Whether a byte of UTF-8 stands between words. Letters outside ASCII count as such, whatever they are.
pub(crate) fn is_separator(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_names_and_words_counts_most() {
        for (text, name, due) in [
            ("map", "map", Relevance::Whole),
            ("map", "map.png", Relevance::Whole),
            ("map.png", "map.png", Relevance::Whole),
            ("map", "map.tar.gz", Relevance::Start),
            ("map", "map.", Relevance::Start),
            ("map", "maple.png", Relevance::Start),
            ("map", "old map.png", Relevance::Word),
            ("map", "bitmap_map.png", Relevance::Word),
            ("map", "bitmap.png", Relevance::Within),
            ("map", "bitmap-mipmap", Relevance::Within),
            ("map", "picture.png", Relevance::None),
            ("", "x", Relevance::Start),
            (".png", "map.png", Relevance::Within),
            ("京", "東京.png", Relevance::Within),
            ("京", "東 京.png", Relevance::Word),
        ] {
            let found = Ranker::new(text).rank(name.as_bytes());
            assert_eq!(found, due, "{text} in {name}");
        }
        assert!(Relevance::Whole < Relevance::Start && Relevance::Start < Relevance::Word);
        assert!(Relevance::Word < Relevance::Within && Relevance::Within < Relevance::None);
    }
}
