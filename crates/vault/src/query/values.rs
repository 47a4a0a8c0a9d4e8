//! The values of filters: sizes, dates, digests, numbers, each with `>`, `<` and `..` where that makes sense.

use super::times;
use crate::ids::Digest;
use crate::natural_order::fold;

/// Whole numbers from `min` to `max`, both included; none if `min` is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The least.
    pub min: u64,
    /// The greatest.
    pub max: u64,
}

impl Bounds {
    /// Whether a number is among them.
    pub const fn holds(&self, number: u64) -> bool {
        self.min <= number && number <= self.max
    }
}

/// Moments from `from` on and before `until`, in seconds since the epoch (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first second.
    pub from: i64,
    /// The first second that no longer belongs to it.
    pub until: i64,
}

impl Period {
    /// Whether a second lies in it.
    pub const fn holds(&self, second: i64) -> bool {
        self.from <= second && second < self.until
    }
}

/// How a SHA-256 begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentPrefix {
    /// 4 to 64 hex digits in lower case.
    hex: String,
}

/// Fewest hex digits of a [`ContentPrefix`]: fewer would find a part of everything.
const HEX_DIGITS_MIN: usize = 4;

impl ContentPrefix {
    /// From 4 to 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_prefix = (HEX_DIGITS_MIN..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_prefix.then(|| Self {
            hex: text.to_ascii_lowercase(),
        })
    }

    /// The digits.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// Whether a digest begins so.
    pub fn holds(&self, digest: &Digest) -> bool {
        digest.to_string().starts_with(&self.hex)
    }

    /// What the first 8 bytes of such a digest are, as far as they are given, and which of their bits are.
    pub(crate) fn head(&self) -> (u64, u64) {
        let digits = self.hex.len().min(16);
        let value = u64::from_str_radix(&self.hex[..digits], 16).unwrap_or(0);
        let unknown = 64 - 4 * digits;
        if unknown == 0 {
            return (value, u64::MAX);
        }
        (value << unknown, u64::MAX << unknown)
    }

    /// Whether [`ContentPrefix::head`] says all of it.
    pub(crate) fn is_short(&self) -> bool {
        self.hex.len() <= 16
    }
}

/// Something asked of what is known from the content.
#[derive(Clone, Debug, PartialEq)]
pub struct FactTest {
    /// Which fact.
    pub key: &'static str,
    /// What it must be.
    pub is: FactIs,
}

/// What a fact must be.
#[derive(Clone, Debug, PartialEq)]
pub enum FactIs {
    /// A number from the first to the second; whether each belongs to it.
    Number {
        /// The least, and whether it is included.
        from: (f64, bool),
        /// The greatest, and whether it is included.
        to: (f64, bool),
    },
    /// It contains a text, which is folded here.
    Text(String),
    /// It is a moment.
    Time(Period),
}

impl FactTest {
    /// Whether a fact that is a number is as asked; of a moment, Unix milliseconds.
    pub fn holds_number(&self, number: f64) -> bool {
        match &self.is {
            FactIs::Number { from, to } => {
                (number > from.0 || (from.1 && number >= from.0))
                    && (number < to.0 || (to.1 && number <= to.0))
            }
            FactIs::Text(text) => number.to_string().contains(text.as_str()),
            #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
            FactIs::Time(period) => period.holds((number / 1000.0).floor() as i64),
        }
    }

    /// Whether a fact that is a text is as asked; of a moment, `YYYY-MM-DD HH:MM:SS` or the beginning of it.
    pub fn holds_text(&self, text: &str) -> bool {
        match &self.is {
            FactIs::Number { .. } => {
                number(text).is_some_and(|(number, _)| self.holds_number(number))
            }
            FactIs::Text(wanted) => fold(text).contains(wanted.as_str()),
            FactIs::Time(period) => {
                // EXIF writes colons between the parts of a date.
                let text = match text.as_bytes() {
                    [_, _, _, _, b':', _, _, b':', ..] => {
                        format!("{}-{}-{}", &text[..4], &text[5..7], &text[8..])
                    }
                    _ => text.to_owned(),
                };
                times::span(&text).is_some_and(|(start, _)| period.holds(start))
            }
        }
    }
}

