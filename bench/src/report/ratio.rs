//! Balance results: how much longer each thread took than alone.

use super::Report;
use crate::record::{Body, Ratio, rounded};
use crate::units::{Compact, Time};
use crate::verdict::Judgement;
use crate::workload::Window;

impl Report<'_> {
    /// A result of ratios, one `expected` a thread.
    pub fn ratio(&mut self, window: &Window, expected: &[f64], judgement: &Judgement) {
        self.line(format_args!("{} ± {}  {}", Time(window.ns), Time(window.blur_ns), judgement.mark()));
        self.line(format_args!(
            "      {:<10}{:>9}{:>10}{:>12}{:>9}{:>10}{:>11}{:>7}",
            "thread", "ratio", "expected", "CPU time", "work", "switches", "preempted", "moved"
        ));
        for (thread, expected) in window.threads.iter().zip(expected) {
            self.line(format_args!(
                "      {:<10}{:>9}{:>10}{:>9.1} ms{:>9}{:>10}{:>11}{:>7}",
                thread.name,
                alloc::format!("×{:.3}", thread.ratio(window.ns)),
                alloc::format!("×{expected:.3}"),
                thread.usage.cpu_ns as f64 / 1e6,
                window.work(thread),
                Compact(thread.usage.switches),
                Compact(thread.usage.preemptions),
                Compact(thread.usage.migrations),
            ));
        }
        self.compared(judgement);
        self.row_record(Body::Ratio(Ratio {
            expected: expected.iter().map(|value| rounded(*value, 4)).collect(),
            measured: window.threads.iter().map(|thread| rounded(thread.ratio(window.ns), 4)).collect(),
        }));
        self.conclude(judgement);
        self.blank();
    }
}
