//! Real vaults, damaged in every way that leaves rows behind: what is found without `SQLite` is what `SQLite` found
//! before the damage.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::carve::{Blob, CarveReport, Found, Row, carve, read_blob, read_blob_in_one_piece};
use super::cell::{Cell, local_bytes, varint, varint_bytes};
use super::image::{Image, PAGE, read_around};
use super::page::{Kind, Place, examine};
use crate::store::dump;

mod support;

use support::{Home, Numbers, add, full, line};

fn found(image: &Image) -> (Vec<Found>, CarveReport) {
    let mut rows = Vec::new();
    let report = carve(image, &mut |row| rows.push(row)).expect("it can be read");
    (rows, report)
}

fn lines(image: &Image, rows: &[Found]) -> BTreeSet<String> {
    rows.iter().map(|found| line(image, &found.row)).collect()
}

/// The pages of a file, which can be changed.
fn pages(file: &mut [u8]) -> impl Iterator<Item = &mut [u8]> {
    file.chunks_exact_mut(PAGE)
}

fn at(number: u32) -> Place {
    Place {
        number,
        loose: false,
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("it can be read")
}

#[test]
fn an_intact_vault_gives_what_sql_gives_and_each_row_once() {
    let (home, expected) = full();
    let image = home.image();
    let (rows, report) = found(&image);
    assert!(rows.iter().all(|found| found.whole_page && !found.loose));
    let all: Vec<_> = rows.iter().map(|found| line(&image, &found.row)).collect();
    assert_eq!(all.len(), expected.len());
    assert_eq!(BTreeSet::from_iter(all), expected);
    assert!(rows.is_sorted_by_key(|found| found.page));
    assert_eq!(report.damaged_leaves, 0);
    assert!(report.leaves > 10 && report.inner > 3 && report.other > 100);
}

#[test]
fn no_row_needs_the_first_page_interior_pages_or_indexes() {
    let (home, expected) = full();
    let mut file = read(&home.file());
    file[..PAGE].fill(0);
    let damaged = Home::with(&file, None);
    let image = damaged.image();
    assert_eq!(lines(&image, &found(&image).0), expected);

    let mut numbers = Numbers(2);
    let mut gone = 0;
    for page in pages(&mut file) {
        if matches!(page[0], 2 | 5 | 10) {
            page.copy_from_slice(&numbers.noise(PAGE));
            gone += 1;
        }
    }
    assert!(gone > 3, "{gone}");
    let damaged = Home::with(&file, None);
    let image = damaged.image();
    assert_eq!(lines(&image, &found(&image).0), expected);
}

#[test]
fn a_page_without_its_header_gives_every_cell_that_is_left() {
    let (home, _) = full();
    let image = home.image();
    let mut checked = 0;
    let mut file = read(&home.file());
    for (page, number) in pages(&mut file).zip(1..) {
        let (kind, rows) = examine(&image, at(number), page);
        if kind != Kind::Leaf || rows.is_empty() {
            continue;
        }
        let count = usize::from(u16::from_be_bytes([page[3], page[4]]));
        assert_eq!(rows.len(), count);
        for zeroed in [8, 4096] {
            let left = |index: &usize| {
                let at = 8 + 2 * index;
                usize::from(u16::from_be_bytes([page[at], page[at + 1]])) >= zeroed
            };
            let cells: Vec<usize> = (0..count).filter(left).collect();
            let mut damaged = page.to_vec();
            damaged[..zeroed].fill(0);
            let (kind, again) = examine(&image, at(number), &damaged);
            assert!(matches!(kind, Kind::Other | Kind::Empty));
            assert_eq!(again.len(), cells.len(), "page {number}");
            assert!(cells.iter().all(|&index| again.contains(&rows[index])));
            checked += again.len();
        }
    }
    assert!(checked > 900, "{checked}");
}

#[test]
fn a_hidden_or_broken_cell_does_not_hide_the_others() {
    let (home, _) = full();
    let image = home.image();
    let mut file = read(&home.file());
    let mut numbers = Numbers(3);
    for (page, number) in pages(&mut file).zip(1..) {
        let (kind, rows) = examine(&image, at(number), page);
        if kind != Kind::Leaf || rows.len() < 3 {
            continue;
        }
        // One cell fewer than there are: the page is not whole, and its last cell is found by searching.
        let mut damaged = page.to_vec();
        damaged[4] = damaged[4].wrapping_sub(1);
        let (kind, again) = examine(&image, at(number), &damaged);
        assert_eq!(kind, Kind::DamagedLeaf);
        assert!(rows.iter().all(|row| again.contains(row)), "page {number}");
        assert_eq!(rows.len(), again.len());
        // Pointers that lead anywhere.
        let mut damaged = page.to_vec();
        for byte in &mut damaged[8..14] {
            *byte = numbers.next().to_le_bytes()[0];
        }
        let (kind, again) = examine(&image, at(number), &damaged);
        assert_eq!(kind, Kind::DamagedLeaf);
        assert!(rows.iter().all(|row| again.contains(row)), "page {number}");
    }
}

#[test]
fn rows_that_are_only_in_the_wal_are_found_and_those_behind_a_broken_frame_too() {
    let home = Home::new();
    let vault = home.create();
    let mut numbers = Numbers(4);
    for n in 0..8 {
        add(&vault, &format!("{n}"), &[numbers.noise(30_000)]);
    }
    // As a killed process leaves them.
    let (file, wal) = (read(&home.file()), read(&home.wal()));
    vault.close().expect("it closes");
    let expected = dump::rows(&home.file());

    let without = Home::with(&file, None);
    let image = without.image();
    assert!(lines(&image, &found(&image).0).len() < 20);

    let with = Home::with(&file, Some(&wal));
    let image = with.image();
    let (rows, report) = found(&image);
    let bound: Vec<_> = rows.into_iter().filter(|found| !found.loose).collect();
    assert_eq!(lines(&image, &bound), expected);
    assert!(report.loose > 0, "there are older versions of pages");

    // A salt in the header of one frame in the middle.
    let frame = PAGE + 24;
    let mut broken = wal.clone();
    broken[32 + (wal.len() / frame / 2) * frame + 8] ^= 1;
    // And a WAL without its header, which is nothing but loose pages.
    let mut headless = wal;
    headless[..32].fill(0);
    for wal in [broken, headless] {
        let behind = Home::with(&file, Some(&wal));
        let image = behind.image();
        let (rows, _) = found(&image);
        assert!(lines(&image, &rows).is_superset(&expected));
        let bound: Vec<_> = rows.into_iter().filter(|found| !found.loose).collect();
        assert!(!lines(&image, &bound).is_superset(&expected));
    }
}

#[test]
fn rows_of_an_archived_vault_never_pass_for_rows_of_a_whole_page() {
    let (inner, inner_rows) = full();
    let home = Home::new();
    let vault = home.create();
    // Among noise its pages are stored as they are, at any offset.
    let mut numbers = Numbers(5);
    let file = read(&inner.file());
    let mut files = vec![file.clone()];
    for (index, page) in file.chunks_exact(PAGE).enumerate() {
        if page[0] == 13 {
            let (before, behind) = (numbers.noise(400_000 + index), numbers.noise(400_000));
            files.push([&before, page, &behind].concat());
        }
    }
    add(&vault, "backups", &files);
    vault.close().expect("it closes");
    let expected = dump::rows(&home.file());
    let image = home.image();
    let (rows, _) = found(&image);
    let (own, foreign): (Vec<Found>, _) = rows.into_iter().partition(|found| found.whole_page);
    assert_eq!(lines(&image, &own), expected);
    // They were there to be confused, and lie where the packs say that they have their data.
    let mut chains = BTreeSet::new();
    for found in &own {
        if let Row::Pack { data, .. } = &found.row {
            chains.extend(read_blob(&image, data).expect("it can be read").1);
        }
    }
    assert!(foreign.iter().all(|found| chains.contains(&found.page)));
    let inner_entries = foreign.iter().filter_map(|found| match &found.row {
        Row::Entry { .. } => Some(line(&image, &found.row)),
        _ => None,
    });
    assert!(inner_entries.filter(|row| inner_rows.contains(row)).count() > 100);
}

#[test]
fn noise_gives_no_rows() {
    let home = Home::with(&[], None);
    let image = home.image();
    let mut numbers = Numbers(6);
    for number in 2..3000 {
        let mut page = numbers.noise(PAGE);
        // Every third claims to be a leaf page, every third has many of the bytes that begin a record.
        match number % 3 {
            0 => page[0] = 13,
            1 => page.iter_mut().for_each(|byte| *byte &= 0x0f),
            _ => {}
        }
        assert_eq!(examine(&image, at(number), &page).1, []);
    }
}

#[test]
fn a_lost_page_number_does_not_end_a_chain() {
    let (home, _) = full();
    let image = home.image();
    let (rows, _) = found(&image);
    let mut file = read(&home.file());
    let blobs: Vec<_> = rows
        .iter()
        .filter_map(|found| match &found.row {
            Row::Pack { data, .. } => Some(data.clone()),
            _ => None,
        })
        .map(|data| {
            let (bytes, chain) = read_blob(&image, &data).expect("it can be read");
            (data, bytes, chain)
        })
        .filter(|(_, _, chain)| chain.len() > 10)
        .collect();
    assert!(!blobs.is_empty());
    let damage = |file: &mut [u8], number: u32| {
        for (_, _, chain) in &blobs {
            assert!(chain.is_sorted());
            let at = (chain[5] as usize - 1) * PAGE;
            file[at..at + 4].copy_from_slice(&number.to_be_bytes());
        }
        Home::with(file, None)
    };
    for nowhere in [0, 1, u32::MAX, blobs[0].2[2]] {
        let damaged = damage(&mut file, nowhere);
        let (data, bytes, chain) = &blobs[0];
        let again = read_blob(&damaged.image(), data).expect("it can be read");
        assert!(again == (bytes.clone(), chain.clone()), "{nowhere}");
    }
    let damaged = damage(&mut file, 3);
    for (data, bytes, _) in &blobs {
        let astray = read_blob(&damaged.image(), data).expect("it can be read");
        assert!(astray.0 != *bytes);
        let again = read_blob_in_one_piece(&damaged.image(), data).expect("it can be read");
        assert!(again.0 == *bytes);
    }
}

#[test]
fn a_blob_is_never_longer_than_what_the_file_holds() {
    let home = Home::with(&vec![0; 3 * PAGE + 7], None);
    let image = home.image();
    assert_eq!(image.pages(), 4);
    for overflow in [None, Some(0), Some(2), Some(4), Some(5), Some(u32::MAX)] {
        let blob = Blob {
            local: vec![1; 10],
            length: usize::MAX,
            overflow,
            page: 2,
            loose: false,
        };
        let (bytes, chain) = read_blob(&image, &blob).expect("it can be read");
        assert!(chain.len() <= 3);
        assert_eq!(bytes.len(), 10 + chain.len() * (PAGE - 4));
    }
}

#[test]
fn damage_of_any_kind_ends_in_fewer_rows_and_nothing_worse() {
    let (home, expected) = full();
    let file = read(&home.file());
    let mut numbers = Numbers(7);
    for case in 0..12 {
        let mut damaged = file.clone();
        match case % 3 {
            0 => damaged.truncate(numbers.below(file.len())),
            1 => {
                for _ in 0..2000 {
                    let at = numbers.below(damaged.len());
                    damaged[at] = numbers.next().to_le_bytes()[0];
                }
            }
            _ => {
                for _ in 0..20 {
                    let at = numbers.below(damaged.len() / 4096) * 4096;
                    let noise = numbers.noise(4096);
                    damaged[at..at + 4096].copy_from_slice(&noise);
                }
            }
        }
        let damaged = Home::with(&damaged, (case % 2 == 1).then_some(&file[..200_000]));
        let image = damaged.image();
        let (rows, _) = found(&image);
        let entries = rows
            .iter()
            .filter(|found| matches!(found.row, Row::Entry { .. }));
        for found in entries {
            assert!(expected.contains(&line(&image, &found.row)), "case {case}");
        }
    }
    // Page by page, many small changes where they hurt most.
    let image = home.image();
    for (page, number) in file.chunks_exact(PAGE).zip(1..) {
        if !matches!(page[0], 2 | 5 | 10 | 13) {
            continue;
        }
        for _ in 0..40 {
            let mut damaged = page.to_vec();
            for _ in 0..=numbers.below(30) {
                let area = [16, 1024, PAGE][numbers.below(3)];
                damaged[numbers.below(area)] = numbers.next().to_le_bytes()[0];
            }
            for row in examine(&image, at(number), &damaged).1 {
                if let Row::Entry { .. } = row {
                    assert!(expected.contains(&line(&image, &row)), "page {number}");
                }
            }
        }
    }
}

#[test]
fn files_that_are_no_vaults_give_nothing() {
    let mut numbers = Numbers(8);
    let noise = numbers.noise(300_000);
    for file in [
        &[][..],
        &[13],
        &noise,
        &vec![0; 100_000],
        &vec![0xff; 100_000],
    ] {
        for wal in [None, Some(&[][..]), Some(&noise[..]), Some(&noise[..40])] {
            let home = Home::with(file, wal);
            assert_eq!(found(&home.image()).0, []);
        }
    }
    let nowhere = Home::new();
    let error = Image::open(&nowhere.file()).err().expect("it is not there");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_bad_sector_costs_its_block_and_a_lost_disk_is_an_error() {
    let disk: Vec<u8> = (0..40_000_u32).map(|n| n.to_le_bytes()[0] | 1).collect();
    let read = |bad: std::ops::Range<u64>, code: i32| {
        let disk = &disk;
        move |offset: u64, into: &mut [u8]| {
            if offset < bad.end && offset + into.len() as u64 > bad.start {
                return Err(io::Error::from_raw_os_error(code));
            }
            let at = usize::try_from(offset).expect("it fits").min(disk.len());
            let bytes = into.len().min(disk.len() - at);
            into[..bytes].copy_from_slice(&disk[at..at + bytes]);
            Ok(bytes)
        }
    };
    let code = if cfg!(windows) { 1117 } else { 5 };
    let mut into = vec![9; PAGE];
    let lost = read_around(read(9000..9001, code), 24, &mut into).expect("it goes on");
    assert_eq!(lost, 1);
    assert_eq!(into[..8192 - 24], disk[24..8192]);
    assert!(into[8192 - 24..12_288 - 24].iter().all(|&byte| byte == 0));
    assert_eq!(into[12_288 - 24..], disk[12_288..PAGE + 24]);
    let error = read_around(read(9000..9001, 13), 24, &mut into);
    assert!(error.is_err());
}

#[test]
fn lengths_are_read_as_sqlite_writes_them() {
    for (value, bytes) in [
        (0, 1),
        (127, 1),
        (128, 2),
        (16_383, 2),
        (16_384, 3),
        ((1 << 56) - 1, 8),
        (1 << 56, 9),
        (u64::MAX, 9),
    ] {
        assert_eq!(varint_bytes(value), bytes, "{value}");
    }
    assert_eq!(varint(&[0x81, 0]), Some((128, 2)));
    assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, 9)));
    assert_eq!(varint(&[0x80; 8]), None);
    assert_eq!(varint(&[]), None);
    assert_eq!(local_bytes(PAGE - 35), PAGE - 35);
    assert_eq!(local_bytes(PAGE - 34), 2031);
    assert_eq!(local_bytes(2031 + PAGE - 4), 2031);
    assert_eq!(local_bytes(2032 + PAGE - 4), 2032);
    assert!(Cell::parse(&[0xff; PAGE], 0).is_none());
    assert!(Cell::parse(&[0; PAGE], PAGE).is_none());
}
