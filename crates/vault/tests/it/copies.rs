//! Copies: a backup is the vault of one moment, verified, or it is not there at all; a frozen copy stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use compactvault_vault::{
    AssetId, CopyError, CopyOptions, CopyReport, CopyWatch, NewAsset, PlaceId, Seq, Vault,
    VerifyLevel,
};

use super::processes::{assert_intact, child, child_bytes, lines, sealed};
use super::support::{Home, add, file_digest, name, new_asset, noise, place, prose, read_all};

const BACKUP: CopyOptions = CopyOptions {
    frozen: false,
    level: VerifyLevel::Full,
};
const FROZEN: CopyOptions = CopyOptions {
    frozen: true,
    level: VerifyLevel::Deep,
};

fn copy(vault: &Vault, path: &Path, options: CopyOptions) -> Result<CopyReport, CopyError> {
    let watch = CopyWatch {
        progress: &|progress| assert!(progress.bytes_done <= progress.bytes_total + 1_000_000),
        stop: &AtomicBool::new(false),
    };
    vault.copy_to(path, options, &watch)
}

fn target(home: &Home) -> PathBuf {
    home.path().join("copy.vault")
}

fn filled(home: &Home) -> Vault {
    let vault = home.create();
    let place = place(&vault);
    for n in 0..20 {
        add(&vault, place, &format!("noise {n}"), &noise(n, 90_000));
        add(&vault, place, &format!("prose {n}"), &prose(n, 5000));
    }
    add(&vault, place, "large", &noise(99, 3_000_000));
    vault
}

#[test]
fn a_backup_is_one_file_with_all_of_it_and_can_be_added_to() {
    let home = Home::new();
    // Closing merges parity, so that nothing of it moves after the copy.
    filled(&home).close().expect("it closes");
    let vault = home.open();
    let report = copy(&vault, &target(&home), BACKUP).expect("it is copied");
    let status = vault.status().expect("it is intact");
    assert_eq!(
        (report.log_size, report.root),
        (status.entries, status.root)
    );
    assert_eq!(report.verified.assets, 41);
    vault.close().expect("it closes");
    assert_eq!(home.files(), ["copy.vault", "test.vault"]);
    let bytes = fs::read(target(&home)).expect("it can be read");
    assert_eq!(bytes.len() as u64, report.bytes);
    assert_eq!(bytes[18..20], [2, 2], "it has a WAL");
    let original = fs::read(home.file()).expect("it can be read");
    assert_eq!(
        bytes[16_384..],
        original[16_384..],
        "every page is where it was"
    );
    let backup = Vault::open(&target(&home), &home.options()).expect("it opens");
    assert_eq!(backup.read_only(), None);
    assert_eq!(backup.id(), home.open().id());
    assert_intact(&backup);
    let place = compactvault_vault::CollectionId::new(Seq::new(2));
    add(&backup, place, "more", b"more");
    backup.close().expect("it closes");
    assert_eq!(home.files(), ["copy.vault", "test.vault"]);
}

