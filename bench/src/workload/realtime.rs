//! `rt/*`: real-time threads among each other, and among fair ones.
//!
//! `fifo`. Scenario: on CPU 0 threads of priorities 10, 20, 20 and 30 start while one of 90 runs, which then waits for
//! them; each notes what it does, in order. Then one of priority 50 is woken by one of 40, again and again.
//! Expected: the order that POSIX prescribes, exactly: the highest first; who is woken and higher runs at once; who was
//! preempted goes on before its equals; who yields goes behind them. The time is from the wake call to the woken
//! thread's first instruction.
//! `rr`. Scenario: three loops of one priority that take turns and a fair one, on CPU 0. Expected: equal to within a turn.
//! `throttle`. Scenario: a runaway of priority 50 and a fair loop on CPU 0. Expected: the fair one gets what
//! `sched.rt-runtime` leaves of `sched.rt-period` (a twentieth unless set), ± one slice.
//! A miss of the order names itself. Of the shares: turns aren't counted across preemptions, or the throttle's period
//! begins anew with each wake.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::loops::Loops;
use super::timing::{all_cpus, in_thread};
use super::{Effort, Lab, NO_ICOUNT, Timed, Trouble};
use crate::fairness::Claim;
use crate::os::{Class, Os, Priority, Spec};
use crate::report::{Report, Shared};
use crate::units::Time;
use crate::verdict::Judgement;

/// Who does what, as POSIX has it; see [`order`].
const ORDER: &str = "daDAbxc";

const fn priority(number: u8) -> Priority {
    Priority::new(number).expect("priorities are from 1 to 99")
}

pub(super) const fn fifo_class(number: u8) -> Class {
    Class::Fifo(priority(number))
}

pub fn fifo<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let control = Spec::new("control").pinned(0).of_class(fifo_class(90));
    let order = in_thread::<O, _, _>(&control, order::<O>)??;
    let effort = lab.effort;
    let waker = Spec::new("waker").pinned(0).of_class(fifo_class(40));
    let timed = in_thread::<O, _, _>(&waker, move || wakes::<O>(&effort))??;
    let not = if order == ORDER { "" } else { "not " };
    let judgement = Judgement::new().check(order == ORDER, format!("order {order}, {not}{ORDER}"));
    report.latency(timed, &judgement)
}

/// A priority, and what a thread of it does.
type Part<O> = (u8, fn(&Notes, &[<O as Os>::Thread]));

/// Letters in the order in which they were noted.
struct Notes {
    next: AtomicU64,
    letters: [AtomicU64; 16],
}

impl Notes {
    fn note(&self, letter: char) {
        let at = self.next.fetch_add(1, Relaxed) as usize;
        if let Some(place) = self.letters.get(at) {
            place.store(letter.into(), Relaxed);
        }
    }

    fn text(&self) -> String {
        let letters = self.letters.iter().map(|letter| letter.load(Relaxed) as u8 as char);
        letters.take(self.next.load(Relaxed) as usize).collect()
    }
}

/// What the threads noted. They start in the order d, a, b, c while this one keeps the CPU.
fn order<O: Os>() -> Result<String, Trouble> {
    let notes = Arc::new(Notes { next: AtomicU64::new(0), letters: Default::default() });
    let parts: [Part<O>; 4] = [
        (30, |notes, _| {
            notes.note('d');
            O::park();
            notes.note('D');
        }),
        (20, |notes, earlier| {
            notes.note('a');
            O::unpark(&earlier[0]);
            notes.note('A');
            O::yield_now();
            notes.note('x');
        }),
        (20, |notes, _| notes.note('b')),
        (10, |notes, _| notes.note('c')),
    ];
    let (mut handles, mut threads) = (Vec::new(), Vec::new());
    for (number, act) in parts {
        let (notes, earlier) = (notes.clone(), threads.clone());
        let spec = Spec::new("part").pinned(0).of_class(fifo_class(number));
        let handle = O::spawn(&spec, move || act(&notes, &earlier))?;
        threads.push(O::thread(&handle));
        handles.push(handle);
    }
    handles.into_iter().for_each(O::join);
    Ok(notes.text())
}

