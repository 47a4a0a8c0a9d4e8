//! What must hold of a damaged vault, and of the one that a rescue makes of it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use compactvault_vault::export::{self, ExportOptions, ExportWatch};
use compactvault_vault::rescue::{Outcome, RescueError, RescueReport, assess, rescue};
use compactvault_vault::{Access, Digest, OpenOptions, Vault, VerifyLevel};

use super::super::varied::{Answers, verifies};
use super::subjects::{Known, Subject, counts, known};

/// What cases of one kind came to.
#[derive(Default)]
pub(super) struct Tally {
    cases: u64,
    /// Of the damaged vaults: all answers right; some errors; does not open.
    right: u64,
    errors: u64,
    shut: u64,
    /// Of the rescued ones: everything there; something reported as lost; nothing of a vault left.
    complete: u64,
    partial: u64,
    nothing: u64,
    /// Assets.
    healed: u64,
    lost: u64,
    entries_lost: u64,
    /// Entries at the end of the log of which nothing is left that could tell of them.
    unheard_of: u64,
}

impl Tally {
    pub(super) const HEAD: &'static str = "| damage (* within the promise)      | cases | right | errors | shut | whole again | with losses | nothing | healed | lost | entries lost | unheard of |";

    pub(super) fn add(&mut self, other: &Self) {
        let Self {
            cases,
            right,
            errors,
            shut,
            complete,
            partial,
            nothing,
            healed,
            lost,
            entries_lost,
            unheard_of,
        } = other;
        self.cases += cases;
        self.right += right;
        self.errors += errors;
        self.shut += shut;
        self.complete += complete;
        self.partial += partial;
        self.nothing += nothing;
        self.healed += healed;
        self.lost += lost;
        self.entries_lost += entries_lost;
        self.unheard_of += unheard_of;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {:5} | {:5} | {:6} | {:4} | {:11} | {:11} | {:7} | {:6} | {:4} | {:12} | {:10} |",
            self.cases,
            self.right,
            self.errors,
            self.shut,
            self.complete,
            self.partial,
            self.nothing,
            self.healed,
            self.lost,
            self.entries_lost,
            self.unheard_of
        )
    }
}

