//! Latency rows: the ten numbers, and what an operation cost beside time.

use super::Report;
use crate::record::{Body, Latency, rounded};
use crate::stats::Summary;
use crate::units::Compact;
use crate::verdict::Judgement;
use crate::workload::{Timed, Trouble};

impl Report<'_> {
    /// A row of times.
    ///
    /// # Errors
    /// When there are no samples.
    pub fn latency(&mut self, mut timed: Timed, judgement: &Judgement) -> Result<(), Trouble> {
        let Some(summary) = Summary::of(&mut timed.samples) else {
            return Err(Trouble::Failed("not one sample was taken in time".into()));
        };
        if !self.columns {
            self.own_columns();
        }
        let Summary { n, min, q1, median, mean, q3, p99, p999, max, stddev } = summary;
        self.line(format_args!(
            "{:>6} {:>6} {:>6} {:>7} {:>6} {:>6} {:>6} {:>6} {:>7} {:>6}  {}",
            Compact(min),
            Compact(q1),
            Compact(median),
            tenths(mean),
            Compact(q3),
            Compact(p99),
            Compact(p999),
            Compact(max),
            tenths(stddev),
            n,
            judgement.mark()
        ));
        self.costs(&timed, judgement);
        self.row_record(Body::Latency(Latency {
            unit: "ns".into(),
            n: n as u64,
            min,
            q1,
            median,
            mean: rounded(mean, 1),
            q3,
            p99,
            p999,
            max,
            stddev: rounded(stddev, 1),
            per_op: timed.per_op().rounded(),
        }));
        self.conclude(judgement);
        Ok(())
    }

    /// The lines below: counts an operation, and what was compared.
    fn costs(&mut self, timed: &Timed, judgement: &Judgement) {
        let per_op = timed.per_op();
        let counts = [
            (per_op.switches, "switches"),
            (per_op.ipis, "IPIs"),
            (per_op.timer_writes, "timer writes"),
            (per_op.migrations, "migrations"),
        ];
        let told = counts.iter().filter(|(count, _)| *count >= 0.005);
        let told: alloc::vec::Vec<_> =
            told.map(|(count, what)| alloc::format!("{count:.2} {what}")).collect();
        if !told.is_empty() {
            self.line(format_args!("      an operation: {}", told.join(", ")));
        }
        self.compared(judgement);
    }
}

/// A mean in at most seven columns.
fn tenths(value: f64) -> alloc::string::String {
    if value < 99_999.95 { alloc::format!("{value:.1}") } else { alloc::format!("{}", Compact(value as u64)) }
}
