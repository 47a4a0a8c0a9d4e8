//! What a kept checkpoint says about the vault, for people and for programs.

use compactvault_vault::prove::{Comparison, Verdict};
use serde_json::{Value, json};

use crate::kept;
use crate::output::{Output, Tone};

pub(super) fn sentence(comparison: &Comparison, output: &Output) -> String {
    let tone = match comparison.verdict {
        Verdict::Same if comparison.damaged_entries == 0 => Tone::Good,
        Verdict::Same => Tone::Caution,
        _ => Tone::Bad,
    };
    format!(
        "checkpoint ({}): {}",
        kept::signed(&comparison.kept, comparison.signed),
        output.tone(tone, &comparison.to_string())
    )
}

pub(super) fn json(comparison: &Comparison) -> Value {
    json!({
        "verdict": comparison.verdict.code(),
        "size": comparison.kept.size,
        "kept_root": comparison.kept.root.to_string(),
        "root": comparison.root.map(|root| root.to_string()),
        "signed": comparison.signed.code(),
        "log_size": comparison.log_size,
        "damaged_entries": comparison.damaged_entries,
    })
}
