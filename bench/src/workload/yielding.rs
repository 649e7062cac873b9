//! `yield`: the bare switch (sel4bench `thread_yield`).
//!
//! Scenario: two threads on CPU 0 yield to each other; a sample is there and back, halved: one switch.
//! Expected: 120 instructions, 200 at most; one switch an operation, no timer writes, no interrupts.
//! A miss in switches: yield gives the CPU back to its caller (the fair share overrules it). In timer writes: the
//! timer is written on every switch instead of only when an earlier deadline appears. In instructions: the decision
//! walks a list, or vector state is saved on a voluntary switch.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::timing::{in_thread, ping_pong, timed};
use super::{Effort, Lab, Timed, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;

const LIMIT: u64 = 200;

pub fn run<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let mut timed = in_thread::<O, _, _>(&Spec::new("ping").pinned(0), move || ping::<O>(&effort))??;
    let judgement = ping_pong(lab, &mut timed, LIMIT);
    report.latency(timed, &judgement)
}

fn ping<O: Os>(effort: &Effort) -> Result<Timed, Trouble> {
    let up = Arc::new(AtomicBool::new(false));
    let stop = Arc::new(AtomicBool::new(false));
    let (pong_up, pong_stop) = (up.clone(), stop.clone());
    let pong = O::spawn(&Spec::new("pong").pinned(0), move || {
        pong_up.store(true, Relaxed);
        while !pong_stop.load(Relaxed) {
            O::yield_now();
        }
    })?;
    while !up.load(Relaxed) {
        O::yield_now();
    }
    let timed = timed::<O>(effort, 2, O::yield_now);
    stop.store(true, Relaxed);
    O::join(pong);
    Ok(timed)
}
