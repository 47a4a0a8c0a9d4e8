//! Archives as they are made, cut off, and lied about.

use std::io::{Cursor, Write};
use std::time::Duration;

use super::{Kind, Limits, Listing, MEMBERS_MAX, list};
use crate::job::Failure;

fn look(bytes: Vec<u8>) -> Result<Listing, Failure> {
    let (listing, name) = (Limits::default(), "a.bin.gz");
    let listing = list(Cursor::new(bytes), name, &listing)?;
    // Whatever it is, it can be sent.
    serde_json::to_vec(&listing).unwrap();
    Ok(listing)
}

/// Path, kind, size of each member.
fn shown(listing: &Listing) -> Vec<(&str, Kind, u64)> {
    let members = listing.members.iter();
    members.map(|m| (m.path.as_str(), m.kind, m.size)).collect()
}

/// A ZIP of stored members, as `zip -0` makes them.
#[derive(Default)]
struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    members: u16,
}

impl Zip {
    fn add(&mut self, name: &[u8], content: &[u8], flags: u16, mode: u32, extra: &[u8]) {
        let offset = u32::try_from(self.bytes.len()).unwrap();
        let length = u32::try_from(content.len()).unwrap();
        let mut shared = Vec::new();
        // Needs, flags, stored, 2009-02-13 23:31:30.
        for field in [20, flags, 0, 0xbbef, 0x3a4d] {
            shared.extend_from_slice(&u16::to_le_bytes(field));
        }
        for field in [0, length, length] {
            shared.extend_from_slice(&u32::to_le_bytes(field));
        }
        shared.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
        shared.extend_from_slice(&u16::try_from(extra.len()).unwrap().to_le_bytes());
        self.bytes.extend_from_slice(b"PK\x03\x04");
        self.bytes.extend_from_slice(&shared);
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(extra);
        self.bytes.extend_from_slice(content);
        self.directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        self.directory.extend_from_slice(&shared);
        self.directory.extend_from_slice(&[0; 6]);
        self.directory
            .extend_from_slice(&(mode << 16).to_le_bytes());
        self.directory.extend_from_slice(&offset.to_le_bytes());
        self.directory.extend_from_slice(name);
        self.directory.extend_from_slice(extra);
        self.members += 1;
    }

    fn end(self) -> Vec<u8> {
        let (members, length) = (self.members, u32::try_from(self.directory.len()).unwrap());
        self.end_with(members, length)
    }

