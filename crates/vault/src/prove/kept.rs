//! A checkpoint that somebody kept: a C2SP note, or its size and root as words.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use signed_note::{Note, NoteError, StandardVerifier, VerifierList};

use super::words::{self, WORDS, WordsError};
#[cfg(test)]
use crate::checkpoint::origin;
use crate::ids::{Digest, VaultId};

/// Longest text that is read as a checkpoint: room for a hundred signatures.
pub const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

/// Why a text is no checkpoint that could be compared with anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Longer than [`CHECKPOINT_BYTES_MAX`].
    #[error("it is longer than any checkpoint")]
    TooLong,
    /// The note's lines are not what they must be.
    #[error("it is no checkpoint: {0}")]
    Malformed(String),
    /// The words are not.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// Words without their number of entries.
    #[error("it does not say its size: write “size” and the number")]
    NoSize,
    /// A signature of the vault's own key that does not fit the text: the note was changed, or never signed.
    #[error(
        "its signature by the vault's own key is wrong: the note was changed after it was signed"
    )]
    BadSignature,
    /// Nearly the same words as the vault's: a slip of the pen, since another history differs in nearly all.
    #[error("all but a few of its words are the vault's own; these differ: {0}")]
    Slip(String),
}

/// What is known about who signed a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The vault's key signed it.
    ByTheVault,
    /// It has signatures, none by the key that the vault names.
    ByOthers,
    /// It has none.
    Not,
}

impl Signed {
    /// A stable word for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ByTheVault => "by_the_vault",
            Self::ByOthers => "by_others",
            Self::Not => "no",
        }
    }
}

/// A checkpoint as it was kept. Nothing about it is checked but its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCheckpoint {
    /// The vault it says it is of; words need not say.
    pub vault: Option<VaultId>,
    /// Entries.
    pub size: u64,
    /// RFC 6962 tree hash of them.
    pub root: Digest,
    /// The note as it was kept, if it is one.
    pub note: Option<String>,
}

impl KeptCheckpoint {
    /// Reads a note, signed or not, or words as [`in_words`] writes them.
    pub fn parse(text: &[u8]) -> Result<Self, CheckpointError> {
        if text.len() > CHECKPOINT_BYTES_MAX {
            return Err(CheckpointError::TooLong);
        }
        let text = std::str::from_utf8(text)
            .map_err(|_| CheckpointError::Malformed("it is not UTF-8".into()))?;
        // Editors and mail add what no note begins with, and lines that end as on Windows, or twice so.
        let text = text.trim_start_matches('\u{feff}').replace('\r', "");
        let text = text.trim_start();
        if text.starts_with("compactvault/") {
            note(text)
        } else {
            from_words(text, None)
        }
    }

    /// Reads words; the size may stand among them or be given beside them.
    pub fn from_words(text: &str, size: Option<u64>) -> Result<Self, CheckpointError> {
        if text.len() > CHECKPOINT_BYTES_MAX {
            return Err(CheckpointError::TooLong);
        }
        from_words(text, size)
    }

    /// Whether the vault's key signed it. Signatures of unknown keys count for nothing, but a wrong one of the
    /// vault's own is an error.
    pub fn signed(&self, public_key: &str) -> Result<Signed, CheckpointError> {
        let Some(text) = self.note.as_deref().filter(|text| text.contains("\n\n")) else {
            return Ok(Signed::Not);
        };
        let note = Note::from_bytes(text.as_bytes())
            .map_err(|error| CheckpointError::Malformed(error.to_string()))?;
        let Ok(verifier) = StandardVerifier::new(public_key) else {
            return Ok(Signed::ByOthers);
        };
        match note.verify(&VerifierList::new(vec![Box::new(verifier)])) {
            Ok(_) => Ok(Signed::ByTheVault),
            Err(NoteError::UnverifiedNote) => Ok(Signed::ByOthers),
            Err(NoteError::InvalidSignature { .. }) => Err(CheckpointError::BadSignature),
            Err(error) => Err(CheckpointError::Malformed(error.to_string())),
        }
    }
}

/// A checkpoint's size and root for paper and telephone: what [`KeptCheckpoint::parse`] reads, whatever becomes of
/// case, line breaks and punctuation.
pub fn in_words(vault: VaultId, size: u64, root: &Digest) -> String {
    let words = words::encode(root);
    let mut text = format!("vault {vault}\nsize {size}\n");
    for line in words.chunks(WORDS / 8) {
        text.push_str(&line.join(" "));
        text.push('\n');
    }
    text
}

