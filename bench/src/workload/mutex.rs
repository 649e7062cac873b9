//! `mutex/free`, `mutex/contended`: lock and unlock.
//!
//! Scenario of `free`: one thread on CPU 0 locks and unlocks a mutex that nobody else wants, 64 times in a row.
//! Expected: one compare-and-swap each way and little else: 16 instructions, 24 at most. A miss: the uncontended path
//! calls, disables preemption, or touches a wait queue.
//!
//! Scenario of `contended` (OSv misc-mutex): a thread on every CPU locks, adds one and unlocks without pause; the one
//! on CPU 0 times each round once all are there. Expected: nothing in ns, for it depends on the machine; that the sum
//! is right, and less than one switch an operation.
//! A miss: the mutex lets two in; or it's given to a thread that doesn't run yet while the last holder wants it again, so
//! that all wait for each other's wake-up (a lock convoy: a switch or two an operation).

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::timing::{batched, in_thread, instructions, timed};
use super::{Effort, Lab, Timed, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;
use crate::verdict::Judgement;

const LIMIT: u64 = 24;

pub fn free<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let mut timed = in_thread::<O, _, _>(&Spec::new(name).pinned(0), move || {
        let mutex = O::mutex(0_u64);
        batched::<O, _>(&effort, || drop(O::lock(&mutex)))
    })?;
    let judgement = instructions(lab, &mut timed, LIMIT);
    report.latency(timed, &judgement)
}

pub fn contended<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let (timed, sum, rounds) =
        in_thread::<O, _, _>(&Spec::new(name).pinned(0), move || contend::<O>(&effort))??;
    let right = format!("{sum} rounds counted under the lock, {rounds} made");
    let switches = timed.per_op().switches;
    let judgement =
        Judgement::new().check(sum == rounds, right).at_most("switches an operation", switches, 1.0, "");
    report.latency(timed, &judgement)
}

/// The samples of CPU 0, the sum that the mutex kept, and the rounds that all threads made.
fn contend<O: Os>(effort: &Effort) -> Result<(Timed, u64, u64), Trouble> {
    let mutex = Arc::new(O::mutex(0_u64));
    let stop = Arc::new(AtomicBool::new(false));
    let there = Arc::new(AtomicUsize::new(0));
    let mut rivals = Vec::with_capacity(O::cpus());
    let mut trouble = None;
    for cpu in 1..O::cpus() {
        let (mutex, stop, there) = (mutex.clone(), stop.clone(), there.clone());
        match O::spawn(&Spec::new("rival").pinned(cpu), move || {
            there.fetch_add(1, Relaxed);
            add_until::<O>(&mutex, &stop)
        }) {
            Ok(handle) => rivals.push(handle),
            Err(error) => trouble = Some(error),
        }
    }
    while there.load(Relaxed) < rivals.len() {
        O::relax();
    }
    let mut rounds = 0;
    let timed = timed::<O>(effort, 1, || {
        *O::lock(&mutex) += 1;
        rounds += 1;
    });
    stop.store(true, Relaxed);
    rounds += rivals.into_iter().map(O::join).sum::<u64>();
    let sum = *O::lock(&mutex);
    trouble.map_or(Ok((timed, sum, rounds)), |error| Err(error.into()))
}

fn add_until<O: Os>(mutex: &O::Mutex<u64>, stop: &AtomicBool) -> u64 {
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        *O::lock(mutex) += 1;
        rounds += 1;
    }
    rounds
}
