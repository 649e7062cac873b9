//! `interactive`: how soon a thread that mostly sleeps runs among threads that never do.
//!
//! Scenario: on up to four CPUs, two loops each; beside them, on the same CPUs and pinned nowhere, a thread uses 50 µs and
//! sleeps 3 ms. A sample is the time from when it was to wake to its first instruction. The loops hint every few
//! microseconds that they spin, so that under `-icount` virtual CPUs take short turns. Expected: it has had so much less than
//! its share that it preempts a loop at once: p99.9 within 1 ms.
//! A miss by a slice: it's put behind a loop when it wakes. One by less than that: what it used weighs more than what it
//! missed by sleeping. A miss of the maximum alone: it was moved, with its timer, while it slept.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::timing::{all_cpus, in_thread};
use super::{Effort, FORGETS, Lab, NO_ICOUNT, Timed, Trouble};
use crate::os::{Os, SpawnError, Spec};
use crate::report::Report;
use crate::stats::Summary;
use crate::verdict::Judgement;

const MOST_CPUS: usize = 4;
const LOOPS_PER_CPU: usize = 2;
const RUN_NS: u64 = 50_000;
const SLEEP_NS: u64 = 3_000_000;
const LIMIT_MS: f64 = 1.0;
/// Steps of a loop between two hints that it spins: some microseconds.
const TURN: u32 = 2_000;

pub fn run<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let (effort, cpus) = (lab.effort, O::cpus().min(MOST_CPUS));
    let mut timed = in_thread::<O, _, _>(&Spec::new("control"), move || among_loops::<O>(cpus, &effort))??;
    let p999 = Summary::of(&mut timed.samples).map_or(f64::NAN, |summary| summary.p999 as f64);
    let judgement = Judgement::new()
        .at_most(&format!("{} loops on {cpus}: p99.9", cpus * LOOPS_PER_CPU), p999 / 1e6, LIMIT_MS, " ms")
        .gating_if(lab.icount, NO_ICOUNT)
        .all_gating_if(lab.remembers(), FORGETS);
    report.latency(timed, &judgement)
}

/// Starts everyone, and ends the loops when the sleeper has its samples.
fn among_loops<O: Os>(cpus: usize, effort: &Effort) -> Result<Timed, SpawnError> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut loops = Vec::with_capacity(cpus * LOOPS_PER_CPU);
    for _ in 0..cpus * LOOPS_PER_CPU {
        let stop = stop.clone();
        loops.push(O::spawn(&Spec::new("loop").on(0..cpus), move || {
            while !stop.load(Relaxed) {
                (0..TURN).for_each(|step| _ = black_box(step));
                O::relax();
            }
        }));
    }
    let effort = *effort;
    let sleeper = O::spawn(&Spec::new("sleeper").on(0..cpus), move || nap::<O>(&effort));
    let timed = sleeper.map(O::join);
    stop.store(true, Relaxed);
    let loops: Result<Vec<()>, SpawnError> = loops.into_iter().map(|it| it.map(O::join)).collect();
    loops.and(timed)
}

/// The sleeper.
fn nap<O: Os>(effort: &Effort) -> Timed {
    let mut timed = Timed::with_room(effort);
    let before = all_cpus::<O>();
    let end = O::now() + effort.settle_ns + effort.budget_ns;
    let opens = O::now() + effort.settle_ns;
    let mut now = O::now();
    while now < end && timed.samples.len() < effort.samples {
        let due = now + SLEEP_NS;
        O::sleep(SLEEP_NS);
        now = O::now();
        if due >= opens {
            timed.keep(now.saturating_sub(due));
        }
        timed.operations += 1;
        let enough = now + RUN_NS;
        while now < enough {
            now = O::now();
        }
    }
    timed.spent = all_cpus::<O>().since(&before);
    timed
}
