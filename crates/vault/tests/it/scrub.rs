//! Scrubbing from outside: damage is written straight into the closed file, and afterwards everything is as it was
//! sealed, the log says what was restored, and nothing was written that was not sealed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use compactvault_vault::rescue::rescue;
use compactvault_vault::{
    AssetId, OpenOptions, Parity, Remedy, ScrubOptions, ScrubReport, Seq, Vault, VerifyLevel,
};
use rusqlite::config::DbConfig;

use super::support::{Home, Numbers, add, noise, place, plain, prose, read_all};

const BLOCK: usize = 4096;

/// A closed vault, and what is in it.
struct Sealed {
    home: Home,
    assets: Vec<(Seq, Vec<u8>)>,
    bytes: Vec<u8>,
    log_size: u64,
}

impl Sealed {
    fn new(parity: Parity) -> Self {
        let home = Home::new();
        let options = OpenOptions {
            parity,
            ..home.options()
        };
        let vault = Vault::create(&home.file(), &options).expect("a vault can be created");
        let place = place(&vault);
        let mut assets = Vec::new();
        for n in 0..300_u64 {
            let bytes = prose(n, 40 + n as usize * 3);
            assets.push((
                add(&vault, place, &format!("small {n}.txt"), &bytes).seq,
                bytes,
            ));
        }
        for n in 0..6_u64 {
            let bytes = noise(1000 + n, 900_000 + n as usize * 31);
            assets.push((
                add(&vault, place, &format!("noise {n}.bin"), &bytes).seq,
                bytes,
            ));
        }
        let bytes = prose(7, 2_000_000);
        assets.push((add(&vault, place, "long.txt", &bytes).seq, bytes));
        let log_size = vault.log_size().expect("it is intact");
        vault.close().expect("the vault closes");
        let bytes = std::fs::read(home.file()).expect("it can be read");
        Self {
            home,
            assets,
            bytes,
            log_size,
        }
    }

    fn file(&self) -> std::path::PathBuf {
        self.home.file()
    }

    /// Where bytes that are in the file once begin.
    fn find(&self, needle: &[u8]) -> usize {
        let mut places = memchr::memmem::find_iter(&self.bytes, needle);
        let at = places.next().expect("it is in the file");
        assert_eq!(places.next(), None, "it is in the file once");
        at
    }

    fn write(&self, bytes: &[u8]) {
        std::fs::write(self.file(), bytes).expect("the file can be written");
    }

    /// Everything is as it was sealed and nothing is found by the deepest verification.
    fn assert_whole(&self, vault: &Vault) {
        let report = vault
            .verify(VerifyLevel::Deep, &|_| ())
            .expect("verification ends");
        assert_eq!(report.findings, []);
        for (seq, bytes) in &self.assets {
            let found = read_all(vault, AssetId::new(*seq)).expect("it is intact");
            assert!(found == *bytes, "asset {seq}");
        }
    }

    /// Scrubs once and expects everything to be healed and told of.
    fn heals(&self, table: &str) -> ScrubReport {
        let vault = self.home.open();
        let before = vault.verify(VerifyLevel::Deep, &|_| ());
        let before = before.expect("verification ends");
        assert_ne!(before.findings, [], "{table}: the damage is noticed");
        let report = scrub(&vault);
        assert_eq!(report.unhealed, [], "{table}");
        assert!(
            report
                .healed
                .iter()
                .any(|healed| healed.table.contains(table)),
            "{table}: {report:?}"
        );
        self.assert_whole(&vault);
        assert!(!report.repairs.is_empty(), "{table}");
        let status = vault.status().expect("it is intact");
        assert_eq!(status.repairs, report.repairs.len() as u64);
        assert_eq!(status.entries, self.log_size + status.repairs);
        assert_eq!((status.verified.never, report.parts_damaged.len()), (0, 0));
        vault.close().expect("the vault closes");
        let said: Vec<String> = report
            .repairs
            .iter()
            .map(|seq| body(&self.file(), *seq))
            .collect();
        assert!(said.iter().any(|body| body.contains(table)), "{said:?}");
        let vault = self.home.open();
        self.assert_whole(&vault);
        let again = scrub(&vault);
        assert_eq!((again.healed, again.unhealed), (vec![], vec![]), "{table}");
        vault.close().expect("the vault closes");
        report
    }
}