/// A value with its signs: from what on, up to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread<'t> {
    Is(&'t str),
    Above { than: &'t str, or_equal: bool },
    Below { than: &'t str, or_equal: bool },
    Between(&'t str, &'t str),
}

/// Reads `>x >=x <x <=x =x x..y x.. ..y x`.
pub(super) fn spread(text: &str) -> Spread<'_> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('>') {
        let (than, or_equal) = rest
            .strip_prefix('=')
            .map_or((rest, false), |rest| (rest, true));
        return Spread::Above {
            than: than.trim(),
            or_equal,
        };
    }
    if let Some(rest) = text.strip_prefix('<') {
        let (than, or_equal) = rest
            .strip_prefix('=')
            .map_or((rest, false), |rest| (rest, true));
        return Spread::Below {
            than: than.trim(),
            or_equal,
        };
    }
    match text.split_once("..") {
        Some((from, "")) => Spread::Above {
            than: from.trim(),
            or_equal: true,
        },
        Some(("", to)) => Spread::Below {
            than: to.trim(),
            or_equal: true,
        },
        Some((from, to)) => Spread::Between(from.trim(), to.trim()),
        None => Spread::Is(text.strip_prefix('=').unwrap_or(text).trim()),
    }
}

/// A period, and in words.
pub(super) fn period(text: &str) -> Option<(Period, String)> {
    let all = Period {
        from: i64::MIN,
        until: i64::MAX,
    };
    let span = times::span;
    Some(match spread(text) {
        Spread::Is(date) => {
            let (from, until) = span(date)?;
            (Period { from, until }, format!("in {date} (UTC)"))
        }
        Spread::Above {
            than,
            or_equal: true,
        } => (
            Period {
                from: span(than)?.0,
                ..all
            },
            format!("in {than} or later (UTC)"),
        ),
        Spread::Above {
            than,
            or_equal: false,
        } => (
            Period {
                from: span(than)?.1,
                ..all
            },
            format!("after the end of {than} (UTC)"),
        ),
        Spread::Below {
            than,
            or_equal: true,
        } => (
            Period {
                until: span(than)?.1,
                ..all
            },
            format!("in {than} or earlier (UTC)"),
        ),
        Spread::Below {
            than,
            or_equal: false,
        } => (
            Period {
                until: span(than)?.0,
                ..all
            },
            format!("before {than} (UTC)"),
        ),
        Spread::Between(first, last) => {
            let period = Period {
                from: span(first)?.0,
                until: span(last)?.1,
            };
            (period, format!("from {first} to the end of {last} (UTC)"))
        }
    })
}

/// Units of sizes, each with its bytes, as they are written out.
const UNITS: [(&str, &[&str], u64); 9] = [
    ("bytes", &["", "b", "byte", "bytes"], 1),
    ("KB", &["k", "kb"], 1000),
    ("MB", &["m", "mb"], 1_000_000),
    ("GB", &["g", "gb"], 1_000_000_000),
    ("TB", &["t", "tb"], 1_000_000_000_000),
    ("KiB", &["ki", "kib"], 1 << 10),
    ("MiB", &["mi", "mib"], 1 << 20),
    ("GiB", &["gi", "gib"], 1 << 30),
    ("TiB", &["ti", "tib"], 1 << 40),
];

/// A size as it was written.
struct Size {
    bytes: u64,
    /// Half of what its last digit stands for.
    about: u64,
    words: String,
}

fn size(text: &str) -> Option<Size> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (amount, unit) = (&text[..digits], text[digits..].trim().to_ascii_lowercase());
    let (name, _, factor) = UNITS
        .iter()
        .find(|(_, spellings, _)| spellings.contains(&unit.as_str()))?;
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    // More digits than a terabyte has bytes say nothing.
    let is_amount =
        !whole.is_empty() && whole.len() <= 20 && fraction.len() <= 12 && !fraction.contains('.');
    if !is_amount || (amount.contains('.') && fraction.is_empty()) {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let bytes = digits.checked_mul(u128::from(*factor))?.div_ceil(scale);
    Some(Size {
        bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        about: if *factor == 1 {
            0
        } else {
            u64::try_from(u128::from(*factor) / scale / 2).unwrap_or(0)
        },
        words: format!("{amount} {name}"),
    })
}

