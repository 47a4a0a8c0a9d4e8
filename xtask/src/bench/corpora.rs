//! What is archived, uploaded and listed: made or unpacked once, and kept below the target folder.
//!
//! Each piece is made under another name and renamed when it is whole, so that a run that was stopped leaves nothing
//! that looks finished.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::corpus::tree::{self, SourceFile};
use crate::process::{self, command};
use crate::random::Random;
use crate::tools::Toolbox;

/// What is archived.
pub(super) struct Corpus {
    pub(super) name: String,
    /// A folder or a file.
    pub(super) path: PathBuf,
    pub(super) files: Vec<SourceFile>,
}

impl Corpus {
    pub(super) fn of(name: &str, path: &Path) -> Result<Self> {
        let advice = || format!("the corpus {name} at {} cannot be read", path.display());
        let path = fs::canonicalize(path).with_context(advice)?;
        let files = if path.is_dir() {
            tree::files(&path).with_context(advice)?
        } else {
            vec![tree::one(&path).with_context(advice)?]
        };
        ensure!(!files.is_empty(), "{}, it holds no files", advice());
        Ok(Self {
            name: name.to_owned(),
            path,
            files,
        })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    pub(super) fn is_one_file(&self) -> bool {
        self.path.is_file()
    }
}

/// Where corpora are kept, and how large they are to be.
pub(super) struct Store<'a> {
    /// Of the workspace.
    pub(super) root: &'a Path,
    pub(super) folder: PathBuf,
    pub(super) quick: bool,
}

impl Store<'_> {
    /// What is archived where nobody names anything else.
    pub(super) fn usual(&self, toolbox: &mut Toolbox) -> Result<Vec<Corpus>> {
        if self.quick {
            return Ok(vec![
                self.large()?,
                Corpus::of("tree", &self.small_tree()?)?,
            ]);
        }
        let stk = self.once("stk", |making| unpack(toolbox, "supertuxkart-data", making))?;
        let linux = self.once("linux", |making| {
            unpack(toolbox, "linux-source-6.1", making)?;
            // The package holds an archive of the tree; only the tree counts.
            let sources = making.join("usr/src");
            for item in fs::read_dir(&sources)? {
                let path = item?.path();
                if path.to_string_lossy().ends_with(".tar.xz") {
                    let unpacked = process::run(command(
                        "tar",
                        making,
                        ["-xJf", &path.display().to_string()],
                    ))?;
                    ensure!(unpacked, "{} cannot be unpacked", path.display());
                }
            }
            Ok(fs::remove_dir_all(making.join("usr"))?)
        })?;
        Ok(vec![
            self.large()?,
            Corpus::of("stk", &stk)?,
            Corpus::of("linux", &linux)?,
        ])
    }

    /// One large file that nothing compresses.
    pub(super) fn large(&self) -> Result<Corpus> {
        let mebibytes = if self.quick { 32 } else { 1024 };
        Corpus::of("rnd", &self.random_file("rnd", mebibytes)?)
    }

    /// One file that is larger than anything that may be held in memory.
    pub(super) fn huge(&self) -> Result<Corpus> {
        let (name, mebibytes) = if self.quick {
            ("256 MiB", 256)
        } else {
            ("10 GiB", 10 * 1024)
        };
        Corpus::of(name, &self.random_file("huge", mebibytes)?)
    }

    /// A vault of many small assets; not to be opened itself, since a server writes what it has scrubbed.
    pub(super) fn vault(&self, assets: u64, collections: u64) -> Result<PathBuf> {
        let name = format!("assets-{assets}-{collections}.vault");
        self.once(&name, |making| {
            let made = crate::gen_vault(self.root, assets, collections, making)?;
            ensure!(made, "the vault of {assets} assets cannot be made");
            Ok(())
        })
    }

    fn random_file(&self, name: &str, mebibytes: u64) -> Result<PathBuf> {
        self.once(&format!("{name}-{mebibytes}.bin"), |making| {
            let mut file = File::create(making)?;
            let mut random = Random::new(mebibytes);
            let mut piece = vec![0; 1 << 20];
            for _ in 0..mebibytes {
                random.fill(&mut piece);
                file.write_all(&piece)?;
            }
            Ok(file.sync_all()?)
        })
    }

    /// Files of many sizes, some that compress, some twice, one that is uploaded in parts.
    fn small_tree(&self) -> Result<PathBuf> {
        self.once("small-tree", |making| {
            let mut random = Random::new(2);
            for number in 0..300_u64 {
                let folder = making.join(format!("folder {}", number % 20));
                fs::create_dir_all(&folder)?;
                let length = match number {
                    0 => 6 << 20,
                    _ => 1 << (4 + random.index(14)),
                };
                let mut bytes = vec![0; length];
                match number % 3 {
                    0 => random.fill(&mut bytes),
                    1 => bytes.iter_mut().for_each(|byte| {
                        *byte = b"the same few letters"[random.index(20)];
                    }),
                    _ => Random::new(number % 7).fill(&mut bytes),
                }
                fs::write(folder.join(format!("file {number}.bin")), bytes)?;
            }
            Ok(())
        })
    }

    /// The piece of that name, made by `make` if it is not there.
    fn once(&self, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let path = self.folder.join(name);
        if path.exists() {
            return Ok(path);
        }
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("making {}", self.folder.display()))?;
        println!("making {name}");
        let making = tempfile::Builder::new()
            .prefix("making-")
            .tempdir_in(&self.folder)?;
        let unfinished = making.path().join(name);
        make(&unfinished).with_context(|| format!("{name} cannot be made"))?;
        fs::rename(&unfinished, &path).with_context(|| format!("keeping {}", path.display()))?;
        Ok(path)
    }
}

/// Puts a package's files into a folder, without installing it.
pub(super) fn unpack(toolbox: &mut Toolbox, package: &str, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let file = toolbox.download(package, folder)?;
    let target = folder.display().to_string();
    let words = ["-x", &file.display().to_string(), &target];
    let unpacked = process::run(command("dpkg-deb", folder, words))?;
    ensure!(unpacked, "the package {package} cannot be unpacked");
    Ok(fs::remove_file(file)?)
}
