//! Checkpoints: the log's size and root as a C2SP signed note, and the key that signs it.
//!
//! Formats: C2SP tlog-checkpoint and signed-note, by the crates `tlog_tiles` and `signed_note`. The key lies in the
//! vault's state folder, never in the vault: whoever has the file alone cannot sign for it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use signed_note::{Note, Signer, StandardSigner};

use crate::ids::{Digest, VaultId};

/// The log's size and root, as text to keep elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The signed note: three lines, and after an empty line the signature if there is one.
    pub note: String,
    /// Whether the key was at hand.
    pub signed: bool,
    /// Entries.
    pub size: u64,
    /// RFC 6962 tree hash of them.
    pub root: Digest,
}

/// The origin line, and the key's name.
pub(crate) fn origin(vault: VaultId) -> String {
    format!("compactvault/{vault}")
}

/// A fresh Ed25519 key pair: the secret key's text and the public one's, both as in C2SP signed-note.
pub(crate) fn generate_key(vault: VaultId) -> (String, String) {
    signed_note::generate_key(&mut rand_core::OsRng, &origin(vault))
}

/// Where the secret key lies.
fn key_path(state_dir: &Path) -> PathBuf {
    state_dir.join("signing-key")
}

/// Keeps the secret key, readable by its owner alone.
pub(crate) fn keep_key(state_dir: &Path, secret: &str) -> io::Result<()> {
    create_private_dir(state_dir)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(key_path(state_dir))?;
    file.write_all(secret.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    crate::platform::sync_directory(state_dir)
}

/// Creates a folder, and those above it, for its owner alone.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes the checkpoint of a log, signed if the key is in `state_dir` and is the vault's own.
pub(crate) fn checkpoint(
    vault: VaultId,
    public_key: &str,
    state_dir: &Path,
    size: u64,
    root: Digest,
) -> Checkpoint {
    let text = format!(
        "{}\n{size}\n{}\n",
        origin(vault),
        BASE64_STANDARD.encode(root.as_bytes())
    );
    let signed = signer(public_key, state_dir).and_then(|signer| {
        let mut note = Note::new(text.as_bytes(), &[]).ok()?;
        note.add_sigs(&[&signer]).ok()?;
        String::from_utf8(note.to_bytes()).ok()
    });
    Checkpoint {
        signed: signed.is_some(),
        note: signed.unwrap_or(text),
        size,
        root,
    }
}

fn signer(public_key: &str, state_dir: &Path) -> Option<StandardSigner> {
    let secret = fs::read_to_string(key_path(state_dir)).ok()?;
    let signer = StandardSigner::new(secret.trim_end()).ok()?;
    let verifier = signed_note::StandardVerifier::new(public_key).ok()?;
    let same = signed_note::Verifier::key_id(&verifier) == signer.key_id()
        && signed_note::Verifier::name(&verifier) == signer.name();
    if !same {
        tracing::warn!(folder = %state_dir.display(), "the signing key is not this vault's; checkpoints stay unsigned");
    }
    same.then_some(signer)
}