/// Sizes, and in words.
pub(super) fn sizes(text: &str) -> Option<(Bounds, String)> {
    Some(match spread(text) {
        Spread::Is(text) => {
            let Size {
                bytes,
                about,
                words,
            } = size(text)?;
            let bounds = Bounds {
                min: bytes.saturating_sub(about),
                max: bytes.saturating_add(about),
            };
            let words = match (bytes, about) {
                (0, _) => "empty files".into(),
                (_, 0) => format!("exactly {words}"),
                _ => format!("about {words}"),
            };
            (bounds, words)
        }
        Spread::Above { than, or_equal } => {
            let Size { bytes, words, .. } = size(than)?;
            if or_equal {
                (
                    Bounds {
                        min: bytes,
                        max: u64::MAX,
                    },
                    format!("{words} or larger"),
                )
            } else if let Some(min) = bytes.checked_add(1) {
                (
                    Bounds { min, max: u64::MAX },
                    format!("larger than {words}"),
                )
            } else {
                (Bounds { min: 1, max: 0 }, format!("larger than {words}"))
            }
        }
        Spread::Below { than, or_equal } => {
            let Size { bytes, words, .. } = size(than)?;
            if or_equal {
                (Bounds { min: 0, max: bytes }, format!("{words} or smaller"))
            } else if let Some(max) = bytes.checked_sub(1) {
                (Bounds { min: 0, max }, format!("smaller than {words}"))
            } else {
                (Bounds { min: 1, max: 0 }, format!("smaller than {words}"))
            }
        }
        Spread::Between(from, to) => {
            let (from, to) = (size(from)?, size(to)?);
            let words = format!("{} to {}", from.words, to.words);
            (
                Bounds {
                    min: from.bytes,
                    max: to.bytes,
                },
                words,
            )
        }
    })
}

/// Units that numbers of facts may carry, and what they multiply by: durations, sizes of rates, lengths.
const FACT_UNITS: [(&str, f64); 9] = [
    ("", 1.0),
    ("s", 1.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("px", 1.0),
    ("mm", 1.0),
    ("hz", 1.0),
    ("khz", 1000.0),
    ("k", 1000.0),
];

/// A number, and half of what its last digit stands for: `4000`, `2.8`, `1/250`, `1:30` (minutes and seconds), `48khz`.
fn number(text: &str) -> Option<(f64, f64)> {
    let text = text.trim();
    if text.len() > 32 {
        return None;
    }
    if let Some((above, below)) = text.split_once('/') {
        let (above, below) = (plain(above)?.0, plain(below)?.0);
        return (below > 0.0).then(|| (above / below, 0.0));
    }
    if text.contains(':') {
        let mut seconds = 0.0;
        for (place, part) in text.split(':').enumerate() {
            let (part, _) = plain(part).filter(|(part, _)| *part >= 0.0 && place < 3)?;
            seconds = seconds * 60.0 + part;
        }
        return Some((seconds, 0.5));
    }
    let letters = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (amount, unit) = (&text[..letters], text[letters..].to_ascii_lowercase());
    let (_, factor) = FACT_UNITS.iter().find(|(name, _)| *name == unit)?;
    let (amount, about) = plain(amount.trim_end())?;
    Some((amount * factor, about * factor))
}

fn plain(text: &str) -> Option<(f64, f64)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|number| is_plain && number.is_finite())?;
    let places = digits
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    Some((number, 0.5 / 10_f64.powi(i32::try_from(places).ok()?)))
}

