//! Carrying out what was typed.

use core::fmt;

use alloc::string::String;

use bench::monitor::{Command, HELP, Sample, tables};
use bench::suite::Selection;
use bench::units::Time;
use sched::policy::PolicyKind;
use sched::{Affinity, CpuId, Nanos, TaskId};

use super::loops::Loops;
use super::{session, survey};
use crate::thread::{self, JoinHandle};
use crate::{console, dispatch, facts, record};

/// What the monitor keeps from one command to the next.
pub struct Monitor {
    loops: Loops,
    /// The suite that was started last.
    suite: Option<JoinHandle<()>>,
    /// What `top` counts from.
    last: Sample,
}

impl Monitor {
    /// Counts from now on.
    pub fn new() -> Self {
        Self { loops: Loops::default(), suite: None, last: survey::sample() }
    }

    /// Says hello, and starts the suite of the command line, if there's one.
    pub fn begin(&mut self) {
        say(format_args!("console: `help` lists what can be typed\n"));
        let suite = &facts::options().suite;
        if !suite.is_empty() {
            self.suite(suite.clone());
        }
    }

    /// Does what a line says, or tells why not.
    pub fn obey(&mut self, line: &str) {
        match Command::parse(line) {
            Ok(command) => self.act(command),
            Err(mistake) => say(format_args!("{mistake}\n")),
        }
    }

    fn act(&mut self, command: Command) {
        match command {
            Command::Nothing => {}
            Command::Help => help(),
            Command::Top => self.top(),
            Command::Threads => show(tables::threads),
            Command::Cpus => show(|out, sample| tables::cpus(out, sample, survey::VECTORS)),
            Command::Interrupts => show(|out, sample| tables::interrupts(out, sample, survey::VECTORS)),
            Command::Policy(wanted) => policy(wanted),
            Command::Loop { weight } => self.start_loop(weight),
            Command::Weight { id, weight } => change(id, |task| dispatch::set_weight(task, weight)),
            Command::Pin { id, cpu } => pin(id, CpuId(cpu)),
            Command::Unpin { id } => change(id, |task| dispatch::set_affinity(task, Affinity::ANY)),
            Command::Stop { id } => self.stop(id),
            Command::Suite(rows) => self.suite(rows),
            Command::Wait(seconds) => self.wait(seconds),
            Command::Trace(wanted) => trace(wanted),
            Command::Quit => quit(),
        }
    }

    fn top(&mut self) {
        let now = survey::sample();
        let spent = now.since(&self.last);
        print(|out| tables::top(out, &spent, survey::VECTORS));
        self.last = now;
    }

    fn start_loop(&mut self, weight: u32) {
        match self.loops.start(weight) {
            Ok(task) => say(format_args!("loop: {} started, weight {weight}\n", task.index())),
            Err(error) => say(format_args!("loop: {error}\n")),
        }
    }

    fn stop(&mut self, id: u32) {
        let Some(task) = survey::find(id) else { return no_thread(id) };
        match self.loops.stop(task) {
            Some(usage) => say(format_args!("loop: {id} stopped after {}\n", Time(usage.cpu_time.0))),
            None => say(format_args!("thread {id} is none that `loop` started\n")),
        }
    }

    /// Waits so long, or for the suite to end.
    fn wait(&mut self, seconds: Option<u32>) {
        if let Some(seconds) = seconds {
            thread::sleep(Nanos(u64::from(seconds) * 1_000_000_000));
        } else if let Some(suite) = self.suite.take() {
            suite.join();
        }
    }

    fn suite(&mut self, rows: Selection) {
        if session::is_busy() {
            return say(format_args!("a suite runs already: its verdict ends it\n"));
        }
        match session::start(rows) {
            Ok(suite) => self.suite = Some(suite),
            Err(error) => say(format_args!("suite: {error}\n")),
        }
    }
}

/// Writes whole lines for who typed.
pub fn say(text: fmt::Arguments<'_>) {
    console::monitor("", text);
}

fn help() {
    for (usage, what) in HELP {
        say(format_args!("  {usage:<18}{what}\n"));
    }
    say(format_args!("  ID is a number from `top`; ^C drops a line, ^D is `quit`\n"));
}

/// A table of all that was done so far.
fn show(table: impl FnOnce(&mut dyn fmt::Write, &Sample) -> fmt::Result) {
    let sample = survey::sample();
    print(|out| table(out, &sample));
}

/// Line by line, since nothing else runs on this CPU while a line is written.
fn print(table: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result) {
    let mut text = String::new();
    let _ = table(&mut text);
    for line in text.split_inclusive('\n') {
        say(format_args!("{line}"));
    }
}

fn policy(wanted: Option<PolicyKind>) {
    let policy = facts::options().sched.policy;
    say(format_args!("policy: {}\n", policy.name()));
    if let Some(wanted) = wanted.filter(|wanted| *wanted != policy) {
        let name = wanted.name();
        say(format_args!(
            "it's chosen at boot, since what threads have used means something else to each: \
             scripts/run -- console=on policy={name}\n"
        ));
    }
}

/// Finds the thread, and does something to it.
fn change(id: u32, change: impl FnOnce(TaskId)) {
    match survey::find(id) {
        Some(task) => change(task),
        None => no_thread(id),
    }
}

fn no_thread(id: u32) {
    say(format_args!("there is no thread {id}: `threads` lists them\n"));
}

fn pin(id: u32, cpu: CpuId) {
    if survey::has_cpu(cpu) {
        change(id, |task| dispatch::set_affinity(task, Affinity::one(cpu)));
    } else {
        say(format_args!("there is no CPU {}: `cpus` lists them\n", cpu.0));
    }
}

fn trace(wanted: Option<bool>) {
    let state = if record::IS_ON { "kept since boot, and saved at `quit`" } else { "not kept" };
    say(format_args!("the scheduler's decisions are {state}\n"));
    if wanted.is_some_and(|wanted| wanted != record::IS_ON) {
        let option = if record::IS_ON { "without --record" } else { "--record" };
        say(format_args!("a replay needs all of them, so that's chosen at boot: scripts/run {option}\n"));
    }
}

fn quit() {
    if session::is_busy() {
        say(format_args!("a suite runs: the machine powers off when it has ended\n"));
    }
    session::leave();
}