impl Subject {
    /// Everything that must hold of the vault with these bytes; what it came to, or what is wrong.
    pub(super) fn check(
        &self,
        bytes: &[u8],
        promised: bool,
        exporting: bool,
    ) -> Result<Tally, String> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let damaged = folder.path().join("damaged.vault");
        let mut tally = Tally {
            cases: 1,
            ..Tally::default()
        };
        fs::write(&damaged, bytes).expect("the copy can be written");
        self.check_answers(&damaged, exporting, &mut tally)?;
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(folder.path().join(format!("damaged.vault{suffix}")));
        }
        let before = Digest::of(&fs::read(&damaged).expect("it can be read"));
        if before != Digest::of(bytes) {
            return Err("reading changed the damaged vault".into());
        }
        self.check_rescue(&damaged, promised, exporting, &mut tally)?;
        if before != Digest::of(&fs::read(&damaged).expect("it can be read")) {
            return Err("the rescue changed the damaged vault".into());
        }
        Ok(tally)
    }

    fn check_answers(
        &self,
        damaged: &Path,
        exporting: bool,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let answers = self.questions.ask(damaged, &self.home);
        let verified = verifies(damaged, &self.home);
        let errors = self.errors(&answers, false)?;
        if answers.len() == 1 {
            tally.shut = 1;
        } else if errors > 0 {
            tally.errors = 1;
        } else {
            tally.right = 1;
        }
        if errors > 0 && verified {
            let which = answers.iter().find(|(_, answer)| answer.is_err());
            return Err(format!(
                "verification finds nothing, but {errors} answers are errors: {which:?}"
            ));
        }
        if exporting && answers.len() > 1 {
            let options = self.reading();
            let vault = Vault::open(damaged, &options).map_err(|error| error.to_string())?;
            let exported = export(&vault, &damaged.with_extension("exported"));
            vault.close().map_err(|error| error.to_string())?;
            if let Ok((files, whole)) = exported {
                self.check_export(&files, whole)?;
            }
        }
        Ok(())
    }

    fn reading(&self) -> OpenOptions {
        OpenOptions {
            access: Access::Read,
            ..self.home.options()
        }
    }

    /// How many answers are errors, if none is wrong.
    fn errors(&self, answers: &Answers, of_rescued: bool) -> Result<u64, String> {
        let mut errors = 0;
        for (question, answer) in answers {
            match answer {
                Err(_) => errors += 1,
                Ok(_) if Some(answer) == self.answers.get(question) => {}
                // A vault that opens for reading only, because its schema or header differs, has said so.
                Ok(said)
                    if ["open", "status"].contains(&question.as_str())
                        && (said.contains("its end was cut off")
                            || said.contains("the schema differs")
                            || said.contains("header differs")) =>
                {
                    errors += 1;
                }
                // Another file, of another size; what must not change is compared by itself.
                Ok(_) if of_rescued && question == "status" => {}
                Ok(said) => {
                    let right = self.answers.get(question);
                    return Err(format!("SILENT: {question}: {said:?} instead of {right:?}"));
                }
            }
        }
        Ok(errors)
    }

    fn check_export(&self, files: &BTreeMap<String, String>, whole: bool) -> Result<(), String> {
        for (path, file) in files {
            let right = self.exported.get(path);
            if right != Some(file) {
                return Err(format!(
                    "SILENT: exported {path} is {file} instead of {right:?}"
                ));
            }
        }
        if whole && files.len() != self.exported.len() {
            return Err(format!(
                "SILENT: an export without remarks holds {} of {} files",
                files.len(),
                self.exported.len()
            ));
        }
        Ok(())
    }

    fn check_rescue(
        &self,
        damaged: &Path,
        promised: bool,
        exporting: bool,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let out = damaged.with_file_name("new.vault");
        let expected = assess(damaged, &mut |_| ());
        let made = rescue(damaged, &out, &self.home.options(), &mut |_| ());
        let report = match (expected, made) {
            (Ok(expected), Ok(report)) if expected == report => report,
            (Ok(expected), Ok(report)) => {
                return Err(format!("assessed {expected:?}, rescued {report:?}"));
            }
            (Err(RescueError::Nothing { .. }), Err(RescueError::Nothing { .. })) if !promised => {
                tally.nothing = 1;
                return Ok(());
            }
            (expected, made) => return Err(format!("assessed {expected:?}, rescued {made:?}")),
        };
        let vault = Vault::open(&out, &self.reading()).map_err(|error| error.to_string())?;
        let verified = vault.verify(VerifyLevel::Deep, &|_| ());
        let found = known(&vault);
        let root = vault.checkpoint().map_err(|error| error.to_string())?.root;
        let counted = counts(&vault)?;
        let exported = exporting.then(|| export(&vault, &out.with_extension("exported")));
        vault.close().map_err(|error| error.to_string())?;
        let findings = verified.map_err(|error| error.to_string())?.findings;

        self.check_accounts(&report)?;
        if report.same_history {
            self.check_same(&report, &found)?;
        } else {
            self.check_anew(&report, &found)?;
        }
        if report.lost == 0 && !findings.is_empty() {
            return Err(format!("nothing is lost, but {findings:?}"));
        }
        if report.same_history && report.lost > 0 && findings.is_empty() {
            return Err("assets are lost, and verification finds nothing".into());
        }
        tally.healed = report.healed;
        tally.lost = report.lost;
        tally.entries_lost = report.entries_lost;
        tally.unheard_of = self.entries - report.entries;
        let all = report.complete() && report.entries == self.entries;
        if all {
            tally.complete = 1;
            if !report.same_history || root != self.root || counted != self.counts {
                return Err(format!(
                    "everything is there, but the history differs: {report:?}"
                ));
            }
            let answers = self.questions.ask(&out, &self.home);
            let errors = self.errors(&answers, true)?;
            if errors > 0 {
                return Err(format!("everything is there, but {errors} errors"));
            }
            if let Some(exported) = exported {
                let (files, whole) = exported?;
                self.check_export(&files, whole)?;
                if !whole {
                    return Err("everything is there, but not in its export".into());
                }
            }
        } else {
            tally.partial = 1;
        }
        if promised && !all {
            let lost = report.assets.iter().filter(|a| a.outcome == Outcome::Lost);
            let paths: Vec<&str> = lost.map(|asset| asset.path.as_str()).take(5).collect();
            return Err(format!(
                "PROMISE BROKEN: {} intact, {} healed, {} lost {paths:?}, {} of {} entries lost",
                report.intact, report.healed, report.lost, report.entries_lost, report.entries
            ));
        }
        Ok(())
    }

    /// Nothing is left out in silence, and nothing is invented.
    fn check_accounts(&self, report: &RescueReport) -> Result<(), String> {
        if report.entries > self.entries {
            return Err(format!("{} entries are invented", report.entries));
        }
        for asset in &report.assets {
            let Some(known) = self.known.get(&asset.seq.get()) else {
                return Err(format!("asset {} is invented", asset.seq));
            };
            let fits = if asset.path.starts_with("?/") || asset.path.contains("/?/") {
                known
                    .path
                    .ends_with(asset.path.rsplit("?/").next().unwrap_or_default())
            } else {
                known.path == asset.path
            };
            if !fits {
                return Err(format!("{} is called {}", known.path, asset.path));
            }
        }
        let counted = report.intact + report.healed + report.lost;
        let unheard_of = self.entries - report.entries;
        let missing = self.known.len() as u64 - report.assets.len() as u64;
        if counted != report.assets.len() as u64 || missing > report.entries_lost + unheard_of {
            return Err(format!("{missing} assets are unaccounted for"));
        }
        Ok(())
    }

    fn check_same(
        &self,
        report: &RescueReport,
        found: &BTreeMap<u64, Result<Known, String>>,
    ) -> Result<(), String> {
        for asset in &report.assets {
            let seq = asset.seq.get();
            let right = &self.known[&seq];
            match (asset.outcome, found.get(&seq)) {
                (Outcome::Intact | Outcome::Healed, Some(Ok(there))) if there == right => {}
                (Outcome::Lost, Some(Err(error))) if !error.starts_with("SILENT") => {}
                (outcome, there) => {
                    return Err(format!(
                        "SILENT: {} is reported {outcome:?} and is {there:?}",
                        asset.path
                    ));
                }
            }
        }
        if found.len() != report.assets.len() {
            return Err("the new vault holds assets that were not reported".into());
        }
        Ok(())
    }

    /// Survivors in a log of their own have other positions, and perhaps another place.
    fn check_anew(
        &self,
        report: &RescueReport,
        found: &BTreeMap<u64, Result<Known, String>>,
    ) -> Result<(), String> {
        let anywhere = |known: &Known| Known {
            path: known.path.rsplit('/').next().unwrap_or_default().into(),
            ..known.clone()
        };
        let mut there: Vec<&Known> = found.values().flatten().collect();
        for asset in &report.assets {
            if asset.outcome == Outcome::Lost {
                continue;
            }
            let right = &self.known[&asset.seq.get()];
            let homeless = asset.path.starts_with("?/") || asset.path.contains("/?/");
            let same =
                |known: &&Known| *known == right || homeless && anywhere(known) == anywhere(right);
            let Some(at) = there.iter().position(same) else {
                return Err(format!(
                    "SILENT: {} is reported {:?} and is not there",
                    asset.path, asset.outcome
                ));
            };
            there.swap_remove(at);
        }
        if let Some(more) = there.first() {
            return Err(format!("the new vault also holds {more:?}"));
        }
        for error in found.values().filter_map(|known| known.as_ref().err()) {
            if error.starts_with("SILENT") {
                return Err(error.clone());
            }
        }
        Ok(())
    }
}

