//! What goes in comes out, byte for byte, whatever its size, kind or neighbours.
//!
//! The oracle is always the bytes themselves, kept beside; sizes sit on both sides of every bound of the chunker and
//! of a batch.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use compactvault_vault::{
    AssetId, CollectionId, Digest, NewAsset, PlaceId, Timestamp, Vault, VerifyLevel,
};
use proptest::prelude::*;

use super::support::{Home, add, add_link, name, new_asset, noise, place, prose, read_all};

fn assert_intact(vault: &Vault) {
    let report = vault
        .verify(VerifyLevel::Deep, &|_| ())
        .expect("verification ends");
    assert_eq!(report.findings, []);
}

#[test]
fn every_size_around_a_bound_comes_back() {
    const MIB: usize = 1 << 20;
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let sizes = [0, 1, 65_535, 65_536, 65_537, MIB - 1, MIB, MIB + 1, 5 * MIB];
    let mut kept = Vec::new();
    for (seed, size) in sizes.into_iter().enumerate() {
        for (kind, bytes) in [
            ("noise", noise(seed as u64, size)),
            ("prose", prose(seed as u64, size)),
            ("zeros", vec![0; size]),
        ] {
            let sealed = add(&vault, place, &format!("{kind} {size}"), &bytes);
            kept.push((AssetId::new(sealed.seq), bytes));
        }
    }
    // Through the caches of the vault that wrote them, and again through those of one that did not.
    for _ in 0..2 {
        for (id, bytes) in &kept {
            let asset = home_asset(&vault, *id);
            assert_eq!(asset.size, bytes.len() as u64);
            assert_eq!(asset.sha256, Digest::of(bytes));
            assert!(read_all(&vault, *id).expect("it is intact") == *bytes);
        }
    }
    vault.close().expect("the vault closes");
    let vault = home.open();
    for (id, bytes) in &kept {
        assert!(read_all(&vault, *id).expect("it is intact") == *bytes);
    }
    assert_intact(&vault);
}

fn home_asset(vault: &Vault, id: AssetId) -> compactvault_vault::Asset {
    vault.asset(id).expect("it is there")
}

#[test]
fn an_asset_larger_than_a_batch_comes_back() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let mut bytes = noise(1, 25 << 20);
    bytes.extend(prose(2, 15 << 20));
    let sealed = add(&vault, place, "large", &bytes);
    assert!(read_all(&vault, AssetId::new(sealed.seq)).expect("it is intact") == bytes);
    let status = vault.status().expect("it can be asked");
    assert_eq!(status.unreferenced_chunks, 0);
    assert_eq!(status.logical_bytes, bytes.len() as u64);
    assert_intact(&vault);
}

#[test]
fn equal_bytes_are_stored_once() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let bytes = noise(1, 3 << 20);
    add(&vault, place, "one", &bytes);
    let before = vault.status().expect("it can be asked");
    add(&vault, place, "two", &bytes);
    let mut shifted = b"a prefix moves everything".to_vec();
    shifted.extend_from_slice(&bytes);
    add(&vault, place, "three", &shifted);
    let after = vault.status().expect("it can be asked");
    assert_eq!(after.assets, 3);
    assert!(
        after.unique_bytes - before.unique_bytes <= 2 << 20,
        "only the chunks at the seam are new: {before:?} {after:?}"
    );
    // Within one file: a megabyte, repeated.
    let repeated = noise(2, 1 << 20).repeat(8);
    let sealed = add(&vault, place, "repeated", &repeated);
    let last = vault.status().expect("it can be asked");
    assert!(
        last.unique_bytes - after.unique_bytes <= 4 << 20,
        "{last:?}"
    );
    assert!(read_all(&vault, AssetId::new(sealed.seq)).expect("it is intact") == repeated);
    assert_intact(&vault);
}

