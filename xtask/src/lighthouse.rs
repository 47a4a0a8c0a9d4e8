//! `cargo xtask lighthouse`: the page of a real server, screen by screen, as Lighthouse judges it on a desktop.
//! What it says of speed depends on the machine, so that this is a command and no test.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::corpus::client::Client;
use crate::corpus::server::Server;
use crate::process;
use crate::tools::{BROWSER, NPM, Toolbox};

/// What each screen must reach of 100.
const LEAST: [(&str, f64); 3] = [
    ("performance", 95.0),
    ("accessibility", 98.0),
    ("best-practices", 98.0),
];

/// Judges every screen with the binary at `binary` on the files directly in `folder`; false if one is below what it must
/// reach. `tools` is a folder to install into.
pub(crate) fn run(binary: &Path, folder: &Path, tools: &Path) -> Result<bool> {
    let mut toolbox = Toolbox::default();
    let npm = toolbox.ensure(&NPM).map_err(anyhow::Error::msg)?;
    let browser = toolbox.ensure(&BROWSER).map_err(anyhow::Error::msg)?;
    let program = install(&npm, tools)?;
    let temporary = tempfile::tempdir().context("a folder for the vault")?;
    let vaults = temporary.path().join("served");
    std::fs::create_dir(&vaults)?;
    let server = Server::start(binary, &vaults)?;
    let client = Client::new(server.address());
    let collection = client.create_place("Studio", "Pictures")?;
    let mut files = std::fs::read_dir(folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?
        .collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    for file in files.iter().filter(|file| file.path().is_file()) {
        let name = file.file_name().to_string_lossy().into_owned();
        client.add(collection, &name, &std::fs::read(file.path())?)?;
    }
    let asset = client.list_everything(collection)?.into_values().min();
    let asset = asset.with_context(|| format!("{} has no files", folder.display()))?;

    let headers = temporary.path().join("headers.json");
    let authorization = client.authorization();
    std::fs::write(
        &headers,
        serde_json::json!({ "Authorization": authorization }).to_string(),
    )?;
    let place = format!("/c/{collection}");
    let mut good = true;
    println!(
        "{:<24} {}",
        "screen",
        LEAST.map(|(name, _)| name).join("  ")
    );
    for screen in [
        "/".to_owned(),
        format!("{place}?as=grid"),
        format!("{place}?as=list"),
        format!("{place}?as=grid&i={asset}"),
        format!("{place}?q=type%3Aimage"),
        "/trust".to_owned(),
        "/uploads".to_owned(),
    ] {
        let address = format!("http://{}{screen}", server.address());
        let report = judge(&program, &browser, &headers, &address)
            .with_context(|| format!("Lighthouse did not judge {screen}"))?;
        good &= tell(&screen, &report);
    }
    server.stop()?;
    Ok(good)
}

fn judge(program: &Path, browser: &Path, headers: &Path, address: &str) -> Result<Value> {
    let names = LEAST.map(|(name, _)| name).join(",");
    let output = process::command(
        program,
        Path::new("."),
        [
            address,
            "--preset=desktop",
            "--quiet",
            "--output=json",
            "--output-path=stdout",
            &format!("--only-categories={names}"),
            &format!("--extra-headers={}", headers.display()),
            "--chrome-flags=--headless=new --no-sandbox --disable-quic --disable-background-networking \
             --disable-component-update --disable-sync --no-first-run",
        ],
    )
    .env("CHROME_PATH", browser)
    .stderr(Stdio::inherit())
    .output()?;
    ensure!(output.status.success(), "it ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A line for the screen, and one for each audit that cost it something where it is below what it must reach.
fn tell(screen: &str, report: &Value) -> bool {
    let scores = LEAST.map(|(name, _)| {
        let score = report["categories"][name]["score"].as_f64();
        score.map_or(0.0, |score| (score * 100.0).round())
    });
    let told: Vec<_> = LEAST
        .iter()
        .zip(scores)
        .map(|((name, _), score)| format!("{score:>width$}", width = name.len()))
        .collect();
    println!("{screen:<24} {}", told.join("  "));
    let mut good = true;
    for ((name, least), score) in LEAST.iter().zip(scores) {
        if score >= *least {
            continue;
        }
        good = false;
        println!("    {name} is {score}, and must be {least} at least:");
        let audits = report["categories"][name]["auditRefs"].as_array();
        for audit in audits.into_iter().flatten() {
            let audit = &report["audits"][audit["id"].as_str().unwrap_or_default()];
            if audit["score"].as_f64().is_some_and(|score| score < 0.9) {
                let value = audit["displayValue"].as_str().unwrap_or_default();
                println!("      {} {value}", audit["title"].as_str().unwrap_or("?"));
            }
        }
    }
    good
}

/// Lighthouse in a folder of its own, installed once.
fn install(npm: &Path, tools: &Path) -> Result<PathBuf> {
    let folder = tools.join("lighthouse");
    let program = folder.join("node_modules/.bin/lighthouse");
    if !program.exists() {
        std::fs::create_dir_all(&folder)?;
        let words = [
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            ".",
            "lighthouse@12",
        ];
        ensure!(
            process::run(process::command(npm, &folder, words))?,
            "Lighthouse cannot be installed: try npm install lighthouse by hand"
        );
    }
    Ok(program)
}
