//! What parses, each as a function of bytes alone: for fuzzers, and for the harness that counts what it sends
//! (`crates/torture`). Compiled for tests and with the feature `targets`; no release has it.
//!
//! A target panics where something is wrong: by itself, or because two answers that must agree do not.

use crate::codec;
use crate::media::Media;
use crate::name::{Name, archive_path_component, escape_bytes};
use crate::parity::capsule::Capsule;
use crate::parity::descriptor::Descriptor;
use crate::parity::mending::parse_head;
use crate::prove::{KeptCheckpoint, Proof};
use crate::query::{Query, TERMS_MAX};
use crate::salvage::carve::Row;
use crate::store::read::adds_up;

/// Bytes a compressed frame may claim to hold here.
const RAW_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Takes bytes and must come back.
pub type Target = fn(&[u8]);

/// All targets by their names, which are those of the folders in `fuzz/corpus`.
pub const ALL: [(&str, Target); 11] = [
    ("checkpoint", checkpoint),
    ("proof", proof),
    ("name", name),
    ("frame", frame),
    ("capsule", capsule),
    ("descriptor", descriptor),
    ("wal", wal),
    ("page", page),
    ("manifest", manifest),
    ("media", media),
    ("query", query),
];

/// A note or words that somebody kept.
pub fn checkpoint(bytes: &[u8]) {
    if let Ok(kept) = KeptCheckpoint::parse(bytes) {
        let _ = kept.signed("compactvault/x+00000000+AQ==");
        let again = kept
            .note
            .as_deref()
            .map(|note| KeptCheckpoint::parse(note.as_bytes()));
        assert!(
            again.is_none_or(|again| again.is_ok_and(|again| again == kept)),
            "what was read of a note is what the note says"
        );
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = KeptCheckpoint::from_words(text, Some(7));
    }
}

/// A proof that somebody else made.
pub fn proof(bytes: &[u8]) {
    let _ = Proof::parse(bytes);
}

/// A name of any bytes: what is accepted is shown without controls, and is one component of a path.
pub fn name(bytes: &[u8]) {
    let _ = escape_bytes(bytes);
    let Ok(name) = Name::new(bytes) else { return };
    assert_eq!(name.as_bytes(), bytes, "names are kept byte for byte");
    assert!(
        !name.escaped().chars().any(char::is_control),
        "a shown name has no controls"
    );
    let component = archive_path_component(&name);
    assert!(
        !component.is_empty() && !component.contains(['/', '\0']) && component != "..",
        "{component:?}"
    );
    let _ = crate::natural_order::sort_key(bytes);
}

/// A compressed frame with the size that a row claims: never more than that, however it was made.
pub fn frame(bytes: &[u8]) {
    let Some((size, frame)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let size = u32::from_be_bytes(*size) as usize % RAW_BYTES_MAX;
    if let Ok(raw) = codec::decompress(frame, size) {
        assert_eq!(raw.len(), size, "as many bytes as the row says");
    }
    if let Ok(Some(packed)) = codec::compress([frame]) {
        let raw = codec::decompress(&packed, frame.len()).expect("what was compressed decodes");
        assert_eq!(raw, frame, "and is what it was");
    }
}

/// A row of parity.
pub fn capsule(bytes: &[u8]) {
    if let Some(capsule) = Capsule::parse(bytes) {
        let _ = capsule.header.row_id();
    }
}

/// What a stripe says it protects.
pub fn descriptor(bytes: &[u8]) {
    if let Some(descriptor) = Descriptor::decode(bytes) {
        let _ = descriptor.places();
    }
    let _ = parse_head(bytes);
}

/// A WAL and, before it, the beginning of its index.
pub fn wal(bytes: &[u8]) {
    let index = crate::store::wal::INDEX_BYTES.min(bytes.len());
    let (index, mut wal) = bytes.split_at(index);
    let with = crate::store::wal::inspect(&mut &*wal, Some(index));
    let without = crate::store::wal::inspect(&mut wal, None);
    assert!(with.is_ok() && without.is_ok(), "memory can be read");
}

/// A page of a vault of which nothing else is left: an entry that is found in it is one whose hash fits.
pub fn page(bytes: &[u8]) {
    let mut page = Box::new([0; crate::salvage::image::PAGE]);
    let length = bytes.len().min(page.len());
    page[..length].copy_from_slice(&bytes[..length]);
    let rows = crate::salvage::examine_alone(&page).expect("nothing can be read");
    for row in rows {
        match row {
            Row::Entry { entry, leaf } => assert_eq!(entry.leaf_hash(), leaf),
            Row::Manifest { records: blob, .. } | Row::Pack { data: blob, .. } => {
                assert!(blob.local.len() <= blob.length, "no more than the row says");
            }
            _ => {}
        }
    }
}

/// The size that an entry says, and its manifest: where they fit, no other size does, and no other number of bytes.
pub fn manifest(bytes: &[u8]) {
    let Some((size, records)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let size = u64::from_be_bytes(*size);
    if adds_up(records, size) {
        assert!(!adds_up(records, size.wrapping_add(1)), "one size fits");
        let longer = [records, &[0]].concat();
        assert!(!adds_up(&longer, size), "records are whole");
        if let Some((_, shorter)) = records.split_last() {
            assert!(!adds_up(shorter, size), "records are whole");
        }
    }
}

/// What a file is taken for, by its name and its head.
pub fn media(bytes: &[u8]) {
    let cut = bytes.len().min(12);
    let _ = Media::detect(&bytes[..cut], &bytes[cut..]);
}

/// What somebody typed into the search box: every character that is no space was read as part of exactly one term.
pub fn query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let query = Query::parse(&text);
    assert!(query.terms.len() <= TERMS_MAX, "terms have a bound");
    let mut end = 0;
    for read in &query.read {
        let before = &text[end..read.range.start];
        assert!(before.trim().is_empty(), "{before:?} was not read");
        assert!(!text[read.range.clone()].is_empty(), "a term has a text");
        end = read.range.end;
    }
    assert!(text[end..].trim().is_empty(), "the end was not read");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Everything that a fuzzer found worth keeping, and a specimen of what is right.
    #[test]
    fn the_corpus_is_taken_by_every_target() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        for (name, target) in ALL {
            let folder = corpus.join(name);
            let entries = std::fs::read_dir(&folder)
                .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            let mut taken = 0;
            for entry in entries {
                let path = entry.expect("the corpus can be listed").path();
                target(&std::fs::read(path).expect("the corpus can be read"));
                taken += 1;
            }
            assert!(taken > 0, "the target {name} has a corpus");
        }
    }
}
