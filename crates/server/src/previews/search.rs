//! Facts as queries ask for them: `width:>4000`, `artist:bach`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use compactvault_vault::query::{FactSet, FactSource, FactTest};
use serde_json::Value;

use super::FactStore;

/// Answers kept, of those asked for last: somebody who types changes one term of a few.
const ANSWERS_KEPT: usize = 16;
/// How long an answer holds while facts are being gathered. Each new one would else have all of them looked through.
const STALE: Duration = Duration::from_secs(2);

/// Answers, latest last.
#[derive(Default)]
pub(super) struct Answers(Mutex<Vec<Answer>>);

struct Answer {
    test: FactTest,
    generation: u64,
    made: Instant,
    set: FactSet,
}

impl FactSource for FactStore {
    fn contents(&self, test: &FactTest) -> FactSet {
        let mut answers = self
            .answers
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let generation = self.generation();
        if let Some(at) = answers.iter().position(|answer| answer.test == *test) {
            let answer = answers.remove(at);
            if answer.generation == generation || answer.made.elapsed() < STALE {
                let set = answer.set.clone();
                answers.push(answer);
                return set;
            }
        }
        let holds = |value: &Value| match value {
            Value::Number(number) => number.as_f64().is_some_and(|it| test.holds_number(it)),
            Value::String(words) => test.holds_text(words),
            _ => false,
        };
        let set = FactSet::new(generation, self.which(test.key, holds));
        if answers.len() >= ANSWERS_KEPT {
            answers.remove(0);
        }
        answers.push(Answer {
            test: test.clone(),
            generation,
            made: Instant::now(),
            set: set.clone(),
        });
        set
    }
}
