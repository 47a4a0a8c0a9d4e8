//! The order in which people expect names: numbers by value, case and accents set aside until they must decide.
//!
//! [`sort_key`] turns a name into bytes whose plain comparison (`memcmp`, a `BLOB` index) is that order, so that the
//! store pages through a million names without a collation of its own. [`fold`] turns text into what a forgiving
//! substring search compares. Both depend on Unicode data, so whatever stores their results keeps [`VERSION`] beside
//! them and makes them anew when it differs.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use icu_collator::options::{CollatorOptions, Strength};
use icu_collator::preferences::CollationNumericOrdering;
use icu_collator::{Collator, CollatorBorrowed, CollatorPreferences};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

/// Raised by hand whenever the code below, or the ICU data it is built with, gives other bytes than before.
/// The tests pin keys and the data's version so that this is not forgotten.
const CODE_VERSION: u32 = 1;

/// Names the code and the Unicode data that [`sort_key`] and [`fold`] go by. Results of different versions must not
/// be compared with each other.
pub const VERSION: u32 = {
    // The standard library's case mapping comes with the compiler and changes with it.
    let (major, minor, update) = char::UNICODE_VERSION;
    CODE_VERSION << 24 | (major as u32) << 16 | (minor as u32) << 8 | update as u32
};

/// Ends the collation key. Collation keys consist of bytes from 1 up, so a name comes before its own continuations.
const SEPARATOR: u8 = 0;

/// Digits that the collator compares as one number; it cuts longer runs, and then compares the pieces.
const COLLATOR_DIGITS_MAX: usize = 254;

/// Digits of a long run that go into one piece, next to the leading 1.
const PIECE_DIGITS: usize = COLLATOR_DIGITS_MAX - 1;

/// CLDR root order: no language is preferred, since one vault is read in many.
///
/// Strength is secondary: letters first, then accents. The tertiary level would add the order of cases and widths at
/// one or two bytes per capital, and the name's own bytes at the end of the key settle those ties as well.
static COLLATOR: LazyLock<CollatorBorrowed<'static>> = LazyLock::new(|| {
    let mut preferences = CollatorPreferences::default();
    preferences.numeric_ordering = Some(CollationNumericOrdering::True);
    let mut options = CollatorOptions::default();
    options.strength = Some(Strength::Secondary);
    Collator::try_new(preferences, options).expect("the root collation is compiled in")
});

/// The place of `name` in natural order, as bytes to compare.
///
/// Case-insensitive and numeric: `img2` < `IMG10`, `É` stands beside `e`, composed and decomposed spellings stand side
/// by side, digits of every script count, at any length. Names that differ only in case, width or leading zeros
/// are told apart by their bytes (`007` before `7`), so two names have the same key exactly if their bytes are the
/// same. Bytes that are not UTF-8 sort as U+FFFD does. The name itself is the end of the key.
pub fn sort_key(name: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(name);
    let text = rewrite_long_numbers(&text);
    let mut key = Vec::with_capacity(2 * name.len() + 16);
    // Writing to a vector cannot fail, and the type says so.
    let Ok(()) = COLLATOR.write_sort_key_to(&text, &mut key);
    key.push(SEPARATOR);
    key.extend_from_slice(name);
    key
}

/// The name that [`sort_key`] ended the key with; nothing if the bytes are no key.
pub fn name_in_key(key: &[u8]) -> &[u8] {
    let end = key
        .iter()
        .position(|byte| *byte == SEPARATOR)
        .map_or(key.len(), |at| at + 1);
    &key[end..]
}

/// `text` without what a search should overlook: case, accents, and compatibility forms such as full-width letters
/// and ligatures. A name contains a query, forgivingly, if its folded form contains the folded query.
///
/// Marks that make another letter rather than an accented one (dakuten, vowel signs of Indic scripts) stay.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    let bare: String = decomposed
        .chars()
        .filter(|&c| !is_accent(c))
        .flat_map(case_folded)
        .collect();
    // Recomposed, so that a Hangul syllable is not found inside a longer one.
    ComposingNormalizerBorrowed::new_nfc()
        .normalize(&bare)
        .into_owned()
}