/// How long it takes from a wake of a higher priority to its first instruction, on the waker's CPU.
fn wakes<O: Os>(effort: &Effort) -> Result<Timed, Trouble> {
    /// In place of a time: the end.
    const OVER: u64 = u64::MAX;
    let called = Arc::new(AtomicU64::new(0));
    let (seen, room) = (called.clone(), *effort);
    let spec = Spec::new("woken").pinned(0).of_class(fifo_class(50));
    let handle = O::spawn(&spec, move || {
        let mut timed = Timed::with_room(&room);
        loop {
            O::park();
            let now = O::now();
            match seen.swap(0, Relaxed) {
                0 => {}
                OVER => return timed,
                called => timed.keep(now.saturating_sub(called)),
            }
        }
    })?;
    let woken = O::thread(&handle);
    let before = all_cpus::<O>();
    for _ in 0..effort.samples {
        called.store(O::now(), Relaxed);
        O::unpark(&woken);
        // Where the woken one runs at once, it's done.
        while called.load(Relaxed) != 0 {
            O::relax();
        }
    }
    let spent = all_cpus::<O>().since(&before);
    called.store(OVER, Relaxed);
    O::unpark(&woken);
    Ok(Timed { spent, operations: effort.samples as u64, ..O::join(handle) })
}

pub fn rr<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    let turns = Class::RoundRobin(priority(50));
    shares::<O>(name, &[turns, turns, turns, Class::Fair], lab.sched.rr_slice.0, lab, report)
}

pub fn throttle<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    shares::<O>(name, &[fifo_class(50), Class::Fair], lab.slice_ns(), lab, report)
}

/// Loops on CPU 0, the last of which is fair; a share may be off by so much. The window is some whole periods of the
/// throttle, and begins after the one in which the loops become real-time: in that they may not use up what they are
/// granted.
fn shares<O: Os>(
    name: &str,
    classes: &[Class],
    tolerance_ns: u64,
    lab: &Lab,
    report: &mut Report<'_>,
) -> Result<(), Trouble> {
    report.begin(name);
    let (granted_ns, period_ns) = (lab.sched.rt_runtime.0, lab.sched.rt_period.0);
    if granted_ns == period_ns {
        return Err(Trouble::Skipped(
            "needs a limit on real-time threads, sched.rt-runtime < sched.rt-period".into(),
        ));
    }
    let real_time = (classes.len() - 1) as f64;
    let granted = granted_ns as f64 / period_ns as f64;
    let share = |class: &Class| if *class == Class::Fair { 1.0 - granted } else { granted / real_time };
    let expected: Vec<f64> = classes.iter().map(share).collect();
    // On CPU 0 the control thread would wait for the fair loop's part, and have some of it.
    let (loops, effort) = (classes.to_vec(), lab.effort);
    let control = Spec::new("control").pinned(1);
    let window = in_thread::<O, _, _>(&control, move || {
        let running = Loops::<O>::start_classes(&loops)?;
        let window_ns = effort.share_ns.next_multiple_of(period_ns);
        Ok::<_, Trouble>(running.watch(effort.settle_ns + period_ns, window_ns))
    })??;
    let claims: Vec<Claim> = expected.iter().map(|&share| Claim::endless(share)).collect();
    let shared = Shared::new(&window, &claims, 1, lab.slice_ns());
    let off = window.received().into_iter().zip(&expected);
    let off = off.map(|(got, share)| (got as f64 - share * window.ns as f64).abs()).fold(0.0, f64::max);
    let judgement =
        Judgement::of_case(format!("{} real-time and a fair loop on 1, {}", real_time, Time(window.ns)))
            .at_most("largest error", off / 1e6, tolerance_ns as f64 / 1e6, " ms")
            .served(&shared)
            .all_gating_if(lab.punctual, NO_ICOUNT);
    report.share(&shared, &judgement);
    Ok(())
}
