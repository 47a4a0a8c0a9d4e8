//! The facts that contents tell about themselves: in memory for searching, and as lines of one file in the cache
//! folder, which is only ever added to and made anew when it is lost. A line that does not fit its checksum is none.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use compactvault_preview::Failure;
use compactvault_preview::facts::FACTS;
use compactvault_vault::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::search::Answers;
use super::{Made, PreviewError};

/// Contents whose facts are kept.
const CONTENTS_MAX: usize = 1_000_000;
/// Bytes of all of them, in memory and, with what identifies them, on disk: about 200 of each.
const BYTES_MAX: usize = 256 * 1024 * 1024;
/// Longest line that is read.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// What is known about one content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Known {
    /// It tells this; nothing, perhaps.
    Facts(Map<String, Value>),
    /// It could not be looked into.
    Failed(Failure),
}

/// What is known about all contents of a vault.
pub(crate) struct FactStore {
    file: PathBuf,
    state: Mutex<State>,
    pub(super) answers: Answers,
}

#[derive(Default)]
struct State {
    loaded: bool,
    known: HashMap<Digest, Box<str>>,
    bytes: usize,
    /// Entries of the log up to here were looked at.
    upto: u64,
    /// Changes with everything that is learned.
    generation: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upto: Option<u64>,
}

fn file(cache_dir: &Path) -> PathBuf {
    cache_dir.join(format!("facts-{}", FACTS.version))
}

/// Removes the facts of all versions of this program. They are gathered again.
pub(crate) fn forget(cache_dir: &Path) -> io::Result<()> {
    let Ok(items) = fs::read_dir(cache_dir) else {
        return Ok(());
    };
    for item in items {
        let item = item?;
        if item.file_name().to_string_lossy().starts_with("facts-") {
            fs::remove_file(item.path())?;
        }
    }
    Ok(())
}

impl FactStore {
    /// In a vault's cache folder, of which nothing is read yet.
    pub(crate) fn new(cache_dir: &Path) -> Self {
        Self {
            file: file(cache_dir),
            state: Mutex::default(),
            answers: Answers::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.loaded {
            state.loaded = true;
            state.generation += 1;
            if let Err(error) = load(&self.file, &mut state) {
                tracing::warn!(file = %self.file.display(), %error, "the facts cannot be read and are gathered again");
            }
        }
        state
    }

    /// What is known about a content. The first call reads the file. Blocks.
    pub(crate) fn get(&self, content: &Digest) -> Option<Known> {
        let state = self.state();
        let text = state.known.get(content)?;
        let mut facts: Map<String, Value> = serde_json::from_str(text).ok()?;
        let failed = facts.remove(FAILED);
        Some(match failed {
            Some(failure) => Known::Failed(serde_json::from_value(failure).ok()?),
            None => Known::Facts(facts),
        })
    }

    /// Whether it was looked into.
    pub(crate) fn knows(&self, content: &Digest) -> bool {
        self.state().known.contains_key(content)
    }

    /// Up to which entry of the log all were looked at.
    pub(crate) fn upto(&self) -> u64 {
        self.state().upto
    }

    /// All entries below were looked at. Blocks.
    pub(crate) fn looked_at(&self, upto: u64) {
        let mut state = self.state();
        if upto > state.upto {
            state.upto = upto;
            self.append(&Line {
                sha256: None,
                facts: None,
                failed: None,
                upto: Some(upto),
            });
        }
    }

    /// Keeps what a job found; what says nothing of the content is not kept. Blocks.
    pub(crate) fn put(&self, content: &Digest, made: &Made) {
        let mut line = Line {
            sha256: Some(content.to_string()),
            facts: None,
            failed: None,
            upto: None,
        };
        match made {
            Ok(output) => {
                let facts = output.header.get("facts").and_then(Value::as_object);
                line.facts = Some(facts.cloned().unwrap_or_default());
            }
            Err(PreviewError::Failed(failure)) => line.failed = Some(failure.clone()),
            Err(_) => return,
        }
        let mut state = self.state();
        if state.learn(&line) {
            self.append(&line);
        }
    }

    fn append(&self, line: &Line) {
        if let Err(error) = append(&self.file, line) {
            tracing::warn!(file = %self.file.display(), %error, "a fact cannot be kept and is gathered again at the next start");
        }
    }

    /// Changes whenever something is learned.
    pub(crate) fn generation(&self) -> u64 {
        self.state().generation
    }

    /// The contents whose fact of that name is as asked.
    pub(crate) fn which(&self, key: &str, is: impl Fn(&Value) -> bool) -> Vec<Digest> {
        let state = self.state();
        let pattern = format!("\"{key}\":");
        let finder = |text: &str| {
            // In a text of its own a quotation mark would have a backslash before it.
            let at = text.find(&pattern)? + pattern.len();
            let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
            values.next()?.ok()
        };
        let holds = |text: &str| finder(text).is_some_and(|value| is(&value));
        let found = state.known.iter().filter(|(_, text)| holds(text));
        found.map(|(content, _)| *content).collect()
    }
}

/// Under which a failure lies among facts in memory; no fact has such a name.
const FAILED: &str = " failed";

impl State {
    /// Says whether it was news, and room.
    fn learn(&mut self, line: &Line) -> bool {
        if let Some(upto) = line.upto {
            self.upto = self.upto.max(upto);
        }
        let Some(content) = line.sha256.as_deref().and_then(digest) else {
            return line.upto.is_some();
        };
        let text = match (&line.facts, &line.failed) {
            (Some(facts), _) => serde_json::to_string(facts),
            (None, Some(failure)) => serde_json::to_string(&serde_json::json!({ FAILED: failure })),
            (None, None) => return false,
        };
        let Ok(text) = text else { return false };
        let is_full = self.known.len() >= CONTENTS_MAX || self.bytes + text.len() > BYTES_MAX;
        if is_full || self.known.contains_key(&content) {
            return false;
        }
        self.bytes += text.len();
        self.generation += 1;
        self.known.insert(content, text.into());
        true
    }
}

fn digest(hex: &str) -> Option<Digest> {
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    Some(Digest::new(bytes?.try_into().ok()?))
}

fn checksum(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()[..16].to_owned()
}

fn load(file: &Path, state: &mut State) -> io::Result<()> {
    let opened = match fs::File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut reader = io::BufReader::new(opened);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let bound = LINE_BYTES_MAX as u64;
        if io::Read::take(&mut reader, bound).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(());
        }
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let line = text.trim_end_matches('\n').split_once(' ');
        let line = line.filter(|(sum, json)| *sum == checksum(json));
        // What a kill tore or the disk lost is gathered again, unless `upto` says otherwise; `reindex` helps then.
        if let Some(line) = line.and_then(|(_, json)| serde_json::from_str(json).ok()) {
            state.learn(&line);
        }
    }
}

