//! What stands above the rows: where they were taken, and what their columns mean.

use alloc::format;
use alloc::string::String;

use super::{NAME_WIDTH, Report};
use sched::Config;

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
        let Config { tau, hysteresis, penalty, poll, .. } = options.sched;
        self.rule(&format!("Tacet {} ({})", env.version, env.commit));
        self.line(format_args!("  machine    {cpus}, {accel}{pace}; {apic}; booted by {boot}"));
        self.line(format_args!("  clock      {}, {clock}; timer {timer}", frequency(env.clock_hz)));
        self.line(format_args!(
            "  scheduler  {}; tau {}, hysteresis {}, penalty {}, poll {}; seed {}",
            env.policy,
            Time(tau.0),
            Time(hysteresis.0),
            Time(penalty.0),
            Time(poll.0),
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
        let icount = if env.icount { " -icount" } else { "" };
        self.line(format_args!(
            "  {}{icount}, {}; clock {}; timer {}; policy {}; seed {}",
            env.accel,
            Plural(env.cpus as usize, "CPU"),
            env.clock,
            env.timer,
            env.policy,
            env.seed
        ));
        if matches!(group, Group::Share | Group::Balance) {
            self.reading(env);
        }
        self.blank();
        self.columns = matches!(group, Group::Cost | Group::Talk);
        if self.columns {
            let name = "ns an operation";
            self.line(format_args!("  {name:<NAME_WIDTH$}{COLUMNS}"));
        }
    }

    /// What the columns of shares and ratios say, and what they don't.
    fn reading(&mut self, env: &Env) {
        self.line(format_args!(
            "  CPU time is what the kernel accounts; work is what the loops counted themselves."
        ));
        if env.icount && env.cpus > 1 {
            self.line(format_args!(
                "  Under -icount CPUs run in turns, so that the work of several says how long turns are."
            ));
            self.line(format_args!("  Timers are late by turns, too; where they are limits are wide."));
        } else if !env.is_punctual() {
            self.line(format_args!(
                "  Limits are wide, since a loaded host runs timers late; with -icount they are narrow."
            ));
        }
    }

    /// The names of the columns, in a section whose head does not have them. The row's name is on the line already.
    pub(super) fn own_columns(&mut self) {
        let name = "    ns each";
        self.line(format_args!("{COLUMNS}"));
        self.print(format_args!("{name:<0$}", NAME_WIDTH + 2));
    }
}

/// The columns of times.
const COLUMNS: &str = "   min     q1 median    mean     q3    p99  p99.9    max       σ      n";

fn frequency(hz: u64) -> String {
    format!("{}.{:06} GHz", hz / 1_000_000_000, hz / 1_000 % 1_000_000)
}
