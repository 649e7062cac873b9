//! Taking samples: a pair of clock reads around an operation, and the kernel's counters around them all.
//!
//! A sample holds the operation and one clock read (the tail of the first and the head of the second). Storing it
//! lies between the pairs, in memory that was there before.

use alloc::vec::Vec;
use core::hint::black_box;

use super::{Effort, Lab, NO_ICOUNT, Trouble};
use crate::os::{Counters, Os, Spec};
use crate::record::PerOp;
use crate::verdict::Judgement;

/// Samples, and what the CPUs counted while they were taken.
#[derive(Clone, Debug, Default)]
pub struct Timed {
    /// ns an operation.
    pub samples: Vec<u64>,
    /// All CPUs together, from before the first sample to after the last.
    pub spent: Counters,
    /// Operations in that time.
    pub operations: u64,
}

impl Timed {
    /// No samples yet, room for as many as the effort asks for.
    pub fn with_room(effort: &Effort) -> Self {
        Self { samples: Vec::with_capacity(effort.samples), spent: Counters::default(), operations: 0 }
    }

    /// Keeps a sample if there is room: never allocates.
    #[inline]
    pub fn keep(&mut self, sample: u64) {
        if self.samples.len() < self.samples.capacity() {
            self.samples.push(sample);
        }
    }

    /// What an operation cost beside time.
    pub fn per_op(&self) -> PerOp {
        let each = |count: u64| count as f64 / self.operations.max(1) as f64;
        PerOp {
            switches: each(self.spent.switches),
            ipis: each(self.spent.kicks_sent),
            timer_writes: each(self.spent.timer_writes),
            migrations: each(self.spent.migrations),
        }
    }
}

/// The sum of all CPUs' counters.
pub fn all_cpus<O: Os>() -> Counters {
    (0..O::cpus()).map(O::counters).fold(Counters::default(), |sum, one| sum.plus(&one))
}

/// Times `work`, which does `per_sample` operations, until there are enough samples or the budget is spent.
pub fn timed<O: Os>(effort: &Effort, per_sample: u64, mut work: impl FnMut()) -> Timed {
    let mut timed = Timed::with_room(effort);
    for _ in 0..effort.warmup {
        work();
    }
    let before = all_cpus::<O>();
    let end = O::now() + effort.budget_ns;
    let mut rounds = 0;
    while timed.samples.len() < effort.samples {
        let start = O::now();
        work();
        let stop = O::now();
        rounds += 1;
        timed.keep((stop.saturating_sub(start) + per_sample / 2) / per_sample);
        if stop > end {
            break;
        }
    }
    timed.operations = rounds * per_sample;
    timed.spent = all_cpus::<O>().since(&before);
    timed
}

/// How many operations [`batched`] does a sample.
pub const BATCH: u64 = 64;

/// Times an operation that is too short for a pair of clock reads of its own: [`BATCH`] in a row are a sample.
pub fn batched<O: Os, R>(effort: &Effort, mut operation: impl FnMut() -> R) -> Timed {
    const UNROLLED: u64 = 8;
    timed::<O>(effort, BATCH, || {
        for _ in 0..BATCH / UNROLLED {
            for _ in 0..UNROLLED {
                black_box(operation());
            }
        }
    })
}

/// Runs `body` in a thread of its own, and returns what it returned.
pub fn in_thread<O, T, F>(spec: &Spec<'_>, body: F) -> Result<T, Trouble>
where
    O: Os,
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    Ok(O::join(O::spawn(spec, body)?))
}

/// The median's limit, which gates where a ns is an instruction.
pub fn instructions(lab: &Lab, timed: &mut Timed, limit: u64) -> Judgement {
    let median = median(timed);
    Judgement::new().at_most("median", median, limit as f64, " ns").gating_if(lab.icount, NO_ICOUNT)
}

/// The median of the samples so far.
pub fn median(timed: &mut Timed) -> f64 {
    crate::stats::Summary::of(&mut timed.samples).map_or(f64::NAN, |summary| summary.median as f64)
}

/// The same of a ping-pong on one CPU: one switch an operation, and so good as never a write to the timer, which is a VM
/// exit. A guest that its host slows down is preempted in the middle of operations, so these gate together.
pub fn ping_pong(lab: &Lab, timed: &mut Timed, limit: u64) -> Judgement {
    let PerOp { switches, timer_writes, .. } = timed.per_op();
    instructions(lab, timed, limit)
        .near("switches an operation", switches, 1.0, 0.02, "")
        .at_most("timer writes a switch", timer_writes, 0.05, "")
        .all_gating_if(lab.icount, NO_ICOUNT)
}
