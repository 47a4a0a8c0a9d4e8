//! What looks into files, each job as a function of bytes alone: for fuzzers, and for the harness that counts what it sends
//! (`crates/torture`). Compiled for tests and with the feature `targets`; no release has it.
//!
//! The process that does these jobs survives a panic, and is killed when it is greedy. Here greed is a finding, and so is
//! a panic in what is our own.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::job::{Failure, Limits, Output, Work};
use crate::{Content, JOBS, Request};

/// Takes bytes and must come back.
pub type Target = fn(&[u8]);

/// All targets by their names, which are those of jobs and of the folders in `fuzz/corpus`.
pub const ALL: [(&str, Target); 4] = [
    ("facts", facts),
    ("members", members),
    ("document", document),
    ("model", model),
];

/// What the first byte of an input chooses from: the media type that the rest is taken for.
const MEDIA_TYPES: [&str; 17] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/tiff",
    "image/svg+xml",
    "audio/mpeg",
    "audio/wav",
    "audio/ogg",
    "audio/flac",
    "video/mp4",
    "video/webm",
    "font/ttf",
    "font/woff2",
    "application/pdf",
    "text/plain",
    "image/heic",
];
/// The same for names, which archives and models are told apart by.
const NAMES: [&str; 6] = ["a.zip", "a.tar.gz", "a.gltf", "a.glb", "a.obj", "a.stl"];

/// What a file tells about itself. The decoders are those of others, and some give up by a panic.
pub fn facts(bytes: &[u8]) {
    if let Ok(looked) = catch_unwind(AssertUnwindSafe(|| look("facts", bytes))) {
        check(looked);
    }
}

/// What an archive holds.
pub fn members(bytes: &[u8]) {
    check(look("members", bytes));
}

/// Markdown as it is shown.
pub fn document(bytes: &[u8]) {
    check(look("document", bytes));
}

/// A scene, or a part of one.
pub fn model(bytes: &[u8]) {
    check(look("model", bytes));
}

fn look(job: &str, bytes: &[u8]) -> Result<Output, Failure> {
    let (choice, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let job = JOBS.iter().find(|known| known.name == job);
    let job = job.expect("targets bear the names of jobs");
    let choice = usize::from(*choice);
    let (content, files) = Content::from_bytes(bytes.to_vec());
    let request = Request {
        job: job.name.into(),
        parameters: Value::Null,
        length: bytes.len() as u64,
        filename: NAMES[choice % NAMES.len()].into(),
        media_type: MEDIA_TYPES[choice % MEDIA_TYPES.len()].into(),
    };
    (job.run)(&mut Work {
        request,
        content,
        files,
    })
}

fn check(looked: Result<Output, Failure>) {
    match looked {
        Ok(output) => {
            let told = output.bytes.len() as u64 + output.header.to_string().len() as u64;
            assert!(told <= Limits::USUAL.output_bytes, "{told} bytes of result");
        }
        Err(failure) => assert!(!failure.code.is_empty() && !failure.message.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

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
