//! Figures as tables for people and as JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::budget::{self, Verdict};
use super::figures::{Row, Run, Spread, Who};

/// A column beside those that every table has: what it shows of a tool's runs, and how it is headed.
struct Extra {
    heading: &'static str,
    figure: fn(&Run) -> Option<f64>,
    pick: fn(&Spread) -> f64,
    decimals: usize,
}

const EXTRAS: [Extra; 4] = [
    Extra {
        heading: "p99",
        figure: |run| run.p99,
        pick: |spread| spread.median,
        decimals: 2,
    },
    Extra {
        heading: "CPU s",
        figure: |run| run.cpu,
        pick: |spread| spread.median,
        decimals: 2,
    },
    // Memory is an upper bound or nothing, so the largest of all runs counts.
    Extra {
        heading: "memory MB",
        figure: |run| run.memory_mb,
        pick: |spread| spread.most,
        decimals: 0,
    },
    Extra {
        heading: "stored MB",
        figure: |run| run.stored_mb,
        pick: |spread| spread.median,
        decimals: 1,
    },
];

/// One table for each group, with a column only where something is in it.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut groups: Vec<&str> = Vec::new();
    for row in rows {
        if !groups.contains(&row.key.group) {
            groups.push(row.key.group);
        }
    }
    let mut text = String::new();
    for group in groups {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.key.group == group).collect();
        write_table(&mut text, group, &rows).expect("a string takes everything");
    }
    text
}

fn write_table(text: &mut String, group: &str, rows: &[&Row]) -> std::fmt::Result {
    let all_runs = || {
        rows.iter()
            .flat_map(|row| &row.tools)
            .flat_map(|(_, runs)| runs)
    };
    let extras: Vec<&Extra> = EXTRAS
        .iter()
        .filter(|extra| all_runs().any(|run| (extra.figure)(run).is_some()))
        .collect();
    let has_peers = rows.iter().any(|row| row.best_peer().is_some());
    let verdicts: Vec<Vec<Verdict>> = rows.iter().map(|row| budget::check(row)).collect();
    let has_budgets = verdicts.iter().any(|verdicts| !verdicts.is_empty());

    let mut headings = vec!["of", "step", "tool", "median", "least to most"];
    headings.extend(extras.iter().map(|extra| extra.heading));
    headings.extend(has_peers.then_some("to the best peer"));
    headings.extend(has_budgets.then_some("budget"));
    writeln!(text, "\n### {group}\n")?;
    writeln!(text, "| {} |", headings.join(" | "))?;
    writeln!(text, "|{}", "---|".repeat(headings.len()))?;
    for (row, verdicts) in rows.iter().zip(&verdicts) {
        for (who, runs) in &row.tools {
            let Some(spread) = Spread::of(runs.iter().map(|run| run.figure)) else {
                continue;
            };
            let mut cells = vec![
                row.key.subject.clone(),
                row.key.step.clone(),
                who.name().to_owned(),
                format!("{:.2} {}", spread.median, row.key.unit.word()),
                format!("{:.2} to {:.2}", spread.least, spread.most),
            ];
            cells.extend(extras.iter().map(|extra| {
                let spread = Spread::of(runs.iter().filter_map(extra.figure));
                spread.map_or_else(String::new, |spread| {
                    format!("{:.*}", extra.decimals, (extra.pick)(&spread))
                })
            }));
            if has_peers {
                let best = row.best_peer();
                cells.push(
                    best.map_or_else(String::new, |best| format!("{:.2}", spread.median / best)),
                );
            }
            if has_budgets {
                cells.push(told(verdicts, *who));
            }
            writeln!(text, "| {} |", cells.join(" | "))?;
        }
    }
    Ok(())
}

/// The budgets of one tool in one row, as a cell.
fn told(verdicts: &[Verdict], who: Who) -> String {
    let own = verdicts.iter().filter(|verdict| verdict.who == who);
    let told = own.map(|verdict| {
        let end = match (verdict.measured, verdict.met) {
            (Some(measured), Some(true)) => format!("{measured:.2}, met"),
            (Some(measured), Some(false)) => format!("{measured:.2}, **not met**"),
            _ => "not measured".to_owned(),
        };
        format!("{}: {end}", verdict.bound)
    });
    told.collect::<Vec<_>>().join("; ")
}