    /// With an end record that says so.
    fn end_with(self, members: u16, directory_bytes: u32) -> Vec<u8> {
        let mut out = self.bytes;
        let at = u32::try_from(out.len()).unwrap();
        out.extend_from_slice(&self.directory);
        out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        for _ in 0..2 {
            out.extend_from_slice(&members.to_le_bytes());
        }
        out.extend_from_slice(&directory_bytes.to_le_bytes());
        out.extend_from_slice(&at.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out
    }
}

fn small_zip() -> Zip {
    let mut zip = Zip::default();
    zip.add(b"docs/", b"", 0, 0o040_755, b"");
    zip.add("docs/é.txt".as_bytes(), b"hello", 0x800, 0o100_644, b"");
    zip.add(b"\x82.txt", b"x", 0, 0, b"");
    zip.add(
        b"link",
        b"docs",
        0,
        0o120_777,
        b"UT\x05\0\x01\xd2\x02\x96\x49",
    );
    zip
}

#[test]
fn a_zip_s_members() {
    let listing = look(small_zip().end()).unwrap();
    assert_eq!(
        shown(&listing),
        [
            ("docs/", Kind::Folder, 0),
            ("docs/é.txt", Kind::File, 5),
            ("é.txt", Kind::File, 1),
            ("link", Kind::Link, 4),
        ]
    );
    assert_eq!(
        (&*listing.format, listing.total, listing.bytes),
        ("zip", 4, 10)
    );
    assert!(listing.complete && listing.message.is_none());
    for member in &listing.members {
        assert_eq!(member.packed, Some(member.size));
        assert_eq!(
            member.modified_unix_ms,
            Some(1_234_567_890_000),
            "{}",
            member.path
        );
    }
    // A program in front of it, as in archives that unpack themselves, and a comment behind.
    let mut with_more = b"#!/bin/sh\nexec unzip $0\n".to_vec();
    with_more.extend(small_zip().end());
    let end = with_more.len();
    with_more[end - 2] = 7;
    with_more.extend_from_slice(b"comment");
    assert_eq!(look(with_more).unwrap().members, listing.members);
    let empty = look(Zip::default().end()).unwrap();
    assert!(empty.complete && empty.total == 0);
}

#[test]
fn zips_that_are_cut_off_or_lie() {
    let whole = small_zip().end();
    for length in 0..whole.len() {
        match look(whole[..length].to_vec()) {
            Ok(listing) => assert!(!listing.complete && listing.message.is_some(), "{length}"),
            Err(failure) => assert_eq!(failure.code, "unsupported", "{length}: {failure:?}"),
        }
    }
    // Without its directory, what its members say is left.
    let cut = look(whole[..whole.len() - 30].to_vec()).unwrap();
    assert_eq!(cut.members[1].path, "docs/é.txt");
    assert!(cut.message.unwrap().contains("cut off"));
    // Every byte of the directory and the end changed, one at a time.
    let start = small_zip().bytes.len();
    for at in start..whole.len() {
        for value in [0, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let _ = look(bytes);
        }
    }
    let more = look(small_zip().end_with(65535, 0xffff_ffff));
    assert!(!more.unwrap().complete);
    let claims = u32::try_from(small_zip().directory.len()).unwrap();
    let more = look(small_zip().end_with(9, claims)).unwrap();
    assert_eq!(
        more.message.as_deref(),
        Some("the archive says it has 9 members, and its directory lists 4")
    );
    let mut encrypted = Zip::default();
    encrypted.add(b"secret", b"x", 1, 0, b"");
    let encrypted = look(encrypted.end()).unwrap();
    assert_eq!(
        encrypted.message.as_deref(),
        Some("1 of the members are encrypted")
    );
    assert!(encrypted.complete);
}

/// A ZIP64 end that claims so many members in a directory of so many bytes.
fn zip64_end(zip: Zip, members: u64, directory_bytes: u64) -> Vec<u8> {
    let mut out = zip.bytes;
    let directory_at = out.len() as u64;
    out.extend_from_slice(&zip.directory);
    let record_at = out.len() as u64;
    out.extend_from_slice(b"PK\x06\x06");
    out.extend_from_slice(&44_u64.to_le_bytes());
    out.extend_from_slice(&[45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for field in [members, members, directory_bytes, directory_at] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    out.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    out.extend_from_slice(&record_at.to_le_bytes());
    out.extend_from_slice(&1_u32.to_le_bytes());
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&[0xff; 12]);
    out.extend_from_slice(&[0; 2]);
    out
}

#[test]
fn zip64_and_billions_that_are_only_claimed() {
    let bytes = small_zip().directory.len() as u64;
    let listing = look(zip64_end(small_zip(), 4, bytes)).unwrap();
    assert!(listing.complete && listing.total == 4, "{listing:?}");
    let lie = look(zip64_end(small_zip(), 4_000_000_000, bytes)).unwrap();
    assert_eq!((lie.total, lie.complete), (4, false));
    assert!(lie.message.unwrap().contains("4000000000"));
    for lie in [u64::MAX, u64::MAX / 2, bytes + 1] {
        let _ = look(zip64_end(small_zip(), 4, lie));
    }
    // A bomb is listed as what it says it is.
    let mut bomb = small_zip();
    let mut extra = b"\x01\0\x10\0".to_vec();
    extra.extend_from_slice(&(1_u64 << 62).to_le_bytes());
    extra.extend_from_slice(&1_000_u64.to_le_bytes());
    bomb.add(b"bomb", b"", 0, 0, &extra);
    let at = bomb.directory.len() - 4 - extra.len() - 46 + 20;
    bomb.directory[at..at + 8].fill(0xff);
    let listing = look(bomb.end()).unwrap();
    let last = listing.members.last().unwrap();
    assert_eq!((last.size, last.packed), (1 << 62, Some(1_000)));
}

#[test]
fn names_are_text_whatever_they_are() {
    let names = [
        "../../../etc/passwd",
        "/absolute",
        "C:\\x",
        "<img src=x onerror=alert(1)>",
        "\u{202e}gpj.exe",
        "line\nbreak\0nul",
        "",
    ];
    let mut zip = Zip::default();
    for name in names {
        zip.add(name.as_bytes(), b"", 0x800, 0, b"");
    }
    zip.add("a".repeat(65_535).as_bytes(), b"", 0, 0, b"");
    let listing = look(zip.end()).unwrap();
    let paths: Vec<_> = listing.members.iter().map(|m| m.path.as_str()).collect();
    assert_eq!(paths[..names.len()], names);
    assert_eq!(paths[names.len()].chars().count(), 1025);
    assert!(paths[names.len()].ends_with('…'));
}

#[test]
fn more_members_than_are_kept_are_counted() {
    let count = MEMBERS_MAX + 5;
    let mut bytes = Vec::new();
    for number in 0..count {
        bytes.extend(header(format!("f{number}").as_bytes(), 0, b'0'));
    }
    bytes.extend([0; 1024]);
    let listing = look(bytes).unwrap();
    assert_eq!(
        (listing.members.len(), listing.total),
        (MEMBERS_MAX, count as u64)
    );
    assert!(!listing.complete && listing.message.unwrap().contains("100000"));
}

/// A ustar header with its checksum.
fn header(name: &[u8], size: u64, kind: u8) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[136..148].copy_from_slice(b"11145401322\0");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    sign(&mut block);
    block
}

fn sign(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn file(name: &[u8], content: &[u8]) -> Vec<u8> {
    let mut out = header(name, content.len() as u64, b'0');
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn note(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut out = file(b"note", content);
    out[156] = kind;
    sign(&mut out[..512]);
    out
}

fn small_tar() -> Vec<u8> {
    let mut link = header(b"link", 0, b'2');
    link[157..160].copy_from_slice(b"a/b");
    sign(&mut link);
    let long = "d/".repeat(100) + "e";
    let pax = "30 mtime=1234567890.123456789\n".to_owned() + "24 path=pax/\u{e9}\u{1f600}/name\n";
    [
        header(b"a/", 0, b'5'),
        file(b"a/b", &[7; 1000]),
        link,
        note(b'L', format!("{long}\0").as_bytes()),
        file(b"cut", b"long"),
        note(b'x', pax.as_bytes()),
        file(b"short", b"pax"),
        vec![0; 1024],
    ]
    .concat()
}

#[test]
fn a_tar_s_members() {
    let listing = look(small_tar()).unwrap();
    let long = "d/".repeat(100) + "e";
    assert_eq!(
        shown(&listing),
        [
            ("a/", Kind::Folder, 0),
            ("a/b", Kind::File, 1000),
            ("link", Kind::Link, 0),
            (&long, Kind::File, 4),
            ("pax/é😀/name", Kind::File, 3),
        ]
    );
    assert_eq!(
        (&*listing.format, listing.total, listing.bytes),
        ("tar", 5, 1007)
    );
    assert!(listing.complete && listing.message.is_none());
    assert_eq!(listing.members[2].target.as_deref(), Some("a/b"));
    assert_eq!(listing.members[1].modified_unix_ms, Some(1_234_567_890_000));
    assert_eq!(listing.members[4].modified_unix_ms, Some(1_234_567_890_123));
}

#[test]
fn compressed_archives_and_single_files() {
    let tar = small_tar();
    let plain = look(tar.clone()).unwrap();
    for (format, single, packed, packed_noise) in [
        ("tar.gz", "gz", gzip(&tar), gzip(b"just text")),
        (
            "tar.zst",
            "zst",
            zstd::encode_all(&*tar, 3).unwrap(),
            zstd::encode_all(&b"just text"[..], 3).unwrap(),
        ),
        ("tar.bz2", "bz2", bzip(&tar), bzip(b"just text")),
        ("tar.xz", "xz", xz(&tar), xz(b"just text")),
    ] {
        let listing = look(packed.clone()).unwrap();
        assert_eq!(
            (&*listing.format, &listing.members),
            (format, &plain.members)
        );
        assert!(listing.complete, "{listing:?}");
        let single_listing = look(packed_noise).unwrap();
        assert_eq!(&*single_listing.format, single);
        let name = if single == "gz" { "a.bin" } else { "a.bin.gz" };
        assert_eq!(shown(&single_listing), [(name, Kind::File, 9)]);
        assert!(single_listing.complete);
        for length in 1..packed.len() {
            match look(packed[..length].to_vec()) {
                Ok(listing) => assert!(
                    !listing.complete || listing.members == plain.members,
                    "{format} {length}"
                ),
                Err(failure) => assert!(!failure.message.is_empty()),
            }
        }
        for at in 0..packed.len() {
            let mut bytes = packed.clone();
            bytes[at] ^= 0x55;
            let _ = look(bytes);
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::default();
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_unpacks_without_end_is_left_at_a_bound() {
    let limits = Limits {
        decoded_bytes: 1 << 20,
        time: Duration::from_mins(1),
    };
    let bomb = gzip(&vec![0; 64 << 20]);
    let listing = list(Cursor::new(&bomb), "bomb.gz", &limits).unwrap();
    assert_eq!((listing.complete, listing.bytes), (false, 1 << 20));
    assert!(listing.message.unwrap().contains("1 MiB"));
    let tar = [
        header(b"first", 1 << 26, b'0'),
        vec![0; 1 << 26],
        file(b"second", b"x"),
    ]
    .concat();
    let listing = list(Cursor::new(gzip(&tar)), "bomb.tgz", &limits).unwrap();
    assert_eq!(shown(&listing), [("first", Kind::File, 1 << 26)]);
    assert!(!listing.complete);
    let no_time = Limits {
        time: Duration::ZERO,
        ..Limits::default()
    };
    let listing = list(Cursor::new(small_tar()), "a.tar", &no_time).unwrap();
    assert!(!listing.complete && listing.message.unwrap().contains("too long"));
}

#[test]
fn tars_that_are_cut_off_or_lie() {
    let whole = small_tar();
    for length in 0..whole.len() - 1024 {
        // In the padding after a member nothing is missing that anybody would miss.
        match look(whole[..length].to_vec()) {
            Ok(listing) => assert!(!listing.complete || length % 512 == 0, "{length}"),
            Err(failure) => assert!(length < 512, "{length}: {failure:?}"),
        }
    }
    let sized = |field: &[u8; 12]| {
        let mut block = header(b"huge", 0, b'0');
        block[124..136].copy_from_slice(field);
        sign(&mut block);
        [file(b"before", b"x"), block, small_tar()].concat()
    };
    for field in [
        b"77777777777\0",
        // Negative, and 2^88, in base 256.
        &[0xff; 12],
        b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
        b"-0000000001\0",
        b"99999999999\0",
    ] {
        let listing = look(sized(field)).unwrap();
        assert!(!listing.complete, "{field:?}");
        assert_eq!(listing.members[0].path, "before");
    }
    // Notes that never end, and notes about nothing.
    let notes: Vec<u8> = (0..1000).flat_map(|_| note(b'L', b"x\0")).collect();
    assert!(!look(notes).unwrap().complete);
    for records in [
        "9999999999 path=x\n",
        "5 p=\n",
        "x",
        "-1 a=b\n",
        "18446744073709551615 a=b\n",
        "11 mtime=-9\n",
        "30 mtime=-99999999999999999999\n",
    ] {
        let tar = [note(b'x', records.as_bytes()), file(b"f", b"x")].concat();
        assert_eq!(look(tar).unwrap().total, 1, "{records}");
    }
    let mut sparse = header(b"sparse", 512, b'S');
    sparse[482] = 1;
    sparse[483..495].copy_from_slice(b"00010000000\0");
    sign(&mut sparse);
    let tar = [sparse, vec![0; 512], vec![1; 512], file(b"after", b"x")].concat();
    assert_eq!(
        shown(&look(tar).unwrap()),
        [
            ("sparse", Kind::File, 0o10_000_000),
            ("after", Kind::File, 1)
        ]
    );
    for bytes in [
        vec![0; 4096],
        vec![0xff; 4096],
        b"hello".to_vec(),
        Vec::new(),
    ] {
        assert_eq!(look(bytes).unwrap_err().code, "unsupported");
    }
}
