//! What other people's crates bring along: terms that `deny.toml` allows, and one source.
//!
//! The quick form of `cargo xtask deny`, which takes minutes to build: it believes what a crate says of itself.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

use super::Finding;

const TERMS: &str = "deny.toml";

/// Asks cargo for all crates of the workspace, on every platform.
pub(super) fn dependencies_are_welcome(root: &Path) -> Result<Vec<Finding>> {
    let words = ["metadata", "--format-version", "1", "--locked"];
    let answer = crate::process::cargo(root, words).output()?;
    ensure!(
        answer.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&answer.stderr)
    );
    let metadata: Value = serde_json::from_slice(&answer.stdout)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let terms = std::fs::read_to_string(root.join(TERMS))?;
    Ok(unwelcome(packages, &allowed(&terms)))
}

/// The licences in the list `allow`.
fn allowed(terms: &str) -> BTreeSet<&str> {
    let lines = terms.lines().map(str::trim);
    lines
        .skip_while(|line| !line.starts_with("allow = ["))
        .skip(1)
        .take_while(|line| *line != "]")
        .map(|line| line.trim_matches(['"', ',']))
        .collect()
}

fn unwelcome(packages: &[Value], allowed: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let welcome = |terms: &LicenseReq| allowed.contains(terms.to_string().as_str());
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let is_ours = package["source"].is_null();
        if !is_ours
            && package["source"]
                .as_str()
                .is_none_or(|source| !source.starts_with("registry+"))
        {
            let message = format!("{name} does not come from the registry");
            findings.push(Finding::whole("Cargo.lock", message));
        }
        let licence = package["license"].as_str().unwrap_or_default();
        let may_be_used = Expression::parse_mode(licence, ParseMode::LAX)
            .is_ok_and(|terms| terms.evaluate(welcome));
        if !may_be_used {
            let message = format!("{name} is under \"{licence}\", which {TERMS} does not allow");
            findings.push(Finding::whole("Cargo.lock", message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_allowed_terms_from_the_registry_are_welcome() {
        let terms = "[licenses]\nallow = [\n    \"MIT\",\n    \"Zlib\",\n]\n";
        let crate_of = |name: &str, licence: &str, source: Option<&str>| json!({"name": name, "license": licence, "source": source});
        let registry = Some("registry+somewhere");
        let packages = [
            crate_of("ours", "MIT", None),
            crate_of("either", "GPL-3.0-only OR MIT", registry),
            crate_of("old", "MIT/Apache-2.0", registry),
            crate_of("both", "MIT AND Apache-2.0", registry),
            crate_of("silent", "", registry),
            crate_of("forked", "Zlib", Some("git+somewhere")),
        ];
        let found = unwelcome(&packages, &allowed(terms));
        let named: Vec<_> = found
            .iter()
            .map(|finding| finding.message.split(' ').next())
            .collect();
        assert_eq!(named, [Some("both"), Some("silent"), Some("forked")]);
    }
}