#[test]
fn what_compresses_is_compressed_and_what_does_not_costs_nothing() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    add(&vault, place, "prose", &prose(1, 4 << 20));
    let prose = vault.status().expect("it can be asked").stored_bytes;
    assert!(prose < 3 << 20, "{prose}");
    add(&vault, place, "noise", &noise(1, 4 << 20));
    let both = vault.status().expect("it can be asked").stored_bytes;
    assert!(both - prose <= 4 << 20, "{both}");
}

#[test]
fn real_files_come_back_with_their_times_and_bits() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let files = real_files();
    assert!(files.len() >= 20, "this machine has files to archive");
    let mut kept = Vec::new();
    for (n, path) in files.iter().enumerate() {
        let bytes = fs::read(path).expect("the file can be read");
        let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
        let modified = Timestamp::from_system(modified.expect("files have times"));
        let asset = NewAsset {
            modified,
            executable: n % 2 == 0,
            expected_size: Some(bytes.len() as u64),
            expected_sha256: Some(Digest::of(&bytes)),
            ..new_asset(place, name(&format!("{n}")))
        };
        let ingest = vault.ingest().expect("the vault takes things in");
        let (ticket, digest) = ingest
            .archive(asset, &mut bytes.as_slice())
            .expect("memory can be read");
        assert_eq!(digest.sha256, Digest::of(&bytes));
        kept.push((ticket, bytes, modified, n % 2 == 0));
    }
    for (ticket, bytes, modified, executable) in kept {
        let sealed = ticket.wait().expect("it is sealed");
        let asset = home_asset(&vault, AssetId::new(sealed.seq));
        assert_eq!((asset.modified, asset.executable), (modified, executable));
        assert_eq!(asset.crc32, crc32fast::hash(&bytes));
        assert!(read_all(&vault, asset.id).expect("it is intact") == bytes);
    }
    assert_intact(&vault);
}

/// Up to 60 files of the machine, small and large, of whatever kinds it has.
fn real_files() -> Vec<PathBuf> {
    let mut folders = vec![
        PathBuf::from("/usr/share/common-licenses"),
        PathBuf::from("/usr/share/zoneinfo"),
        PathBuf::from("/usr/share/perl"),
        PathBuf::from("/usr/lib/git-core"),
        PathBuf::from("/bin"),
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src"),
    ];
    let mut files = Vec::new();
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        let mut taken = 0;
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_file() && taken < 12 && bytes + metadata.len() < 24 << 20 {
                taken += 1;
                bytes += metadata.len();
                files.push(entry.path());
            }
        }
    }
    files
}

#[test]
fn times_before_1970_and_none_at_all_are_kept() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let times = [
        None,
        Some((-1, 999_999_999)),
        Some((0, 0)),
        Some((i64::MIN, 0)),
        Some((i64::MAX, 1)),
    ];
    for (n, time) in times.into_iter().enumerate() {
        let modified = time.map(|(seconds, nanoseconds)| Timestamp {
            seconds,
            nanoseconds,
        });
        let asset = NewAsset {
            modified,
            ..new_asset(place, name(&n.to_string()))
        };
        let ingest = vault.ingest().expect("the vault takes things in");
        let (ticket, _) = ingest
            .archive(asset, &mut &b"x"[..])
            .expect("memory can be read");
        let sealed = ticket.wait().expect("it is sealed");
        assert_eq!(
            home_asset(&vault, AssetId::new(sealed.seq)).modified,
            modified
        );
    }
    assert_intact(&vault);
}

