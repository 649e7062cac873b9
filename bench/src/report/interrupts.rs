//! Tickless results: what interrupted each CPU.

use super::Report;
use crate::os::Counters;
use crate::record::{Body, Count};
use crate::units::{Compact, Time};
use crate::verdict::Judgement;

/// A CPU that should have been left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// For so long, in ns.
    pub ns: u64,
    /// What it counted meanwhile.
    pub spent: Counters,
    /// CPU time that the workload's own threads got.
    pub served_ns: u64,
    /// Interrupts that the measurement itself caused.
    pub excused: u64,
}

impl Quiet {
    /// The interrupts, but for those that are excused.
    pub fn interrupts(&self) -> u64 {
        self.spent.interrupts_total.saturating_sub(self.excused)
    }

    /// The part of the window that it was halted, in percent.
    pub fn halted(&self) -> f64 {
        self.spent.halted_ns as f64 / self.ns as f64 * 100.0
    }

    /// The part of the window that the workload's threads got, in percent.
    pub fn served(&self) -> f64 {
        self.served_ns as f64 / self.ns as f64 * 100.0
    }
}

impl Report<'_> {
    /// A result that is a number of something.
    pub fn count(&mut self, unit: &str, count: u64, judgement: &Judgement) {
        self.line(format_args!("{count} {unit}  {}", judgement.mark()));
        self.compared(judgement);
        self.row_record(Body::Count(Count { unit: unit.into(), per_cpu: [count].into() }));
        self.conclude(judgement);
    }

    /// A result of interrupts, one entry a CPU.
    pub fn interrupts(&mut self, cpus: &[Quiet], judgement: &Judgement) {
        self.line(format_args!(
            "{}  {}",
            Time(cpus.iter().map(|cpu| cpu.ns).max().unwrap_or(0)),
            judgement.mark()
        ));
        self.line(format_args!(
            "      {:<10}{:>12}{:>9}{:>9}{:>10}{:>11}{:>11}{:>11}",
            "CPU", "interrupts", "timer", "others", "excused", "switches", "halted", "served"
        ));
        for (cpu, quiet) in cpus.iter().enumerate() {
            let Counters { interrupts_total, timer_interrupts, switches, .. } = quiet.spent;
            self.line(format_args!(
                "      {cpu:<10}{:>12}{:>9}{:>9}{:>10}{:>11}{:>10.2}%{:>10.2}%",
                Compact(quiet.interrupts()),
                Compact(timer_interrupts),
                Compact(interrupts_total.saturating_sub(timer_interrupts)),
                Compact(quiet.excused),
                Compact(switches),
                quiet.halted(),
                quiet.served(),
            ));
        }
        self.compared(judgement);
        let per_cpu = cpus.iter().map(Quiet::interrupts).collect();
        self.row_record(Body::Count(Count { unit: "interrupts".into(), per_cpu }));
        self.conclude(judgement);
        self.blank();
    }
}