/// Numbers, and in words.
pub(super) fn numbers(text: &str) -> Option<(FactIs, String)> {
    let above = (f64::NEG_INFINITY, true);
    let below = (f64::INFINITY, true);
    Some(match spread(text) {
        Spread::Is(text) => {
            let (number, about) = number(text)?;
            let is = FactIs::Number {
                from: (number - about, true),
                to: (number + about, about == 0.0),
            };
            (is, text.to_owned())
        }
        Spread::Above { than, or_equal } => {
            let is = FactIs::Number {
                from: (number(than)?.0, or_equal),
                to: below,
            };
            let words = if or_equal {
                format!("{than} or more")
            } else {
                format!("more than {than}")
            };
            (is, words)
        }
        Spread::Below { than, or_equal } => {
            let is = FactIs::Number {
                from: above,
                to: (number(than)?.0, or_equal),
            };
            let words = if or_equal {
                format!("{than} or less")
            } else {
                format!("less than {than}")
            };
            (is, words)
        }
        Spread::Between(from, to) => {
            let is = FactIs::Number {
                from: (number(from)?.0, true),
                to: (number(to)?.0, true),
            };
            (is, format!("{from} to {to}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_unless_they_say_otherwise() {
        let bounds = |text| sizes(text).map(|(bounds, _)| (bounds.min, bounds.max));
        for (text, due) in [
            (">10mb", (10_000_001, u64::MAX)),
            (">=10 MB", (10_000_000, u64::MAX)),
            ("<1KiB", (0, 1023)),
            ("<=1.5k", (0, 1500)),
            ("1kb..2mb", (1000, 2_000_000)),
            ("1kb..", (1000, u64::MAX)),
            ("..1kb", (0, 1000)),
            ("0", (0, 0)),
            ("17", (17, 17)),
            ("10mb", (9_500_000, 10_500_000)),
            ("1.5mb", (1_450_000, 1_550_000)),
            (">99999999tb", (1, 0)),
            ("<0", (1, 0)),
            ("5mb..1mb", (5_000_000, 1_000_000)),
        ] {
            assert_eq!(bounds(text), Some(due), "{text}");
        }
        for text in [
            "", "mb", ">", "1xb", "1..2..3", "-1", "1.", ".5mb", "1e9", "1,5mb", "٣",
        ] {
            assert_eq!(bounds(text), None, "{text}");
        }
    }

    #[test]
    fn a_period_has_all_that_its_dates_say() {
        let of = |text| period(text).map(|(period, _)| (period.from, period.until));
        let year = times::span("2024").unwrap();
        assert_eq!(of("2024"), Some(year));
        assert_eq!(of(">2024"), Some((year.1, i64::MAX)));
        assert_eq!(of(">=2024"), Some((year.0, i64::MAX)));
        assert_eq!(of("<2024"), Some((i64::MIN, year.0)));
        assert_eq!(of("<=2024"), Some((i64::MIN, year.1)));
        assert_eq!(of("2024.."), Some((year.0, i64::MAX)));
        assert_eq!(
            of("2023..2024"),
            Some((times::span("2023").unwrap().0, year.1))
        );
        assert_eq!(of("soon"), None);
    }

    #[test]
    fn digests_begin_so() {
        assert_eq!(ContentPrefix::parse("abc"), None);
        assert_eq!(ContentPrefix::parse("abcg"), None);
        assert_eq!(ContentPrefix::parse(&"a".repeat(65)), None);
        let prefix = ContentPrefix::parse("E3B0c").unwrap();
        assert_eq!(
            prefix.head(),
            (0xe3b0_c000_0000_0000, 0xffff_f000_0000_0000)
        );
        assert!(prefix.holds(&Digest::EMPTY));
        let whole = ContentPrefix::parse(&Digest::EMPTY.to_string()).unwrap();
        assert_eq!(whole.head(), (0xe3b0_c442_98fc_1c14, u64::MAX));
        assert!(!whole.is_short() && whole.holds(&Digest::EMPTY));
    }

    #[test]
    fn facts_are_compared_as_what_they_are() {
        let test = |text| FactTest {
            key: "duration",
            is: numbers(text).unwrap().0,
        };
        assert!(test(">4000").holds_number(4001.0) && !test(">4000").holds_number(4000.0));
        assert!(test("1:30").holds_number(90.2) && !test("1:30").holds_number(91.0));
        assert!(test("<1/100").holds_number(0.004) && test("2.8").holds_number(2.8));
        assert!(test("<10min").holds_number(599.0) && test("44.1khz").holds_number(44_100.0));
        assert!(test("3").holds_text("3") && !test("3").holds_text("three"));
        for text in [
            "", "x", "1:2:3:4", "1/0", "--1", "1x", "nan", "inf", "1e5", ".",
        ] {
            assert_eq!(numbers(text), None, "{text}");
        }
        let taken = FactTest {
            key: "taken",
            is: FactIs::Time(period("2024-05").unwrap().0),
        };
        for (text, due) in [
            ("2024-05-01 10:00:00", true),
            ("2024:05:31 23:59:59", true),
            ("2024-06-01", false),
            ("東東東東:東:", false),
        ] {
            assert_eq!(taken.holds_text(text), due, "{text}");
        }
        let artist = FactTest {
            key: "artist",
            is: FactIs::Text(fold("Bach")),
        };
        assert!(artist.holds_text("J. S. BÁCH"));
    }
}
