//! `reschedule/N`: one decision with N threads runnable.
//!
//! Scenario: on CPU 0, two heavy threads unpark each other and park, as in `park/colocated`, while N - 2 light ones want
//! the CPU. A sample is there and back, halved: each time one that is woken is queued before all the light ones, and one
//! that parks leaves the queue's first place to be filled again. N = 2 is `park/colocated` itself.
//! Expected: from 10 to 10,000 threads it grows at most 3 times: run queues are heaps, four ways wide, and so twice as deep
//! at 100 as at 10, and four times at 10,000.
//! A miss: something walks the queue or the table of threads at each decision.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::timing::{in_thread, median};
use super::{Effort, Lab, NO_ICOUNT, Timed, Trouble, park};
use crate::os::{NORMAL_WEIGHT, Os, Spec};
use crate::report::Report;
use crate::verdict::Judgement;

/// What growth is against.
const FEW: usize = 10;
/// The number of threads whose growth is judged.
const MANY: usize = 10_000;
/// The most that it may grow from few to many.
const GROWTH: f64 = 3.0;
/// So heavy that the light ones don't get their turn before the samples are taken, and not so heavy that all of them came at
/// the same virtual time.
const HEAVY: u32 = NORMAL_WEIGHT << 5;

pub fn run<O: Os>(name: &str, runnable: usize, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let mut timed = decisions::<O>(runnable, lab.effort)?;
    let judgement = if runnable == MANY {
        let few = median(&mut decisions::<O>(FEW, lab.effort)?);
        let growth = median(&mut timed) / few;
        Judgement::new()
            .at_most(&format!("growth from {FEW} to {MANY} threads"), growth, GROWTH, " times")
            .gating_if(lab.icount, NO_ICOUNT)
    } else {
        Judgement::without_limit("compare reschedule/10000, which has a limit to its growth")
    };
    report.latency(timed, &judgement)
}

fn decisions<O: Os>(runnable: usize, effort: Effort) -> Result<Timed, Trouble> {
    let light = runnable.min(effort.crowd).saturating_sub(2);
    let first = Spec::new("ping").pinned(0).weighing(HEAVY);
    in_thread::<O, _, _>(&first, move || beside::<O>(light, &effort))?
}

/// Takes samples beside so many light threads.
fn beside<O: Os>(light: usize, effort: &Effort) -> Result<Timed, Trouble> {
    let stop = Arc::new(AtomicBool::new(false));
    let spec = Spec::new("light").pinned(0).weighing(1);
    let mut others = Vec::with_capacity(light);
    let mut timed = Ok(Timed::default());
    while others.len() < light && timed.is_ok() {
        let stop = stop.clone();
        match O::spawn(&spec, move || while_not(&stop)) {
            Ok(other) => others.push(other),
            Err(error) => {
                timed = Err(Trouble::Skipped(format!("after {} threads: {error}", others.len())));
            }
        }
    }
    if timed.is_ok() {
        timed = park::take_turns::<O>(&Spec::new("pong").pinned(0).weighing(HEAVY), effort);
    }
    stop.store(true, Relaxed);
    for other in others {
        let _ = O::join(other);
    }
    timed
}

/// Without PAUSE: under `-icount` each would end the virtual CPU's turn, which takes the host longer than a slice.
fn while_not(stop: &AtomicBool) -> u64 {
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        rounds += 1;
    }
    rounds
}
