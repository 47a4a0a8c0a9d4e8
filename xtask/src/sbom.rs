//! `cargo xtask sbom`: the bill of materials of the binary, in `CycloneDX` form, by cargo-cyclonedx.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::process;

/// Writes it below the target folder and says where.
pub(crate) fn write(root: &Path, target: &Path) -> Result<PathBuf> {
    let tools = target.join("tools/cyclonedx");
    let program = tools.join("bin/cargo-cyclonedx");
    if !program.exists() {
        let words = ["install", "--locked", "cargo-cyclonedx", "--root"];
        let mut install = process::cargo(root, words);
        install.arg(&tools);
        ensure!(
            process::run(install)?,
            "cargo-cyclonedx cannot be installed: try cargo install cargo-cyclonedx by hand"
        );
    }
    let manifest = root.join("crates/cli/Cargo.toml");
    let name = "compactvault.cdx";
    let words = ["cyclonedx", "--format", "json", "--manifest-path"];
    let mut bill = process::command(&program, root, words);
    bill.arg(&manifest).args(["--override-filename", name]);
    ensure!(process::run(bill)?, "the bill could not be written");
    // It writes one beside each crate of the workspace; that of the binary holds the others.
    let made = root.join("crates/cli").join(format!("{name}.json"));
    let kept = target.join(format!("{name}.json"));
    std::fs::rename(&made, &kept).with_context(|| format!("{} is missing", made.display()))?;
    for crate_folder in ["crates/vault", "crates/server", "xtask"] {
        // What was not written need not be removed.
        let _ = std::fs::remove_file(root.join(crate_folder).join(format!("{name}.json")));
    }
    Ok(kept)
}
