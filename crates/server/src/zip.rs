//! A ZIP writer for stored members whose size and CRC-32 are known beforehand: no data descriptors, so that every
//! reader can stream it, and its length is known before the first byte. ZIP64 (APPNOTE 6.3.10, section 4.3) only
//! where a number does not fit.
//!
//! It makes headers and keeps the central directory; the members' bytes pass it by.

use crate::clock::Civil;

const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const CENTRAL_SIGNATURE: u32 = 0x0201_4b50;
const END_SIGNATURE: u32 = 0x0605_4b50;
const END64_SIGNATURE: u32 = 0x0606_4b50;
const LOCATOR64_SIGNATURE: u32 = 0x0706_4b50;

/// System 3 (Unix, for the permission bits), version 4.5.
const MADE_BY_UNIX: u16 = 0x032D;
const NEEDS_PLAIN: u16 = 20;
const NEEDS_ZIP64: u16 = 45;
/// Bit 11: the name is UTF-8.
const FLAG_UTF8: u16 = 1 << 11;
const EXTRA_ZIP64: u16 = 0x0001;
const EXTRA_TIMESTAMP: u16 = 0x5455;

/// From here on a 32-bit field holds this value and the number itself stands in a ZIP64 field.
const LIMIT_32: u64 = 0xFFFF_FFFF;
/// The same for the 16-bit count of members.
const LIMIT_16: u64 = 0xFFFF;

/// One member as both of its headers describe it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Path inside the archive; of a folder it ends in `/`. At most 65,535 bytes.
    pub(crate) path: String,
    /// Bytes; 0 for a folder.
    pub(crate) size: u64,
    /// Of those bytes.
    pub(crate) crc32: u32,
    /// Modification time in seconds since the epoch. Readers that know only the DOS time show it in UTC.
    pub(crate) modified_seconds: i64,
    /// Permission bits are 755 if set, else 644.
    pub(crate) executable: bool,
}

impl Member {
    fn is_folder(&self) -> bool {
        self.path.ends_with('/')
    }

    fn external_attributes(&self) -> u32 {
        if self.is_folder() {
            0o040_755 << 16 | 0x10
        } else if self.executable {
            0o100_755 << 16
        } else {
            0o100_644 << 16
        }
    }

    /// Flags, method, time, date, CRC-32: the part that local and central headers have in common.
    fn push_common(&self, out: &mut Vec<u8>) {
        let (time, date) = dos_time(self.modified_seconds);
        push16(out, FLAG_UTF8);
        push16(out, 0);
        push16(out, time);
        push16(out, date);
        push32(out, self.crc32);
    }

    fn push_timestamp(&self, out: &mut Vec<u8>) {
        if let Ok(seconds) = i32::try_from(self.modified_seconds) {
            push16(out, EXTRA_TIMESTAMP);
            push16(out, 5);
            // Flag bit 0: a modification time follows.
            out.push(1);
            out.extend_from_slice(&seconds.to_le_bytes());
        }
    }

    fn name_length(&self) -> u16 {
        u16::try_from(self.path.len()).expect("paths are cut to 65,535 bytes where they are made")
    }
}

/// The state of one archive being written: where it stands and its central directory so far.
#[derive(Debug, Default)]
pub(crate) struct ZipWriter {
    offset: u64,
    members: u64,
    central: Vec<u8>,
}

impl ZipWriter {
    /// The local header of the next member. Exactly `member.size` bytes have to follow it.
    pub(crate) fn member(&mut self, member: &Member) -> Vec<u8> {
        let mut extra = Vec::new();
        let large = member.size >= LIMIT_32;
        if large {
            // A local header has both sizes or none.
            push16(&mut extra, EXTRA_ZIP64);
            push16(&mut extra, 16);
            push64(&mut extra, member.size);
            push64(&mut extra, member.size);
        }
        member.push_timestamp(&mut extra);

        let mut header = Vec::with_capacity(30 + member.path.len() + extra.len());
        push32(&mut header, LOCAL_SIGNATURE);
        push16(&mut header, if large { NEEDS_ZIP64 } else { NEEDS_PLAIN });
        member.push_common(&mut header);
        push32(&mut header, clamp32(member.size));
        push32(&mut header, clamp32(member.size));
        push16(&mut header, member.name_length());
        push16(&mut header, short(extra.len()));
        header.extend_from_slice(member.path.as_bytes());
        header.extend_from_slice(&extra);

        self.push_central(member);
        self.members += 1;
        self.offset += header.len() as u64 + member.size;
        header
    }

