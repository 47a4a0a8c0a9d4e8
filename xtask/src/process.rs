//! Runs child processes in the workspace, showing their output as it comes.
//!
//! Owns starting, echoing and waiting. What a line means is decided by the caller.
#![expect(clippy::print_stdout, reason = "echoes what the child prints")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// A command with its folder and arguments set; environment and standard input are inherited.
pub(crate) fn command<S: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    folder: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments);
    command
}

/// The cargo that runs us, so that a nested call uses the same toolchain.
pub(crate) fn cargo<S: AsRef<OsStr>>(
    folder: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    command(cargo, folder, arguments)
}

/// Runs to the end and tells whether it succeeded; fails only if it could not be started.
pub(crate) fn run(mut command: Command) -> Result<bool> {
    println!("$ {}", shown(&command));
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", shown(&command)))?;
    Ok(status.success())
}

/// As [`run`], and calls `on_line` with each line of standard output after echoing it.
///
/// Bytes that are not UTF-8 are shown as U+FFFD: test runners print what a test printed.
pub(crate) fn run_reading(mut command: Command, mut on_line: impl FnMut(&str)) -> Result<bool> {
    println!("$ {}", shown(&command));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", shown(&command)))?;
    let mut output = BufReader::new(child.stdout.take().expect("standard output is piped above"));
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        on_line(text.trim_end_matches(['\r', '\n']));
        line.clear();
    }
    Ok(child.wait()?.success())
}

/// The command as a person would type it; long argument lists are cut.
fn shown(command: &Command) -> String {
    const WORDS_MAX: usize = 14;
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let words: Vec<_> = std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let more = if words.len() > WORDS_MAX { " …" } else { "" };
    words[..words.len().min(WORDS_MAX)].join(" ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_the_exit_is_told() {
        let mut lines = Vec::new();
        let script = "printf 'one\\ntwo'; exit 3";
        let good = run_reading(command("sh", Path::new("."), ["-c", script]), |line| {
            lines.push(line.to_owned());
        });
        assert!(!good.expect("sh can be started"));
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        assert!(run(command("no-such-program", Path::new("."), [""; 0])).is_err());
    }

    #[test]
    fn shown_commands_stay_short() {
        let many = command(
            "/usr/bin/prog",
            Path::new("."),
            (0..99).map(|n| n.to_string()),
        );
        let text = shown(&many);
        assert!(text.starts_with("prog 0 1 2 "), "{text}");
        assert!(text.ends_with(" …"), "{text}");
    }
}
