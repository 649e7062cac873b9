//! `rcu/read`: a read of shared data that is replaced now and then.
//!
//! Scenario: a thread on CPU 0 reads a pair of numbers under RCU, 64 times in a row, while one on the last CPU, if there's
//! another, replaces it every 50 µs by two others that belong together. Expected: preemption off, a load, preemption on, and
//! the pair compared: 13 instructions, 16 at most; and no pair of which one half is older than the other.
//! A miss in instructions: a reader takes a lock, or writes to what others read. A torn pair: a value was freed, and its
//! memory used again, while somebody read it.

use alloc::format;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::timing::{batched, in_thread, instructions};
use super::{Effort, Lab, Timed, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;

const LIMIT: u64 = 16;
/// Between two replacements.
const PAUSE_NS: u64 = 50_000;

/// Two numbers of which the second is the first's complement.
type Pair = [u64; 2];

pub fn read<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let (mut timed, torn, replaced) =
        in_thread::<O, _, _>(&Spec::new(name).pinned(0), move || beside_a_writer::<O>(&effort))??;
    let text = format!("{torn} of the pairs read were torn, {replaced} were replaced");
    let judgement = instructions(lab, &mut timed, LIMIT).check(torn == 0, text);
    report.latency(timed, &judgement)
}

/// The samples, the pairs that didn't belong together, and how many were replaced.
fn beside_a_writer<O: Os>(effort: &Effort) -> Result<(Timed, u64, u64), Trouble> {
    let shared = Arc::new(O::rcu::<Pair>([0, !0]));
    let stop = Arc::new(AtomicBool::new(false));
    let (replaces, seen) = (shared.clone(), stop.clone());
    let writer = Spec::new("writer").pinned(O::cpus() - 1);
    let writer = O::spawn(&writer, move || replace_until::<O>(&replaces, &seen))?;
    let mut torn = 0;
    let timed = batched::<O, _>(effort, || {
        torn += O::rcu_read(&shared, |pair| u64::from(pair[0] != !pair[1]));
    });
    stop.store(true, Relaxed);
    Ok((timed, torn, O::join(writer)))
}

fn replace_until<O: Os>(shared: &O::Rcu<Pair>, stop: &AtomicBool) -> u64 {
    let mut replaced = 0;
    while !stop.load(Relaxed) {
        replaced += 1;
        O::rcu_replace(shared, [replaced, !replaced]);
        O::sleep(PAUSE_NS);
    }
    replaced
}
