//! How well a name answers a search: what people mean by a few letters is mostly how a name, or a word of it, begins.

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
    /// Of `text` in `name`, both folded (see [`crate::natural_order::fold`]). An empty text is at the start of every name.
    pub fn of(text: &[u8], name: &[u8]) -> Self {
        if let Some(rest) = name.strip_prefix(text) {
            return if !text.is_empty() && is_extension_or_nothing(rest) {
                Self::Whole
            } else {
                Self::Start
            };
        }
        let mut best = Self::None;
        let starts_word = !begins_with_separator(text);
        for at in memchr::memmem::find_iter(name, text) {
            // `at` is not 0: that was looked at above.
            if starts_word && is_separator(name[at - 1]) {
                return Self::Word;
            }
            best = Self::Within;
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

fn begins_with_separator(text: &[u8]) -> bool {
    text.first().is_some_and(|byte| is_separator(*byte))
}

/// Whether a byte of UTF-8 stands between words. Letters outside ASCII count as such, whatever they are.
fn is_separator(byte: u8) -> bool {
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
            let found = Relevance::of(text.as_bytes(), name.as_bytes());
            assert_eq!(found, due, "{text} in {name}");
        }
        assert!(Relevance::Whole < Relevance::Start && Relevance::Start < Relevance::Word);
        assert!(Relevance::Word < Relevance::Within && Relevance::Within < Relevance::None);
    }
}