fn body(path: &Path, seq: Seq) -> String {
    plain(path)
        .query_row(
            "SELECT CAST(body AS TEXT) FROM entry WHERE seq = ?1 AND kind = 6",
            [seq.get() as i64],
            |row| row.get(0),
        )
        .expect("the log says what was restored")
}

fn scrub(vault: &Vault) -> ScrubReport {
    vault
        .scrub(&ScrubOptions::default(), &|_| ())
        .expect("the scrub ends")
}

/// Another program that does not mind the triggers.
fn tamper(path: &Path, sql: &str) {
    let connection = plain(path);
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)
        .expect("other programs can do that");
    connection.execute_batch(sql).expect(sql);
}

#[test]
fn an_intact_vault_is_verified_and_nothing_is_written_to_its_log() {
    let sealed = Sealed::new(Parity::default());
    let vault = sealed.home.open();
    assert!(vault.status().expect("it is intact").verified.never > 0);
    let report = scrub(&vault);
    assert_eq!(
        (&report.healed[..], &report.unhealed[..]),
        (&[][..], &[][..])
    );
    assert_eq!(report.parts_done, report.parts);
    assert_eq!(vault.log_size().expect("it is intact"), sealed.log_size);
    let verified = vault.status().expect("it is intact").verified;
    assert_eq!((verified.never, verified.parts), (0, report.parts));
    assert!(verified.oldest_unix_ms <= verified.newest_unix_ms);
    // What was verified a moment ago can be left out.
    let options = ScrubOptions {
        fresh: Some(Duration::from_hours(1)),
        ..ScrubOptions::default()
    };
    let report = vault.scrub(&options, &|_| ()).expect("the scrub ends");
    assert_eq!(report.parts_done, 0);
    sealed.assert_whole(&vault);
}

#[test]
fn random_bytes_in_packs_are_put_back() {
    for seed in 0..4 {
        let sealed = Sealed::new(Parity::default());
        let mut numbers = Numbers(seed);
        let mut bytes = sealed.bytes.clone();
        for (_, asset) in sealed
            .assets
            .iter()
            .filter(|(_, asset)| asset.len() > 500_000)
            .take(6)
        {
            let at = numbers.below(asset.len() as u64 - 64) as usize;
            let place = sealed.find(&asset[at..at + 32]);
            bytes[place + numbers.below(32) as usize] ^= 1 << numbers.below(8);
        }
        sealed.write(&bytes);
        sealed.heals("pack");
    }
}

#[test]
fn whole_blocks_of_the_file_are_put_back() {
    let sealed = Sealed::new(Parity::default());
    let mut bytes = sealed.bytes.clone();
    // Blocks that hold nothing but content: not the first of a page, where the number of the next page is.
    for (n, (_, asset)) in sealed.assets[300..306].iter().enumerate() {
        let place = sealed.find(&asset[200_000..200_032]);
        let block = (place / (4 * BLOCK)) * 4 * BLOCK + (1 + n % 3) * BLOCK;
        bytes[block..block + BLOCK].copy_from_slice(&noise(5 + n as u64, BLOCK));
    }
    sealed.write(&bytes);
    let report = sealed.heals("pack");
    assert!(
        report
            .healed
            .iter()
            .all(|healed| healed.bytes >= BLOCK as u64)
    );
}

