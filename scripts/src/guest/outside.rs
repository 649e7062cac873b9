//! What happens to a guest from outside while it runs: cues, each a line of its log and what follows on it.
//!
//! ```text
//! after 'planted': inject-nmi
//! after 'the suite begins': stop; wait 1s; cont
//! after 'the suite begins': hold 1 500ms
//! after 'planted': human-monitor-command {"command-line": "mce 1 9 0xbd00000000000000 5 0 0"}
//! ```

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::log::Line;
use crate::qemu::hold::hold;
use crate::qemu::monitor::Monitor;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Let the guest go on for a while.
    Wait(Duration),
    /// Keep one of the guest's CPUs from running for so long.
    Hold(u32, Duration),
    /// Have QEMU do something.
    Execute(String, Option<Value>),
}

impl Act {
    fn parse(text: &str) -> Result<Self> {
        let (word, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        ensure!(!word.is_empty(), "a cue has something to do between `;` and `;`");
        if word == "wait" {
            return Ok(Self::Wait(humantime::parse_duration(rest).context("`wait` takes a time")?));
        }
        if word == "hold" {
            let (cpu, time) = rest.split_once(' ').context("`hold` takes a CPU and a time")?;
            let time = humantime::parse_duration(time).context("`hold` takes a time after its CPU")?;
            return Ok(Self::Hold(cpu.parse().context("`hold` takes a CPU's number")?, time));
        }
        let arguments = (!rest.is_empty()).then(|| serde_json::from_str(rest)).transpose();
        Ok(Self::Execute(word.to_owned(), arguments.context("arguments are JSON")?))
    }

    /// How long it takes by itself.
    pub fn time(&self) -> Option<Duration> {
        match self {
            Self::Wait(time) | Self::Hold(_, time) => Some(*time),
            Self::Execute(..) => None,
        }
    }

    /// Does it, and leaves QEMU's monitor, which talks to one at a time, to whoever comes next.
    fn perform(&self, socket: &Path) -> Result<()> {
        match self {
            Self::Wait(time) => thread::sleep(*time),
            Self::Hold(cpu, time) => hold(socket, *cpu, *time)?,
            Self::Execute(command, arguments) => {
                Monitor::connect(socket)?.execute(command, arguments.as_ref())?;
            }
        }
        Ok(())
    }
}

/// What to do when the guest prints a certain line, once.
#[derive(Debug, Clone, PartialEq)]
pub struct Cue {
    /// What the line contains.
    pub after: String,
    /// What is done then, one after the other.
    pub acts: Vec<Act>,
    /// Whether the guest may end before all is done.
    pub until_the_end: bool,
}

impl Cue {
    /// Reads a cue as the module shows them.
    ///
    /// # Errors
    /// It's none.
    pub fn parse(text: &str) -> Result<Self> {
        let (after, acts) = text
            .strip_prefix("after '")
            .and_then(|rest| rest.split_once("': "))
            .context("a cue is like: after 'text': command; wait 1s; command")?;
        ensure!(!after.is_empty(), "a cue waits for some text");
        let acts = acts.split(';').map(Act::parse).collect::<Result<_>>()?;
        Ok(Self { after: after.to_owned(), acts, until_the_end: false })
    }

    fn perform(&self, socket: &Path) -> Result<()> {
        let done = self.acts.iter().try_for_each(|act| act.perform(socket));
        if self.until_the_end { Ok(()) } else { done }
    }
}

/// The way to a running guest, and what was cued.
pub struct Outside {
    socket: PathBuf,
    cues: Vec<Cue>,
    performing: Vec<JoinHandle<Result<()>>>,
}

impl Outside {
    /// For the guest of the QEMU that listens at `socket`.
    pub fn new(socket: &Path, cues: &[Cue]) -> Self {
        Self { socket: socket.to_owned(), cues: cues.to_vec(), performing: vec![] }
    }

    /// Takes a line of the guest's, which may be a cue.
    pub fn hear(&mut self, line: &Line) {
        let text = line.text();
        let (due, waiting) =
            std::mem::take(&mut self.cues).into_iter().partition(|cue| text.contains(&cue.after));
        self.cues = waiting;
        let due: Vec<Cue> = due;
        if !due.is_empty() {
            let socket = self.socket.clone();
            // One after the other, so one thread for all that this line cues.
            self.performing.push(thread::spawn(move || due.iter().try_for_each(|cue| cue.perform(&socket))));
        }
    }

    /// Asks the guest what its CPUs do. It may be beyond answering, or QEMU beyond asking it.
    pub fn ask_for_states(&self) -> bool {
        Monitor::connect(&self.socket).is_ok_and(|mut monitor| monitor.execute("inject-nmi", None).is_ok())
    }

    /// Whether all that was cued was done.
    ///
    /// # Errors
    /// What was not.
    pub fn finish(self) -> Result<()> {
        for acts in self.performing {
            acts.join().map_err(|_| anyhow!("a cue gave up"))?.context("what was cued could not be done")?;
        }
        if let Some(cue) = self.cues.first() {
            bail!("no line has `{}`, which was to be a cue", cue.after);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cue_is_a_text_and_what_follows_on_it() {
        let cue = Cue::parse(r#"after 'CPU 1': stop; wait 1s;cont; mce {"cpu": 1}; hold 2 5ms"#).unwrap();
        assert_eq!(cue.after, "CPU 1");
        let execute = |command: &str| Act::Execute(command.into(), None);
        let mce = Act::Execute("mce".into(), Some(json!({"cpu": 1})));
        let (wait, hold) = (Act::Wait(Duration::from_secs(1)), Act::Hold(2, Duration::from_millis(5)));
        assert_eq!(cue.acts, [execute("stop"), wait, execute("cont"), mce, hold]);
    }

    #[test]
    fn half_a_cue_is_none() {
        for text in
            ["stop", "after x: stop", "after '': stop", "after 'x':", "after 'x': ;", "after 'x': wait long"]
        {
            assert!(Cue::parse(text).is_err(), "{text}");
        }
        for acts in ["mce {cpu}", "hold", "hold 1", "hold x 1s", "hold 1 long"] {
            assert!(Cue::parse(&format!("after 'x': {acts}")).is_err(), "{acts}");
        }
    }

    #[test]
    fn a_cue_that_never_comes_or_cannot_be_done_is_an_error() {
        let cues = [Cue::parse("after 'late': stop").unwrap()];
        let mut outside = Outside::new(Path::new("/nowhere"), &cues);
        outside.hear(&Line::Text("early".into()));
        assert!(outside.finish().unwrap_err().to_string().contains("`late`"));
        let mut outside = Outside::new(Path::new("/nowhere"), &cues);
        outside.hear(&Line::Text("it is late".into()));
        assert!(outside.finish().unwrap_err().to_string().contains("could not be done"));
    }
}
