//! `wake/polling`, `/halted`, `/busy`, `wake-call`: waking a thread on another CPU (schbench's wakeup latency).
//!
//! Scenario: a thread on CPU 0 unparks one on CPU 1, which polls, is halted, or runs a thread of a quarter of the
//! weight. A sample goes from just before the wake call to the target's first instruction. It counts only if CPU 1
//! published the named state right before, and, for `polling`, if no interrupt was sent; others are discarded and
//! counted. `wake-call` is the call alone, to a halted CPU. At once after the call the waker spins with PAUSE, which
//! under `-icount` ends its virtual CPU's turn, so that one-way times are exact there.
//!
//! Expected: halted 300 instructions, 500 at most, and one interrupt; polling less, and none; busy about halted plus the save of
//! the preempted thread. The call: 50 instructions, 80 at most.
//! A miss: `polling` sends interrupts: the handshake does not trust the published word. `busy` in the milliseconds:
//! wake preemption waits for hysteresis, or the kick was spared although the target looks too late.

use alloc::format;
use alloc::sync::Arc;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU64};

use super::timing::{all_cpus, in_thread, instructions};
use super::{Effort, Lab, Timed, Trouble};
use crate::os::{Attention, NORMAL_WEIGHT, Os, Spec};
use crate::report::Report;
use crate::verdict::Judgement;

const LIMIT: u64 = 500;
const CALL_LIMIT: u64 = 80;
/// How long the named state is waited for.
const PATIENCE_NS: u64 = 100_000_000;
const TARGET_CPU: usize = 1;
const LOOKS: usize = 64;

/// What waker, target and load share. The park token orders `round`; the rest is values of their own.
#[derive(Default)]
struct Scene {
    /// How often the target was woken; `u64::MAX` ends it.
    round: AtomicU64,
    /// The target's clock when it last woke.
    woken_at: AtomicU64,
    /// How many rounds the target has seen.
    seen: AtomicU64,
    /// The load's progress: it moves only while CPU 1 runs the load, so the target does not.
    load: AtomicU64,
    /// Ends the load.
    stop: AtomicBool,
}

/// What came of it.
struct Wakes {
    /// Wake call to first instruction.
    latency: Timed,
    /// The wake call alone.
    call: Timed,
    discarded: u64,
}

pub fn run<O: Os>(name: &str, state: Attention, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let Wakes { latency: mut timed, discarded, .. } = wakes::<O>(state, lab)?;
    let mut judgement = match state {
        Attention::Halted => instructions(lab, &mut timed, LIMIT),
        Attention::Polling | Attention::Busy => {
            Judgement::without_limit("compare with wake/halted, which has a limit")
        }
    };
    if discarded > 0 {
        let text = format!("{discarded}, since CPU {TARGET_CPU} was not {state}");
        judgement = judgement.check(true, text).informing("discarded");
    }
    report.latency(timed, &judgement)
}

pub fn call<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let mut timed = wakes::<O>(Attention::Halted, lab)?.call;
    let judgement = instructions(lab, &mut timed, CALL_LIMIT);
    report.latency(timed, &judgement)
}

fn wakes<O: Os>(state: Attention, lab: &Lab) -> Result<Wakes, Trouble> {
    let effort = lab.effort;
    in_thread::<O, _, _>(&Spec::new("waker").pinned(0), move || set_up::<O>(state, &effort))?
}

/// Starts target and load, wakes, and ends them.
fn set_up<O: Os>(state: Attention, effort: &Effort) -> Result<Wakes, Trouble> {
    let scene = Arc::new(Scene::default());
    let shared = scene.clone();
    let target = O::spawn(&Spec::new("target").pinned(TARGET_CPU), move || shared.target::<O>())?;
    let shared = scene.clone();
    let light = Spec::new("load").pinned(TARGET_CPU).weighing(NORMAL_WEIGHT / 4);
    let load = match state {
        Attention::Busy => Some(O::spawn(&light, move || shared.spin::<O>())),
        Attention::Polling | Attention::Halted => None,
    };
    let wakes = match &load {
        Some(Err(error)) => Err((*error).into()),
        _ => scene.wake_often::<O>(&O::thread(&target), state, effort),
    };
    scene.stop.store(true, Relaxed);
    scene.round.store(u64::MAX, Relaxed);
    O::unpark(&O::thread(&target));
    O::join(target);
    if let Some(Ok(load)) = load {
        O::join(load);
    }
    wakes
}

