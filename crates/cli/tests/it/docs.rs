//! docs/cli.md says what `--help` says. To bring it up to date: `COMPACTVAULT_WRITE_DOCS=1 cargo test -p compactvault`.

use std::fs;
use std::path::Path;

use super::harness::Place;

const COMMANDS: [&str; 20] = [
    "",
    "init",
    "add",
    "ls",
    "get",
    "export",
    "verify",
    "scrub",
    "reindex",
    "status",
    "backup",
    "freeze",
    "rescue",
    "checkpoint",
    "proof",
    "check-proof",
    "consistency",
    "log",
    "log export",
    "serve",
];

#[test]
fn the_reference_is_what_help_prints() {
    let place = Place::empty();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let written = fs::read_to_string(&path).expect("docs/cli.md is there");
    let mut expected = written.clone();
    for command in COMMANDS {
        let args = command.split_whitespace().chain(["--help"]);
        let help = place.run(args).expect_code(0).text();
        let title = if command.is_empty() {
            "compactvault"
        } else {
            command
        };
        let mark = format!("<!-- help: {title} -->\n```text\n");
        let start = expected
            .find(&mark)
            .unwrap_or_else(|| panic!("docs/cli.md has no block for {title}"))
            + mark.len();
        let end = start + expected[start..].find("```").expect("the block ends");
        expected.replace_range(start..end, &tidied(&help));
    }
    if std::env::var_os("COMPACTVAULT_WRITE_DOCS").is_some() {
        fs::write(&path, &expected).expect("docs/cli.md can be written");
    } else {
        assert!(
            expected == written,
            "docs/cli.md is behind --help; run this test with COMPACTVAULT_WRITE_DOCS=1"
        );
    }
    let listed = place.run(["--help"]).text();
    for command in COMMANDS[1..].iter().filter(|name| !name.contains(' ')) {
        assert!(listed.contains(&format!("\n  {command} ")), "{command}");
    }
}

fn tidied(help: &str) -> String {
    let lines: Vec<_> = help.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}
