//! The last word about a run: what became of it, which checks failed, and where the log is.

use std::path::Path;

use anstream::println;
use bench::record::Env;

use crate::guest::{Outcome, Report};
use crate::log::Transcript;
use crate::place;
use crate::qemu::Machine;
use crate::style::{BAD, DIM, GOOD, ODD, STRONG, field, paint};

/// How many of the guest's last lines a failure shows.
const LAST_LINES: usize = 8;

/// Where a run's files went and what it ran on.
pub struct Facts<'a> {
    /// The raw log.
    pub log: &'a Path,
    /// The result file, where one was asked for.
    pub json: Option<&'a Path>,
    /// The tape, where one was kept.
    pub tape: Option<&'a Path>,
    /// The machine.
    pub machine: &'a Machine,
    /// How it was emulated, and by what.
    pub emulation: String,
}

/// Prints it.
pub fn print(report: &Report, facts: &Facts) {
    println!();
    println!("{}  {}", headline(&report.outcome), report.outcome.sentence());
    failures(&report.transcript);
    if died(&report.outcome) {
        last_lines(&report.transcript);
    }
    emulator(report);
    fields(report, facts);
}

fn headline(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => paint(GOOD, "passed"),
        Outcome::Interrupted => paint(ODD, "stopped"),
        _ => paint(BAD, "failed"),
    }
}

fn failures(transcript: &Transcript) {
    for (name, verdict) in transcript.verdicts().filter(|(_, verdict)| !verdict.pass) {
        println!("  {} {}  {}", paint(BAD, "x"), paint(STRONG, name), verdict.why);
    }
}

/// Whether the guest's last words help to understand what happened.
fn died(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Passed | Outcome::Failed(_) | Outcome::BadInput(_))
}

fn last_lines(transcript: &Transcript) {
    let lines = transcript.last_lines(LAST_LINES);
    if lines.is_empty() {
        println!("  It printed nothing.");
        return;
    }
    println!("  The last lines it printed:");
    for line in lines {
        println!("  {} {line}", paint(DIM, "|"));
    }
}

fn emulator(report: &Report) {
    if report.emulator_said.is_empty() {
        return;
    }
    println!("  The emulator said:");
    for line in report.emulator_said.lines() {
        println!("  {} {line}", paint(DIM, "|"));
    }
}

fn fields(report: &Report, facts: &Facts) {
    if let Some(checks) = checks(&report.transcript) {
        field("checks", checks);
    }
    field("machine", machine(facts));
    if let Some(env) = report.transcript.env() {
        let Env { boot, apic, timer, clock, policy, .. } = env;
        field("kernel", format!("{boot}, {apic}, {timer} timer, clock {clock}, policy {policy}"));
    }
    field("took", format!("{:.1} s", report.took.as_secs_f64()));
    if let Some(json) = facts.json {
        field("results", place::shown(json));
    }
    if let Some(tape) = facts.tape {
        field("tape", format!("{0}; `cargo xtask replay {0}` plays it", place::shown(tape)));
    }
    field("log", place::shown(facts.log));
}

fn machine(facts: &Facts) -> String {
    let Facts { machine, emulation, .. } = facts;
    let plural = if machine.smp == 1 { "" } else { "s" };
    format!("{} CPU{plural}, {}, {emulation}", machine.smp, machine.memory)
}

/// `20 of 21 passed`; counted by verdicts when the closing record never came.
fn checks(transcript: &Transcript) -> Option<String> {
    if let Some(end) = transcript.end() {
        let all = u64::from(end.passed) + u64::from(end.failed);
        return Some(match all {
            0 => "none: these rows only inform".into(),
            _ => format!("{} of {all} passed", end.passed),
        });
    }
    let all = transcript.verdicts().count();
    let passed = transcript.verdicts().filter(|(_, verdict)| verdict.pass).count();
    (all > 0).then(|| format!("{passed} of {all} passed before it ended early"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench::record::{Body, End, Record, Verdict, line};

    fn feed(transcript: &mut Transcript, body: Body) {
        transcript.feed((line(&Record::new("row", body)) + "\n").as_bytes());
    }

    #[test]
    fn checks_are_counted_even_without_a_closing_record() {
        let mut transcript = Transcript::default();
        assert_eq!(checks(&transcript), None);
        for pass in [true, false] {
            feed(&mut transcript, Body::Verdict(Verdict { pass, why: String::new() }));
        }
        assert_eq!(checks(&transcript).unwrap(), "1 of 2 passed before it ended early");
        feed(&mut transcript, Body::End(End { passed: 3, failed: 1 }));
        assert_eq!(checks(&transcript).unwrap(), "3 of 4 passed");
    }
}
