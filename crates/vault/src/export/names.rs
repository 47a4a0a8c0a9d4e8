//! Names that a folder has room for: the sealed one, or the nearest that the file system takes.

use std::ffi::OsString;
use std::io;

use crate::ids::Seq;
use crate::name::{Name, archive_path_component};
use crate::paths::system::{os_bytes, os_component};

/// What common file systems allow.
const COMPONENT_BYTES_MAX: usize = 255;
/// Numbers tried before giving up; a folder that full of one name is somebody's trap.
const NUMBERS_MAX: u32 = 10_000;

/// Gives `make` one name after the other until it takes one; the name it took, `None` if it is the sealed one. `make`
/// must fail with `AlreadyExists` where something has that name.
pub(super) fn place<T>(
    name: &Name,
    mut make: impl FnMut(&OsString) -> io::Result<T>,
) -> io::Result<(T, Option<OsString>)> {
    let mut base = name.as_bytes().to_vec();
    match os_component(name).ok_or_else(not_possible_here) {
        Ok(sealed) => match make(&sealed) {
            Ok(done) => return Ok((done, None)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if is_about_the_name(&error) => base = portable(name),
            Err(error) => return Err(error),
        },
        Err(_) => base = portable(name),
    }
    if base != name.as_bytes() {
        match attempt(&base, &mut make) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            settled => return settled,
        }
    }
    for number in 2..NUMBERS_MAX {
        match attempt(&with_mark(&base, &format!(" ({number})")), &mut make) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if is_about_the_name(&error) && base == name.as_bytes() => {
                base = portable(name);
            }
            settled => return settled,
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The name of a superseded version: `ice (#12).txt`.
pub(super) fn of_version(name: &Name, seq: Seq) -> Name {
    let marked = with_mark(name.as_bytes(), &format!(" (#{seq})"));
    Name::new(marked).unwrap_or_else(|_| name.clone())
}

fn attempt<T>(
    bytes: &[u8],
    make: &mut impl FnMut(&OsString) -> io::Result<T>,
) -> io::Result<(T, Option<OsString>)> {
    let candidate = os_bytes(bytes).ok_or_else(not_possible_here)?;
    make(&candidate).map(|made| (made, Some(candidate)))
}

fn not_possible_here() -> io::Error {
    io::ErrorKind::InvalidFilename.into()
}

/// Too long, or with characters that this file system does not take.
fn is_about_the_name(error: &io::Error) -> bool {
    const EILSEQ: i32 = 84;
    matches!(
        error.kind(),
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput
    ) || (cfg!(target_os = "linux") && error.raw_os_error() == Some(EILSEQ))
}

fn portable(name: &Name) -> Vec<u8> {
    archive_path_component(name).into_bytes()
}

/// `mark` before the extension, the rest cut so that all of it fits.
fn with_mark(name: &[u8], mark: &str) -> Vec<u8> {
    /// Longer ones are part of the name.
    const EXTENSION_BYTES_MAX: usize = 32;
    let dot = name
        .iter()
        .rposition(|byte| *byte == b'.')
        .filter(|&dot| dot > 0 && name.len() - dot <= EXTENSION_BYTES_MAX)
        .unwrap_or(name.len());
    let (stem, extension) = name.split_at(dot);
    let room = COMPONENT_BYTES_MAX - mark.len() - extension.len();
    let stem = &stem[..stem.len().min(room)];
    // A character is not cut in half where the name has characters.
    let stem = match std::str::from_utf8(stem) {
        Err(error) if error.error_len().is_none() => &stem[..error.valid_up_to()],
        _ => stem,
    };
    [stem, mark.as_bytes(), extension].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn placed(taken: &mut HashSet<OsString>, name: &str) -> String {
        let name = Name::new(name).expect("a valid name");
        let mut made = String::new();
        place(&name, |candidate| {
            made = candidate.to_string_lossy().into_owned();
            if taken.insert(candidate.clone()) {
                Ok(())
            } else {
                Err(io::ErrorKind::AlreadyExists.into())
            }
        })
        .expect("there is always room");
        made
    }

    #[test]
    fn a_taken_name_gets_a_number_before_its_extension() {
        let mut taken = HashSet::new();
        assert_eq!(placed(&mut taken, "a.txt"), "a.txt");
        assert_eq!(placed(&mut taken, "a.txt"), "a (2).txt");
        assert_eq!(placed(&mut taken, "a.txt"), "a (3).txt");
        assert_eq!(placed(&mut taken, ".profile"), ".profile");
        assert_eq!(placed(&mut taken, ".profile"), ".profile (2)");
    }

    #[test]
    fn a_long_name_is_cut_at_a_character() {
        let name = Name::new(format!("{}.txt", "é".repeat(400))).expect("a valid name");
        let ((), took) = place(&name, |candidate| {
            if candidate.len() > COMPONENT_BYTES_MAX {
                return Err(io::ErrorKind::InvalidFilename.into());
            }
            Ok(())
        })
        .expect("the cut name fits");
        let took = took.expect("another name").into_string().expect("UTF-8");
        assert!(took.ends_with("é.txt"), "{took}");
        let numbered = with_mark(took.as_bytes(), " (2)");
        assert!(numbered.len() <= COMPONENT_BYTES_MAX && std::str::from_utf8(&numbered).is_ok());
    }
}