    fn push_central(&mut self, member: &Member) {
        let mut extra = Vec::new();
        let large = member.size >= LIMIT_32;
        let far = self.offset >= LIMIT_32;
        if large || far {
            push16(&mut extra, EXTRA_ZIP64);
            push16(
                &mut extra,
                if large { 16 } else { 0 } + if far { 8 } else { 0 },
            );
            if large {
                push64(&mut extra, member.size);
                push64(&mut extra, member.size);
            }
            if far {
                push64(&mut extra, self.offset);
            }
        }
        member.push_timestamp(&mut extra);

        let out = &mut self.central;
        push32(out, CENTRAL_SIGNATURE);
        push16(out, MADE_BY_UNIX);
        push16(
            out,
            if large || far {
                NEEDS_ZIP64
            } else {
                NEEDS_PLAIN
            },
        );
        member.push_common(out);
        push32(out, clamp32(member.size));
        push32(out, clamp32(member.size));
        push16(out, member.name_length());
        push16(out, short(extra.len()));
        // No comment, first disk, no internal attributes.
        push16(out, 0);
        push16(out, 0);
        push16(out, 0);
        push32(out, member.external_attributes());
        push32(out, clamp32(self.offset));
        out.extend_from_slice(member.path.as_bytes());
        out.extend_from_slice(&extra);
    }

    /// The central directory and the end records.
    pub(crate) fn finish(self) -> Vec<u8> {
        let Self {
            offset,
            members,
            central,
        } = self;
        let central_bytes = central.len() as u64;
        let mut out = central;
        if members >= LIMIT_16 || central_bytes >= LIMIT_32 || offset >= LIMIT_32 {
            push32(&mut out, END64_SIGNATURE);
            // Size of the rest of this record.
            push64(&mut out, 44);
            push16(&mut out, MADE_BY_UNIX);
            push16(&mut out, NEEDS_ZIP64);
            push32(&mut out, 0);
            push32(&mut out, 0);
            push64(&mut out, members);
            push64(&mut out, members);
            push64(&mut out, central_bytes);
            push64(&mut out, offset);
            push32(&mut out, LOCATOR64_SIGNATURE);
            push32(&mut out, 0);
            push64(&mut out, offset + central_bytes);
            push32(&mut out, 1);
        }
        let count = u16::try_from(members).unwrap_or(u16::MAX);
        push32(&mut out, END_SIGNATURE);
        push16(&mut out, 0);
        push16(&mut out, 0);
        push16(&mut out, count);
        push16(&mut out, count);
        push32(&mut out, clamp32(central_bytes));
        push32(&mut out, clamp32(offset));
        push16(&mut out, 0);
        out
    }
}

/// How long an archive of `members` is.
pub(crate) fn total_bytes<'a>(members: impl IntoIterator<Item = &'a Member>) -> u64 {
    let mut writer = ZipWriter::default();
    for member in members {
        writer.member(member);
    }
    let offset = writer.offset;
    offset + writer.finish().len() as u64
}

/// MS-DOS time and date, UTC, clamped to the years 1980 to 2107 that they can express.
fn dos_time(seconds: i64) -> (u16, u16) {
    let civil = Civil::from_unix_seconds(seconds);
    match civil.year {
        ..1980 => (0, 1 << 5 | 1),
        2108.. => (0xBF7D, 0xFF9F),
        year => {
            let year = u16::try_from(year - 1980).expect("1980 to 2107");
            let (month, day) = (u16::from(civil.month), u16::from(civil.day));
            let (hour, minute) = (u16::from(civil.hour), u16::from(civil.minute));
            let second = u16::from(civil.second);
            (
                hour << 11 | minute << 5 | (second / 2),
                year << 9 | month << 5 | day,
            )
        }
    }
}

fn clamp32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn short(length: usize) -> u16 {
    u16::try_from(length).expect("extra fields are a few dozen bytes")
}