fn note(text: &str) -> Result<KeptCheckpoint, CheckpointError> {
    let malformed = |what: &str| CheckpointError::Malformed(what.into());
    let mut lines = text.lines();
    let vault = lines
        .next()
        .and_then(|line| line.strip_prefix("compactvault/"))
        .and_then(|id| id.trim_end().parse().ok())
        .ok_or_else(|| malformed("its first line names no vault"))?;
    let size = lines
        .next()
        .filter(|line| !line.starts_with(['0', '+']))
        .and_then(|line| line.parse::<u64>().ok())
        .filter(|size| *size <= i64::MAX.cast_unsigned())
        .ok_or_else(|| malformed("its second line is no number of entries"))?;
    let root = lines
        .next()
        .and_then(|line| BASE64_STANDARD.decode(line).ok())
        .and_then(|bytes| Digest::try_from(bytes.as_slice()).ok())
        .ok_or_else(|| malformed("its third line is no root in base64"))?;
    let rest: Vec<&str> = lines.skip_while(|line| !line.is_empty()).collect();
    // Mail may take the blank at the end of a line, so a signature that was cut off behind it is none.
    let signs = |line: &str| {
        line.strip_prefix("— ")
            .is_some_and(|by| !by.trim().is_empty())
    };
    let is_signature = |line: &&str| line.is_empty() || signs(line);
    if !rest.iter().all(is_signature) {
        return Err(malformed(
            "after its empty line stands what is no signature",
        ));
    }
    // Mail leaves empty lines at the end and takes the last line feed.
    let text = format!("{}\n", text.trim_end());
    Ok(KeptCheckpoint {
        vault: Some(vault),
        size,
        root,
        note: Some(text),
    })
}

