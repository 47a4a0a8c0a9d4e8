//! What the program has promised itself to need at most, and whether a run kept to it.
//!
//! Where a peer or a limit is named, the ratio to it binds, measured in the same run on the same machine; the seconds
//! beside it were read on one machine with two cores and only show the scale. Figures stand for the full corpora.

use super::figures::{Key, Row, Run, Who};

#[derive(Clone, Copy)]
enum What {
    Figure,
    Memory,
    Stored,
}

impl What {
    fn of(self, run: &Run) -> Option<f64> {
        match self {
            Self::Figure => Some(run.figure),
            Self::Memory => run.memory_mb,
            Self::Stored => run.stored_mb,
        }
    }
}

#[derive(Clone, Copy)]
enum Bound {
    Most(f64),
    /// So many times what the other one needed.
    MostOf(f64, Who),
    LeastOf(f64, Who),
}

struct Budget {
    who: Who,
    what: What,
    bound: Bound,
    /// What it came to on the machine the budgets were made on, in the row's unit.
    scale: Option<f64>,
    applies: fn(&Key) -> bool,
}

/// Subjects that are measured while something else runs end in this; no budget is about them.
pub(super) const MEANWHILE: &str = ", while files are uploaded";

const fn budget(who: Who, what: What, bound: Bound, applies: fn(&Key) -> bool) -> Budget {
    Budget {
        who,
        what,
        bound,
        scale: None,
        applies,
    }
}

const fn scaled(who: Who, bound: Bound, scale: f64, applies: fn(&Key) -> bool) -> Budget {
    Budget {
        who,
        what: What::Figure,
        bound,
        scale: Some(scale),
        applies,
    }
}

fn is(key: &Key, group: &str, subject: &str, step: &str) -> bool {
    key.group == group && key.subject == subject && key.step == step
}

fn is_list(key: &Key, begins: &str) -> bool {
    key.group == "lists" && !key.subject.ends_with(MEANWHILE) && key.step.starts_with(begins)
}

const BUDGETS: &[Budget] = &[
    scaled(
        Who::OursParity0,
        Bound::MostOf(0.65, Who::Borg),
        1.6,
        |key| is(key, "archive", "rnd", "archive"),
    ),
    scaled(
        Who::OursParity0,
        Bound::MostOf(0.7, Who::Borg),
        1.6,
        |key| is(key, "archive", "stk", "archive"),
    ),
    scaled(
        Who::OursParity0,
        Bound::MostOf(0.45, Who::Restic),
        3.2,
        |key| is(key, "archive", "linux", "archive"),
    ),
    budget(Who::OursParity0, What::Stored, Bound::Most(628.0), |key| {
        is(key, "archive", "stk", "archive")
    }),
    budget(Who::OursParity0, What::Stored, Bound::Most(230.0), |key| {
        is(key, "archive", "linux", "archive")
    }),
    budget(
        Who::OursParity0,
        What::Figure,
        Bound::MostOf(0.5, Who::Restic),
        |key| key.group == "archive" && key.step == "archive again",
    ),
    // Parity is on by default, and may cost this much.
    budget(
        Who::Ours,
        What::Figure,
        Bound::MostOf(1.10, Who::OursParity0),
        |key| (key.group == "archive" && key.step == "archive") || key.group == "upload",
    ),
    budget(
        Who::Ours,
        What::Stored,
        Bound::MostOf(1.09, Who::OursParity0),
        |key| key.group == "archive" && key.step == "archive",
    ),
    budget(Who::OursParity0, What::Memory, Bound::Most(150.0), |key| {
        key.group == "archive"
    }),
    budget(Who::Ours, What::Memory, Bound::Most(220.0), |key| {
        key.group == "archive"
    }),
    scaled(
        Who::OursParity0,
        Bound::MostOf(1.6, Who::Hashing),
        0.45,
        |key| is(key, "verify", "rnd", "verify"),
    ),
    budget(Who::OursParity0, What::Figure, Bound::Most(0.8), |key| {
        is(key, "verify", "rnd", "verify --deep")
    }),
    budget(
        Who::OursParity0,
        What::Figure,
        Bound::MostOf(1.0, Who::Copyparty),
        |key| is(key, "upload", "rnd", "until listed"),
    ),
    budget(
        Who::OursParity0,
        What::Figure,
        Bound::MostOf(0.3, Who::Copyparty),
        |key| is(key, "upload", "stk", "until listed"),
    ),
    budget(
        Who::Ours,
        What::Figure,
        Bound::LeastOf(0.5, Who::Nginx),
        |key| is(key, "download", "rnd", "one client"),
    ),
    budget(Who::Ours, What::Figure, Bound::Most(1.0), |key| {
        is(key, "range", "rnd", "64 KiB at random")
    }),
    budget(Who::Ours, What::Figure, Bound::Most(1.0), |key| {
        is_list(key, "page")
    }),
    budget(Who::Ours, What::Figure, Bound::Most(10.0), |key| {
        is_list(key, "search")
    }),
    budget(Who::Ours, What::Figure, Bound::Most(300.0), |key| {
        is_list(key, "open to the first page")
    }),
    budget(Who::OursParity0, What::Figure, Bound::Most(150.0), |key| {
        key.group == "memory"
    }),
    budget(Who::Ours, What::Figure, Bound::Most(220.0), |key| {
        key.group == "memory"
    }),
];

