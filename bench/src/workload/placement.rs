//! `placement`: where threads go that can't run where they ran last.
//!
//! Scenario: a thread that may run anywhere slept on a CPU where a loop, pinned there, has begun since. It's woken from CPU 0 while
//! all other CPUs are idle. The same with each CPU in the place of the first, and several times over. And as often CPU 0
//! starts a new thread. Expected: the woken thread goes to a CPU that shares the last cache with its own, on a core that
//! is idle as a whole, where there is one; the new one to a core that is idle as a whole. Where all CPUs share one
//! cache and each has a core to itself there's nothing to get wrong.
//! A miss: the CPUs' topology is read wrongly (compare the log's line `topology` with the machine), or not followed.

use alloc::format;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::timing::in_thread;
use super::{Lab, Trouble};
use crate::os::{Attention, Distance, Os, SpawnError, Spec};
use crate::report::Report;
use crate::units::Plural;
use crate::verdict::Judgement;

/// CPUs that a thread is kept from.
const MOST_CPUS: usize = 8;
const ROUNDS: usize = 4;
/// Long enough for what ran to end, and for its CPU to say so.
const SETTLE_NS: u64 = 500_000;
const NOWHERE: usize = usize::MAX;

/// How threads were placed.
#[derive(Clone, Copy, Default)]
struct Placed {
    woken: u64,
    strayed: u64,
    new: u64,
    crowded: u64,
    /// Rounds in which another CPU was busy with something else.
    disturbed: u64,
}

pub fn run<O: Os>(name: &str, _lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let placed = in_thread::<O, _, _>(&Spec::new("control").pinned(0), all_rounds::<O>)??;
    let Placed { woken, strayed, new, crowded, disturbed } = placed;
    let judgement = Judgement::new()
        .check(strayed == 0, format!("{strayed} of {} strayed", Plural(woken as usize, "woken thread")))
        .check(crowded == 0, format!("{crowded} of {} crowded", Plural(new as usize, "new one")))
        .check(true, format!("{} disturbed", Plural(disturbed as usize, "round")))
        .all_gating_if(woken > 0 && new > 0, "nothing was placed, as other CPUs were never all idle");
    report.count("threads out of place", strayed + crowded, &judgement);
    Ok(())
}

fn all_rounds<O: Os>() -> Result<Placed, SpawnError> {
    let seen = Arc::new(AtomicUsize::new(NOWHERE));
    let stop = Arc::new(AtomicBool::new(false));
    let sleeper = {
        let (seen, stop) = (seen.clone(), stop.clone());
        O::spawn(&Spec::new("sleeper").pinned(0), move || sleep_and_tell::<O>(&seen, &stop))?
    };
    let mut placed = Placed::default();
    let mut result = Ok(());
    for cpu in (1..O::cpus().min(MOST_CPUS + 1)).cycle().take(ROUNDS * (O::cpus() - 1).min(MOST_CPUS)) {
        result = round::<O>(cpu, &O::thread(&sleeper), &seen, &mut placed);
        if result.is_err() {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    O::unpark(&O::thread(&sleeper));
    O::join(sleeper);
    result.map(|()| placed)
}

fn sleep_and_tell<O: Os>(seen: &AtomicUsize, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        seen.store(O::current_cpu(), Ordering::Relaxed);
        O::park();
    }
}

/// Keeps the sleeper, and then a new thread, from `cpu`.
fn round<O: Os>(
    cpu: usize,
    sleeper: &O::Thread,
    seen: &AtomicUsize,
    placed: &mut Placed,
) -> Result<(), SpawnError> {
    O::set_affinity(sleeper, cpu..cpu + 1);
    where_it_wakes::<O>(sleeper, seen);
    O::set_affinity(sleeper, 0..O::cpus());
    let stop = Arc::new(AtomicBool::new(false));
    let spinning = stop.clone();
    let hog = O::spawn(&Spec::new("loop").pinned(cpu), move || {
        while !spinning.load(Ordering::Relaxed) {
            O::relax();
        }
    })?;
    O::sleep(SETTLE_NS);
    if others_idle::<O>(cpu) {
        let woken = where_it_wakes::<O>(sleeper, seen);
        placed.woken += 1;
        placed.strayed += u64::from(!is_best::<O>(cpu, cpu, woken));
        O::sleep(SETTLE_NS);
    }
    let new = others_idle::<O>(cpu).then(|| O::spawn(&Spec::new("new"), O::current_cpu)).transpose();
    stop.store(true, Ordering::Relaxed);
    O::join(hog);
    match new?.map(O::join) {
        Some(new) => {
            placed.new += 1;
            placed.crowded += u64::from(has_whole_core::<O>(cpu, |_| true) && !is_alone::<O>(cpu, new));
        }
        None => placed.disturbed += 1,
    }
    Ok(())
}

/// Wakes the sleeper, and waits until it tells where.
fn where_it_wakes<O: Os>(sleeper: &O::Thread, seen: &AtomicUsize) -> usize {
    seen.store(NOWHERE, Ordering::Relaxed);
    O::unpark(sleeper);
    while seen.load(Ordering::Relaxed) == NOWHERE {
        O::yield_now();
        O::relax();
    }
    seen.load(Ordering::Relaxed)
}

/// Whether all CPUs are idle but the caller's, 0, and `busy`.
fn others_idle<O: Os>(busy: usize) -> bool {
    (1..O::cpus()).all(|cpu| (cpu == busy) == (O::attention(cpu) == Attention::Busy))
}

/// Whether a thread that was on `last`, and found that and CPU 0 busy, is right on `cpu`.
fn is_best<O: Os>(busy: usize, last: usize, cpu: usize) -> bool {
    let near = |cpu| O::distance(last, cpu) <= Distance::Cache;
    let nobody_near = !(1..O::cpus()).any(|other| other != busy && near(other));
    let crowded = has_whole_core::<O>(busy, near) && !is_alone::<O>(busy, cpu);
    nobody_near || near(cpu) && !crowded
}

/// Whether some core is idle as a whole, of those that `suit`.
fn has_whole_core<O: Os>(busy: usize, suits: impl Fn(usize) -> bool) -> bool {
    (1..O::cpus()).any(|cpu| suits(cpu) && is_alone::<O>(busy, cpu))
}

/// Whether `cpu` has nothing to do with the core of CPU 0 or of `busy`.
fn is_alone<O: Os>(busy: usize, cpu: usize) -> bool {
    [0, busy].iter().all(|&other| O::distance(cpu, other) > Distance::Core)
}
