//! `cargo xtask conform`: a real server against its own `OpenAPI` description, by schemathesis with every check it has.
//! Requests are generated from the description, good and bad ones; answers must be what is described.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::corpus::client::Client;
use crate::corpus::server::Server;
use crate::process;
use crate::tools::{PYTHON, Toolbox};

/// What to do.
pub(crate) struct Plan {
    /// Requests generated for each operation and phase, at most.
    pub(crate) examples: u32,
    /// Which ones.
    pub(crate) seed: u64,
}

/// Runs the plan against the binary at `binary`; false if an answer is not as described. `tools` is a folder to
/// install into.
pub(crate) fn run(binary: &Path, plan: &Plan, tools: &Path) -> Result<bool> {
    let program = install(tools)?;
    let folder = tempfile::tempdir().context("a folder for the vault")?;
    let vaults = folder.path().join("served");
    std::fs::create_dir(&vaults)?;
    // With a token instead of a password, wrong ones, which it tries, make nobody wait.
    let server = Server::start_with_token(binary, &vaults)?;
    let (address, token) = (server.address(), server.token().context("its token")?);
    // Something to find: the first ids are a project, a collection and two versions of an asset.
    let client = Client::with_password(address, token);
    let collection = client.create_place("P", "C")?;
    for text in ["fn main() {}\n", "fn main() { }\n"] {
        client.add(collection, "main.rs", text.as_bytes())?;
    }
    let config = folder.path().join("schemathesis.toml");
    std::fs::write(&config, CONFIG).context("the settings")?;
    // Of thousands of requests some hundred bear no valid credentials, and who sends too many of those has to wait.
    let pace: &[&str] = match plan.examples {
        ..=50 => &[],
        _ => &["--rate-limit", "2400/m"],
    };
    let words = [
        "--config-file",
        &config.display().to_string(),
        "run",
        &format!("http://{address}/api/openapi.json"),
        "--url",
        &format!("http://{address}"),
        "--auth",
        &format!("x:{token}"),
        "--checks",
        "all",
        "--max-examples",
        &plan.examples.to_string(),
        "--seed",
        &plan.seed.to_string(),
        // A stream without an end is no answer that can be read to its end.
        "--exclude-path",
        "/api/events",
        "--no-color",
    ];
    let words = words.iter().chain(pace);
    let good = process::run(process::command(&program, folder.path(), words))?;
    server.stop()?;
    let verified = process::command(
        binary,
        &vaults,
        ["--quiet", "verify", "--deep", "default.vault"],
    );
    ensure!(process::run(verified)?, "the vault does not verify");
    Ok(good)
}

/// What its checks are told of this API. 422 says that what is in an asset cannot be shown in the way that was asked for, or
/// that parameters exclude each other, which a description has no words for: the request was well-formed. Where the
/// description does not name it, it is a failure all the same.
const CONFIG: &str = r#"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429", "5xx"]
"#;

/// schemathesis in an environment of its own, made once.
fn install(tools: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(tools)?;
    let environment = tools.join("schemathesis");
    let program = environment.join("bin/schemathesis");
    if program.exists() {
        return Ok(program);
    }
    let python = Toolbox::default()
        .ensure(&PYTHON)
        .map_err(anyhow::Error::msg)?;
    let target = environment.display().to_string();
    let made = process::command(&python, tools, ["-m", "venv", "--clear", &target]);
    ensure!(
        process::run(made)?,
        "a Python environment cannot be made: install python3-venv"
    );
    let words = ["-m", "pip", "install", "--quiet", "schemathesis==4.*"];
    ensure!(
        process::run(process::command(
            environment.join("bin/python"),
            tools,
            words
        ))?,
        "schemathesis cannot be installed: try pip install schemathesis by hand"
    );
    Ok(program)
}

/// Where the tools of this workspace are installed.
pub(crate) fn tools(root: &Path) -> PathBuf {
    crate::corpus::target(root).join("tools")
}