/// The files of an export by their path, with digest, time and mode; and whether it had nothing to remark.
pub(super) fn export(
    vault: &Vault,
    folder: &Path,
) -> Result<(BTreeMap<String, String>, bool), String> {
    let watch = ExportWatch {
        progress: &|_| (),
        stop: &AtomicBool::new(false),
    };
    let options = ExportOptions {
        all_versions: true,
        threads: 1,
    };
    let report =
        export::export(vault, None, folder, options, watch).map_err(|error| error.to_string())?;
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).expect("it was just written") {
            let path: PathBuf = entry.expect("it can be listed").path();
            let metadata = path.symlink_metadata().expect("it is there");
            let what = if metadata.is_dir() {
                folders.push(path);
                continue;
            } else if metadata.is_symlink() {
                format!(
                    "link to {}",
                    fs::read_link(&path).expect("it is a link").display()
                )
            } else {
                let bytes = fs::read(&path).expect("it can be read");
                let modified = metadata.modified().expect("it has one");
                // One without a time of its own has that of the export.
                let now = modified.elapsed().is_ok_and(|age| age.as_secs() < 36_000);
                let time = (!now).then_some(modified);
                let readonly = metadata.permissions();
                format!("{} {time:?} {readonly:?}", Digest::of(&bytes))
            };
            let name = path.strip_prefix(folder).expect("it is below");
            files.insert(name.display().to_string(), what);
        }
    }
    fs::remove_dir_all(folder).expect("it can be removed");
    let whole = report.damaged.is_empty() && report.refused.is_empty();
    Ok((files, whole && report.listing.is_none()))
}
