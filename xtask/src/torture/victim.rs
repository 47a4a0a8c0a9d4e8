//! The real binary as a child that tells what it is writing, so that it can be killed in the middle of it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::random::Random;

/// Whoever says nothing for so long hangs.
const SILENCE_MAX: Duration = Duration::from_mins(2);
/// What something takes that was not seen to its end yet.
const FIRST_GUESS: Duration = Duration::from_millis(4);

/// How long each kind of work takes, as far as that was seen.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    of: BTreeMap<String, Duration>,
    /// Kills in a row that came too late.
    late: u32,
}

impl Lengths {
    fn saw(&mut self, what: &str, took: Duration) {
        let known = self.of.entry(what.to_owned()).or_insert(took);
        *known = (*known * 3 + took) / 4;
    }

    /// Some moment within it.
    fn moment(&self, what: &str, random: &mut Random) -> Duration {
        let length = self.of.get(what).copied().unwrap_or(FIRST_GUESS);
        let share = f64::from(u32::try_from(random.below(1000)).unwrap_or(0)) / 1000.0;
        // Hearing of it took a moment already, so rather early than late.
        length.mul_f64(share * share) / (1 + self.late)
    }
}

/// How a child ended.
pub(super) enum End {
    /// Killed in the middle of this.
    Caught(String),
    /// Killed when that was over already; the next kill comes earlier.
    Late,
    /// By itself, before it came to what it was to be killed in.
    Itself(ExitStatus),
}

impl End {
    /// For those who watch.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Caught(what) => format!("killed in “{what}”"),
            Self::Late => "killed too late".to_owned(),
            Self::Itself(status) => status.to_string(),
        }
    }
}

/// What a child says: what, whether it begins, and when that was heard.
struct Event {
    what: String,
    begins: bool,
    at: Instant,
}

/// The child.
pub(super) struct Victim {
    child: Child,
    events: Receiver<Event>,
    /// What has begun and not ended.
    open: Vec<(String, Instant)>,
}

impl Victim {
    /// Starts it, with `-vv`.
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .arg("-vv")
            .stderr(Stdio::piped())
            .spawn()
            .context("starting the program")?;
        let lines = BufReader::new(child.stderr.take().context("its messages")?).lines();
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((what, begins)) = event(&line) {
                    let at = Instant::now();
                    if sender.send(Event { what, begins, at }).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Self {
            child,
            events,
            open: Vec::new(),
        })
    }

    /// The process.
    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    fn hear(&mut self, event: Event, lengths: &mut Lengths) {
        if event.begins {
            self.open.push((event.what, event.at));
        } else if let Some(at) = self.open.iter().rposition(|(what, _)| *what == event.what) {
            let (what, begun) = self.open.remove(at);
            lengths.saw(&what, event.at.duration_since(begun));
        }
    }

    /// Kills it at some moment of the `number`-th time (from 0) that it does one of `whats`.
    pub(super) fn kill_in(
        &mut self,
        whats: &[&str],
        number: u64,
        random: &mut Random,
        lengths: &mut Lengths,
    ) -> Result<End> {
        let mut left = number;
        loop {
            match self.events.recv_timeout(SILENCE_MAX) {
                Ok(event) => {
                    let is_it = event.begins && whats.contains(&event.what.as_str());
                    let what = event.what.clone();
                    self.hear(event, lengths);
                    if is_it && left == 0 {
                        std::thread::sleep(lengths.moment(&what, random));
                        break;
                    }
                    left -= u64::from(is_it);
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(End::Itself(self.child.wait()?)),
                Err(RecvTimeoutError::Timeout) => anyhow::bail!("it hangs"),
            }
        }
        self.child.kill()?;
        self.child.wait()?;
        // Up to its last word: what it said before it died and nobody had heard yet.
        while let Ok(event) = self.events.recv() {
            self.hear(event, lengths);
        }
        let caught = self
            .open
            .iter()
            .rev()
            .find(|(what, _)| whats.contains(&what.as_str()));
        if let Some((what, _)) = caught {
            lengths.late = 0;
            Ok(End::Caught(what.clone()))
        } else {
            lengths.late += 1;
            Ok(End::Late)
        }
    }

    /// All that it prints, once it has ended.
    pub(super) fn printed(&mut self) -> Result<String> {
        let mut text = String::new();
        if let Some(mut output) = self.child.stdout.take() {
            output.read_to_string(&mut text)?;
        }
        Ok(text)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Whatever went wrong, no process is left behind; it may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a line of the log says, if it is one of those: `… begins what="seal"`.
fn event(line: &str) -> Option<(String, bool)> {
    let (rest, what) = line.split_once(" what=\"")?;
    let begins = rest.ends_with("begins");
    (begins || rest.ends_with("ended")).then(|| {
        let what = what.split('"').next().unwrap_or_default();
        (what.to_owned(), begins)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_child_does_is_read_from_its_log() {
        let line =
            "2026-01-01T00:00:00Z DEBUG compactvault_vault::doing: begins what=\"copy the WAL\"";
        assert_eq!(event(line), Some(("copy the WAL".to_owned(), true)));
        let line = "DEBUG compactvault_vault::doing: ended what=\"seal\"";
        assert_eq!(event(line), Some(("seal".to_owned(), false)));
        assert_eq!(event("WARN commit failed what=\"seal\""), None);
    }
}