fn append(file: &Path, line: &Line) -> io::Result<()> {
    let json = serde_json::to_string(line)?;
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    // One write, so that lines of two programs do not mix; the break comes first, to end what a kill tore.
    let line = format!("\n{} {json}", checksum(&json));
    options.open(file)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use compactvault_preview::Output;
    use serde_json::json;

    use super::*;

    fn told(facts: &Value) -> Arc<Output> {
        Arc::new(Output {
            header: json!({ "facts": facts }),
            bytes: Vec::new(),
        })
    }

    #[test]
    fn facts_survive_a_restart_and_a_torn_end() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let store = FactStore::new(dir.path());
        let facts = json!({"width": 6000, "title": "x \"width\":1 y"});
        store.put(&a, &Ok(told(&facts)));
        store.put(&b, &Err(PreviewError::Failed(Failure::malformed("no"))));
        store.put(&Digest::of(b"d"), &Err(PreviewError::Busy));
        store.looked_at(7);
        let mut bytes = fs::read(file(dir.path())).unwrap();
        bytes.extend(b"\n0123456789abcdef {\"upto\":99}\n0123");
        fs::write(file(dir.path()), bytes).unwrap();
        let c = Digest::of(b"c");
        FactStore::new(dir.path()).put(&c, &Ok(told(&json!({}))));

        let again = FactStore::new(dir.path());
        let Some(Known::Facts(found)) = again.get(&a) else {
            panic!("it is known");
        };
        assert_eq!(Value::Object(found), facts);
        assert_eq!(again.get(&b), Some(Known::Failed(Failure::malformed("no"))));
        assert_eq!(again.get(&c), Some(Known::Facts(Map::new())));
        assert!(!again.knows(&Digest::of(b"d")));
        assert_eq!(again.upto(), 7);
        let wide = |value: &Value| value.as_f64().is_some_and(|width| width > 4000.0);
        assert_eq!(again.which("width", wide), [a]);
        assert!(again.which("height", |_| true).is_empty());

        forget(dir.path()).unwrap();
        assert!(!FactStore::new(dir.path()).knows(&a));
    }
}
