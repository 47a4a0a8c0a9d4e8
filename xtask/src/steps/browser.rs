//! Tests from outside: the real binary, a real browser, real files.
//!
//! Builds the program once, installs the browser driver as its lock file says, and hands both
//! programs' paths to `tests-browser/` through the environment.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::{Report, rust, web};
use crate::process;
use crate::tools::{BROWSER, NPM, Toolbox, UNZIP};

pub(super) fn test(root: &Path, toolbox: &mut Toolbox) -> Result<Report> {
    let node = match web::node(toolbox) {
        Ok(node) => node,
        Err(sentence) => return Ok(Report::missing(sentence)),
    };
    let mut missing = Vec::new();
    let mut found = Vec::new();
    for tool in [&NPM, &UNZIP, &BROWSER] {
        match toolbox.ensure(tool) {
            Ok(path) => found.push(path),
            Err(sentence) => missing.push(sentence),
        }
    }
    let [npm, _unzip, browser] = found.as_slice() else {
        return Ok(Report {
            missing,
            ..Report::default()
        });
    };
    rust::build(root)?;
    let folder = root.join("tests-browser");
    install_driver(npm, &folder)?;
    // Two cores drive a server and a browser: one test file at a time keeps timings honest.
    let options = ["--test-concurrency=1", "--test-timeout=600000"];
    web::run_tests(&node, &folder, &options, |command| {
        command
            .env("COMPACTVAULT_PROGRAM", program(root))
            .env("COMPACTVAULT_TEST_BROWSER", browser);
    })
}

/// `npm ci`, unless what it would install is there: npm leaves its own lock in the folder.
fn install_driver(npm: &Path, folder: &Path) -> Result<()> {
    let wanted = std::fs::metadata(folder.join("package-lock.json"))?.modified()?;
    let installed = std::fs::metadata(folder.join("node_modules/.package-lock.json"))
        .and_then(|metadata| metadata.modified());
    if installed.is_ok_and(|installed| installed >= wanted) {
        return Ok(());
    }
    let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    ensure!(
        process::run(process::command(npm, folder, words))?,
        "npm could not install"
    );
    Ok(())
}

pub(super) fn program(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    root.join(target)
        .join("debug")
        .join(format!("compactvault{}", std::env::consts::EXE_SUFFIX))
}
