//! Damage to the WAL that a killed process left behind.
//!
//! SQLite stops reading a WAL at the first frame whose checksum is wrong, and says nothing: the commits from there on
//! are gone. That is what docs/vault-format.md warns of. What must hold: the vault is then exactly what it was after
//! an earlier commit, intact in itself, and a checkpoint kept elsewhere shows that it is not the last.

use std::collections::HashMap;
use std::fs;

use compactvault_vault::VerifyLevel;

use super::support::{Home, Numbers, add, noise, place};

#[test]
fn a_damaged_wal_gives_an_earlier_commit_or_an_error_and_nothing_else() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let mut commits = HashMap::new();
    // Anything up to here is a commit, too, and the file without its WAL is the vault as it was created.
    for seq in 1..=3 {
        commits.insert(seq, None);
    }
    let mut last = 0;
    for n in 0..12_u64 {
        add(&vault, place, &format!("{n}"), &noise(n, 20_000));
        let checkpoint = vault.checkpoint().expect("it is intact");
        last = checkpoint.size;
        commits.insert(checkpoint.size, Some(checkpoint.root));
    }
    let file = fs::read(home.file()).expect("the vault can be read");
    let wal_path = home.path().join("test.vault-wal");
    let wal = fs::read(&wal_path).expect("the vault is open, so its WAL is there");
    let mut numbers = Numbers(11);
    let (mut shorter, mut whole) = (0, 0);
    for case in 0..60_u64 {
        let copy = Home::new();
        fs::write(copy.file(), &file).expect("the copy can be written");
        let mut damaged = wal.clone();
        // The header, frame headers, and anywhere.
        let bit = match case % 3 {
            0 => numbers.below(32 * 8),
            1 => {
                (32 + numbers.below(wal.len() as u64 / 16_408) * 16_408) * 8 + numbers.below(24 * 8)
            }
            _ => numbers.below(wal.len() as u64 * 8),
        } as usize;
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(copy.path().join("test.vault-wal"), damaged).expect("the copy can be written");
        let Ok(vault) = compactvault_vault::Vault::open(&copy.file(), &copy.options()) else {
            shorter += 1;
            continue;
        };
        let checkpoint = vault.checkpoint().expect("an earlier commit is intact");
        let root = commits.get(&checkpoint.size).unwrap_or_else(|| {
            panic!(
                "bit {bit}: {} entries were never committed",
                checkpoint.size
            )
        });
        assert!(root.is_none_or(|root| root == checkpoint.root), "bit {bit}");
        let report = vault
            .verify(VerifyLevel::Deep, &|_| ())
            .expect("verification ends");
        assert_eq!(report.findings, [], "bit {bit}");
        if checkpoint.size == last {
            whole += 1;
        } else {
            shorter += 1;
        }
    }
    assert!(
        shorter > 0,
        "the damage was in what is read: {whole} of 60 whole"
    );
}
