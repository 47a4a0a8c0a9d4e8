//! Checkpoints, proofs and tiles as strangers use them: on paper, offline, with the libraries of other projects, and
//! with the script that the documents come with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Hash, HashReader, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record,
    prove_tree, record_hash,
};

use super::harness::{Place, Ran, noise, write};
use super::interrupts::{ended, interrupt};

/// A vault of 600 files in two imports, with the checkpoints `early` and `late`.
fn filled() -> Place {
    let place = Place::with_vault();
    for number in 0..300_u64 {
        write(place.path(format!("a/{number}")), noise(number, 30));
        write(place.path(format!("b/{number}")), noise(number + 300, 30));
    }
    write(place.path("a/long"), noise(7, 2_000_000));
    for (folder, checkpoint) in [("a", "early"), ("b", "late")] {
        place.run(["add", "--to", "P", folder]).expect_code(0);
        let note = place.run(["checkpoint"]).expect_code(0).stdout.clone();
        write(place.path(checkpoint), note);
    }
    place
}

/// A checkpoint that says it covers one entry less. Only that number: its digits may be in the vault's id as well.
fn one_entry_less(checkpoint: &str, size: u64) -> String {
    checkpoint.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1)
}

/// Runs the script of the documents. Python must be there: without it the promise would go untested.
fn script(place: &Place, args: &[&str]) -> Ran {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify-log.py");
    let output = Command::new("python3")
        .arg(script)
        .args(args)
        .current_dir(place.here())
        .output()
        .expect("python3 is needed by this test (Debian: apt install python3)");
    Ran {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_checkpoint_in_words_comes_back_from_paper_and_a_slip_is_named() {
    let place = filled();
    let words = place.run(["checkpoint", "--words"]).expect_code(0).text();
    write(
        place.path("paper"),
        words.to_uppercase().replace('\n', "\r\n"),
    );
    place
        .run(["verify", "--quick", "--against", "paper"])
        .expect_code(0);
    let spoken: Vec<&str> = words
        .lines()
        .skip(2)
        .flat_map(str::split_whitespace)
        .collect();
    assert_eq!(spoken.len(), 32);
    let size = words.lines().nth(1).expect("a size").replace("size ", "");
    let verify = |words: &str| {
        place.run([
            "verify",
            "--quick",
            "--against-words",
            words,
            "--against-size",
            &size,
        ])
    };
    verify(&spoken.join(" ")).expect_code(0);
    let mut misspelt = spoken.clone();
    misspelt[6] = "qwertz";
    let ran = verify(&misspelt.join(" "));
    ran.expect_code(1);
    assert!(ran.stderr.contains("word 7, “qwertz”"), "{ran:?}");
    // Another word of the same list is no slip of spelling, but still one.
    let mut misheard = spoken.clone();
    misheard[6] = if spoken[6] == "tiger" {
        "tissue"
    } else {
        "tiger"
    };
    let ran = verify(&misheard.join(" "));
    ran.expect_code(1);
    assert!(ran.stderr.contains("word 7 is"), "{ran:?}");
    // Quite other words are another history.
    let other = vec!["tiger almighty"; 16].join(" ");
    verify(&other).expect_code(12);
}

#[test]
fn a_checkpoint_that_was_changed_is_refused_and_an_unsigned_one_is_said_to_be() {
    let place = filled();
    let note = fs::read_to_string(place.path("early")).expect("it is there");
    let lines: Vec<&str> = note.lines().collect();
    let unsigned = format!("{}\n", lines[..3].join("\n"));
    write(place.path("unsigned"), &unsigned);
    let ran = place.run(["verify", "--quick", "--against", "unsigned"]);
    assert!(ran.expect_code(0).text().contains("(unsigned)"), "{ran:?}");
    let stranger = format!("{note}— somebody AAAAAAAAAAAA\n");
    write(place.path("cosigned"), stranger);
    place
        .run(["verify", "--quick", "--against", "cosigned"])
        .expect_code(0);
    let size: u64 = lines[1].parse().expect("a number");
    write(place.path("changed"), one_entry_less(&note, size));
    let ran = place.run(["verify", "--json", "--quick", "--against", "changed"]);
    assert_eq!(ran.expect_code(1).json()["error"]["code"], "bad_checkpoint");
    write(place.path("nothing"), "nothing");
    place.run(["verify", "--against", "nothing"]).expect_code(1);
}

#[test]
fn add_and_serve_keep_checkpoints_where_they_are_told_and_replace_none() {
    let place = Place::with_vault();
    write(place.path("one"), "1");
    let add = |name: &str| place.run(["add", "--to", "P/C", name, "--checkpoint-dir", "kept"]);
    let ran = add("one");
    assert!(
        ran.expect_code(0).text().contains("written to kept/v-"),
        "{ran:?}"
    );
    let listed = || -> Vec<PathBuf> {
        let mut found: Vec<_> = fs::read_dir(place.path("kept"))
            .expect("the folder is there")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        found.sort();
        found
    };
    let first = listed();
    assert_eq!(first.len(), 1);
    add("one").expect_code(0);
    assert_eq!(listed(), first, "nothing new, nothing written");
    write(&first[0], "another");
    let ran = add("one");
    ran.expect_code(1);
    assert_eq!(fs::read(&first[0]).expect("it is there"), b"another");
    fs::remove_file(&first[0]).expect("it is there");

    let mut child = place
        .command([
            "serve",
            "--no-open",
            "--listen",
            "127.0.0.1:0",
            "--checkpoint-dir",
            "kept",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");
    std::thread::sleep(Duration::from_secs(1));
    write(place.path("two"), "2");
    place.run(["add", "--to", "P/C", "two"]).expect_code(0);
    let asked = Instant::now();
    while listed().is_empty() && asked.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(listed().len(), 1, "an import that came to rest");
    write(place.path("three"), "3");
    place.run(["add", "--to", "P/C", "three"]).expect_code(0);
    interrupt(&child);
    ended(child).expect_code(0);
    assert_eq!(listed().len(), 2, "the end");
    for kept in listed() {
        let args = ["verify".as_ref(), "--against".as_ref(), kept.as_os_str()];
        place.run(args).expect_code(0);
    }
}

#[test]
fn a_proof_is_checked_without_the_vault_and_fits_one_file_and_one_log() {
    let place = filled();
    place
        .run(["proof", "P/a/long", "--out", "p", "--at", "early"])
        .expect_code(0);
    place
        .run(["proof", "P/a/long", "--out", "q"])
        .expect_code(0);
    place
        .run(["proof", "P/b/3", "--out", "r", "--at", "early"])
        .expect_code(1);
    place
        .run(["proof", "P/b/3", "--size", "100000"])
        .expect_code(1);
    let words = Place::with_vault().run(["checkpoint", "--words"]).stdout;
    write(place.path("foreign"), words);
    place
        .run(["proof", "P/a/long", "--at", "foreign"])
        .expect_code(14);
    place.run(["proof", "P/b/3", "--out", "r"]).expect_code(0);
    fs::rename(place.path("v.vault"), place.aside("gone")).expect("it moves");
    let check = |file: &str, proof: &str, checkpoint: &str| {
        let ran = place.run(["check-proof", file, proof, checkpoint]);
        let code = ran.code.expect("it ends");
        // The script knows one kind of failure.
        script(&place, &["proof", file, proof, checkpoint]).expect_code(i32::from(code != 0));
        (code, ran.stderr)
    };
    assert_eq!(check("a/long", "p", "early").0, 0);
    assert_eq!(check("a/long", "q", "late").0, 0);
    assert_eq!(check("b/3", "r", "late").0, 0);
    let (code, why) = check("a/long", "q", "early");
    assert!(code == 1 && why.contains("--at"), "{why}");
    let (code, why) = check("b/3", "r", "early");
    assert!(code == 1 && why.contains("older than the asset"), "{why}");
    let (code, why) = check("b/3", "p", "early");
    assert!(code == 1 && why.contains("size"), "{why}");
    // Every line of a proof counts.
    let proof = fs::read_to_string(place.path("p")).expect("it is there");
    for (number, line) in proof
        .lines()
        .enumerate()
        .take_while(|(_, line)| !line.is_empty())
    {
        let middle = line.len() / 2;
        let changed = if line.as_bytes()[middle] == b'A' {
            "B"
        } else {
            "A"
        };
        let forged = format!("{}{changed}{}", &line[..middle], &line[middle + 1..]);
        write(place.path("forged"), proof.replacen(line, &forged, 1));
        let (code, why) = check("a/long", "forged", "early");
        assert_ne!(code, 0, "line {number}: {why}");
    }
    // One byte of the file does, too.
    let mut bytes = fs::read(place.path("a/long")).expect("it is there");
    bytes[1_000_000] ^= 1;
    write(place.path("changed"), bytes);
    assert_eq!(check("changed", "p", "early").0, 1);
}

#[test]
fn one_checkpoint_continues_another_and_the_hashes_show_it() {
    let place = filled();
    let hashes = place
        .run(["consistency", "early", "late"])
        .expect_code(0)
        .text();
    let proof: Vec<Hash> = hashes
        .lines()
        .map(|line| Hash::parse_hash(line).expect("a hash"))
        .collect();
    let [(old_size, old), (new_size, new)] = ["early", "late"].map(|name| {
        let note = fs::read_to_string(place.path(name)).expect("it is there");
        let mut lines = note.lines().skip(1);
        let size: u64 = lines.next().expect("a size").parse().expect("a number");
        (
            size,
            Hash::parse_hash(lines.next().expect("a root")).expect("a hash"),
        )
    });
    check_tree(&proof, new_size, new, old_size, old).expect("the proof holds");
    let stranger = filled();
    fs::copy(stranger.path("early"), place.path("foreign")).expect("it is copied");
    place
        .run(["consistency", "foreign", "late"])
        .expect_code(14);
    fs::copy(place.path("v.vault"), place.path("w.vault")).expect("it is copied");
    write(place.path("c"), "c");
    place
        .run(["add", "--vault", "w.vault", "--to", "P/C", "c"])
        .expect_code(0);
    let later = place.run(["checkpoint", "--vault", "w.vault"]).stdout;
    write(place.path("later"), later);
    place
        .run(["consistency", "--vault", "v.vault", "late", "later"])
        .expect_code(13);
    place
        .run(["consistency", "--vault", "w.vault", "late", "later"])
        .expect_code(0);
}

/// Reads tiles from a folder as C2SP tlog-tiles lays them out; what it does not find at the width asked for it takes
/// from a wider one.
struct Folder(PathBuf);

impl TileReader for Folder {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &Tile| {
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            fs::read(self.0.join(path)).expect("the tile is there")
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

#[test]
fn a_stranger_s_library_reads_the_tiles_and_agrees() {
    let place = filled();
    place
        .run(["log", "export", "--tiles", "tiles"])
        .expect_code(0);
    let note = fs::read(place.path("tiles/checkpoint")).expect("it is there");
    let note = Note::from_bytes(&note).expect("it is a signed note");
    let connection_key = place.run(["--json", "proof", "P/a/7"]).json();
    let index = connection_key["index"].as_u64().expect("a number");
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text());
    let text = String::from_utf8(note.text().to_vec()).expect("it is text");
    let mut lines = text.lines().skip(1);
    let size: u64 = lines.next().expect("a size").parse().expect("a number");
    let root = Hash::parse_hash(lines.next().expect("a root")).expect("a hash");
    if let Ok(checkpoint) = checkpoint {
        assert_eq!((checkpoint.size(), *checkpoint.hash()), (size, root));
    }
    // The key, as entry 0 in the first bundle of entries tells it.
    let bundle = fs::read(place.path("tiles/tile/entries/000")).expect("it is there");
    let mut leaves = Vec::new();
    let mut rest = bundle.as_slice();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (leaf, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        leaves.push(leaf);
        rest = after;
    }
    assert_eq!(leaves.len(), 256);
    let first = String::from_utf8_lossy(leaves[0]).into_owned();
    let (_, key) = first
        .split_once("\"public_key\":\"")
        .expect("entry 0 has it");
    let (key, _) = key.split_once('"').expect("it ends");
    let verifier = StandardVerifier::new(key).expect("it is a key");
    note.verify(&VerifierList::new(vec![Box::new(verifier)]))
        .expect("the signature holds");
    let folder = Folder(place.path("tiles"));
    let hashes = TileHashReader::new(size, root, &folder);
    for n in [0, 100, 255] {
        let proof = prove_record(size, n, &hashes).expect("the tiles give a proof");
        let leaf = record_hash(leaves[usize::try_from(n).expect("small")]);
        check_record(&proof, size, root, n, leaf).expect("the proof holds");
    }
    let proof = prove_record(size, index, &hashes).expect("the tiles give a proof");
    let ours = connection_key["proof"].as_str().expect("text");
    let ours: Vec<Hash> = ours
        .lines()
        .skip(3)
        .take_while(|line| !line.is_empty())
        .map(|line| Hash::parse_hash(line).expect("a hash"))
        .collect();
    assert_eq!(ours, proof, "two programs, one proof");
    let old = prove_tree(size, 256, &hashes).expect("the tiles give a proof");
    let whole = Tile::new(8, 1, 0, 2, false);
    let old_root = Hash(
        folder.read_tiles(&[whole]).expect("it is there")[0][..32]
            .try_into()
            .expect("32 bytes"),
    );
    check_tree(&old, size, root, 256, old_root).expect("the proof holds");
    assert!(hashes.read_hashes(&[0]).is_ok());
}

#[test]
fn tiles_are_continued_and_never_written_over() {
    let place = filled();
    let export = || place.run(["--json", "log", "export", "--tiles", "tiles"]);
    assert_eq!(export().expect_code(0).json()["kept"], 0);
    assert_eq!(export().expect_code(0).json()["written"], 0);
    write(place.path("c"), "c");
    place.run(["add", "--to", "P/C", "c"]).expect_code(0);
    let note = place.run(["checkpoint"]).stdout;
    write(place.path("now"), note);
    assert!(export().expect_code(0).json()["kept"].as_u64() > Some(0));
    script(&place, &["tiles", "tiles", "now"]).expect_code(0);
    script(&place, &["tiles", "tiles", "late"]).expect_code(0);
    let tile = place.path("tiles/tile/0/000");
    let mut bytes = fs::read(&tile).expect("it is there");
    bytes[40] ^= 1;
    write(&tile, &bytes);
    let ran = export();
    assert!(ran.expect_code(1).stderr.contains("differs"), "{ran:?}");
    assert_eq!(fs::read(&tile).expect("it is there"), bytes);
    script(&place, &["tiles", "tiles", "now"]).expect_code(1);
    place.run(["log", "export", "--tiles", "a"]).expect_code(1);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "somebody goes behind the vault's back here"
)]
fn the_script_of_the_documents_finds_what_was_tampered_with() {
    let place = filled();
    let key = fs::read_to_string(place.path("early")).expect("it is there");
    for checkpoint in ["early", "late"] {
        let ran = script(&place, &["vault", "v.vault", checkpoint]);
        assert!(ran.expect_code(0).text().contains("(signed)"), "{ran:?}");
    }
    let lines: Vec<&str> = key.lines().collect();
    let size: u64 = lines[1].parse().expect("a number");
    write(place.path("changed"), one_entry_less(&key, size));
    let ran = script(&place, &["vault", "v.vault", "changed"]);
    assert!(ran.expect_code(1).text().contains("signature"), "{ran:?}");
    let intact = fs::read(place.path("v.vault")).expect("it is there");
    for tampering in [
        "UPDATE entry SET executable = 1 WHERE seq = 100",
        "DELETE FROM entry WHERE seq = 100",
        "DELETE FROM entry WHERE seq >= 200",
        "UPDATE document SET text = 'no' WHERE id = 1",
    ] {
        fs::write(place.path("v.vault"), &intact).expect("it is written");
        let connection = rusqlite::Connection::open(place.path("v.vault")).expect("it opens");
        for table in ["entry", "document"] {
            for trigger in ["changed", "deleted"] {
                connection
                    .execute_batch(&format!("DROP TRIGGER {table}_is_never_{trigger}"))
                    .expect("outside of the program anything goes");
            }
        }
        connection.execute_batch(tampering).expect("it is changed");
        drop(connection);
        let ran = script(&place, &["vault", "v.vault", "early"]);
        assert!(
            ran.expect_code(1).text().starts_with("FAILED"),
            "{tampering}"
        );
    }
}