pub(super) fn json(rows: &[Row]) -> Value {
    rows.iter().map(row_json).collect()
}

fn row_json(row: &Row) -> Value {
    let tools: Vec<Value> = row
        .tools
        .iter()
        .map(|(who, runs)| {
            let spread = Spread::of(runs.iter().map(|run| run.figure));
            let runs: Vec<Value> = runs.iter().map(run_json).collect();
            json!({
                "tool": who.name(),
                "median": spread.map(|spread| spread.median),
                "least": spread.map(|spread| spread.least),
                "most": spread.map(|spread| spread.most),
                "runs": runs,
            })
        })
        .collect();
    let budgets: Vec<Value> = budget::check(row)
        .into_iter()
        .map(|verdict| {
            json!({
                "tool": verdict.who.name(),
                "bound": verdict.bound,
                "measured": verdict.measured,
                "met": verdict.met,
            })
        })
        .collect();
    json!({
        "group": row.key.group,
        "of": row.key.subject,
        "step": row.key.step,
        "unit": row.key.unit.word(),
        "tools": tools,
        "budgets": budgets,
    })
}

fn run_json(run: &Run) -> Value {
    json!({
        "figure": run.figure,
        "p99": run.p99,
        "cpu_seconds": run.cpu,
        "memory_mb": run.memory_mb,
        "stored_mb": run.stored_mb,
    })
}

#[cfg(test)]
mod tests {
    use super::super::figures::Unit;
    use super::super::figures::tests::row;
    use super::*;

    #[test]
    fn tools_stand_beside_the_best_peer_and_the_budget() {
        let tools: &[(Who, &[f64])] = &[
            (Who::OursParity0, &[3.0, 1.0, 1.5]),
            (Who::Restic, &[8.0, 9.0]),
            (Who::Borg, &[2.0, 4.0]),
            (Who::Copy, &[0.75]),
        ];
        let mut row = row("archive", "rnd", "archive", Unit::Seconds, tools);
        row.tools[1].1[0].memory_mb = Some(126.4);
        let text = markdown(&[row]);
        let lines: Vec<&str> = text.lines().skip(3).collect();
        assert_eq!(
            lines,
            [
                "| of | step | tool | median | least to most | memory MB | to the best peer | budget |",
                "|---|---|---|---|---|---|---|---|",
                "| rnd | archive | ours, parity 0 | 1.50 s | 1.00 to 3.00 |  | 0.50 | \
                 <= 0.65 of borg (about 1.6 s): 0.50, met; <= 150 MB of memory: not measured |",
                "| rnd | archive | restic | 8.50 s | 8.00 to 9.00 | 126 | 2.83 |  |",
                "| rnd | archive | borg | 3.00 s | 2.00 to 4.00 |  | 1.00 |  |",
                "| rnd | archive | cp + sync | 0.75 s | 0.75 to 0.75 |  | 0.25 |  |",
            ]
        );
    }

    #[test]
    fn columns_without_figures_are_left_out() {
        let tools: &[(Who, &[f64])] = &[(Who::Ours, &[1.0])];
        let text = markdown(&[row("x", "a", "b", Unit::Milliseconds, tools)]);
        assert!(
            text.ends_with("| a | b | ours | 1.00 ms | 1.00 to 1.00 |\n"),
            "{text}"
        );
    }

    #[test]
    fn every_run_is_in_the_json() {
        let tools: &[(Who, &[f64])] = &[(Who::Ours, &[0.5, 1.5]), (Who::Nginx, &[2.0])];
        let row = row(
            "download",
            "rnd",
            "one client",
            Unit::GigabytesPerSecond,
            tools,
        );
        let value = json(&[row]);
        assert_eq!(value[0]["tools"][0]["median"], 1.0);
        assert_eq!(value[0]["tools"][0]["runs"][1]["figure"], 1.5);
        assert_eq!(value[0]["budgets"][0]["met"], true);
    }
}
