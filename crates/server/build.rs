//! Writes the table of the page's files, so that the binary carries them all. Tests, tool settings, notes and hidden
//! files stay out; a file that comes or goes makes the table anew.
//!
//! The files run as they are written (`--assets web`). The binary carries them without what is there for people only,
//! comments and spare whitespace; `tests-browser/carried.test.js` holds that nothing else differs.
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it"));
    let web = manifest_dir.join("../../web");
    println!("cargo::rerun-if-changed={}", web.display());
    let mut files = Vec::new();
    collect(&web, "", &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for (name, path) in files {
        let carried = out.join("web").join(&name);
        fs::create_dir_all(carried.parent().expect("it lies in a folder"))?;
        let text = fs::read_to_string(&path)?;
        let text = without_spare(&text, &path)
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        fs::write(&carried, text)?;
        // The compiler reads the path back as a Rust string.
        let carried = carried.to_str().expect("the page's files have UTF-8 paths");
        writeln!(table, "    ({name:?}, include_bytes!({carried:?})),")
            .expect("writing to a string");
    }
    table.push_str("]\n");
    fs::write(out.join("web_files.rs"), table)
}

/// The same program, sheet or document in fewer bytes. Names stay, so that what a browser reports can be read.
fn without_spare(text: &str, path: &Path) -> Result<String, &'static str> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("js") => Ok(minifier::js::minify(text)?.to_string()),
        Some("css") => Ok(minifier::css::minify(text)?.to_string()),
        _ => Ok(text
            .lines()
            .map(str::trim_start)
            .collect::<Vec<_>>()
            .join("\n")),
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let skipped = [
            "tests",
            "README.md",
            "node_modules",
            "package.json",
            "package-lock.json",
        ];
        if name.starts_with('.') || skipped.contains(&name.as_str()) {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            collect(&path, &format!("{prefix}{name}/"), files)?;
        } else {
            files.push((format!("{prefix}{name}"), path));
        }
    }
    Ok(())
}