impl Scene {
    fn target<O: Os>(&self) {
        let mut seen = 0;
        while seen != u64::MAX {
            O::park();
            let now = O::now();
            let round = self.round.load(Relaxed);
            if round != seen {
                seen = round;
                self.woken_at.store(now, Relaxed);
                // Release: whoever sees the round sees its time; pairs with the Acquire in `wake`.
                self.seen.store(seen, Release);
            }
        }
    }

    /// With a PAUSE, or under `-icount` each of its turns would last until some timer fires.
    fn spin<O: Os>(&self) {
        while !self.stop.load(Relaxed) {
            self.load.store(self.load.load(Relaxed) + 1, Relaxed);
            O::relax();
        }
    }

    fn wake_often<O: Os>(
        &self,
        target: &O::Thread,
        state: Attention,
        effort: &Effort,
    ) -> Result<Wakes, Trouble> {
        let mut wakes =
            Wakes { latency: Timed::with_room(effort), call: Timed::with_room(effort), discarded: 0 };
        for round in 1..=effort.warmup as u64 {
            self.await_state::<O>(target, state)?;
            self.wake::<O>(target, round);
        }
        let before = all_cpus::<O>();
        let end = O::now() + effort.budget_ns;
        let mut round = effort.warmup as u64;
        while wakes.latency.samples.len() < effort.samples && O::now() < end {
            round += 1;
            self.await_state::<O>(target, state)?;
            let kicks = O::counters(0).kicks_sent;
            let named = O::attention(TARGET_CPU) == state;
            let (latency, call) = self.wake::<O>(target, round);
            let kicked = O::counters(0).kicks_sent != kicks;
            if named && !(kicked && state == Attention::Polling) {
                wakes.latency.keep(latency);
                wakes.call.keep(call);
            } else {
                wakes.discarded += 1;
            }
        }
        let spent = all_cpus::<O>().since(&before);
        for timed in [&mut wakes.latency, &mut wakes.call] {
            timed.operations = round - effort.warmup as u64;
            timed.spent = spent;
        }
        Ok(wakes)
    }

    /// One wake: ns from before the call to the target's first instruction, and to the call's return.
    fn wake<O: Os>(&self, target: &O::Thread, round: u64) -> (u64, u64) {
        self.round.store(round, Relaxed);
        let start = O::now();
        O::unpark(target);
        let returned = O::now();
        // Acquire: pairs with the Release in `target`.
        while self.seen.load(Acquire) != round {
            O::relax();
        }
        let woken_at = self.woken_at.load(Relaxed);
        (woken_at.saturating_sub(start), returned.saturating_sub(start))
    }

    /// Spins until the target is parked and its CPU publishes `state`. A CPU polls only for a while after it ran
    /// something, so one that halted meanwhile is given something to run: a wake without a new round.
    fn await_state<O: Os>(&self, target: &O::Thread, state: Attention) -> Result<(), Trouble> {
        let end = O::now() + PATIENCE_NS;
        let load = self.load.load(Relaxed);
        // Two steps of the load: one store may be of before the target ran.
        let parked = || state != Attention::Busy || self.load.load(Relaxed) > load + 1;
        let is_there = || parked() && O::attention(TARGET_CPU) == state;
        // Many looks a PAUSE, for that may take an emulator longer than the state lasts.
        while !(0..LOOKS).any(|_| is_there()) {
            if O::now() > end {
                let text = format!("CPU {TARGET_CPU} was never seen {state}");
                return Err(match state {
                    Attention::Polling => Trouble::Skipped(text),
                    Attention::Halted | Attention::Busy => Trouble::Failed(text),
                });
            }
            if state == Attention::Polling && O::attention(TARGET_CPU) == Attention::Halted {
                O::unpark(target);
            }
            O::relax();
        }
        Ok(())
    }
}
