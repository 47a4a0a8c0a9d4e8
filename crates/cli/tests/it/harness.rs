//! A folder to work in, the program run in it, and trees of files to compare.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder for one test, with a current folder and a state folder in it.
pub(crate) struct Place {
    dir: TempDir,
}

/// What a run of the program left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Place {
    /// With nothing in it.
    pub(crate) fn empty() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        fs::create_dir(dir.path().join("here")).expect("a folder");
        Self { dir }
    }

    /// With a vault `v.vault`.
    pub(crate) fn with_vault() -> Self {
        let place = Self::empty();
        place.run(["init", "v.vault"]).expect_code(0);
        place
    }

    /// The current folder of the program.
    pub(crate) fn here(&self) -> PathBuf {
        self.dir.path().join("here")
    }

    /// A path in it.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.here().join(name)
    }

    /// A path beside it, for what should not lie next to the vault.
    pub(crate) fn aside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program, ready to be started, with none of the person's own settings.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compactvault"));
        command
            .args(args)
            .current_dir(self.here())
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .env("XDG_CACHE_HOME", self.dir.path().join("cache"))
            .env_remove("COMPACTVAULT_VAULT")
            .env_remove("COMPACTVAULT_PASSWORD")
            // The width that help is wrapped to.
            .env_remove("COLUMNS")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        let output = self.command(args).output().expect("the program starts");
        Ran {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Names in the current folder, sorted.
    pub(crate) fn names(&self) -> Vec<OsString> {
        let mut names: Vec<_> = fs::read_dir(self.here())
            .expect("the folder is there")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    }

    /// Checks every byte of the vault.
    pub(crate) fn verify_clean(&self) {
        let ran = self.run(["verify", "--deep"]);
        ran.expect_code(0);
        assert!(ran.text().contains("deep verification"), "{ran:?}");
    }
}

impl Ran {
    /// Fails with all that was printed if the exit code is another one.
    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(
            self.code,
            Some(code),
            "\nstdout: {}\nstderr: {}",
            self.text(),
            self.stderr
        );
        self
    }

    /// What was printed, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// What was printed, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {}\n{}", self.text(), self.stderr))
    }
}

/// One entry of a tree, as far as a vault keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Folder,
    File {
        bytes: Vec<u8>,
        modified: (i64, i64),
        executable: bool,
    },
    Link {
        target: Vec<u8>,
        modified: (i64, i64),
    },
}

/// Everything below a folder, by its path.
pub(crate) fn tree(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let path = folder.join(entry.file_name());
            let metadata = entry.metadata().expect("it can be looked at");
            let modified = (metadata.mtime(), metadata.mtime_nsec());
            let kept = if metadata.is_dir() {
                folders.push(path.clone());
                Entry::Folder
            } else if metadata.is_symlink() {
                let target = fs::read_link(entry.path()).expect("a link");
                Entry::Link {
                    target: target.into_os_string().into_vec(),
                    modified,
                }
            } else {
                Entry::File {
                    bytes: fs::read(entry.path()).expect("a file"),
                    modified,
                    executable: metadata.permissions().mode() & 0o111 != 0,
                }
            };
            found.insert(path, kept);
        }
    }
    found
}

/// Fails naming the first difference, not with two trees.
#[track_caller]
pub(crate) fn assert_same_tree(expected: &Path, found: &Path) {
    let (expected, found) = (tree(expected), tree(found));
    let names = |tree: &BTreeMap<PathBuf, Entry>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&expected), names(&found));
    for (path, entry) in &expected {
        assert!(found[path] == *entry, "{} differs", path.display());
    }
}

/// Bytes that neither compress nor repeat, the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        // xorshift64* (Vigna 2016).
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Writes a file and the folders above it.
pub(crate) fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("folders");
    fs::write(path, bytes).expect("a file");
}
