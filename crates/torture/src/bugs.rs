//! Bugs that were planted, each of which has to be found by the means that look for real ones.

use anyhow::Result;
use compactvault_vault::planted::{self, Bug};
use serde_json::json;

use crate::fault::{Failure, Fault, Request};
use crate::power::{self, Plan};
use crate::{faults, shim};

/// Each bug: its name, and whether it was found.
pub struct Outcome(pub Vec<(&'static str, Option<String>)>);

impl Outcome {
    /// As figures.
    pub fn json(&self) -> serde_json::Value {
        let found: serde_json::Map<_, _> = self
            .0
            .iter()
            .map(|(bug, found)| ((*bug).to_owned(), json!(found)))
            .collect();
        let missed = self.missed();
        json!({
            "failures": missed.len(),
            "first_failures": missed,
            "planted": self.0.len(),
            "found": self.0.iter().filter(|(_, found)| found.is_some()).count(),
            "found_by": found,
        })
    }

    /// Bugs that nobody found.
    pub fn missed(&self) -> Vec<&'static str> {
        let missed = self.0.iter().filter(|(_, found)| found.is_none());
        missed.map(|(bug, _)| *bug).collect()
    }
}

/// Plants them one after the other.
pub fn run(plan: &Plan) -> Result<Outcome> {
    type Plant = fn(&shim::Watch);
    let mut found = Vec::new();
    let in_the_disk: [(&str, Plant); 2] = [
        ("synchronous off", |watch| watch.ignore_syncs()),
        ("missing directory sync", |watch| {
            watch.ignore_directory_syncs();
        }),
    ];
    for (name, plant) in in_the_disk {
        found.push((name, by_loss_of_power(plan, plant)?));
    }
    for (name, bug) in [
        ("leaf in another transaction", Bug::RootApart),
        ("acknowledged before commit", Bug::AnsweredEarly),
    ] {
        planted::plant(Some(bug));
        let outcome = by_loss_of_power(plan, |_| ());
        planted::plant(None);
        found.push((name, outcome?));
    }
    found.push(("swallowed fsync error", by_a_fault(plan.seed)?));
    Ok(Outcome(found))
}

/// The first promise that a replay finds broken.
fn by_loss_of_power(plan: &Plan, plant: impl FnOnce(&shim::Watch)) -> Result<Option<String>> {
    // A workload that does not get to its end is a finding, too, but not by the means that is tried here.
    let recording = power::record(plan.seed, plant)?;
    let outcome = power::replay(&recording, plan, 1)?;
    Ok(outcome.failures.into_iter().next())
}

/// The first failed sync that is taken for a good one and loses something.
fn by_a_fault(seed: u64) -> Result<Option<String>> {
    for at in 1..200 {
        let fault = Fault {
            failure: Failure::Sync,
            request: Request::Sync,
            at,
            sticky: true,
        };
        let lived = faults::live(seed, Some(fault), shim::Watch::swallow_sync_errors)?;
        if let Err(error) = lived.judge() {
            return Ok(Some(format!("sync {at} and all after it: {error:#}")));
        }
    }
    Ok(None)
}