fn push16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn push32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn push64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn member(path: &str, bytes: &[u8]) -> Member {
        Member {
            path: path.to_owned(),
            size: bytes.len() as u64,
            crc32: crc32fast::hash(bytes),
            modified_seconds: 1_234_567_890,
            executable: path.contains("run"),
        }
    }

    fn archive(files: &[(Member, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::default();
        let mut out = Vec::new();
        for (member, bytes) in files {
            out.extend(writer.member(member));
            out.extend_from_slice(bytes);
        }
        out.extend(writer.finish());
        assert_eq!(
            out.len() as u64,
            total_bytes(files.iter().map(|(member, _)| member))
        );
        out
    }

    /// Runs `script` under Python with the archive's path as argument; its `assert`s decide.
    fn python(path: &Path, script: &str) {
        let out = Command::new("python3")
            .arg("-c")
            .arg(script)
            .arg(path)
            .output();
        let out = out.expect("these tests need python3");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }

    fn unzip_test(path: &Path) {
        let out = Command::new("unzip")
            .arg("-tqq")
            .arg(path)
            .output()
            .expect("needs unzip");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stdout)
        );
    }

    fn on_disk(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn stock_tools_read_it() {
        let bytes = archive(&[
            (member("P/é/", b""), b""),
            (member("P/é/hello \"x\".txt", b"hello"), b"hello"),
            (member("P/run.sh", b"#!"), b"#!"),
            (member("P/empty", b""), b""),
        ]);
        let file = on_disk(&bytes);
        unzip_test(file.path());
        python(
            file.path(),
            r##"
import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
assert z.namelist() == ["P/é/", "P/é/hello \"x\".txt", "P/run.sh", "P/empty"], z.namelist()
assert z.read("P/run.sh") == b"#!"
i = z.getinfo("P/run.sh")
assert i.date_time == (2009, 2, 13, 23, 31, 30), i.date_time
assert i.external_attr >> 16 == 0o100755 and z.getinfo("P/empty").external_attr >> 16 == 0o100644
assert z.getinfo("P/é/").is_dir() and i.compress_type == 0 and i.flag_bits == 0x800
assert i.extra == b"UT\x05\x00\x01" + (1234567890).to_bytes(4, "little"), i.extra
"##,
        );
        let plain = &bytes[bytes.len() - 22..];
        assert_eq!(plain[..4], END_SIGNATURE.to_le_bytes());
    }

    #[test]
    fn an_archive_of_nothing_is_valid() {
        let file = on_disk(&archive(&[]));
        python(
            file.path(),
            "import sys,zipfile; assert zipfile.ZipFile(sys.argv[1]).namelist() == []",
        );
    }

    #[test]
    fn more_members_than_sixteen_bits_count() {
        for count in [65_534, 65_535, 70_000_u32] {
            let files: Vec<_> = (0..count)
                .map(|i| (member(&format!("{i}"), b"x"), &b"x"[..]))
                .collect();
            let bytes = archive(&files);
            let has_zip64 = bytes
                .windows(4)
                .any(|four| four == LOCATOR64_SIGNATURE.to_le_bytes());
            assert_eq!(has_zip64, count >= 65_535, "{count}");
            let file = on_disk(&bytes);
            python(
                file.path(),
                &format!(
                    "import sys,zipfile; z = zipfile.ZipFile(sys.argv[1])\nassert len(z.namelist()) == {count} and z.read('65533') == b'x'"
                ),
            );
            if count == 70_000 {
                unzip_test(file.path());
            }
        }
    }

    /// Sparse files stand in for gigabytes: members of zeros whose CRC-32 nobody asks for.
    #[test]
    fn sizes_and_offsets_beyond_32_bits() {
        use std::io::Seek as _;

        let sizes = [LIMIT_32 - 1, LIMIT_32, 5 << 30, 7];
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ZipWriter::default();
        let mut members = Vec::new();
        for (index, size) in sizes.into_iter().enumerate() {
            let member = Member {
                size,
                ..member(&format!("m{index}"), &[0; 7])
            };
            file.write_all(&writer.member(&member)).unwrap();
            file.seek_relative(i64::try_from(size).unwrap()).unwrap();
            members.push(member);
        }
        file.write_all(&writer.finish()).unwrap();
        assert_eq!(
            file.as_file().metadata().unwrap().len(),
            total_bytes(&members)
        );
        python(
            file.path(),
            r#"
import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert [i.file_size for i in z.infolist()] == [2**32-2, 2**32-1, 5 << 30, 7]
assert all(i.compress_size == i.file_size for i in z.infolist())
assert z.getinfo("m0").extract_version == 20 and z.getinfo("m1").extract_version == 45
for i in z.infolist():
    with z.open(i) as f:
        assert f.read(3) == b"\0\0\0"
"#,
        );
        let listed = Command::new("unzip")
            .arg("-l")
            .arg(file.path())
            .output()
            .unwrap();
        assert!(
            String::from_utf8_lossy(&listed.stdout).contains("5368709120"),
            "{listed:?}"
        );
    }

    #[test]
    fn times_beyond_what_dos_knows_are_clamped() {
        let at = dos_time;
        assert_eq!(at(0), (0, 0x21));
        assert_eq!(at(i64::MIN), (0, 0x21));
        assert_eq!(at(315_532_800), (0, 0x21));
        assert_eq!(at(i64::MAX), (0xBF7D, 0xFF9F));
        let old = Member {
            modified_seconds: 1 << 40,
            ..member("a", b"")
        };
        let bytes = archive(&[(old, b"")]);
        assert!(!bytes.windows(4).any(|four| four == b"UT\x05\x00"));
    }
}
