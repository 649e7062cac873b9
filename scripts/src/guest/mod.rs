//! A running guest: starts the emulator, follows the log file that it writes, and knows when to give up.
//!
//! It writes the serial line to a file rather than to a pipe: a reader that is slow can then not
//! slow the guest, and the log survives whatever happens to this program.

mod judge;
mod outside;
mod tail;

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

pub use judge::Outcome;
use judge::judge;
pub use outside::{Act, Cue, Outside};
use tail::Tail;

use crate::emulator::Emulator;
use crate::input::{Feeder, Typist};
use crate::interrupt;
use crate::log::{Line, Transcript};
use crate::process::Group;

const POLL: Duration = Duration::from_millis(20);

/// How long after its last word a guest may take to power off. What comes after the closing record counts: saving a
/// tape takes a while, and says so.
const GRACE: Duration = Duration::from_secs(10);

/// How long a guest that hangs has to say what its CPUs do.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// More log than any suite prints: a guest that goes beyond it prints in a loop.
const FLOOD: u64 = 8 << 20;

/// How long a guest may take, and how long it may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From start to end; `None`: no limit.
    pub total: Option<Duration>,
    /// Between two lines; `None`: no limit.
    pub silence: Option<Duration>,
}

/// How the emulator came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, or killed by somebody else.
    Exited(ExitStatus),
    /// By the guest's word; the status tells nothing.
    PoweredOff,
    /// Killed: nothing new for this long.
    Silent(Duration),
    /// Killed: not finished after this long.
    TimedOut(Duration),
    /// Killed: it had said its last word, and did not power off.
    Lingered,
    /// Killed: it printed without end.
    Flooded,
    /// Killed: the user asked for it.
    Interrupted,
}

/// A guest that ended.
#[derive(Debug)]
pub struct Report {
    /// What became of it.
    pub outcome: Outcome,
    /// What it printed.
    pub transcript: Transcript,
    /// What the emulator itself had to say.
    pub emulator_said: String,
    /// From start to end.
    pub took: Duration,
}

/// Starts `emulator` by `command`, which writes the serial line to `log` and takes it from `typist`, if there is one, and
/// shows `each` line as it comes. `outside` does what it has been told to when a line comes.
///
/// # Errors
/// The emulator cannot be started, the log cannot be read, or what was to be done from outside was not. Whatever the guest
/// does is in the report.
pub fn watch(
    emulator: &Emulator,
    mut command: Command,
    log: PathBuf,
    typist: Option<Typist>,
    limits: Limits,
    outside: Outside,
    each: &mut dyn FnMut(&Line),
) -> Result<Report> {
    let program = command.get_program().to_owned();
    let stdin = if typist.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::piped());
    std::fs::write(&log, "").with_context(|| format!("cannot write the log {}", log.display()))?;
    let mut group =
        Group::spawn(&mut command).with_context(|| format!("cannot start {}", program.to_string_lossy()))?;
    let complaints = collect(group.child().stderr.take());
    let feeder = typist.zip(group.child().stdin.take()).map(|(typist, pipe)| Feeder::new(typist, pipe));
    let mut watch = Watch::new(Tail::of(log), feeder, limits, outside);
    let end = watch.follow(&mut group, each)?;
    watch.rest(each)?;
    drop(group);
    watch.outside.finish()?;
    let (end, emulator_said) = emulator.interpret(end, complaints.join().unwrap_or_default());
    Ok(Report {
        outcome: judge(end, &watch.transcript, &emulator_said),
        took: watch.started.elapsed(),
        transcript: watch.transcript,
        emulator_said,
    })
}

/// Reads a pipe to its end beside everything else.
fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).trim().to_owned()
    })
}

struct Watch {
    tail: Tail,
    feeder: Option<Feeder>,
    limits: Limits,
    outside: Outside,
    transcript: Transcript,
    started: Instant,
    heard: Instant,
}

impl Watch {
    fn new(tail: Tail, feeder: Option<Feeder>, limits: Limits, outside: Outside) -> Self {
        let now = Instant::now();
        let transcript = Transcript::new(feeder.is_some());
        Self { tail, feeder, limits, outside, transcript, started: now, heard: now }
    }

    fn follow(&mut self, group: &mut Group, each: &mut dyn FnMut(&Line)) -> Result<End> {
        loop {
            let status = group.try_wait().context("cannot wait for the emulator")?;
            self.listen(each)?;
            if let Some(status) = status {
                return Ok(End::Exited(status));
            }
            if let Some(end) = self.give_up() {
                self.last_words(end, each)?;
                group.kill();
                return Ok(end);
            }
            thread::sleep(POLL);
        }
    }

    /// Takes what is new; false when nothing is.
    fn listen(&mut self, each: &mut dyn FnMut(&Line)) -> Result<bool> {
        let fresh = self.tail.read()?;
        if fresh.is_empty() {
            return Ok(false);
        }
        self.heard = Instant::now();
        for line in self.transcript.feed(&fresh) {
            self.outside.hear(&line);
            each(&line);
        }
        if let Some(feeder) = &mut self.feeder {
            each(&Line::Begun(self.transcript.begun()));
            feeder.feed(self.transcript.prompts());
        }
        Ok(true)
    }

    /// Has a guest that hangs say what its CPUs do, and waits until it has.
    fn last_words(&mut self, end: End, each: &mut dyn FnMut(&Line)) -> Result<()> {
        let hangs = matches!(end, End::Silent(_) | End::TimedOut(_));
        if !hangs || !self.outside.ask_for_states() {
            return Ok(());
        }
        let asked = Instant::now();
        while asked.elapsed() < LAST_WORDS && !interrupt::asked() {
            thread::sleep(POLL);
            self.listen(each)?;
        }
        Ok(())
    }

    /// Why the guest should be killed now, if it should.
    fn give_up(&self) -> Option<End> {
        let exceeds =
            |limit: Option<Duration>, since: Instant| limit.filter(|&limit| since.elapsed() >= limit);
        if interrupt::asked() {
            Some(End::Interrupted)
        } else if self.transcript.is_over() && self.heard.elapsed() >= GRACE {
            Some(End::Lingered)
        } else if self.tail.position() > FLOOD {
            Some(End::Flooded)
        } else if let Some(limit) = exceeds(self.limits.total, self.started) {
            Some(End::TimedOut(limit))
        } else {
            exceeds(self.limits.silence, self.heard).map(End::Silent)
        }
    }

    /// What was written between the last look and the end.
    fn rest(&mut self, each: &mut dyn FnMut(&Line)) -> Result<()> {
        while self.tail.position() <= FLOOD && self.listen(each)? {}
        self.transcript.finish().iter().for_each(each);
        Ok(())
    }
}