/// A budget and what was measured against it.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) who: Who,
    /// What was allowed.
    pub(super) bound: String,
    /// A ratio where the bound is one; `None` where one of the two was not measured.
    pub(super) measured: Option<f64>,
    pub(super) met: Option<bool>,
}

/// All budgets that speak of a row.
pub(super) fn check(row: &Row) -> Vec<Verdict> {
    let applying = BUDGETS.iter().filter(|budget| (budget.applies)(&row.key));
    applying.map(|budget| verdict(budget, row)).collect()
}

fn verdict(budget: &Budget, row: &Row) -> Verdict {
    let median = |who| row.median_of(who, |run| budget.what.of(run));
    let ratio_to = |other| Some(median(budget.who)? / median(other)?);
    let unit = match budget.what {
        What::Figure => row.key.unit.word(),
        What::Memory => "MB of memory",
        What::Stored => "MB stored",
    };
    let of_what = match budget.what {
        What::Figure => "",
        What::Memory => " in memory",
        What::Stored => " stored",
    };
    let (mut bound, measured, met) = match budget.bound {
        Bound::Most(most) => {
            let measured = median(budget.who);
            let met = measured.map(|figure| figure <= most);
            (format!("<= {most} {unit}"), measured, met)
        }
        Bound::MostOf(most, other) => {
            let ratio = ratio_to(other);
            let met = ratio.map(|ratio| ratio <= most);
            (
                format!("<= {most} of {}{of_what}", other.name()),
                ratio,
                met,
            )
        }
        Bound::LeastOf(least, other) => {
            let ratio = ratio_to(other);
            let met = ratio.map(|ratio| ratio >= least);
            (
                format!(">= {least} of {}{of_what}", other.name()),
                ratio,
                met,
            )
        }
    };
    if let Some(scale) = budget.scale {
        bound = format!("{bound} (about {scale} {unit})");
    }
    Verdict {
        who: budget.who,
        bound,
        measured,
        met,
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::Unit;
    use super::super::figures::tests::row;
    use super::*;

    fn told(row: &Row) -> Vec<(String, Option<f64>, Option<bool>)> {
        let verdicts = check(row).into_iter();
        verdicts
            .map(|verdict| (verdict.bound, verdict.measured, verdict.met))
            .collect()
    }

    #[test]
    fn the_ratio_binds_and_seconds_only_show_the_scale() {
        let tools: &[(Who, &[f64])] = &[(Who::OursParity0, &[3.0]), (Who::Hashing, &[2.0])];
        let told = told(&row("verify", "rnd", "verify", Unit::Seconds, tools));
        let bound = "<= 1.6 of SHA-256 alone (about 0.45 s)".to_owned();
        assert_eq!(told, [(bound, Some(1.5), Some(true))]);
    }

    #[test]
    fn speed_has_a_floor() {
        let tools: &[(Who, &[f64])] = &[(Who::Ours, &[0.9]), (Who::Nginx, &[2.0])];
        let row = row(
            "download",
            "rnd",
            "one client",
            Unit::GigabytesPerSecond,
            tools,
        );
        assert_eq!(told(&row)[0].2, Some(false));
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        let tools: &[(Who, &[f64])] = &[(Who::Ours, &[0.9])];
        let row = row(
            "download",
            "rnd",
            "one client",
            Unit::GigabytesPerSecond,
            tools,
        );
        assert_eq!(told(&row)[0].1, None);
        assert_eq!(told(&row)[0].2, None);
    }

    #[test]
    fn nothing_is_promised_for_lists_while_files_come_in() {
        let tools: &[(Who, &[f64])] = &[(Who::Ours, &[0.9])];
        let lists =
            |subject: &str| row("lists", subject, "page by name", Unit::Milliseconds, tools);
        assert_eq!(told(&lists("a vault")).len(), 1);
        assert_eq!(told(&lists(&format!("a vault{MEANWHILE}"))), []);
    }
}