#[test]
fn a_later_version_is_another_asset_and_the_same_bytes_are_not() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let first = add(&vault, place, "a", b"one");
    let again = add(&vault, place, "a", b"one");
    assert!(again.already_archived && again.seq == first.seq);
    let second = add(&vault, place, "a", b"two");
    assert!(!second.already_archived && second.seq != first.seq);
    // Going back to earlier bytes is a version of its own: only the newest counts.
    let third = add(&vault, place, "a", b"one");
    assert!(!third.already_archived);
    let details = vault
        .asset_details(AssetId::new(third.seq))
        .expect("it is there");
    let versions: Vec<_> = details.versions.iter().map(|id| id.seq()).collect();
    assert_eq!(versions, [third.seq, second.seq, first.seq]);
    assert_eq!(
        read_all(&vault, AssetId::new(second.seq)).expect("it is intact"),
        b"two"
    );
    // The same content in one batch as its own predecessor.
    let ingest = vault.ingest().expect("the vault takes things in");
    ingest.set_bulk(true);
    let tickets: Vec<_> = [b"x", b"x", b"y", b"y"]
        .iter()
        .map(|bytes| {
            let (ticket, _) = ingest
                .archive(new_asset(place, name("b")), &mut bytes.as_slice())
                .expect("memory can be read");
            ticket
        })
        .collect();
    let known: Vec<bool> = tickets
        .iter()
        .map(|ticket| ticket.wait().expect("it is sealed").already_archived)
        .collect();
    assert_eq!(known, [false, true, false, true]);
    assert_intact(&vault);
}

#[test]
fn a_link_is_kept_with_its_target_and_time_and_has_versions() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let first = add_link(&vault, place, "link", b"../\xff/target");
    assert!(add_link(&vault, place, "link", b"../\xff/target").already_archived);
    let second = add_link(&vault, place, "link", b"elsewhere");
    for (sealed, target) in [(first, &b"../\xff/target"[..]), (second, b"elsewhere")] {
        let node = vault.node(sealed.seq).expect("it is there");
        let compactvault_vault::Node::Link(link) = node else {
            panic!("{node:?}");
        };
        assert_eq!(link.target, target);
        let modified = link.modified.expect("it has a time");
        assert_eq!((modified.seconds, modified.nanoseconds), (-5, 7));
    }
    assert_intact(&vault);
}

/// An asset of several chunks of both codecs, shared by the cases below; the vault's folder must outlive it.
fn ranged() -> (Home, Vault, AssetId, Vec<u8>) {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let mut bytes = prose(1, 900_000);
    bytes.extend(noise(2, 1_500_000));
    bytes.extend(prose(3, 300_001));
    let sealed = add(&vault, place, "a", &bytes);
    (home, vault, AssetId::new(sealed.seq), bytes)
}

#[test]
fn any_range_is_that_part_of_the_bytes() {
    let (_home, vault, id, bytes) = ranged();
    let reader = vault.open_asset(id).expect("it is there");
    let size = bytes.len() as u64;
    let chunks = reader.chunks();
    assert!(chunks > 5, "{chunks}");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let ranges = (0..size + 10, prop_oneof![0..3_u64, 0..70_000_u64, 0..size]);
    runner
        .run(&ranges, |(start, length)| {
            let pieces: Vec<_> = reader
                .range(start..start + length)
                .collect::<Result<_, _>>()
                .expect("it is intact");
            // Never more pieces than chunks of the smallest size could make, plus the two at the ends.
            prop_assert!(pieces.len() as u64 <= length / (64 * 1024) + 2);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            let from = start.min(size) as usize;
            let to = (start + length).min(size) as usize;
            prop_assert!(pieces.concat() == bytes[from..to]);
            let mut rest = reader.range(start..start + length).shared();
            let mut in_parts = Vec::new();
            while !rest.is_empty() {
                let part = rest.take_part(200_000);
                prop_assert!(!part.is_empty());
                for piece in part {
                    in_parts.extend_from_slice(&piece.expect("it is intact"));
                }
            }
            prop_assert!(in_parts == bytes[from..to]);
            Ok(())
        })
        .expect("every range is right");
    #[expect(clippy::reversed_empty_ranges, reason = "a caller may ask for one")]
    let backwards = reader.range(10..5).count();
    assert_eq!(backwards, 0);
    assert_eq!(reader.range(u64::MAX..u64::MAX).count(), 0);
}

