//! Figures of many runs: who was measured, in what, and how the runs of one row spread. Knows no tool and no file.

/// Whom a figure belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// With the parity every vault has unless its maker says otherwise.
    Ours,
    /// What the budgets of most rows are about.
    OursParity0,
    Restic,
    Rustic,
    Borg,
    Copyparty,
    Nginx,
    /// What the disk can do.
    Copy,
    /// What the processor can do.
    Hashing,
}

impl Who {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursParity0 => "ours, parity 0",
            Self::Restic => "restic",
            Self::Rustic => "rustic",
            Self::Borg => "borg",
            Self::Copyparty => "copyparty",
            Self::Nginx => "nginx",
            Self::Copy => "cp + sync",
            Self::Hashing => "SHA-256 alone",
        }
    }

    pub(super) fn role(self) -> Role {
        match self {
            Self::Ours | Self::OursParity0 => Role::Ours,
            Self::Copy | Self::Hashing => Role::Limit,
            _ => Role::Peer,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Ours,
    Peer,
    /// What no program that does the whole job can be faster than.
    Limit,
}

/// What a row's figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    GigabytesPerSecond,
    Megabytes,
}

impl Unit {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::GigabytesPerSecond => "GB/s",
            Self::Megabytes => "MB",
        }
    }

    fn best(self, figures: impl Iterator<Item = f64>) -> Option<f64> {
        match self {
            Self::GigabytesPerSecond => figures.max_by(f64::total_cmp),
            _ => figures.min_by(f64::total_cmp),
        }
    }
}

/// One run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Run {
    /// In the row's unit; where one run is many requests, their median.
    pub(super) figure: f64,
    /// Of the requests of one run.
    pub(super) p99: Option<f64>,
    /// Processor time of the program that archives or serves, in seconds.
    pub(super) cpu: Option<f64>,
    /// Its peak of resident memory.
    pub(super) memory_mb: Option<f64>,
    /// Size of what was stored.
    pub(super) stored_mb: Option<f64>,
}

impl Run {
    pub(super) fn of(figure: f64) -> Self {
        Self {
            figure,
            ..Self::default()
        }
    }

    /// Of the times of many requests, in milliseconds.
    pub(super) fn of_requests(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self {
            p99: Some(percentile(&times, 99)),
            ..Self::of(percentile(&times, 50))
        }
    }
}

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) group: &'static str,
    pub(super) subject: String,
    pub(super) step: String,
    pub(super) unit: Unit,
}

/// What was measured of one step on one subject, by tool in the order of their first run.
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) tools: Vec<(Who, Vec<Run>)>,
}

impl Row {
    pub(super) fn median_of(&self, who: Who, figure: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
        let (_, runs) = self.tools.iter().find(|(known, _)| *known == who)?;
        Some(Spread::of(runs.iter().filter_map(figure))?.median)
    }

    /// The best of the tools that are not ours, limits left out.
    pub(super) fn best_peer(&self) -> Option<f64> {
        let peers = self
            .tools
            .iter()
            .filter(|(who, _)| who.role() == Role::Peer);
        let medians = peers.filter_map(|(who, _)| self.median_of(*who, |run| Some(run.figure)));
        self.key.unit.best(medians)
    }
}

/// All rows, in the order in which they were first measured.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) rows: Vec<Row>,
}

impl Figures {
    pub(super) fn add(&mut self, key: Key, who: Who, run: Run) {
        let known = self.rows.iter().position(|row| row.key == key);
        let at = known.unwrap_or_else(|| {
            let tools = Vec::new();
            self.rows.push(Row { key, tools });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        match row.tools.iter_mut().find(|(known, _)| *known == who) {
            Some((_, runs)) => runs.push(run),
            None => row.tools.push((who, vec![run])),
        }
    }
}

/// Of one figure over all runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

impl Spread {
    /// `None` if there are no figures.
    pub(super) fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let (low, high) = (figures[(figures.len() - 1) / 2], figures[figures.len() / 2]);
        Some(Self {
            least,
            median: f64::midpoint(low, high),
            most,
        })
    }
}

/// The smallest of the figures that at least `percent` of them do not exceed; 0 if there are none.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn row(
        group: &'static str,
        subject: &str,
        step: &str,
        unit: Unit,
        tools: &[(Who, &[f64])],
    ) -> Row {
        let key = Key {
            group,
            subject: subject.to_owned(),
            step: step.to_owned(),
            unit,
        };
        let runs = |figures: &[f64]| figures.iter().copied().map(Run::of).collect();
        let tools = tools.iter().map(|(who, figures)| (*who, runs(figures)));
        Row {
            key,
            tools: tools.collect(),
        }
    }

    #[test]
    fn medians_are_of_the_middle() {
        let spread = |figures: &[f64]| Spread::of(figures.iter().copied());
        let expected = |least, median, most| {
            Some(Spread {
                least,
                median,
                most,
            })
        };
        assert_eq!(spread(&[3.0, 1.0, 1.5]), expected(1.0, 1.5, 3.0));
        assert_eq!(spread(&[4.0, 1.0]), expected(1.0, 2.5, 4.0));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn percentiles_are_figures_that_were_measured() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).rev().collect();
        let run = Run::of_requests(hundred);
        assert_eq!((run.figure, run.p99), (50.0, Some(99.0)));
        let run = Run::of_requests(vec![7.0, 9.0]);
        assert_eq!((run.figure, run.p99), (7.0, Some(9.0)));
        assert_eq!(
            Run::of_requests(Vec::new()),
            Run {
                p99: Some(0.0),
                ..Run::of(0.0)
            }
        );
    }

    #[test]
    fn the_best_peer_is_the_least_time_and_the_most_speed() {
        let tools: &[(Who, &[f64])] = &[
            (Who::Ours, &[1.0]),
            (Who::Copy, &[0.1]),
            (Who::Restic, &[8.0, 9.0]),
            (Who::Borg, &[2.0, 4.0]),
        ];
        let best = |unit| row("archive", "c", "archive", unit, tools).best_peer();
        assert_eq!(best(Unit::Seconds), Some(3.0));
        assert_eq!(best(Unit::GigabytesPerSecond), Some(8.5));
        let alone = row("archive", "c", "archive", Unit::Seconds, &tools[..2]);
        assert_eq!(alone.best_peer(), None);
    }

    #[test]
    fn runs_of_one_row_are_kept_together() {
        let key = |step: &str| Key {
            group: "archive",
            subject: "c".into(),
            step: step.into(),
            unit: Unit::Seconds,
        };
        let mut figures = Figures::default();
        for (step, who) in [("a", Who::Ours), ("b", Who::Ours), ("a", Who::Borg)] {
            figures.add(key(step), who, Run::of(1.0));
        }
        figures.add(key("a"), Who::Ours, Run::of(2.0));
        let shape: Vec<Vec<usize>> = figures
            .rows
            .iter()
            .map(|row| row.tools.iter().map(|(_, runs)| runs.len()).collect())
            .collect();
        assert_eq!(shape, [vec![2, 1], vec![1]]);
    }
}