#[test]
fn a_backup_taken_while_another_process_adds_is_the_vault_of_one_moment() {
    let home = Home::new();
    let vault = filled(&home);
    let before = vault.log_size().expect("it is intact");
    let mut child = child(&home, "endless", 1);
    let mut lines = std::io::BufRead::lines(lines(&mut child));
    let mut next = || loop {
        let line = lines.next().expect("it goes on").expect("it writes text");
        if let Some(told) = sealed(&line) {
            return told;
        }
    };
    for n in 0..4 {
        let told: Vec<_> = (0..3).map(|_| next()).collect();
        let path = home.path().join(format!("copy {n}.vault"));
        let report = copy(&vault, &path, BACKUP).expect("it is copied");
        assert!(
            report.log_size >= before + 3,
            "what was answered before is in it"
        );
        let (_, later) = next();
        let backup = Vault::open(&path, &home.options()).expect("it opens");
        assert_eq!(backup.log_size().expect("it is intact"), report.log_size);
        for (number, seq) in told {
            let bytes = read_all(&backup, AssetId::new(seq)).expect("it is in the copy");
            assert!(bytes == child_bytes(1, number));
        }
        assert_intact(&backup);
        assert!(vault.log_size().expect("it goes on") > later.get());
        backup.close().expect("it closes");
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it is gone");
    assert_intact(&vault);
}

#[test]
fn a_copy_never_replaces_a_file() {
    let home = Home::new();
    let vault = filled(&home);
    fs::write(target(&home), b"precious").expect("it can be written");
    for options in [BACKUP, FROZEN] {
        for path in [target(&home), home.file()] {
            let error = copy(&vault, &path, options).expect_err("it is taken");
            assert_eq!(error.code(), "exists");
        }
    }
    assert_eq!(fs::read(target(&home)).expect("it is there"), b"precious");
    let nowhere = home.path().join("no folder/copy.vault");
    let error = copy(&vault, &nowhere, BACKUP).expect_err("there is no such folder");
    assert_eq!(error.code(), "io");
    assert!(error.to_string().contains("no folder"), "{error}");
}

#[test]
fn a_damaged_vault_has_no_backup_and_the_error_names_what_is_damaged() {
    let home = Home::new();
    let vault = filled(&home);
    vault.close().expect("it closes");
    let mut bytes = fs::read(home.file()).expect("it can be read");
    let pattern = &noise(7, 90_000)[60_000..60_032];
    let at = bytes
        .windows(pattern.len())
        .position(|window| window == pattern)
        .expect("what does not compress is stored as it is");
    bytes[at] ^= 4;
    fs::write(home.file(), &bytes).expect("it can be written");
    let vault = home.open();
    for options in [BACKUP, FROZEN] {
        let error = copy(&vault, &target(&home), options).expect_err("it is damaged");
        assert_eq!(error.code(), "damaged");
        assert!(error.to_string().contains("P/C/noise 7"), "{error}");
    }
    vault.close().expect("it closes");
    assert_eq!(home.files(), ["test.vault"], "nothing is left");
}

#[test]
fn a_copy_that_is_stopped_leaves_nothing() {
    let home = Home::new();
    let vault = filled(&home);
    for verifying in [false, true] {
        let stop = AtomicBool::new(false);
        let watch = CopyWatch {
            progress: &|progress| {
                if progress.verifying == verifying {
                    stop.store(true, Ordering::Relaxed);
                }
            },
            stop: &stop,
        };
        let outcome = vault.copy_to(&target(&home), FROZEN, &watch);
        if verifying && outcome.is_ok() {
            // It was done before anybody could ask.
            break;
        }
        assert_eq!(outcome.expect_err("it was stopped").code(), "stopped");
    }
    vault.close().expect("it closes");
    let files = home.files();
    assert!(
        files == ["test.vault"] || files == ["copy.vault", "test.vault"],
        "{files:?}"
    );
}

/// Everything that can be asked of a frozen vault; gives why nothing can be added.
fn ask(path: &Path, home: &Home) -> String {
    let vault = Vault::open(path, &home.options()).expect("it opens");
    let why = vault.read_only().expect("it is frozen").to_owned();
    let error = vault
        .ingest()
        .err()
        .expect("nothing can be added")
        .to_string();
    assert!(error.contains(&why), "{error}");
    let listed: Vec<_> = vault
        .walk(None, true)
        .expect("it can be walked")
        .collect::<Result<_, _>>()
        .expect("it is intact");
    assert_eq!(listed.len(), 43);
    assert_intact(&vault);
    let status = vault.status().expect("it is intact");
    assert!(status.safe_to_copy, "{:?}", status.copy_hindrance);
    assert_eq!(files_beside(path), 0);
    vault.close().expect("it closes");
    assert_eq!(files_beside(path), 0);
    why
}

fn files_beside(path: &Path) -> usize {
    let count = fs::read_dir(path.parent().expect("it lies in a folder")).expect("it can be read");
    count
        .filter(|entry| {
            let name = entry.as_ref().expect("it can be listed").file_name();
            let name = name.to_string_lossy();
            name.starts_with("copy.vault") && name != "copy.vault"
        })
        .count()
}

#[test]
fn a_frozen_copy_is_read_with_nothing_beside_it_and_never_changes() {
    let home = Home::new();
    let vault = filled(&home);
    let path = target(&home);
    copy(&vault, &path, FROZEN).expect("it is copied");
    vault.close().expect("it closes");
    assert_eq!(home.files(), ["copy.vault", "test.vault"]);
    let digest = file_digest(&path);
    assert_eq!(fs::read(&path).expect("it is there")[18..20], [1, 1]);
    assert!(
        fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .readonly()
    );
    assert!(ask(&path, &home).contains("frozen copy"));
    assert_eq!(file_digest(&path), digest);
    // Its permissions do not survive every medium; what it is does.
    let other = Home::new();
    fs::write(target(&other), fs::read(&path).expect("it is there")).expect("it can be written");
    assert!(ask(&target(&other), &home).contains("rollback journal"));
    assert_eq!(file_digest(&target(&other)), digest);
    // A backup of it can be added to again.
    let frozen = Vault::open(&path, &home.options()).expect("it opens");
    let thawed = home.path().join("thawed.vault");
    copy(&frozen, &thawed, BACKUP).expect("it is copied");
    let vault = Vault::open(&thawed, &home.options()).expect("it opens");
    assert_eq!(vault.read_only(), None);
    let ingest = vault.ingest().expect("it takes things in");
    let place = compactvault_vault::CollectionId::new(Seq::new(2));
    let asset = NewAsset {
        place: PlaceId::Collection(place),
        ..new_asset(place, name("thawed"))
    };
    let (ticket, _) = ingest
        .archive(asset, &mut &b"x"[..])
        .expect("memory can be read");
    ticket.wait().expect("it is sealed");
}

#[test]
fn a_vault_written_with_a_rollback_journal_is_written_again_only_when_asked() {
    let home = Home::new();
    let vault = filled(&home);
    let path = target(&home);
    copy(&vault, &path, FROZEN).expect("it is copied");
    let bytes = fs::read(&path).expect("it is there");
    let file = home.path().join("network.vault");
    fs::write(&file, &bytes).expect("it can be written");
    let vault = Vault::open(&file, &home.options()).expect("it opens");
    assert!(vault.read_only().is_some());
    drop(vault);
    assert!(fs::read(&file).expect("it is there") == bytes);
    let network = |path: &Path| {
        let options = compactvault_vault::OpenOptions {
            network_fs: true,
            ..home.options()
        };
        Vault::open(path, &options).expect("it opens")
    };
    let vault = network(&file);
    assert_eq!(vault.read_only(), None);
    let place = compactvault_vault::CollectionId::new(Seq::new(2));
    add(&vault, place, "asked", b"asked");
    assert_intact(&vault);
    drop(vault);
    // What nobody may write stays frozen whatever is asked.
    assert!(network(&path).read_only().is_some());
    assert!(fs::read(&path).expect("it is there") == bytes);
}

#[cfg(unix)]
#[test]
fn a_copy_is_as_private_as_the_vault() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = Home::new();
    let vault = filled(&home);
    for (mode, frozen, expected) in [
        (0o600, false, 0o600),
        (0o600, true, 0o400),
        (0o644, false, 0o644),
        (0o644, true, 0o444),
    ] {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(home.file(), permissions).expect("it is ours");
        let path = home.path().join(format!("{mode:o} {frozen}"));
        copy(&vault, &path, if frozen { FROZEN } else { BACKUP }).expect("it is copied");
        let found = fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(found & 0o777, expected, "{mode:o} {frozen}");
    }
}

#[test]
fn status_says_whether_a_plain_copy_would_do() {
    let home = Home::new();
    let vault = filled(&home);
    let status = vault.status().expect("it is intact");
    assert!(!status.safe_to_copy);
    let why = status.copy_hindrance.expect("there is a WAL");
    assert!(
        why.contains("test.vault-wal") && why.contains("backup"),
        "{why}"
    );
    vault.close().expect("it closes");
    drop(vault);
    let reading = compactvault_vault::OpenOptions {
        access: compactvault_vault::Access::Read,
        ..home.options()
    };
    let open = || Vault::open(&home.file(), &reading).expect("it opens");
    assert_eq!(open().status().expect("it is intact").copy_hindrance, None);
    let mut child = child(&home, "endless", 1);
    let mut lines = std::io::BufRead::lines(lines(&mut child));
    while lines
        .next()
        .is_some_and(|line| sealed(&line.expect("text")).is_none())
    {}
    let status = open().status().expect("it is intact");
    assert!(!status.safe_to_copy, "{status:?}");
    child.kill().expect("it can be killed");
    child.wait().expect("it is gone");
}
