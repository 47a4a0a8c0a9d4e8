//! Counts tests by reading what their runners print.
//!
//! Reading is deliberate: both formats are the runners' stable, human output, so the person at the
//! terminal and the summary line see the same thing. Owns the two formats and the closing line.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how. `skipped` never makes a run fail, but it is always shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// A step that is one check in itself, such as `fmt`.
    pub(crate) fn one(good: bool) -> Self {
        Self {
            passed: u64::from(good),
            failed: u64::from(!good),
            skipped: 0,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The closing line, whose wording tools outside this repository read: `N passed, N failed`.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Whose output is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; …`, once per test binary.
    Libtest,
    /// `ℹ pass 3` (spec reporter) or `# pass 3` (TAP), once per run.
    Node,
}

/// What this one line adds to the counts; nothing for most lines.
pub(crate) fn counts_in_line(format: Format, line: &str) -> Counts {
    let line = without_colour(line);
    match format {
        Format::Libtest => libtest(&line),
        Format::Node => node(&line),
    }
    .unwrap_or_default()
}

fn libtest(line: &str) -> Option<Counts> {
    let (_, results) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = Counts::default();
    for result in results.split(';') {
        let mut words = result.split_whitespace();
        let (Some(number), Some(what)) = (words.next(), words.next()) else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else {
            continue;
        };
        match what {
            "passed" => counts.passed += number,
            "failed" => counts.failed += number,
            "ignored" => counts.skipped += number,
            _ => {}
        }
    }
    Some(counts)
}

fn node(line: &str) -> Option<Counts> {
    let (what, number) = line
        .strip_prefix("ℹ ")
        .or_else(|| line.strip_prefix("# "))?
        .split_once(' ')?;
    let number = number.trim().parse::<u64>().ok()?;
    let mut counts = Counts::default();
    match what {
        "pass" => counts.passed = number,
        // A test that was cancelled (its parent ended, its time was up) did not show anything.
        "fail" | "cancelled" => counts.failed = number,
        "skipped" | "todo" => counts.skipped = number,
        _ => return None,
    }
    Some(counts)
}

/// The line without terminal colour sequences (`ESC [ … m`).
fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(format: Format, text: &str) -> Counts {
        let mut counts = Counts::default();
        for line in text.lines() {
            counts += counts_in_line(format, line);
        }
        counts
    }

    #[test]
    fn libtest_lines_add_up() {
        let text = "running 3 tests\n\
            test a ... ok\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s\n\
            test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let counts = total(Format::Libtest, text);
        assert_eq!(
            counts,
            Counts {
                passed: 5,
                failed: 4,
                skipped: 1
            }
        );
    }

    #[test]
    fn coloured_libtest_lines_count_too() {
        let line = "test result: \u{1b}[32mok\u{1b}[0m. 2 passed; 0 failed; 0 ignored";
        assert_eq!(counts_in_line(Format::Libtest, line).passed, 2);
    }

    #[test]
    fn node_spec_and_tap_count_alike() {
        let spec = "ℹ tests 9\nℹ pass 4\nℹ fail 2\nℹ cancelled 1\nℹ skipped 1\nℹ todo 1\nℹ duration_ms 12.5";
        let tap = spec.replace('ℹ', "#");
        let expected = Counts {
            passed: 4,
            failed: 3,
            skipped: 2,
        };
        assert_eq!(total(Format::Node, spec), expected);
        assert_eq!(total(Format::Node, &tap), expected);
    }

    #[test]
    fn other_lines_add_nothing() {
        for line in [
            "",
            "# a heading",
            "ℹ",
            "test result: ",
            "3 passed, 0 failed",
        ] {
            assert_eq!(
                counts_in_line(Format::Libtest, line),
                Counts::default(),
                "{line}"
            );
            assert_eq!(
                counts_in_line(Format::Node, line),
                Counts::default(),
                "{line}"
            );
        }
    }

    #[test]
    fn the_closing_line_reads_as_promised() {
        let mut counts = Counts::one(true);
        counts += Counts::one(false);
        counts += Counts {
            passed: 10,
            failed: 0,
            skipped: 3,
        };
        assert_eq!(counts.to_string(), "11 passed, 1 failed");
    }
}
