//! The vaults that are damaged, and what is known of them.

use std::collections::BTreeMap;

use compactvault_vault::{
    AssetId, Digest, Name, NewAsset, Node, OpenOptions, Parity, Seq, Timestamp, Vault,
};

use super::super::support::{Home, add, name, new_asset, noise, place, prose, read_all};
use super::super::varied::{Answers, Questions, fill, verifies};

/// What must be true of an asset wherever it turns up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Known {
    /// Escaped names, `/` between them.
    pub(super) path: String,
    /// Its bytes, read and hashed here.
    pub(super) content: (u64, [u8; 32]),
    pub(super) modified: Option<(i64, u32)>,
    pub(super) executable: bool,
    pub(super) sealed_at_unix_ms: i64,
}

/// A vault as bytes, with what it answers when it is intact.
pub(super) struct Subject {
    pub(super) home: Home,
    pub(super) bytes: Vec<u8>,
    pub(super) questions: Questions,
    pub(super) answers: Answers,
    /// By position in the log.
    pub(super) known: BTreeMap<u64, Known>,
    pub(super) entries: u64,
    pub(super) root: Digest,
    /// Counts that no rescue may change.
    pub(super) counts: [u64; 6],
    pub(super) exported: BTreeMap<String, String>,
}

impl Subject {
    fn new(parity: Parity, settled: bool, fill: impl FnOnce(&Vault)) -> Self {
        let home = Home::new();
        let options = OpenOptions {
            parity,
            ..home.options()
        };
        let vault = Vault::create(&home.file(), &options).expect("a vault can be created");
        fill(&vault);
        // What the program does behind every import: the stripes of single commits become large ones, and only these
        // keep the promise.
        if settled {
            vault.upkeep().expect("nothing is wrong");
        }
        let questions = Questions::of(&vault);
        let known = known(&vault)
            .into_iter()
            .map(|(seq, known)| (seq, known.expect("it is intact")))
            .collect();
        let root = vault.checkpoint().expect("it is intact").root;
        let entries = vault.log_size().expect("it is intact");
        let counts = counts(&vault).expect("it is intact");
        let folder = home.path().join("exported");
        let exported = super::check::export(&vault, &folder)
            .expect("it is intact")
            .0;
        vault.close().expect("the vault closes");
        let answers = questions.ask(&home.file(), &home);
        assert!(answers.values().all(Result::is_ok), "{answers:?}");
        assert!(verifies(&home.file(), &home));
        let bytes = std::fs::read(home.file()).expect("the vault can be read");
        Self {
            home,
            bytes,
            questions,
            answers,
            known,
            entries,
            root,
            counts,
            exported,
        }
    }

    /// Something of everything; 2 MB.
    pub(super) fn varied(parity: Parity) -> Self {
        Self::new(parity, true, fill)
    }

    /// 300 files of a few bytes, each in a commit of its own.
    pub(super) fn tiny() -> Self {
        Self::new(Parity::default(), true, |vault| {
            let place = place(vault);
            for n in 0..300 {
                add(vault, place, &format!("{n}"), &prose(n, 20 + n as usize));
            }
        })
    }

    /// 20 MB: text, noise, versions, times and execute bits; in bulk, and then one by one.
    pub(super) fn mixed() -> Self {
        Self::new(Parity::default(), true, |vault| {
            let place = place(vault);
            let ingest = vault.ingest().expect("the vault takes things in");
            ingest.set_bulk(true);
            let mut tickets = Vec::new();
            for n in 0..60_u64 {
                let bytes = match n % 5 {
                    0 => noise(n, 900_000 + n as usize * 1000),
                    1 => prose(n, 300_000),
                    2 => noise(n, 40_000),
                    3 => prose(n, 700),
                    _ => noise(n / 2, 90_000),
                };
                let asset = NewAsset {
                    modified: (n % 3 > 0).then_some(Timestamp {
                        seconds: n as i64 * 1_000_003 - 7,
                        nanoseconds: 17 * n as u32,
                    }),
                    executable: n % 4 == 0,
                    folders: vec![name(["src", "it's"][n as usize % 2]), name("deep")],
                    ..new_asset(place, name(&format!("file {}", n % 55)))
                };
                let archived = ingest.archive(asset, &mut bytes.as_slice());
                tickets.push(archived.expect("memory can be read").0);
            }
            for ticket in tickets {
                ticket.wait().expect("it is sealed");
            }
            ingest.set_bulk(false);
            for n in 0..25 {
                let bytes = noise(1000 + n, 1000 + 20_000 * n as usize);
                add(vault, place, &format!("later {n}"), &bytes);
            }
        })
    }

    /// Three files of 10 MB that do not compress.
    pub(super) fn large(settled: bool) -> Self {
        Self::new(Parity::default(), settled, |vault| {
            let place = place(vault);
            for n in 0..3 {
                add(
                    vault,
                    place,
                    &format!("{n}.bin"),
                    &noise(77 + n, 10_000_000),
                );
            }
        })
    }
}

/// Every asset of a vault with what can be said of it; an error where it cannot be read.
pub(super) fn known(vault: &Vault) -> BTreeMap<u64, Result<Known, String>> {
    let entries = vault.log_size().unwrap_or(0);
    let mut found = BTreeMap::new();
    for seq in 0..entries {
        let known = match vault.node(Seq::new(seq)) {
            Ok(Node::Asset(asset)) => one(vault, asset.id),
            Ok(_) => continue,
            Err(error) => Err(error.to_string()),
        };
        found.insert(seq, known);
    }
    found
}

fn one(vault: &Vault, id: AssetId) -> Result<Known, String> {
    let details = vault.asset_details(id).map_err(|error| error.to_string())?;
    let bytes = read_all(vault, id).map_err(|error| error.to_string())?;
    let asset = details.asset;
    let digest = Digest::of(&bytes);
    if digest != asset.sha256 || bytes.len() as u64 != asset.size {
        return Err("SILENT: the bytes are not what the entry says".into());
    }
    let names: Vec<String> = details.path.iter().map(Name::escaped).collect();
    Ok(Known {
        path: names.join("/"),
        content: (asset.size, *digest.as_bytes()),
        modified: asset.modified.map(|t| (t.seconds, t.nanoseconds)),
        executable: asset.executable,
        sealed_at_unix_ms: asset.sealed_at_unix_ms,
    })
}

/// What `status` counts and no rescue may change.
pub(super) fn counts(vault: &Vault) -> Result<[u64; 6], String> {
    let status = vault.status().map_err(|error| error.to_string())?;
    Ok([
        status.projects,
        status.collections,
        status.assets,
        status.links,
        status.entries,
        status.logical_bytes,
    ])
}
