//! Makes a thumbnail and the facts of every file below some folders, without a vault and without a worker, and tells how
//! many there were of each kind, what failed, and how long it took: for trying decoders on real files.
//!
//! `cargo run --release -p compactvault-server --example look -- FOLDER... [--out FOLDER]`
#![expect(clippy::print_stdout, reason = "it is a program of its own")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use compactvault_preview::facts::FACTS;
use compactvault_preview::kind::{has_facts, has_picture};
use compactvault_preview::thumbnail::THUMBNAIL;
use compactvault_preview::{Content, Job, Output, Request, Work};
use compactvault_vault::Media;

#[derive(Default)]
struct Tally {
    made: usize,
    failed: BTreeMap<String, (usize, String)>,
    milliseconds: Vec<f64>,
    bytes: usize,
}

fn main() {
    let mut arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let mut out = None;
    if let Some(at) = arguments
        .iter()
        .position(|argument| argument == Path::new("--out"))
    {
        out = arguments.drain(at..).nth(1);
    }
    std::panic::set_hook(Box::new(|_| ()));
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut number = 0;
    while let Some(path) = arguments.pop() {
        if path.is_symlink() {
            continue;
        }
        if let Ok(items) = std::fs::read_dir(&path) {
            arguments.extend(items.flatten().map(|item| item.path()));
            continue;
        }
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        let name = path.file_name().unwrap_or_default();
        let media = Media::detect(name.as_encoded_bytes(), &bytes).media_type;
        number += 1;
        if has_picture(media, bytes.len() as u64) {
            let output = run(&THUMBNAIL, &path, media, bytes.clone(), &mut tallies);
            if let (Some(out), Some(output)) = (&out, output) {
                let ending = output.header["media_type"].as_str().unwrap_or_default();
                let ending = ending.trim_start_matches("image/");
                let name = format!("{number}-{}.{ending}", name.to_string_lossy());
                std::fs::write(out.join(name), output.bytes).expect("the folder can be written");
            }
        }
        if has_facts(media, bytes.len() as u64) {
            run(&FACTS, &path, media, bytes, &mut tallies);
        }
    }
    for (kind, mut tally) in tallies {
        tally.milliseconds.sort_by(f64::total_cmp);
        let at = |share: usize| {
            tally
                .milliseconds
                .get(
                    (tally.milliseconds.len() * share / 100)
                        .min(tally.milliseconds.len().saturating_sub(1)),
                )
                .copied()
                .unwrap_or(0.0)
        };
        let failed: usize = tally.failed.values().map(|(count, _)| count).sum();
        let mean = tally.bytes / tally.made.max(1);
        println!(
            "{kind}: {} made ({mean} bytes each), {failed} failed; ms median {:.1}, p95 {:.1}, most {:.1}",
            tally.made,
            at(50),
            at(95),
            at(100)
        );
        for (why, (count, example)) in tally.failed {
            println!("    {count} × {why} ({example})");
        }
    }
}

fn run(
    job: &Job,
    path: &Path,
    media_type: &str,
    bytes: Vec<u8>,
    tallies: &mut BTreeMap<String, Tally>,
) -> Option<Output> {
    let length = bytes.len() as u64;
    let (content, files) = Content::from_bytes(bytes);
    let mut work = Work {
        request: Request {
            job: job.name.into(),
            parameters: serde_json::json!({ "size": 512 }),
            length,
            filename: String::new(),
            media_type: media_type.into(),
        },
        content,
        files,
    };
    let began = Instant::now();
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (job.run)(&mut work)));
    let tally = tallies
        .entry(format!("{} of {media_type}", job.name))
        .or_default();
    tally
        .milliseconds
        .push(began.elapsed().as_secs_f64() * 1000.0);
    let why = match made {
        Ok(Ok(output)) => {
            tally.made += 1;
            tally.bytes += output.bytes.len();
            return Some(output);
        }
        Ok(Err(failure)) => failure.message,
        Err(_) => "it panicked".to_owned(),
    };
    let failed = tally.failed.entry(why).or_default();
    failed.0 += 1;
    failed.1 = path.display().to_string();
    None
}
