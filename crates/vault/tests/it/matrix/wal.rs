//! A killed writer's vault and its WAL, in which a frame is damaged: rescue brings back what both hold.

use std::fs;

use compactvault_vault::rescue::{Outcome, rescue};
use compactvault_vault::{Access, OpenOptions, Vault, VerifyLevel};

use super::super::support::{Home, Numbers, add, noise, place, prose};
use super::subjects::known;

const FRAME: usize = 24 + 16 * 1024;

#[test]
fn a_rescue_with_a_damaged_wal_brings_back_what_both_files_hold() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    for n in 0..20 {
        add(&vault, place, &format!("early {n}"), &prose(n, 5000));
    }
    vault.upkeep().expect("the WAL is copied");
    for n in 0..20 {
        add(&vault, place, &format!("late {n}"), &noise(n, 9000));
    }
    let [file, wal] = ["test.vault", "test.vault-wal"]
        .map(|name| fs::read(home.path().join(name)).expect("the vault is open"));
    let right = known(&vault);
    let root = vault.checkpoint().expect("it is intact").root;
    let frames = (wal.len() - 32) / FRAME;
    assert!(frames > 20, "{frames} frames");
    let mut numbers = Numbers(5);
    let mut whole = 0;
    for case in 0..30_u64 {
        let mut damaged = wal.clone();
        let frame = numbers.below(frames as u64) as usize;
        let at = 32 + frame * FRAME;
        match case % 5 {
            // A bit of a page, a frame's header, a block of a page, a whole frame, the WAL's header.
            0 => damaged[at + 24 + numbers.below(16_384) as usize] ^= 4,
            1 => damaged[at + numbers.below(24) as usize] ^= 32,
            2 => damaged[at + 24 + 4096..at + 24 + 8192].fill(0xa5),
            3 => damaged[at..at + FRAME].fill(0),
            _ => damaged[numbers.below(32) as usize] ^= 1,
        }
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("killed.vault");
        let out = folder.path().join("new.vault");
        fs::write(&path, &file).expect("it can be written");
        fs::write(folder.path().join("killed.vault-wal"), &damaged).expect("it can be written");
        let report = rescue(&path, &out, &home.options(), &mut |_| ()).expect("it can be rescued");
        let what = format!("case {case}, frame {frame} of {frames}");
        assert!(report.same_history, "{what}: {report:?}");
        let options = OpenOptions {
            access: Access::Read,
            ..home.options()
        };
        let rescued = Vault::open(&out, &options).expect("it opens");
        let findings = rescued.verify(VerifyLevel::Deep, &|_| ()).expect("it ends");
        assert_eq!(findings.findings.is_empty(), report.lost == 0, "{what}");
        let found = known(&rescued);
        for asset in &report.assets {
            let there = found.get(&asset.seq.get());
            match asset.outcome {
                Outcome::Lost => assert!(there.is_some_and(Result::is_err), "{what}"),
                _ => assert_eq!(there, right.get(&asset.seq.get()), "{what}: {}", asset.path),
            }
        }
        let gone: Vec<_> = right
            .keys()
            .filter(|seq| !found.contains_key(seq))
            .collect();
        assert!(
            gone.is_empty(),
            "{what}: assets {gone:?} are gone: {report:?}"
        );
        if report.complete() {
            whole += 1;
            let checkpoint = rescued.checkpoint().expect("it is intact");
            assert_eq!(checkpoint.root, root, "{what}");
        }
        rescued.close().expect("it closes");
    }
    assert!(whole >= 25, "{whole} of 30 came back whole");
    vault.close().expect("it closes");
}
