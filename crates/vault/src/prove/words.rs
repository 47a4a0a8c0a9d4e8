//! Bytes as words of the PGP word list, for paper and telephone.
//!
//! Bytes at even places take a word of two syllables, those at odd places one of three, so that a word left out,
//! doubled or swapped with its neighbour is noticed at its place. Pure: text in, values out.

use crate::ids::Digest;

const OF_TWO: &str = include_str!("words_of_two_syllables.txt");
const OF_THREE: &str = include_str!("words_of_three_syllables.txt");

/// Words of a digest.
pub const WORDS: usize = 32;

/// Why words are no digest. Positions count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WordsError {
    /// A word that is in neither list, with the most similar one that may stand there.
    #[error("word {position}, “{word}”, is not in the list; did you mean “{similar}”?")]
    Unknown {
        /// Which word.
        position: usize,
        /// As it was written.
        word: String,
        /// The nearest word of the list that is due.
        similar: &'static str,
    },
    /// A word of the other list: here one was left out or doubled, or two were swapped.
    #[error(
        "word {position}, “{word}”, belongs at an {other} place: a word before it is missing or doubled, or two are swapped"
    )]
    OtherList {
        /// Which word.
        position: usize,
        /// As it was written.
        word: String,
        /// "even" or "odd": where it could stand.
        other: &'static str,
    },
    /// Too few or too many.
    #[error("there are {found} words; a root has {WORDS}")]
    Count {
        /// How many there are.
        found: usize,
    },
}

/// The list for a place, counted from 0.
fn list(place: usize) -> impl Iterator<Item = &'static str> {
    let text = if place.is_multiple_of(2) {
        OF_TWO
    } else {
        OF_THREE
    };
    text.split_ascii_whitespace()
}

/// The words of a digest.
pub fn encode(digest: &Digest) -> Vec<&'static str> {
    let word = |(place, byte): (usize, &u8)| {
        list(place)
            .nth(usize::from(*byte))
            .expect("a list has a word for every byte")
    };
    digest.as_bytes().iter().enumerate().map(word).collect()
}

/// The digest of words, whatever their case.
pub fn decode(words: &[&str]) -> Result<Digest, WordsError> {
    let mut bytes = [0; WORDS];
    // Wrong words first, so that a word left out is told by its place rather than by the count.
    for (place, word) in words.iter().take(WORDS).enumerate() {
        let found = list(place).position(|known| known.eq_ignore_ascii_case(word));
        let Some(byte) = found else {
            return Err(misread(place, word));
        };
        bytes[place] = u8::try_from(byte).expect("a list has 256 words");
    }
    if words.len() == WORDS {
        Ok(Digest::new(bytes))
    } else {
        Err(WordsError::Count { found: words.len() })
    }
}

fn misread(place: usize, word: &str) -> WordsError {
    let position = place + 1;
    if list(place + 1).any(|known| known.eq_ignore_ascii_case(word)) {
        let other = if place.is_multiple_of(2) {
            "even"
        } else {
            "odd"
        };
        return WordsError::OtherList {
            position,
            word: word.into(),
            other,
        };
    }
    let similar = list(place)
        .min_by_key(|known| distance(&known.to_ascii_lowercase(), &word.to_lowercase()))
        .expect("the list is not empty");
    WordsError::Unknown {
        position,
        word: word.chars().take(40).collect(),
        similar,
    }
}

/// Levenshtein's distance between a word of the list and the first 40 characters of another.
fn distance(known: &str, word: &str) -> usize {
    let known: Vec<char> = known.chars().collect();
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (above, typed) in word.chars().take(40).enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (at, letter) in known.iter().enumerate() {
            let replaced = diagonal + usize::from(*letter != typed);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[known.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> Digest {
        Digest::of(b"anything")
    }

    #[test]
    fn every_byte_at_every_place_has_a_word_of_its_own_and_comes_back() {
        for byte in 0..=255 {
            let digest = Digest::new([byte; 32]);
            let words = encode(&digest);
            assert_eq!(decode(&words), Ok(digest));
            let shouted: Vec<String> = words.iter().map(|w| w.to_uppercase()).collect();
            let shouted: Vec<&str> = shouted.iter().map(String::as_str).collect();
            assert_eq!(decode(&shouted), Ok(digest));
        }
        for place in [0, 1] {
            let mut words: Vec<String> = list(place).map(str::to_lowercase).collect();
            words.sort();
            words.dedup();
            assert_eq!(words.len(), 256);
        }
    }

    #[test]
    fn the_published_example_is_spelt_as_published() {
        // The fingerprint E582 94F2 E9A2 ... of the list's authors' own example.
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&[0xe5, 0x82, 0x94, 0xf2]);
        let words = encode(&Digest::new(bytes));
        assert_eq!(words[..4], ["topmost", "Istanbul", "Pluto", "vagabond"]);
    }

    #[test]
    fn a_slip_is_named_by_its_place() {
        let words = encode(&digest());
        let mut misspelt = words.clone();
        misspelt[6] = "klaxxon";
        assert_eq!(
            decode(&misspelt),
            Err(WordsError::Unknown {
                position: 7,
                word: "klaxxon".into(),
                similar: "klaxon"
            })
        );
        let mut swapped = words.clone();
        swapped.swap(10, 11);
        assert!(
            matches!(
                decode(&swapped),
                Err(WordsError::OtherList { position: 11, .. })
            ),
            "{:?}",
            decode(&swapped)
        );
        let mut shorter = words.clone();
        shorter.remove(3);
        assert!(matches!(
            decode(&shorter),
            Err(WordsError::OtherList { position: 4, .. })
        ));
        assert_eq!(decode(&words[..30]), Err(WordsError::Count { found: 30 }));
        assert_eq!(decode(&[]), Err(WordsError::Count { found: 0 }));
    }
}
