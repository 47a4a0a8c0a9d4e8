//! Where results and messages go: results to standard output, as text or as JSON, messages to standard error.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

use crate::args::{Cli, LogFormat};
use crate::exit::Exit;

/// How results are printed.
#[derive(Debug)]
pub(crate) struct Output {
    /// As JSON.
    pub(crate) json: bool,
    /// Results alone: no progress, no remarks.
    pub(crate) quiet: bool,
    /// Remarks are read by a program, between the lines of a log.
    remarks_as_json: bool,
    screen: Screen,
    /// A list was begun as JSON and has not ended: `{..., "entries": [`.
    list_is_open: Cell<bool>,
    /// An object was printed: a second one would make both unreadable.
    has_result: Cell<bool>,
}

/// What standard output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Screen {
    /// A file or a pipe: names go there as they are.
    None,
    /// A terminal that should stay as it is.
    Plain,
    /// A terminal with colours.
    Coloured,
}

/// A colour with a meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    Good,
    Caution,
    Bad,
    Strong,
}

impl Output {
    pub(crate) fn new(cli: &Cli) -> Self {
        let global = &cli.global;
        // https://no-color.org: set and not empty.
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let screen = match (io::stdout().is_terminal(), no_colour) {
            (false, _) => Screen::None,
            (true, true) => Screen::Plain,
            (true, false) => Screen::Coloured,
        };
        Self {
            json: global.json,
            quiet: global.quiet,
            remarks_as_json: cli.log_format() == Some(LogFormat::Json),
            screen,
            list_is_open: Cell::new(false),
            has_result: Cell::new(false),
        }
    }

    /// Prints a line of text to standard output, unless JSON was asked for.
    pub(crate) fn line(&self, line: impl fmt::Display) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        writeln!(io::stdout().lock(), "{line}")
    }

    /// Prints a line of bytes as they are, or `shown` on a terminal.
    pub(crate) fn name_line(
        &self,
        out: &mut dyn Write,
        before: &str,
        raw: &[u8],
        shown: &str,
        after: &str,
    ) -> io::Result<()> {
        out.write_all(before.as_bytes())?;
        if self.screen == Screen::None {
            out.write_all(raw)?;
        } else {
            out.write_all(shown.as_bytes())?;
        }
        writeln!(out, "{after}")
    }

    /// Prints the result as JSON, if that was asked for; the first of them, if there are several.
    pub(crate) fn result(&self, value: impl FnOnce() -> Value) -> io::Result<()> {
        if !self.json {
            return Ok(());
        }
        if self.has_result.replace(true) {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &value())?;
        writeln!(out)
    }

    /// Tells something on standard error that is no result.
    pub(crate) fn remark(&self, line: impl fmt::Display) {
        if self.quiet {
            return;
        }
        // Where standard error is closed nobody wants to know.
        let _ = if self.remarks_as_json {
            let line = json!({ "level": "INFO", "message": line.to_string() });
            writeln!(io::stderr().lock(), "{line}")
        } else {
            writeln!(io::stderr().lock(), "{line}")
        };
    }

    /// Tells why the command failed: one line on standard error, and an object where JSON was asked for.
    pub(crate) fn error(&self, error: &anyhow::Error, code: &str, exit: Exit) {
        let message = if crate::interrupt::was_interrupted() && code == "stopped" {
            error
                .downcast_ref::<crate::exit::Stopped>()
                .map_or_else(|| "stopped before the end".into(), ToString::to_string)
        } else {
            format!("{error:#}")
        };
        let detail = json!({ "code": code, "message": message, "exit_code": exit as u8 });
        // Where neither can be written to nobody wants to know.
        let _ = writeln!(io::stderr().lock(), "compactvault: {message}");
        let _ = if self.list_is_open.get() {
            writeln!(io::stdout().lock(), "\n],\"error\":{detail}}}")
        } else {
            self.result(|| json!({ "error": detail }))
        };
    }

    /// Notes that a list was begun or ended, so that an error in its middle still leaves one whole object.
    pub(crate) fn open_list(&self, is_open: bool) {
        self.list_is_open.set(is_open);
    }

    /// `text` in a colour, where there are colours.
    pub(crate) fn tone(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Caution => "33",
            Tone::Bad => "31",
            Tone::Strong => "1",
        };
        if self.screen == Screen::Coloured {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Sends what the libraries log to standard error: warnings, or more with `-v`.
pub(crate) fn start_logging(cli: &Cli) {
    use tracing_subscriber::filter::LevelFilter;
    let level = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let logging = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(cli.global.verbose > 1);
    // A server's messages are read later, a command's at once.
    match cli.log_format() {
        Some(LogFormat::Json) => logging
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .init(),
        Some(LogFormat::Text) => logging.init(),
        None => logging.without_time().init(),
    }
}
