//! What the binary is made of: `cargo xtask sbom` writes the bill of materials in `CycloneDX` form, `cargo xtask deny`
//! holds licences, sources and duplicates against `deny.toml`. Both by the field's own tools, built once below the
//! target folder; the quick form of the second is a tidy rule.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::process;

/// Holds the dependencies against `deny.toml`; tells whether they keep to it. Advisories are left out: they need a network.
pub(crate) fn deny(root: &Path, target: &Path) -> Result<bool> {
    let program = built(root, target, "cargo-deny")?;
    let words = ["--workspace", "check", "licenses", "sources", "bans"];
    process::run(process::command(&program, root, words))
}

/// Writes the bill below the target folder and says where.
pub(crate) fn bill(root: &Path, target: &Path) -> Result<PathBuf> {
    let program = built(root, target, "cargo-cyclonedx")?;
    let manifest = root.join("crates/cli/Cargo.toml");
    let name = "compactvault.cdx";
    let words = ["cyclonedx", "--format", "json", "--manifest-path"];
    let mut bill = process::command(&program, root, words);
    bill.arg(&manifest).args(["--override-filename", name]);
    ensure!(process::run(bill)?, "the bill could not be written");
    // It writes one beside each crate of the workspace; that of the binary holds the others.
    let file = format!("{name}.json");
    let made = root.join("crates/cli").join(&file);
    let kept = target.join(&file);
    std::fs::rename(&made, &kept).with_context(|| format!("{} is missing", made.display()))?;
    let crates = std::fs::read_dir(root.join("crates"))?;
    let folders = crates.filter_map(|entry| Some(entry.ok()?.path()));
    for folder in folders.chain([root.join("xtask")]) {
        // What was not written need not be removed.
        let _ = std::fs::remove_file(folder.join(&file));
    }
    Ok(kept)
}

/// The program of that name, built if it is not there yet.
fn built(root: &Path, target: &Path, name: &str) -> Result<PathBuf> {
    let tools = target.join("tools").join(name);
    let program = tools.join("bin").join(name);
    if !program.exists() {
        let mut install = process::cargo(root, ["install", "--locked", name, "--root"]);
        install.arg(&tools);
        ensure!(
            process::run(install)?,
            "{name} cannot be installed: try cargo install {name} by hand"
        );
    }
    Ok(program)
}
