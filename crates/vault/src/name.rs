//! Names of projects, collections, assets and links: bytes kept as they came, and the ways to show them safely.
//!
//! A [`Name`] is one component of a path, never a path. Nothing here touches a file system.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write as _};

use crate::ids::Digest;
use crate::limits::NAME_BYTES_MAX;
use crate::natural_order::fold_case;

/// A name as it is sealed: 1 to [`NAME_BYTES_MAX`] bytes, without `/` and NUL, not `.` or `..`.
///
/// Any other bytes are kept exactly, UTF-8 or not; two names are the same if their bytes are. Compares by bytes,
/// which is not the order people expect, see [`crate::natural_order`]. Displays as [`Name::escaped`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<[u8]>);

impl Name {
    /// Checks the rules above.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, NameError> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(NameError::Empty);
        }
        if bytes.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong { bytes: bytes.len() });
        }
        if bytes.contains(&b'/') {
            return Err(NameError::Slash);
        }
        if bytes.contains(&0) {
            return Err(NameError::Nul);
        }
        if bytes == b"." || bytes == b".." {
            return Err(NameError::Dot);
        }
        Ok(Self(bytes.into_boxed_slice()))
    }

    /// The name itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as text, if it is valid UTF-8.
    pub fn as_utf8(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The name as text, with U+FFFD in place of what is not UTF-8. May hold control characters: fit for JSON, not
    /// for a terminal.
    pub fn to_utf8_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The name for terminals and messages: control, bidirectional and invisible characters as `\u{..}`, bytes that
    /// are not UTF-8 as `\xNN`, a backslash as `\\`. Different names have different escaped forms.
    pub fn escaped(&self) -> String {
        escape_bytes(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.escaped())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({})", self.escaped())
    }
}

impl AsRef<[u8]> for Name {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Why bytes cannot be a name. The caller, that is the person who chose it, can act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No bytes at all.
    #[error("a name cannot be empty")]
    Empty,
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("a name can be at most {NAME_BYTES_MAX} bytes long; this one has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A path where a name was expected.
    #[error("a name cannot contain “/”")]
    Slash,
    /// File systems end names there.
    #[error("a name cannot contain the NUL character")]
    Nul,
    /// `.` or `..`.
    #[error("a name cannot be “.” or “..”")]
    Dot,
}

impl NameError {
    /// A stable word for scripts and the wire: one for all, since the cure is the same.
    pub const fn code(&self) -> &'static str {
        "name_invalid"
    }
}

/// Any bytes, such as the target of a link, as [`Name::escaped`] shows a name.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' {
                out.push_str("\\\\");
            } else if is_deceptive(c) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// Whether showing `c` can make a person read another name than the one that is there, or make a terminal act.
