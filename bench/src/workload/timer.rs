//! `timer`, `timer/load`: how late a sleeper wakes (cyclictest).
//!
//! Scenario: a thread on CPU 0 sleeps 100 µs; a sample is what it took beyond that, from before the call to after. In
//! `timer/load` a normal loop wants the same CPU. Expected on an idle CPU: 350 instructions, 600 at most: the
//! way to sleep, the timer interrupt, and the way back. Under load the sleeper, which used next to nothing, must
//! preempt the loop at once: the cost of a preemption
//! above the idle figure, 1,200 or less; it informs.
//! A miss under load by milliseconds: hysteresis delays wake preemption. A miss when idle: the clamp or the rounding of the
//! timer's ticks, or a timer that is written twice.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::timing::{in_thread, instructions, median, timed};
use super::{Effort, Lab, Timed, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;
use crate::verdict::Judgement;

const NAP_NS: u64 = 100_000;
const LIMIT: u64 = 600;
const EXPECTED_UNDER_LOAD: u64 = 1_200;
const NO_PROMISE: &str = "expected but not promised";

pub fn run<O: Os>(name: &str, load: bool, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let sleeper = Spec::new("sleeper").pinned(0);
    if load {
        let mut timed = in_thread::<O, _, _>(&sleeper, move || naps_under_load::<O>(&effort))??;
        let median = median(&mut timed);
        let judgement = Judgement::new()
            .at_most("median", median, EXPECTED_UNDER_LOAD as f64, " ns")
            .informing(NO_PROMISE);
        return report.latency(timed, &judgement);
    }
    let mut timed = in_thread::<O, _, _>(&sleeper, move || naps::<O>(&effort))?;
    let judgement = instructions(lab, &mut timed, LIMIT);
    report.latency(timed, &judgement)
}

fn naps<O: Os>(effort: &Effort) -> Timed {
    let mut timed = timed::<O>(effort, 1, || O::sleep(NAP_NS));
    for sample in &mut timed.samples {
        *sample = sample.saturating_sub(NAP_NS);
    }
    timed
}

fn naps_under_load<O: Os>(effort: &Effort) -> Result<Timed, Trouble> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = stop.clone();
    let load = O::spawn(&Spec::new("load").pinned(0), move || while !seen.load(Relaxed) {})?;
    let timed = naps::<O>(effort);
    stop.store(true, Relaxed);
    O::join(load);
    Ok(timed)
}