fn from_words(text: &str, mut size: Option<u64>) -> Result<KeptCheckpoint, CheckpointError> {
    let malformed = |what: String| CheckpointError::Malformed(what);
    let mut vault_digits: Option<String> = None;
    let mut size_digits: Option<String> = None;
    let mut in_size = false;
    let mut words = Vec::new();
    let tokens = text.split(|c: char| !c.is_alphanumeric());
    for token in tokens.filter(|token| !token.is_empty()) {
        let collects_vault = vault_digits.as_ref().is_some_and(|id| id.len() < 32);
        if collects_vault && token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            vault_digits.get_or_insert_default().push_str(token);
        } else if token.bytes().all(|byte| byte.is_ascii_digit()) {
            // Grouped digits are one number: 1,204,418. Elsewhere people number their words.
            if in_size {
                size_digits.get_or_insert_default().push_str(token);
            }
        } else {
            in_size = false;
            match token.to_ascii_lowercase().as_str() {
                "vault" => vault_digits = Some(String::new()),
                "size" => in_size = true,
                // What people write around it.
                "compactvault" | "checkpoint" | "root" => {}
                _ => words.push(token),
            }
        }
    }
    let root = words::decode(&words)?;
    if let Some(digits) = size_digits {
        let read = digits
            .parse::<u64>()
            .ok()
            .filter(|size| *size <= i64::MAX.cast_unsigned())
            .ok_or_else(|| malformed(format!("its size, {digits}, is too large")))?;
        if size.replace(read).is_some_and(|given| given != read) {
            return Err(malformed(format!(
                "its size is {read}, and another was given"
            )));
        }
    }
    let size = size
        .filter(|size| *size > 0)
        .ok_or(CheckpointError::NoSize)?;
    let vault = vault_digits
        .map(|id| {
            id.parse()
                .map_err(|()| malformed("its vault id is not 32 hex digits".into()))
        })
        .transpose()?;
    Ok(KeptCheckpoint {
        vault,
        size,
        root,
        note: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by changing notes at random: it was taken, and what was kept of it could not be read again.
    #[test]
    fn a_note_that_was_cut_off_in_its_signature_is_refused() {
        let root = "X0aqqyBa89akzqbg6qmaIou0HcRfag1PkT+Kas0tSg8=";
        let cut = format!("compactvault/3827107bb2e5da9bdb22d22ba3417a6d\n5\n{root}\n\n\u{2014} ");
        assert!(matches!(
            KeptCheckpoint::parse(cut.as_bytes()),
            Err(CheckpointError::Malformed(_))
        ));
    }

    /// Found by changing notes at random: it was taken, and kept with half of the line ends that were too many.
    #[test]
    fn a_note_whose_lines_end_twice_is_kept_as_it_was_signed() {
        let root = "X0aqqyBa89akzqbg6qmaIou0HcRfag1PkT+Kas0tSg8=";
        let note = format!("compactvault/3827107bb2e5da9bdb22d22ba3417a6d\n5\n{root}\n");
        let mailed = note.replace('\n', "\r\r\n");
        let kept = KeptCheckpoint::parse(mailed.as_bytes()).expect("it is a note");
        assert_eq!(kept.note.as_deref(), Some(&*note));
    }

    #[test]
    fn words_survive_paper_and_telephone() {
        let vault = VaultId::new([0xab; 16]);
        let root = Digest::of(b"root");
        let text = in_words(vault, 1_204_418, &root);
        let kept = KeptCheckpoint::parse(text.as_bytes()).expect("what was written is read");
        assert_eq!(
            (kept.vault, kept.size, kept.root),
            (Some(vault), 1_204_418, root)
        );
        // In capitals, on one line, with commas and the number grouped.
        let spoken = text
            .to_uppercase()
            .replace('\n', ", ")
            .replace("1204418", "1,204,418")
            .replace("ABAB", "AB AB ");
        let kept = KeptCheckpoint::parse(spoken.as_bytes()).expect("it is read all the same");
        assert_eq!(
            (kept.vault, kept.size, kept.root),
            (Some(vault), 1_204_418, root)
        );
        // Numbered words, without the vault, the size given beside them.
        let numbered: Vec<String> = words::encode(&root)
            .iter()
            .enumerate()
            .map(|(at, word)| format!("{}. {word}\r\n", at + 1))
            .collect();
        let numbered = numbered.concat();
        let kept = KeptCheckpoint::from_words(&numbered, Some(7)).expect("numbers are no words");
        assert_eq!((kept.vault, kept.size, kept.root), (None, 7, root));
        assert!(
            KeptCheckpoint::parse(numbered.as_bytes()).is_err(),
            "no size"
        );
        assert!(
            KeptCheckpoint::from_words(&text, Some(7)).is_err(),
            "two sizes"
        );
    }

    #[test]
    fn what_is_no_checkpoint_is_refused_with_a_reason() {
        let id = "00112233445566778899aabbccddeeff";
        let root = BASE64_STANDARD.encode([7; 32]);
        let good = format!("compactvault/{id}\n3\n{root}\n");
        assert!(KeptCheckpoint::parse(good.as_bytes()).is_ok());
        for (text, reason) in [
            (String::new(), "0 words"),
            (
                format!("compactvault/{}\n3\n{root}\n", &id[1..]),
                "no vault",
            ),
            (format!("compactvault/{id}\n03\n{root}\n"), "number"),
            (format!("compactvault/{id}\n0\n{root}\n"), "number"),
            (format!("compactvault/{id}\n3\n{}\n", &root[1..]), "root"),
            (format!("{good}\nsigned, me\n"), "no signature"),
            ("x".repeat(CHECKPOINT_BYTES_MAX + 1), "longer"),
        ] {
            let error = KeptCheckpoint::parse(text.as_bytes()).expect_err(reason);
            assert!(error.to_string().contains(reason), "{error}");
        }
        assert!(KeptCheckpoint::parse(b"\xff").is_err());
    }

    #[test]
    fn mail_and_windows_leave_a_signature_whole() {
        let vault = VaultId::new([1; 16]);
        let (secret, public) = crate::checkpoint::generate_key(vault);
        let root = BASE64_STANDARD.encode([7; 32]);
        let mut note = Note::new(format!("{}\n3\n{root}\n", origin(vault)).as_bytes(), &[])
            .expect("it is a note");
        let signer = signed_note::StandardSigner::new(&secret).expect("it is a key");
        note.add_sigs(&[&signer]).expect("it can be signed");
        let text = String::from_utf8(note.to_bytes()).expect("it is text");
        for text in [
            text.clone(),
            text.trim_end().into(),
            format!("\u{feff}{}\r\n\r\n", text.replace('\n', "\r\n")),
        ] {
            let kept = KeptCheckpoint::parse(text.as_bytes()).expect("it is a checkpoint");
            assert_eq!(kept.signed(&public), Ok(Signed::ByTheVault));
            let (_, other) = crate::checkpoint::generate_key(vault);
            assert_eq!(kept.signed(&other), Ok(Signed::ByOthers));
        }
        let forged = text.replace("\n3\n", "\n4\n");
        let kept = KeptCheckpoint::parse(forged.as_bytes()).expect("it has the form of one");
        assert_eq!(kept.signed(&public), Err(CheckpointError::BadSignature));
    }
}