#[test]
fn rows_of_every_table_are_put_back() {
    for (table, sql) in [
        ("entry", "UPDATE entry SET name = x'6e6f' WHERE seq = 7"),
        (
            "entry",
            "UPDATE entry SET leaf = zeroblob(32) WHERE seq = 9",
        ),
        (
            "entry",
            "UPDATE entry SET size = size + 1, body = x'00' WHERE seq IN (20, 21, 300)",
        ),
        ("entry", "DELETE FROM entry WHERE seq = 33"),
        (
            "entry",
            "UPDATE entry SET leaf = zeroblob(32), kind = 5 WHERE seq = (SELECT max(seq) FROM entry)",
        ),
        (
            "root",
            "UPDATE root SET sha256 = zeroblob(32) WHERE size = 5",
        ),
        (
            "root",
            "UPDATE root SET sha256 = zeroblob(32) WHERE size = (SELECT max(size) FROM root)",
        ),
        ("subtree", "UPDATE subtree SET sha256 = zeroblob(32)"),
        ("subtree", "DELETE FROM subtree"),
        (
            "manifest",
            "UPDATE manifest SET records = zeroblob(length(records)) WHERE id = 2",
        ),
        (
            "manifest",
            "UPDATE manifest SET sha256 = zeroblob(32) WHERE id = 1",
        ),
        ("manifest", "DELETE FROM manifest WHERE id = 2"),
        (
            "chunk",
            "UPDATE chunk SET sha256 = zeroblob(32) WHERE id = 11",
        ),
        ("chunk", "UPDATE chunk SET pack = 1 WHERE id = 12"),
        (
            "chunk",
            "UPDATE chunk SET offset = offset + 1, size = size + 7 WHERE id IN (30, 31)",
        ),
        ("chunk", "DELETE FROM chunk WHERE id = 13"),
        ("pack", "UPDATE pack SET sha256 = zeroblob(32) WHERE id = 3"),
        (
            "pack",
            "UPDATE pack SET codec = 1 - codec, raw_size = raw_size + 1 WHERE id = 4",
        ),
        ("pack", "DELETE FROM pack WHERE id = 5"),
        (
            "derived_parity",
            "UPDATE derived_parity SET data = zeroblob(length(data)) WHERE id % 5 = 0",
        ),
        (
            "derived_parity",
            "DELETE FROM derived_parity WHERE id % 7 = 0",
        ),
        ("derived_parity", "DELETE FROM derived_parity"),
        (
            "derived_parity",
            "UPDATE derived_parity SET id = 77 << 16 WHERE id = (SELECT max(id) FROM derived_parity)",
        ),
        (
            "derived_listing",
            "UPDATE derived_listing SET sort_key = x'00' WHERE seq = 9",
        ),
        (
            "derived_listing",
            "UPDATE derived_fact SET value = value + 1 WHERE id = 7",
        ),
    ] {
        let sealed = Sealed::new(Parity::default());
        tamper(&sealed.file(), sql);
        sealed.heals(table);
    }
}

#[test]
fn cells_and_index_pages_are_put_back_where_the_file_was_written_over() {
    // An entry's name, a chunk's digest in its row and in the index, both by writing into the file.
    let sealed = Sealed::new(Parity::default());
    let digest: Vec<u8> = plain(&sealed.file())
        .query_row("SELECT sha256 FROM chunk WHERE id = 40", [], |row| {
            row.get(0)
        })
        .expect("it is there");
    let mut damaged = 0;
    for (at, _) in sealed
        .bytes
        .windows(8)
        .enumerate()
        .filter(|(_, w)| **w == digest[..8])
    {
        // The digest is in the entry, the chunk row, its pack and the index: each by itself.
        let mut bytes = sealed.bytes.clone();
        bytes[at] ^= 0x10;
        sealed.write(&bytes);
        let vault = sealed.home.open();
        let before = vault.verify(VerifyLevel::Deep, &|_| ()).expect("it ends");
        if before.findings.is_empty() {
            vault.close().expect("it closes");
            continue;
        }
        damaged += 1;
        let report = scrub(&vault);
        assert_eq!(report.unhealed, [], "at {at}");
        assert_ne!(report.healed, [], "at {at}");
        sealed.assert_whole(&vault);
        vault.close().expect("it closes");
    }
    assert!(damaged >= 3, "{damaged} places");
}

#[test]
fn damage_beyond_the_parity_is_told_and_nothing_is_written() {
    let sealed = Sealed::new(Parity::Percent3);
    let mut bytes = sealed.bytes.clone();
    for (_, asset) in &sealed.assets[300..306] {
        for at in (40_000..800_000).step_by(16_384) {
            let place = sealed.find(&asset[at..at + 32]);
            bytes[place..place + 16].fill(0x55);
        }
    }
    sealed.write(&bytes);
    let vault = sealed.home.open();
    let packs = |path: &Path| -> Vec<Vec<u8>> {
        let connection = plain(path);
        let mut statement = connection
            .prepare("SELECT data FROM pack ORDER BY id")
            .expect("SQL");
        let rows = statement.query_map([], |row| row.get(0)).expect("SQL");
        rows.collect::<Result<_, _>>().expect("it can be read")
    };
    let before = packs(&sealed.file());
    let report = scrub(&vault);
    assert!(
        report
            .unhealed
            .iter()
            .any(|left| left.remedy == Remedy::None && left.table == "pack")
    );
    assert!(!report.parts_damaged.is_empty());
    assert_eq!(report.healed, []);
    assert!(packs(&sealed.file()) == before);
    assert_eq!(
        vault.log_size().expect("the log is intact"),
        sealed.log_size
    );
}