/// `text` without differences of case and of composition, which several file systems do not keep apart.
pub fn fold_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(text);
    let folded: String = decomposed.chars().flat_map(case_folded).collect();
    ComposingNormalizerBorrowed::new_nfc()
        .normalize(&folded)
        .into_owned()
}

/// Upper-casing on the way unites what lower-casing alone leaves apart: ß and ss, ς and σ, ſ and s.
fn case_folded(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}

/// Combining marks that people leave out when they type a query.
fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}' // Latin, Greek, Cyrillic, symbols
        | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}' | '\u{5c4}'..='\u{5c5}' | '\u{5c7}' // Hebrew
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}') // Arabic
}

/// Spells numbers of 254 digits and more so that the collator's cut into pieces of 254 keeps their order:
/// one piece of nines, greater than any shorter number; one with the count of digits; then the digits, each piece
/// led by a 1, since the collator skips zeros at the start of a piece.
fn rewrite_long_numbers(text: &str) -> Cow<'_, str> {
    // A character is at most 4 bytes long, but digits of 1 byte are what makes text short.
    if text.len() < COLLATOR_DIGITS_MAX {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut copied = 0;
    for (range, digits) in long_numbers(text) {
        out.push_str(&text[copied..range.start]);
        copied = range.end;
        out.extend(std::iter::repeat_n('9', COLLATOR_DIGITS_MAX));
        out.push('1');
        // Writing to a string cannot fail.
        let _ = write!(out, "{:0width$}", digits.len(), width = PIECE_DIGITS);
        for piece in digits.as_bytes().chunks(PIECE_DIGITS) {
            out.push('1');
            out.extend(piece.iter().copied().map(char::from));
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The runs of at least [`COLLATOR_DIGITS_MAX`] significant digits: where they are, and their digits in ASCII.
fn long_numbers(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut run: Option<(usize, String)> = None;
    let end = std::iter::once((text.len(), None));
    for (at, c) in text.char_indices().map(|(at, c)| (at, Some(c))).chain(end) {
        match (c.and_then(digit), &mut run) {
            (Some('0'), Some((_, digits))) if digits.is_empty() => {}
            (Some(digit), Some((_, digits))) => digits.push(digit),
            (Some(digit), None) => {
                run = Some((
                    at,
                    if digit == '0' {
                        String::new()
                    } else {
                        digit.into()
                    },
                ));
            }
            (None, _) => {
                if let Some((start, digits)) = run.take()
                    && digits.len() >= COLLATOR_DIGITS_MAX
                {
                    found.push((start..at, digits));
                }
            }
        }
    }
    found
}

/// The value of a decimal digit of any script, as an ASCII digit.
fn digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c);
    }
    let code = u32::from(c);
    let zero = DIGIT_ZEROS[..DIGIT_ZEROS.partition_point(|&zero| zero <= code)].last()?;
    char::from_digit(code.checked_sub(*zero)?, 10)
}

