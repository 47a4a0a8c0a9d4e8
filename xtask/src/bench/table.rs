//! Figures of many runs as a table and as JSON.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// One run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// From start to end, in seconds.
    pub(super) wall: f64,
    /// Processor time of all threads, in seconds.
    pub(super) cpu: f64,
    /// Peak of resident memory, in KiB.
    pub(super) memory_kib: u64,
    /// Of the repository; 0 where nothing was stored.
    pub(super) bytes: u64,
}

impl Sample {
    /// Reads what `time -f "%e %U %S %M"` wrote.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let numbers: Vec<f64> = text
            .lines()
            .last()
            .unwrap_or_default()
            .split(' ')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("time wrote {text:?}"))?;
        let [wall, user, system, memory] = numbers[..] else {
            anyhow::bail!("time wrote {text:?}");
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of KiB"
        )]
        Ok(Self {
            wall,
            cpu: user + system,
            memory_kib: memory as u64,
            bytes: 0,
        })
    }
}

/// What was measured of one step on one corpus, by tool in the order of their first run.
pub(super) struct Row {
    corpus: String,
    step: String,
    tools: Vec<(String, Vec<Sample>)>,
}

impl Row {
    pub(super) fn new(corpus: &str, step: &str, samples: Vec<(&str, Sample)>) -> Self {
        let mut tools: Vec<(String, Vec<Sample>)> = Vec::new();
        for (name, sample) in samples {
            match tools.iter_mut().find(|(known, _)| known == name) {
                Some((_, samples)) => samples.push(sample),
                None => tools.push((name.to_owned(), vec![sample])),
            }
        }
        Self {
            corpus: corpus.to_owned(),
            step: step.to_owned(),
            tools,
        }
    }

    /// The fastest of the tools that are not ours.
    fn best_peer(&self) -> Option<f64> {
        let peers = self
            .tools
            .iter()
            .filter(|(name, _)| !name.starts_with("ours"));
        peers
            .map(|(_, samples)| Spread::of(samples, |sample| sample.wall).median)
            .min_by(f64::total_cmp)
    }
}

/// Of some figures; all 0 if there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> Self {
        let mut figures: Vec<f64> = samples.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (figures.first(), figures.last()) else {
            return Self::default();
        };
        let (low, high) = (figures[(figures.len() - 1) / 2], figures[figures.len() / 2]);
        Self {
            least,
            median: f64::midpoint(low, high),
            most,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| corpus | step | tool | median s | least to most | CPU s | memory MB | stored MB | to the best peer |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let best = row.best_peer();
        for (tool, samples) in &row.tools {
            let wall = Spread::of(samples, |sample| sample.wall);
            let cpu = Spread::of(samples, |sample| sample.cpu).median;
            let memory = Spread::of(samples, |sample| sample.memory_kib as f64).most * 1024.0 / 1e6;
            let bytes = Spread::of(samples, |sample| sample.bytes as f64).median / 1e6;
            let stored = if bytes > 0.0 {
                format!("{bytes:.1}")
            } else {
                String::new()
            };
            let ratio = best.map_or_else(String::new, |best| format!("{:.2}", wall.median / best));
            writeln!(
                text,
                "| {} | {} | {tool} | {:.2} | {:.2} to {:.2} | {cpu:.2} | {memory:.0} | {stored} | {ratio} |",
                row.corpus, row.step, wall.median, wall.least, wall.most,
            )
            .expect("a string takes everything");
        }
    }
    text
}

pub(super) fn json(versions: &[String], rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .flat_map(|row| {
            row.tools.iter().map(|(tool, samples)| {
                let runs: Vec<Value> = samples
                    .iter()
                    .map(|sample| {
                        json!({
                            "seconds": sample.wall,
                            "cpu_seconds": sample.cpu,
                            "memory_kib": sample.memory_kib,
                            "bytes": sample.bytes,
                        })
                    })
                    .collect();
                json!({ "corpus": row.corpus, "step": row.step, "tool": tool, "runs": runs })
            })
        })
        .collect();
    json!({ "versions": versions, "rows": rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(wall: f64) -> Sample {
        Sample {
            wall,
            ..Sample::default()
        }
    }

    #[test]
    fn medians_are_of_the_middle_and_ratios_to_the_fastest_peer() {
        let samples = vec![
            ("ours", sample(3.0)),
            ("slow", sample(8.0)),
            ("fast", sample(2.0)),
            ("ours", sample(1.0)),
            ("slow", sample(9.0)),
            ("fast", sample(4.0)),
            ("ours", sample(1.5)),
        ];
        let text = markdown(&[Row::new("c", "archive", samples)]);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| c | archive | ours | 1.50 | 1.00 to 3.00 | 0.00 | 0 |  | 0.50 |",
                "| c | archive | slow | 8.50 | 8.00 to 9.00 | 0.00 | 0 |  | 2.83 |",
                "| c | archive | fast | 3.00 | 2.00 to 4.00 | 0.00 | 0 |  | 1.00 |",
            ]
        );
    }

    #[test]
    fn what_time_writes_is_read_and_nothing_else() {
        let read = Sample::parse("1.50 0.75 0.25 2048\n").expect("it is what time writes");
        assert_eq!((read.wall, read.cpu, read.memory_kib), (1.5, 1.0, 2048));
        assert!(Sample::parse("").is_err());
        assert!(Sample::parse("Command exited with non-zero status 1").is_err());
        assert!(Sample::parse("1 2 3").is_err());
    }
}