#[test]
fn readers_share_what_was_checked_and_others_see_the_file() {
    let (home, vault, id, bytes) = ranged();
    let place = place(&vault);
    let other = AssetId::new(add(&vault, place, "b", &noise(4, 6_000_000)).seq);
    vault
        .close()
        .expect("what the WAL holds goes into the file");
    let vault = home.open();
    let reader = vault.open_asset(id).expect("its entry is intact");
    let range = 1_500_000..1_600_000_u64;
    let read = |pieces: compactvault_vault::AssetRange| pieces.collect::<Result<Vec<_>, _>>();
    let whole = || reader.range(0..reader.size()).shared();
    let beside = whole();
    read(whole()).expect("it is intact");
    home.damage(&bytes[1_550_000..1_550_064]);
    let shared = read(reader.range(range.clone()).shared()).expect("it was checked before");
    assert!(shared.concat() == bytes[1_500_000..1_600_000]);
    let shared = read(beside).expect("all of it was checked while this was there");
    assert!(shared.concat() == bytes);
    // SQLite forgets the pages it has.
    read(vault.open_asset(other).unwrap().range(0..6_000_000)).expect("it is intact");
    assert!(read(reader.range(range)).is_err(), "the file is damaged");
}

#[test]
fn a_range_touches_only_the_chunks_it_needs() {
    let (home, vault, id, bytes) = ranged();
    vault.close().expect("the vault closes");
    // The noise in the middle is damaged; what lies before and after must still be readable.
    home.damage(&bytes[1_500_000..1_500_064]);
    let vault = home.open();
    let reader = vault.open_asset(id).expect("its entry is intact");
    for range in [0..300_000, 2_500_000..bytes.len() as u64] {
        let read: Vec<_> = reader
            .range(range.clone())
            .collect::<Result<_, _>>()
            .expect("these chunks are intact");
        assert!(read.concat() == bytes[range.start as usize..range.end as usize]);
    }
    let mut pieces = reader.range(0..reader.size());
    let error = pieces
        .by_ref()
        .find_map(Result::err)
        .expect("one chunk is damaged");
    let message = error.to_string();
    assert!(
        message.contains("“a”") && message.contains("chunk "),
        "{message}"
    );
    assert!(pieces.next().is_none(), "nothing follows the error");
}

#[test]
fn eight_threads_that_need_the_same_places_create_each_once() {
    let home = Home::new();
    let vault = home.create();
    let ids: Vec<HashSet<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u32)
            .map(|thread| {
                let vault = vault.clone();
                scope.spawn(move || {
                    let mut places = HashSet::new();
                    let mut tickets = Vec::new();
                    for round in 0..10_u32 {
                        let (project, _) = vault
                            .create_project(name("Shared"), "project", "")
                            .expect("it is found or created");
                        places.insert(project.id.get());
                        let asset = NewAsset {
                            place: PlaceId::Project(project.id),
                            folders: vec![name("Deep"), name(&format!("Round {round}"))],
                            ..new_asset(
                                CollectionId::new(project.id.seq()),
                                name(&format!("thread {thread}")),
                            )
                        };
                        let bytes = format!("{round} of {thread}");
                        let (ticket, _) = vault
                            .ingest()
                            .expect("it takes things in")
                            .archive(asset, &mut bytes.as_bytes())
                            .expect("memory can be read");
                        tickets.push((ticket, bytes));
                    }
                    for (ticket, bytes) in tickets {
                        let sealed = ticket.wait().expect("it is sealed");
                        let read = read_all(&vault, AssetId::new(sealed.seq));
                        assert_eq!(read.expect("it is intact"), bytes.as_bytes());
                    }
                    places
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread fails"))
            .collect()
    });
    let distinct: HashSet<u64> = ids.into_iter().flatten().collect();
    assert_eq!(distinct.len(), 1, "one project");
    let status = vault.status().expect("it can be asked");
    assert_eq!(
        (status.projects, status.collections, status.assets),
        (1, 11, 80)
    );
    assert_intact(&vault);
}
