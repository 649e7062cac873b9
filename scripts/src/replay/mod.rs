//! `replay`: plays the tapes of a run that was recorded (`run --record`) against the scheduler that this program is
//! built with, and compares call by call.
//!
//! [`player`] plays one CPU's tape, [`witness`] puts before each read what the kernel found there, [`show`] tells a
//! difference. What is on a tape, and why that's enough, is in `sched/src/tape`.

mod names;
mod player;
mod settings;
mod show;
#[cfg(test)]
mod tests;
mod witness;

use std::path::{Path, PathBuf};

use anstream::println;
use anyhow::{Context, Result, ensure};
use bench::units::Plural;
use clap::Args;
use taped::tape::file::{Recording, Run};

use crate::place;
use crate::style::{BAD, GOOD, field, paint, warn};
use player::{Part, Played};

/// `replay`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status: 0 every call came out the same, 1 one did not, 2 bad input.

Examples:
  cargo xtask run --record=run.tape -- suite=balance   record a run
  cargo xtask replay run.tape                          every decision again, and compare
  cargo xtask replay run.tape --policy round-robin     the first one that another policy takes otherwise
  cargo xtask replay run.tape -- sched.hysteresis=1ms  the same for another time constant")]
pub struct Replay {
    /// What `run --record` saved
    #[arg(value_name = "TAPE")]
    tape: PathBuf,

    /// Decide by this policy instead of the run's
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,

    /// Fail if fewer decisions than this could be compared
    #[arg(long, value_name = "N", default_value_t = 1)]
    at_least: u64,

    /// Settings of the scheduler in place of the run's, such as sched.hysteresis=1ms
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

impl Replay {
    /// Plays all tapes; the status is 1 if a call came out otherwise.
    pub fn execute(&self) -> Result<u8> {
        let recording = read(&self.tape)?;
        let mut words = self.settings.clone();
        words.extend(self.policy.iter().map(|name| format!("policy={name}")));
        let config = settings::changed(recording.run.config, &words)?;
        say_where_it_gives_up();
        introduce(&self.tape, &recording.run);
        let mut total = Played::default();
        for (label, bytes) in &recording.tapes {
            let part = Part { run: &recording.run, label: *label, bytes, config };
            let played = part.play().with_context(|| format!("CPU {}", label.cpu))?;
            report(&part, &played)?;
            total += played;
        }
        Ok(u8::from(!self.conclude(&recording, &total)))
    }

    /// The last word; whether all is well.
    fn conclude(&self, recording: &Recording, total: &Played) -> bool {
        let Played { calls, decisions, .. } = *total;
        let counts = format!("{calls} calls replayed, {decisions} decisions compared");
        let few = decisions < self.at_least;
        if total.difference.is_none() && !few {
            println!("{} {counts}", paint(GOOD, "identical"));
            return true;
        }
        let why = if few { format!(", and {} were asked for", self.at_least) } else { String::new() };
        println!(
            "{} {counts}{why}",
            paint(BAD, if total.difference.is_some() { "different" } else { "too few" })
        );
        if place::commit().is_none_or(|commit| commit != recording.run.commit) {
            warn(&format!(
                "the kernel was of commit {}, which this program may not be",
                recording.run.commit
            ));
        }
        false
    }
}

/// Reads a file of tapes.
fn read(tape: &Path) -> Result<Recording> {
    let bytes = std::fs::read(tape).with_context(|| format!("cannot read the tape {}", tape.display()))?;
    let recording =
        Recording::read(&bytes).with_context(|| format!("{} is no whole tape", place::shown(tape)))?;
    ensure!(!recording.tapes.is_empty(), "{} holds no CPU's tape", place::shown(tape));
    Ok(recording)
}

/// Panics abort this program, so what they say of the replay is said here.
fn say_where_it_gives_up() {
    std::panic::set_hook(Box::new(|panic| {
        let (cpu, call) = player::at();
        let place = panic.location().map(|place| format!(" ({place})")).unwrap_or_default();
        let said = panic.payload_as_str().unwrap_or("it panicked");
        println!("{} CPU {cpu} gives up at call {call}: {said}{place}", paint(BAD, "different"));
        std::process::exit(1);
    }));
}

fn introduce(tape: &Path, run: &Run) {
    let Run { commit, cpus, config, .. } = run;
    let cpus = Plural(*cpus as usize, "CPU");
    field("tape", format!("{}, {cpus}, {}, commit {commit}", place::shown(tape), config.policy.name()));
}

/// What came of one CPU's tape.
fn report(part: &Part<'_>, played: &Played) -> Result<()> {
    let Played { calls, decisions, rearmed, difference } = played;
    let verdict = if difference.is_some() { paint(BAD, "then a difference") } else { "identical".into() };
    let rearmed = if *rearmed == 0 { String::new() } else { format!(", {rearmed} but for the timer") };
    let full = if part.label.full { "; the tape ran full" } else { "" };
    let cpu = format!("CPU {}", part.label.cpu);
    field(&cpu, format!("{calls} calls, {decisions} decisions, {verdict}{rearmed}{full}"));
    if let Some(difference) = difference {
        println!("\n{}", show::difference(part.label.cpu, difference, &part.shared()?));
    }
    Ok(())
}

impl std::ops::AddAssign for Played {
    /// The sum, and the first difference of all.
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.decisions += other.decisions;
        self.rearmed += other.rearmed;
        self.difference = self.difference.take().or(other.difference);
    }
}