/// It kept the old vault's name on the parity of its packs, which another rescue, or a merge, would have passed over.
#[test]
fn what_was_rescued_into_a_log_of_its_own_heals_again() {
    let sealed = Sealed::new(Parity::Percent12);
    // An entry that nothing can restore: the survivors get another log.
    tamper(
        &sealed.file(),
        "PRAGMA secure_delete = ON; DELETE FROM derived_parity; \
         UPDATE entry SET name = zeroblob(length(name)) WHERE seq = 9",
    );
    let out = sealed.home.path().join("rescued.vault");
    let options = sealed.home.options();
    let report = rescue(&sealed.file(), &out, &options, &mut |_| ()).expect("it is a vault");
    assert_eq!(
        (report.same_history, report.lost, report.entries_lost),
        (false, 0, 1)
    );
    let whole = |vault: &Vault| {
        let report = vault.verify(VerifyLevel::Deep, &|_| ());
        assert_eq!(report.expect("verification ends").findings, []);
    };
    let vault = Vault::open(&out, &options).expect("it opens");
    whole(&vault);
    vault.close().expect("the vault closes");
    tamper(
        &out,
        "UPDATE pack SET data = zeroblob(length(data)) \
         WHERE id = (SELECT id FROM pack ORDER BY length(data) LIMIT 1)",
    );
    let again = sealed.home.path().join("again.vault");
    let report = rescue(&out, &again, &options, &mut |_| ()).expect("it is a vault");
    assert!(report.complete() && report.healed > 0, "{report:?}");
    let vault = Vault::open(&again, &options).expect("it opens");
    whole(&vault);
    assert_eq!(
        vault.status().expect("it is intact").parity,
        Parity::Percent12
    );
    vault.close().expect("the vault closes");
}

#[test]
fn without_parity_only_what_is_derived_is_healed() {
    let sealed = Sealed::new(Parity::Off);
    tamper(
        &sealed.file(),
        "UPDATE derived_tally SET old_links = 7; UPDATE entry SET leaf = zeroblob(32) WHERE seq = 9",
    );
    // The leaf hash follows from the columns, as the root shows.
    sealed.heals("derived_listing");
    tamper(
        &sealed.file(),
        "UPDATE pack SET data = zeroblob(length(data)) WHERE id = 9",
    );
    let vault = sealed.home.open();
    let report = scrub(&vault);
    assert_eq!(report.parity, Parity::Off);
    assert_eq!(report.healed, []);
    assert_eq!(report.unhealed.len(), 1, "{report:?}");
    assert_eq!(
        (report.unhealed[0].remedy, report.unhealed[0].id),
        (Remedy::None, Some(9))
    );
}

#[test]
fn without_a_budget_it_ends_at_once_and_the_next_run_goes_on() {
    let sealed = Sealed::new(Parity::default());
    let vault = sealed.home.open();
    let nothing = ScrubOptions {
        budget: Some(Duration::ZERO),
        ..ScrubOptions::default()
    };
    let report = vault.scrub(&nothing, &|_| ()).expect("the scrub ends");
    assert_eq!((report.parts_done, report.stopped), (0, false));
    let one = ScrubOptions {
        parts: 1,
        ..ScrubOptions::default()
    };
    let parts = report.parts;
    assert!(parts > 3);
    for done in 1..=parts {
        let report = vault.scrub(&one, &|_| ()).expect("the scrub ends");
        assert_eq!(report.parts_done, 1);
        let verified = vault.status().expect("it is intact").verified;
        assert_eq!(verified.never, parts - done, "another part each time");
    }
    let stopped = ScrubOptions {
        stop: Arc::new(|| true),
        ..ScrubOptions::default()
    };
    let report = vault.scrub(&stopped, &|_| ()).expect("the scrub ends");
    assert_eq!((report.parts_done, report.stopped), (0, true));
}

