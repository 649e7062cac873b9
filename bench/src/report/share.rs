//! Share results: what every thread got against what it deserved, and what the CPUs did meanwhile.

use alloc::vec::Vec;

use super::Report;
use crate::fairness::{Claim, Division, ideal, idle_while_overloaded};
use crate::os::Counters;
use crate::record::{Body, Share, rounded};
use crate::units::{Compact, Plural, Time};
use crate::verdict::Judgement;
use crate::workload::Window;

/// Of the CPU time that the threads could use, what they must at least get, in percent.
const SERVED: f64 = 98.0;
/// CPUs beyond this many are summed up in one line.
const CPU_LINES: usize = 16;

/// A window and its division.
#[derive(Debug)]
pub struct Shared<'a> {
    /// What was measured.
    pub window: &'a Window,
    /// Against what was deserved.
    pub division: Division,
    /// The CPUs that the threads were allowed: these many from 0 on.
    pub cpus: usize,
    /// Of the CPU time that the threads could use, what they got, in percent.
    pub served: f64,
    /// CPU time that idled although a loop waited for it.
    pub wasted_ns: u64,
    slice_ns: u64,
}

impl<'a> Shared<'a> {
    /// Judges `window`, in which `claims`, one a thread, stood for the CPUs `0..cpus`.
    pub fn new(window: &'a Window, claims: &[Claim], cpus: usize, slice_ns: u64) -> Self {
        let deserved = ideal(claims, cpus);
        let received = window.received();
        let usable = deserved.iter().sum::<f64>() * window.ns as f64;
        let loops = claims.iter().filter(|claim| claim.most >= 1.0).count();
        let idle: Vec<u64> = window.cpus.iter().take(cpus).map(|cpu| cpu.idle_ns).collect();
        Self {
            window,
            served: received.iter().sum::<u64>() as f64 / usable * 100.0,
            wasted_ns: idle_while_overloaded(&idle, loops, window.ns),
            division: Division::new(&received, &deserved),
            cpus,
            slice_ns,
        }
    }

    fn record(&self) -> Share {
        let digits = |values: &[f64]| values.iter().map(|value| rounded(*value, 5)).collect();
        let total = self.window.total();
        Share {
            threads: self.window.threads.len() as u32,
            cpus: self.cpus as u32,
            window_ms: rounded(self.window.ns as f64 / 1e6, 3),
            jain: rounded(self.division.jain, 6),
            min_over_max: rounded(self.division.min_over_max, 5),
            max_lag_ms: rounded(self.division.max_lag() / 1e6, 3),
            shares: digits(&self.division.shares),
            expected: digits(&self.division.expected),
            migrations: total.migrations,
            switches: total.switches,
            idle_while_overloaded_us: rounded(self.wasted_ns as f64 / 1e3, 1),
        }
    }
}

impl Judgement {
    /// No share is fair of which a part is thrown away.
    #[must_use]
    pub fn served(self, shared: &Shared<'_>) -> Self {
        self.at_least("served", shared.served, SERVED, "%")
    }
}

impl Report<'_> {
    /// A result of shares.
    pub fn share(&mut self, shared: &Shared<'_>, judgement: &Judgement) {
        let window = shared.window;
        self.line(format_args!(
            "{} on {}, {} ± {}  {}",
            Plural(window.threads.len(), "thread"),
            Plural(shared.cpus, "CPU"),
            Time(window.ns),
            Time(window.blur_ns),
            judgement.mark()
        ));
        self.share_threads(shared);
        self.share_cpus(shared);
        self.line(format_args!(
            "      Jain {:.5}, min/max {:.4}, largest lag {} ({:.2} slices), idle while overloaded {}",
            shared.division.jain,
            shared.division.min_over_max,
            Time(shared.division.max_lag() as u64),
            shared.division.max_lag() / shared.slice_ns as f64,
            Time(shared.wasted_ns)
        ));
        self.compared(judgement);
        self.row_record(Body::Share(shared.record()));
        self.conclude(judgement);
        self.blank();
    }

    fn share_threads(&mut self, shared: &Shared<'_>) {
        self.line(format_args!(
            "      {:<10}{:>9}{:>10}{:>9}{:>11}{:>8}{:>9}{:>10}{:>11}{:>7}",
            "thread", "share", "expected", "error", "lag", "slices", "work", "switches", "preempted", "moved"
        ));
        let Division { shares, expected, lags, .. } = &shared.division;
        for (i, thread) in shared.window.threads.iter().enumerate() {
            self.line(format_args!(
                "      {:<10}{:>8.2}%{:>9.2}%{:>+8.2}%{:>+8.2} ms{:>+8.2}{:>9}{:>10}{:>11}{:>7}",
                thread.name,
                shares[i] * 100.0,
                expected[i] * 100.0,
                (shares[i] / expected[i] - 1.0) * 100.0,
                lags[i] / 1e6,
                lags[i] / shared.slice_ns as f64,
                shared.window.work(thread),
                Compact(thread.usage.switches),
                Compact(thread.usage.preemptions),
                Compact(thread.usage.migrations),
            ));
        }
    }

    fn share_cpus(&mut self, shared: &Shared<'_>) {
        self.line(format_args!(
            "      {:<10}{:>9}{:>10}{:>9}{:>10}{:>8}{:>7}{:>8}{:>12}{:>11}",
            "CPU",
            "busy",
            "switches",
            "preempt.",
            "moved off",
            "kicks",
            "saved",
            "timer",
            "interrupts",
            "timer set"
        ));
        let cpus = &shared.window.cpus[..shared.cpus.min(shared.window.cpus.len())];
        for (cpu, counters) in cpus.iter().enumerate().take(CPU_LINES) {
            self.share_cpu(&alloc::format!("{cpu}"), counters, shared.window.ns);
        }
        if cpus.len() > CPU_LINES {
            let rest = &cpus[CPU_LINES..];
            let sum = rest.iter().fold(Counters::default(), |sum, cpu| sum.plus(cpu));
            let name = alloc::format!("{CPU_LINES} to {}", cpus.len() - 1);
            self.share_cpu(&name, &sum, shared.window.ns * rest.len() as u64);
        }
    }

    fn share_cpu(&mut self, name: &str, counters: &Counters, available_ns: u64) {
        let busy = available_ns.saturating_sub(counters.idle_ns) as f64 / available_ns.max(1) as f64 * 100.0;
        self.line(format_args!(
            "      {name:<10}{busy:>8.2}%{:>10}{:>9}{:>10}{:>8}{:>7}{:>8}{:>12}{:>11}",
            Compact(counters.switches),
            Compact(counters.preemptions),
            Compact(counters.migrations),
            Compact(counters.kicks_sent),
            Compact(counters.kicks_saved),
            Compact(counters.timer_interrupts),
            Compact(counters.interrupts_total),
            Compact(counters.timer_writes),
        ));
    }
}