/// Code points of the zeros outside ASCII; in every script the other nine follow (Unicode stability policy).
const DIGIT_ZEROS: [u32; 70] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0,
    0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x11f50, 0x16a60,
    0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140,
    0x1e2f0, 0x1e4f0, 0x1e950, 0x1fbf0,
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn assert_ascending(names: &[&str]) {
        for pair in names.windows(2) {
            assert!(
                sort_key(pair[0].as_bytes()) < sort_key(pair[1].as_bytes()),
                "{:?} should come before {:?}",
                pair[0],
                pair[1]
            );
        }
    }

    #[test]
    fn numbers_go_by_value_and_case_is_set_aside() {
        assert_ascending(&[
            "img1.png",
            "IMG2.png",
            "img2a.png",
            "Img10.png",
            "img100.png",
        ]);
        assert_ascending(&["a", "B", "c", "D"]);
        assert_ascending(&["2024-01-09", "2024-01-10", "2024-10-01"]);
        assert_ascending(&["v1.2.9", "v1.2.10", "v1.10.1"]);
        assert_ascending(&["file", "file 1", "file.txt", "file1", "filea"]);
    }

    #[test]
    fn accents_decide_only_where_letters_do_not() {
        assert_ascending(&["e1", "É1", "e2", "ê2", "f"]);
        assert_ascending(&["cote", "coté", "côte", "côté", "coter"]);
        // Composed and decomposed, with nothing between them.
        assert_ascending(&["E", "e\u{301}", "é", "ea"]);
    }

    #[test]
    fn digits_of_other_kinds_do_no_harm() {
        assert_ascending(&["٢", "٣", "٤"]);
        assert_ascending(&["2", "3", "٣", "4"]);
        // The Python original fails for ever on a name like these.
        assert_ascending(&["3", "3²", "4"]);
        assert_ascending(&["1", "1²2.png", "2.png"]);
        assert_ascending(&["file9", "file१०", "file11"]);
    }

    #[test]
    fn leading_zeros_decide_last() {
        assert_ascending(&["6", "007", "07", "7", "8"]);
        assert_ascending(&["7a", "007b", "7c"]);

        assert!(
            sort_key(b"0") < sort_key(b"00"),
            "one is the other's beginning"
        );
        assert!(sort_key(b"00") < sort_key(b"1"));
    }

    #[test]
    fn numbers_of_any_length_go_by_value() {
        let number = |first: char, digits: usize| format!("{first}{}", "0".repeat(digits - 1));
        let mut ascending = Vec::new();
        for digits in [
            1, 7, 8, 100, 253, 254, 255, 256, 300, 500, 507, 508, 509, 800, 1000,
        ] {
            ascending.push(number('1', digits));
            ascending.push(number('5', digits));
            ascending.push("9".repeat(digits));
            ascending.push(format!("{}x", "9".repeat(digits)));
        }
        let ascending: Vec<_> = ascending.iter().map(String::as_str).collect();
        assert_ascending(&ascending);
        let long = "123456789".repeat(60);
        assert_ascending(&[
            &format!("{long}1"),
            &format!("{long}2"),
            &format!("{long}2a"),
            &format!("{long}2b"),
            &format!("{long}10"),
        ]);
        // Zeros in front do not make a number longer, and zeros at a cut do not vanish.
        assert_ascending(&[
            &"9".repeat(253),
            &format!("{}{}", "0".repeat(400), "1".repeat(254)),
        ]);
        let nines = "9".repeat(254);
        assert_ascending(&[
            &format!("{nines}0001"),
            &format!("{nines}0010"),
            &format!("{nines}1000"),
        ]);
        // Digits of another script have the same value.
        let arabic = format!("{}٤", "٣".repeat(300));
        assert_ascending(&[&"3".repeat(301), &arabic, &format!("{}5", "3".repeat(300))]);
    }

    #[test]
    fn names_that_are_not_utf8_have_their_place() {
        let keys = [&b"a\xff"[..], b"a\xfe", b"a\xff1", b"", b"\xf0\x90"].map(sort_key);
        for (i, key) in keys.iter().enumerate() {
            assert!(keys[i + 1..].iter().all(|other| other != key));
        }
        assert!(
            sort_key(b"b") > sort_key(b"a\xff"),
            "the readable start still counts"
        );
    }

    #[test]
    fn keys_are_compact() {
        for (name, bound) in [
            ("IMG_20240131_120059.JPG", 26),
            ("supertuxkart-logo.png", 28),
        ] {
            let key = sort_key(name.as_bytes()).len() - name.len() - 1;
            assert!(key <= bound, "{name}: {key} bytes before the name");
        }
    }

    #[test]
    fn folding_overlooks_case_accents_and_width() {
        for (text, folded) in [
            ("Résumé.PDF", "resume.pdf"),
            ("Re\u{301}sume\u{301}", "resume"),
            ("Straße", "strasse"),
            ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
            ("σίσυφος", "σισυφοσ"),
            ("ＡＢＣ１", "abc1"),
            ("ﬁle", "file"),
            ("İstanbul", "istanbul"),
            ("Йод", "иод"),
            ("3²", "32"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
        assert_ne!(fold("が"), fold("か"));
        assert!(!fold("각").contains(&fold("가")));
        assert_eq!(fold_case("É"), fold_case("e\u{301}"));
        assert_ne!(fold_case("É"), fold_case("e"));
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for c in char::MIN..=char::MAX {
            let once = fold(c.encode_utf8(&mut [0; 4]));
            assert_eq!(fold(&once), once, "{c:?}");
            assert!(!once.is_empty() || is_accent(c), "{c:?} vanishes");
        }
    }

    #[test]
    fn the_table_of_digits_is_what_the_collator_goes_by() {
        assert!(DIGIT_ZEROS.is_sorted());
        for zero in DIGIT_ZEROS {
            let two = char::from_u32(zero + 2).expect("a digit");
            assert_eq!(digit(two), Some('2'));
            let number = format!("{}{two}", char::from_u32(zero + 1).expect("a digit"));
            let key = |text: &str| {
                let key = sort_key(text.as_bytes());
                key[..key.len() - text.len()].to_vec()
            };
            assert_eq!(key(&number), key("12"), "U+{zero:04X}");
        }
        assert_eq!(digit('²'), None);
        assert_eq!(digit('x'), None);
        assert_eq!(digit('\u{66a}'), None);
    }

    /// When this fails, keys made before differ from keys made now: raise [`CODE_VERSION`], then pin anew.
    #[test]
    fn keys_are_those_of_this_version() {
        let names = [
            "a",
            "B",
            "é",
            "img2.png",
            "IMG10.png",
            "3²",
            "٣",
            "naïve file.txt",
            "日本語.md",
            "Ελλάδα",
            "😀",
            "_-~",
            "007",
        ];
        for (name, pinned) in names.iter().zip(PINNED) {
            let key = sort_key(name.as_bytes());
            let mut hex = String::new();
            for byte in &key[..key.len() - name.len() - 1] {
                let _ = write!(hex, "{byte:02x}");
            }
            assert_eq!(hex, pinned, "{name}");
        }
        // Data for characters that no name above contains can drift as well.
        let lock = include_str!("../../../Cargo.lock");
        for package in [
            "icu_collator",
            "icu_collator_data",
            "icu_normalizer",
            "icu_normalizer_data",
        ] {
            let pinned = format!("name = \"{package}\"\nversion = \"2.4.0\"");
            assert!(
                lock.contains(&pinned),
                "{package} is another version than the pinned keys'"
            );
        }
    }

    const PINNED: [&str; 13] = [
        "2b0105",
        "2d0105",
        "33014588",
        "3b4337100408494537010c",
        "3b4337100c08494537010c",
        "1005160106",
        "10050105",
        "452b3b553304353b4133085159510143960f",
        "fa322cfa34befa7c32084331010a",
        "61102626060e0601428806",
        "0d4c5c0105",
        "050a050e0c930107",
        "10090105",
    ];

    proptest! {
        #[test]
        fn keys_are_equal_only_for_equal_names(a: Vec<u8>, b: Vec<u8>) {
            let nul_free = |v: Vec<u8>| v.into_iter().filter(|&b| b != 0).collect::<Vec<_>>();
            let (a, b) = (nul_free(a), nul_free(b));
            prop_assert_eq!(sort_key(&a) == sort_key(&b), a == b);
        }

        #[test]
        fn keys_of_similar_names_are_told_apart(a in "[aAäÄ01٣²\u{301}._ -]{0,12}", b in "[aAäÄ01٣²\u{301}._ -]{0,12}") {
            prop_assert_eq!(sort_key(a.as_bytes()) == sort_key(b.as_bytes()), a == b);
        }

        #[test]
        fn numbers_of_random_length_go_by_value(a in "[1-9][0-9]{0,520}", b in "[1-9][0-9]{0,520}") {
            let by_value = a.len().cmp(&b.len()).then_with(|| a.cmp(&b));
            let (a, b) = (format!("n{a}.x"), format!("n{b}.x"));
            prop_assert_eq!(sort_key(a.as_bytes()).cmp(&sort_key(b.as_bytes())), by_value);
        }

        #[test]
        fn the_collation_part_never_contains_the_separator(name in "\\PC{0,40}") {
            let key = sort_key(name.as_bytes());
            prop_assert_eq!(key.iter().position(|&b| b == SEPARATOR), Some(key.len() - name.len() - 1));
        }
    }
}
