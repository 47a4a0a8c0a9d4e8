//! Verification that is stopped, and what is remembered of one that was not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use compactvault_vault::{Finding, Vault, VerifyLevel};

use super::support::{Home, add, noise, place};

fn filled(vault: &Vault) {
    let own = place(vault);
    for n in 0..20_u8 {
        let bytes: Vec<u8> = (0..200_000_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ n)
            .collect();
        add(vault, own, &format!("{n}.bin"), &bytes);
    }
}

/// Guards: wherever a verification is stopped it ends, says so, and calls nothing damaged; the vault reads as before.
#[test]
fn a_verification_stops_where_it_is_told_to() {
    let home = Home::new();
    let vault = home.create();
    filled(&vault);
    let asked = Arc::new(AtomicU64::new(0));
    for level in [VerifyLevel::Quick, VerifyLevel::Full, VerifyLevel::Deep] {
        for patience in [0, 1, 5, 20, 60] {
            asked.store(0, Ordering::SeqCst);
            let stop = {
                let asked = Arc::clone(&asked);
                move || asked.fetch_add(1, Ordering::SeqCst) >= patience
            };
            let report = vault
                .verify_until(level, &|_| (), Arc::new(stop))
                .expect("it ends");
            assert!(
                report.findings.is_empty(),
                "{level:?} {patience}: {:?}",
                report.findings
            );
            assert!(report.stopped || asked.load(Ordering::SeqCst) <= patience);
            let before = vault.last_verification();
            vault
                .note_verification(&report, "test")
                .expect("it is noted, or not");
            if report.stopped {
                assert_eq!(vault.last_verification(), before);
            }
        }
        let whole = vault.verify(level, &|_| ()).expect("it ends");
        assert!(!whole.stopped && whole.findings.is_empty(), "{whole:?}");
        assert_eq!(whole.entries, vault.log_size().expect("it can be read"));
    }
    let never = Arc::new(|| false);
    let far = std::sync::Mutex::new((0, 0));
    let progress = |progress: compactvault_vault::VerifyProgress| {
        let mut far = far.lock().expect("nobody panics");
        *far = (progress.entries_done.max(far.0), progress.entries_total);
    };
    vault
        .verify_until(VerifyLevel::Quick, &progress, never)
        .expect("it ends");
    let size = vault.log_size().expect("it can be read");
    assert_eq!(*far.lock().expect("nobody panics"), (size, size));
}

/// Guards: what read every byte of this file is remembered across openings, and is not taken for a verification of a
/// copy, which has the same identity.
#[test]
fn the_last_whole_verification_is_remembered_for_its_file() {
    let home = Home::new();
    let vault = home.create();
    filled(&vault);
    let verify = |vault: &Vault, level| {
        let report = vault.verify(level, &|_| ()).expect("it ends");
        vault
            .note_verification(&report, "test")
            .expect("it is noted");
    };
    verify(&vault, VerifyLevel::Quick);
    assert_eq!(vault.last_verification(), None);
    verify(&vault, VerifyLevel::Deep);
    let last = vault.last_verification().expect("it was verified");
    assert!(
        last.deep && last.findings == 0 && last.unix_ms > 0 && last.by == "test",
        "{last:?}"
    );
    assert_eq!(Some(last.log_size), vault.log_size().ok());
    vault.close().expect("it closes");

    let copy = home.path().join("copy.vault");
    std::fs::copy(home.file(), &copy).expect("it can be copied");
    let copied = Vault::open(&copy, &home.options()).expect("it opens");
    assert_eq!(copied.last_verification(), None);
    verify(&copied, VerifyLevel::Full);
    assert!(!copied.last_verification().expect("it was verified").deep);
    copied.close().expect("it closes");
    assert_eq!(home.open().last_verification(), Some(last));
}

/// Guards: chunks that the deep level finds right while it hashes an asset count as read once, and what is wrong with one
/// is found like at the full level, whether the asset is read beside the thread that hashes it or not.
#[test]
fn the_deep_level_finds_what_the_full_one_does() {
    let home = Home::new();
    let vault = home.create();
    let own = place(&vault);
    let contents = [noise(1, 6_000_000), noise(2, 1_500_000), noise(3, 100_000)];
    for (n, bytes) in contents.iter().enumerate() {
        add(&vault, own, &format!("{n}.bin"), bytes);
    }
    let verify = |vault: &Vault, level| vault.verify(level, &|_| ()).expect("it ends");
    let (full, deep) = (
        verify(&vault, VerifyLevel::Full),
        verify(&vault, VerifyLevel::Deep),
    );
    assert!(full.findings.is_empty() && deep.findings.is_empty());
    assert_eq!((full.chunks, full.assets), (deep.chunks, deep.assets));
    vault.close().expect("it closes");
    for (n, at) in [
        (0, 50_000),
        (0, 3_000_000),
        (0, 5_999_900),
        (1, 700_000),
        (2, 50_000),
    ] {
        let needle = &contents[n][at..at + 64];
        home.damage(needle);
        let vault = home.open();
        let found = |level| -> Vec<Finding> {
            let mut findings = verify(&vault, level).findings;
            findings.sort_by(|a, b| a.detail.cmp(&b.detail));
            findings
        };
        let (full, deep) = (found(VerifyLevel::Full), found(VerifyLevel::Deep));
        assert!(
            full.iter().any(|finding| finding.area == "pack"),
            "{n} {at}: {full:?}"
        );
        let name = format!("{n}.bin");
        let names_it = |finding: &Finding| {
            let path = finding.path.as_deref().unwrap_or_default();
            finding.area == "asset" && path.ends_with(&name)
        };
        assert!(full.iter().any(names_it), "{n} {at}: {full:?}");
        assert_eq!(full, deep);
        vault.close().expect("it closes");
        let mut differs = needle.to_vec();
        differs[0] ^= 1;
        home.damage(&differs);
    }
}