/// Variation selectors only choose a glyph's style and stay.
fn is_deceptive(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        // Spaces of all widths but the ideographic one, which is as plain to see as any ideograph.
        || (c.is_whitespace() && c != '\u{3000}')
        || is_bidi_control(c)
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{2800}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Characters that change the direction of what is around them: `exe.gpj` shown backwards.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Longest component that [`archive_path_component`] makes: what common file systems allow.
pub const COMPONENT_BYTES_MAX: usize = 255;

/// `name` as a component of a path in a ZIP, safe to extract on any system: always UTF-8, never empty.
///
/// The same name always gives the same component; different names may give the same one, see [`UniqueNames`].
/// - What is not UTF-8 becomes U+FFFD.
/// - Control characters, line and paragraph separators, characters that change the writing direction, backslash and
///   colon (a path separator, a drive, a hidden stream on Windows) each become `_`, and so does every dot or space
///   at the end (Windows drops them, so that `..` or another file may be left).
/// - A device name of Windows (`CON`, `nul.txt`) gets a `_` in front.
/// - More than [`COMPONENT_BYTES_MAX`] bytes are cut before the extension.
///
/// Everything else stays, also what Windows alone refuses without harm (`?`, `"`): programs there replace it.
pub fn archive_path_component(name: &Name) -> String {
    let mut out: String = name
        .to_utf8_lossy()
        .chars()
        .map(|c| if is_unsafe(c) { '_' } else { c })
        .collect();
    if is_device_name(&out) {
        out.insert(0, '_');
    }
    let (stem, extension) = split_extension(&out);
    let mut out = join_bounded(stem, "", extension);
    // Last, since a cut can lay bare a dot as well.
    let kept = out.trim_end_matches(['.', ' ']).len();
    let dropped = out.len() - kept;
    out.truncate(kept);
    out.extend(std::iter::repeat_n('_', dropped));
    out
}

fn is_unsafe(c: char) -> bool {
    c.is_control() || is_bidi_control(c) || matches!(c, '\\' | ':' | '/' | '\u{2028}' | '\u{2029}')
}

/// Names that Windows takes for devices, in any folder and with any extension.
fn is_device_name(component: &str) -> bool {
    let stem = component
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_lowercase();
    if matches!(
        &*stem,
        "con" | "prn" | "aux" | "nul" | "conin$" | "conout$" | "clock$"
    ) {
        return true;
    }
    let Some(number) = stem
        .strip_prefix("com")
        .or_else(|| stem.strip_prefix("lpt"))
    else {
        return false;
    };
    matches!(
        number,
        "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
    )
}

/// Gives each component of one folder a name that no other has, also where case and composition do not count.
///
/// One of these serves one folder; it takes about 30 bytes for each of the folder's names. The outcome depends on the
/// order of the calls alone.
#[derive(Debug, Default)]
pub struct UniqueNames {
    /// Taken names by [`taken_key`], each with the number that its next duplicate tries first.
    taken: HashMap<u64, u64>,
}

/// What stands for a taken name: folders have millions. Of two names with one key, which among a million is a chance of
/// one in 30 million, the later gets a number that it would not need.
fn taken_key(component: &str) -> u64 {
    Digest::of(fold_case(component).as_bytes()).head()
}

impl UniqueNames {
    /// `component` itself if it is free, else with ` (2)`, ` (3)` and so on before its extension; then it is taken.
    pub fn claim(&mut self, component: String) -> String {
        let key = taken_key(&component);
        let Some(&next) = self.taken.get(&key) else {
            self.taken.insert(key, 2);
            return component;
        };
        let mut number = next;
        let (stem, extension) = split_extension(&component);
        loop {
            let candidate = join_bounded(stem, &format!(" ({number})"), extension);
            number += 1;
            let candidate_key = taken_key(&candidate);
            if !self.taken.contains_key(&candidate_key) {
                self.taken.insert(candidate_key, 2);
                self.taken.insert(key, number);
                return candidate;
            }
        }
    }
}

/// Splits before the last dot, or before `.tar.gz` and its like; a leading dot is no extension's.
fn split_extension(component: &str) -> (&str, &str) {
    const EXTENSION_BYTES_MAX: usize = 32;
    let Some(dot) = component.rfind('.').filter(|&dot| dot > 0) else {
        return (component, "");
    };
    if component.len() - dot > EXTENSION_BYTES_MAX || component[dot..].contains(' ') {
        return (component, "");
    }
    let dot = match component[..dot].strip_suffix(".tar") {
        Some(stem) if !stem.is_empty() => stem.len(),
        _ => dot,
    };
    component.split_at(dot)
}

/// Joins the three, the stem cut at a character so that all fits [`COMPONENT_BYTES_MAX`].
fn join_bounded(stem: &str, number: &str, extension: &str) -> String {
    let room = COMPONENT_BYTES_MAX - number.len() - extension.len();
    format!(
        "{}{number}{extension}",
        &stem[..stem.floor_char_boundary(room)]
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(bytes: &[u8]) -> Name {
        Name::new(bytes).expect("a valid name")
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (bytes, error) in [
            (&b""[..], NameError::Empty),
            (b"a/b", NameError::Slash),
            (b"/", NameError::Slash),
            (b"a\0", NameError::Nul),
            (b".", NameError::Dot),
            (b"..", NameError::Dot),
            (&[b'x'; 1025], NameError::TooLong { bytes: 1025 }),
        ] {
            assert_eq!(Name::new(bytes), Err(error));
        }
        for bytes in [
            &b"..."[..],
            b".git",
            b" ",
            b"\xff\xfe",
            b"a\nb",
            b"\\",
            &[b'x'; 1024],
        ] {
            assert_eq!(name(bytes).as_bytes(), bytes);
        }
    }

    #[test]
    fn escaped_names_are_harmless_and_exact() {
        for (bytes, escaped) in [
            ("plain name.txt".as_bytes(), "plain name.txt"),
            ("日本\u{3000}語 é 😀".as_bytes(), "日本\u{3000}語 é 😀"),
            (b"a\x1b[31mb\n", "a\\u{1b}[31mb\\u{a}"),
            ("photo\u{202e}gpj.exe".as_bytes(), "photo\\u{202e}gpj.exe"),
            (
                "a\u{200b}b\u{a0}c\u{feff}".as_bytes(),
                "a\\u{200b}b\\u{a0}c\\u{feff}",
            ),
            (b"caf\xe9", "caf\\xe9"),
            (b"\\xe9", "\\\\xe9"),
            ("\u{85}\u{7f}".as_bytes(), "\\u{85}\\u{7f}"),
        ] {
            assert_eq!(name(bytes).escaped(), escaped);
            assert_eq!(name(bytes).to_string(), escaped);
        }
        assert_eq!(name(b"caf\xe9").to_utf8_lossy(), "caf\u{fffd}");
        assert_eq!(name(b"caf\xe9").as_utf8(), None);
    }

    #[test]
    fn components_are_safe_everywhere() {
        for (bytes, component) in [
            ("plain (1).txt".as_bytes(), "plain (1).txt"),
            (b"what? \"this\" <b>|*", "what? \"this\" <b>|*"),
            (b"..\\..\\evil.exe", ".._.._evil.exe"),
            (b"C:", "C_"),
            (b"notes.txt:hidden", "notes.txt_hidden"),
            (b"...", "___"),
            (b"etc. .", "etc___"),
            (b".bashrc", ".bashrc"),
            (b"a\nb\x7f", "a_b_"),
            ("x\u{202e}gpj.exe".as_bytes(), "x_gpj.exe"),
            (b"caf\xe9.png", "caf\u{fffd}.png"),
            (b"CON", "_CON"),
            (b"nul.tar.gz", "_nul.tar.gz"),
            (b"aux .txt", "_aux .txt"),
            ("Com³.log".as_bytes(), "_Com³.log"),
            (b"com10", "com10"),
            (b"console", "console"),
            (b"lpt", "lpt"),
        ] {
            assert_eq!(archive_path_component(&name(bytes)), component);
        }
        let long = archive_path_component(&name(format!("{}.jpeg", "é".repeat(300)).as_bytes()));
        assert_eq!(long.len(), 255);
        assert!(long.ends_with("é.jpeg"));
        let cut_at_dots = format!("{}... and more", "x".repeat(252));
        assert!(archive_path_component(&name(cut_at_dots.as_bytes())).ends_with("x___"));
    }

    #[test]
    fn colliding_components_are_numbered() {
        let mut names = UniqueNames::default();
        let mut claim = |component: &str| names.claim(component.to_owned());
        assert_eq!(claim("a.txt"), "a.txt");
        assert_eq!(claim("a.txt"), "a (2).txt");
        assert_eq!(claim("A.TXT"), "A (3).TXT");
        assert_eq!(claim("a (4).txt"), "a (4).txt");
        assert_eq!(claim("a.txt"), "a (5).txt");
        assert_eq!(claim("a (2).txt"), "a (2) (2).txt");
        assert_eq!(claim("b.tar.gz"), "b.tar.gz");
        assert_eq!(claim("b.tar.gz"), "b (2).tar.gz");
        assert_eq!(claim(".env"), ".env");
        assert_eq!(claim(".env"), ".env (2)");
        assert_eq!(claim("v. 1"), "v. 1");
        assert_eq!(claim("v. 1"), "v. 1 (2)");
        assert_eq!(claim("é"), "é");
        assert_eq!(claim("e\u{301}"), "e\u{301} (2)");
        assert_eq!(claim("e"), "e");
        let long = "x".repeat(255);
        assert_eq!(claim(&long), long);
        assert_eq!(claim(&long), format!("{} (2)", "x".repeat(251)));
    }

    #[test]
    fn many_equal_components_take_linear_time() {
        let mut names = UniqueNames::default();
        let last = (0..50_000).map(|_| names.claim("same.bin".into())).last();
        assert_eq!(last.as_deref(), Some("same (50000).bin"));
    }

    proptest! {
        #[test]
        fn any_name_gives_a_safe_component(bytes in proptest::collection::vec(1_u8.., 1..1024)) {
            let Ok(name) = Name::new(bytes) else { return Ok(()) };
            let component = archive_path_component(&name);
            prop_assert!(!component.is_empty() && component.len() <= COMPONENT_BYTES_MAX);
            prop_assert!(!component.chars().any(is_unsafe));
            prop_assert!(!component.ends_with(['.', ' ']));
            prop_assert!(Name::new(component.clone()).is_ok());
            prop_assert_eq!(archive_path_component(&Name::new(component.clone()).unwrap()), component);
        }

        #[test]
        fn escaping_tells_names_apart(a in proptest::collection::vec(1_u8.., 1..6), b in proptest::collection::vec(1_u8.., 1..6)) {
            let (Ok(a), Ok(b)) = (Name::new(a), Name::new(b)) else { return Ok(()) };
            prop_assert_eq!(a.escaped() == b.escaped(), a == b);
            prop_assert!(!a.escaped().chars().any(is_deceptive));
        }
    }
}
