//! What stands above the rows: where they were taken, and what their columns mean.

use alloc::format;
use alloc::string::String;

use super::{NAME_WIDTH, Report};
use crate::options::Options;
use crate::record::{Body, Env};
use crate::suite::Group;
use crate::units::{Plural, Time};

impl Report<'_> {
    /// The head of the report: the machine, the scheduler and the suite; the record `env`.
    pub fn environment(&mut self, env: &Env, options: &Options) {
        let Env { cpus, clock, timer, apic, boot, accel, .. } = env;
        let cpus = Plural(*cpus as usize, "CPU");
        let pace = if env.icount { ", one instruction a virtual nanosecond (-icount)" } else { "" };
        let fair = options.sched;
        self.rule(&format!("Tacet {} ({})", env.version, env.commit));
        self.line(format_args!("  machine    {cpus}, {accel}{pace}; {apic}; booted by {boot}"));
        self.line(format_args!("  clock      {clock}, {}; timer {timer}", frequency(env.clock_hz)));
        self.line(format_args!(
            "  scheduler  {}; tau {}, hysteresis {}, penalty {}; seed {}",
            env.policy,
            Time(fair.tau_ns),
            Time(fair.hysteresis_ns),
            Time(fair.penalty_ns),
            env.seed
        ));
        let times = match (env.icount, env.accel.as_str()) {
            (true, _) => "times are instructions, and gate",
            (false, "tcg") => "times say how busy the host is, and inform; counts and shares gate",
            (false, _) => "times inform; counts and shares gate",
        };
        self.line(format_args!(
            "  suite      {}, {}; {times}",
            options.suite,
            Plural(options.suite.rows().count(), "row")
        ));
        self.record(&format!("{}", options.suite), Body::Env(env.clone()));
    }

    /// The head of a group's rows. It repeats where they were taken, since a table is quoted without its report.
    pub fn section(&mut self, group: Group, env: &Env) {
        self.end_line();
        self.rule(&format!("{group}: {}", group.title()));
        let icount = if env.icount { " icount" } else { "" };
        self.line(format_args!(
            "  {}{icount}, {}, {} clock, {} timer, policy {}, seed {}",
            env.accel,
            Plural(env.cpus as usize, "CPU"),
            env.clock,
            env.timer,
            env.policy,
            env.seed
        ));
        match group {
            Group::Cost => self.latency_columns(),
            Group::Share | Group::Balance | Group::Tickless => self.blank(),
        }
    }

    fn latency_columns(&mut self) {
        let name = "ns an operation";
        self.blank();
        self.line(format_args!(
            "  {name:<NAME_WIDTH$}{:>6} {:>6} {:>6} {:>7} {:>6} {:>6} {:>6} {:>6} {:>7} {:>6}",
            "min", "q1", "median", "mean", "q3", "p99", "p99.9", "max", "σ", "n"
        ));
    }
}

fn frequency(hz: u64) -> String {
    format!("{}.{:06} GHz", hz / 1_000_000_000, hz / 1_000 % 1_000_000)
}