/// A stripe that is consistent in itself and protects other bytes: written by a copy of the vault that sealed something
/// else, and put in the place of the vault's own.
#[test]
fn forged_parity_restores_nothing_that_was_not_sealed() {
    let home = Home::new();
    let options = OpenOptions {
        parity: Parity::Percent25,
        ..home.options()
    };
    let vault = Vault::create(&home.file(), &options).expect("a vault can be created");
    let place = place(&vault);
    vault.close().expect("it closes");
    let other = home.path().join("other.vault");
    std::fs::copy(home.file(), &other).expect("it can be copied");
    for (path, seed) in [(&home.file(), 1), (&other, 2)] {
        let vault = Vault::open(path, &home.options()).expect("it opens");
        add(&vault, place, "a", &noise(seed, 60_000));
        add(&vault, place, "b", &prose(seed, 30_000));
        vault.close().expect("it closes");
    }
    // The attacker has the packs, their parity and that of two entries; the root, the other entry and the chunk rows
    // are what was sealed.
    tamper(
        &home.file(),
        &format!(
            "ATTACH '{}' AS o; DELETE FROM derived_parity; \
             INSERT INTO derived_parity SELECT * FROM o.derived_parity; \
             UPDATE pack SET data = (SELECT data FROM o.pack WHERE o.pack.id = pack.id); \
             UPDATE entry SET name = x'00' WHERE seq = 3;",
            other.display()
        ),
    );
    let rows = |sql: &str| -> Vec<Vec<u8>> {
        let connection = plain(&home.file());
        let mut statement = connection.prepare(sql).expect("SQL");
        let rows = statement.query_map([], |row| row.get(0)).expect("SQL");
        rows.collect::<Result<_, _>>().expect("it can be read")
    };
    let tables = || {
        [
            rows("SELECT data FROM pack ORDER BY id"),
            rows("SELECT sha256 FROM pack ORDER BY id"),
            rows("SELECT sha256 FROM chunk ORDER BY id"),
            rows("SELECT name FROM entry WHERE seq > 0 ORDER BY seq"),
            rows("SELECT leaf FROM entry ORDER BY seq"),
            rows("SELECT sha256 FROM root ORDER BY size"),
        ]
    };
    let before = tables();
    let vault = home.open();
    let report = scrub(&vault);
    assert_eq!(report.healed, []);
    for (table, why) in [("pack", "is not what was sealed"), ("root", "differs")] {
        assert!(
            report
                .unhealed
                .iter()
                .any(|left| left.table == table && left.detail.contains(why)),
            "{table}: {report:?}"
        );
    }
    vault.close().expect("it closes");
    assert!(tables() == before, "nothing was written");
}

const CHILD: &str = "COMPACTVAULT_TEST_SCRUB";

#[test]
fn a_child_scrubs_when_told() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let options = OpenOptions {
        state_dir: Some(Path::new(&path).with_file_name("state")),
        ..OpenOptions::default()
    };
    let vault = Vault::open(Path::new(&path), &options).expect("it opens");
    let progress = |_| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nread")
            .and_then(|()| out.flush())
            .expect("the parent listens");
    };
    vault
        .scrub(&ScrubOptions::default(), &progress)
        .expect("the scrub ends");
    vault.close().expect("it closes");
}

#[test]
fn a_scrub_that_is_killed_leaves_a_vault_that_opens_and_heals() {
    for lines in [1, 2, 5, 9, 14] {
        let sealed = Sealed::new(Parity::default());
        tamper(
            &sealed.file(),
            "UPDATE entry SET name = x'6e6f' WHERE seq IN (7, 70); \
             UPDATE chunk SET sha256 = zeroblob(32) WHERE id IN (11, 200); \
             UPDATE pack SET data = zeroblob(length(data)) WHERE id IN (5, 90, 150, 230); \
             UPDATE derived_parity SET data = zeroblob(length(data)) WHERE id % 9 = 0",
        );
        let mut child = Command::new(std::env::current_exe().expect("this binary has a path"))
            .args(["it::scrub::a_child_scrubs_when_told", "--exact"])
            .args(["--nocapture", "--test-threads=1"])
            .env(CHILD, sealed.file())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary can be started again");
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let read = out
            .lines()
            .map_while(Result::ok)
            .filter(|line| line == "read");
        assert_eq!(
            read.take(lines * 20).count(),
            lines * 20,
            "it is still at it"
        );
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");

        let vault = sealed.home.open();
        let report = scrub(&vault);
        assert_eq!(report.unhealed, [], "after {lines}");
        sealed.assert_whole(&vault);
        vault.close().expect("it closes");
    }
}
