//! What a kept checkpoint says about the vault, for people and for programs.

use compactvault_vault::prove::{Comparison, Verdict};
use serde_json::{Value, json};

use crate::format::things;
use crate::kept;
use crate::output::{Output, Tone};

pub(super) fn sentence(comparison: &Comparison, output: &Output) -> String {
    let Comparison {
        verdict,
        kept,
        signed,
        log_size,
        damaged_entries,
        ..
    } = comparison;
    let covered = things(kept.size, "entry", "entries");
    let damaged = things(*damaged_entries, "entry is", "entries are");
    let (tone, what) = match verdict {
        Verdict::Same if *damaged_entries == 0 => (
            Tone::Good,
            format!("the first {covered} are those that it covers"),
        ),
        Verdict::Same => (
            Tone::Caution,
            format!(
                "the first {covered} are those that it covers; the hashes kept beside {damaged_entries} are not"
            ),
        ),
        Verdict::Damaged => (
            Tone::Bad,
            format!(
                "it covers {covered}; {damaged} damaged, and nothing shows that any was rewritten"
            ),
        ),
        Verdict::Rewritten => (
            Tone::Bad,
            format!(
                "history was rewritten: the first {covered} are not those that it covers, whatever the vault \
                 says of itself{}",
                if kept.vault.is_none() {
                    " (or the words are of another vault)"
                } else {
                    ""
                }
            ),
        ),
        Verdict::RolledBack => (
            Tone::Bad,
            format!("the vault was rolled back: it covers {covered}, the log has {log_size}"),
        ),
        Verdict::OtherVault => (Tone::Bad, "it is of another vault".into()),
    };
    format!(
        "checkpoint ({}): {}",
        kept::signed(kept, *signed),
        output.tone(tone, &what)
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
