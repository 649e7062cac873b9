//! `rt/inversion`, `rt/inversion-chain`: a real-time thread waits for a lock while one of a lower priority wants the CPU.
//!
//! Scenario: on CPU 0 a fair thread holds a mutex, in which it has 100 µs left to do. A thread of priority 50 starts a
//! loop of 5 ms, one of priority 90 wants the mutex. In the chain what it wants is held by another fair thread, which waits
//! for the first.
//! Expected: it waits for the holder's 100 µs and some switches, and not for the loop, which has nothing to do with the
//! mutex: a holder inherits the priority of who waits.
//! A miss means that an inversion of priorities lasts for as long as the thread between the two likes.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::realtime::fifo_class;
use super::timing::in_thread;
use super::{Effort, Lab, MS, NO_ICOUNT, Timed, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;
use crate::verdict::Judgement;

/// What the holder has left to do.
const SECTION_NS: u64 = 100_000;
/// What the thread between the two does.
const LOOP_NS: u64 = 5 * MS;
/// The longest that the high one may wait: the holder's rest, and as much as half of it for switches and hand-overs.
const LIMIT_US: f64 = 150.0;
const ROUNDS: usize = 20;

/// `holders`: how many fair threads wait for each other.
pub fn run<O: Os>(name: &str, holders: usize, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let control = Spec::new("control").pinned(0).of_class(fifo_class(95));
    let effort = Effort { samples: ROUNDS, ..lab.effort };
    let timed = in_thread::<O, _, _>(&control, move || waits::<O>(holders, &effort))??;
    let longest = timed.samples.iter().max().map_or(0.0, |&ns| ns as f64 / 1e3);
    let judgement = Judgement::new()
        .at_most("longest wait", longest, LIMIT_US, " µs")
        .all_gating_if(lab.icount, NO_ICOUNT);
    report.latency(timed, &judgement)
}

fn waits<O: Os>(holders: usize, effort: &Effort) -> Result<Timed, Trouble> {
    let mut timed = Timed::with_room(effort);
    for _ in 0..effort.samples {
        timed.keep(round::<O>(holders)?);
    }
    Ok(timed)
}

/// The locks, each of which is held by a thread that wants the one before it.
struct Chain<O: Os> {
    locks: Vec<O::Mutex<()>>,
    /// How many are held.
    held: AtomicUsize,
    /// Whether the first holder may come to an end.
    ends: AtomicBool,
}

impl<O: Os> Chain<O> {
    fn hold(&self, number: usize) {
        let _mine = O::lock(&self.locks[number]);
        self.held.store(number + 1, Relaxed);
        if let Some(before) = number.checked_sub(1) {
            drop(O::lock(&self.locks[before]));
            return;
        }
        while !self.ends.load(Relaxed) {
            O::relax();
        }
        spin::<O>(SECTION_NS);
    }
}

fn spin<O: Os>(ns: u64) {
    let end = O::now() + ns;
    while O::now() < end {
        O::relax();
    }
}

/// How long the high one waits, in ns.
fn round<O: Os>(holders: usize) -> Result<u64, Trouble> {
    let locks = (0..holders).map(|_| O::mutex(())).collect();
    let chain = Arc::new(Chain::<O> { locks, held: AtomicUsize::new(0), ends: AtomicBool::new(false) });
    let mut others = Vec::new();
    for number in 0..holders {
        let held = chain.clone();
        others.push(O::spawn(&Spec::new("holder").pinned(0), move || held.hold(number))?);
        while chain.held.load(Relaxed) <= number {
            O::sleep(MS);
        }
    }
    // Time for the last one to come to wait.
    O::sleep(MS);
    others.push(O::spawn(&Spec::new("loop").pinned(0).of_class(fifo_class(50)), || spin::<O>(LOOP_NS))?);
    let last = chain.clone();
    let high = O::spawn(&Spec::new("high").pinned(0).of_class(fifo_class(90)), move || {
        let called = O::now();
        drop(O::lock(&last.locks[holders - 1]));
        O::now() - called
    })?;
    chain.ends.store(true, Relaxed);
    let waited = O::join(high);
    others.into_iter().for_each(O::join);
    Ok(waited)
}
