//! The bounds: how long what must not last may last, each with its reason. All in nanoseconds.

use sched::Config;
use sched::policy::Promise;

use super::case::Case;
use super::machine::{KICK, LATE, Machine, NOTICE, RUNS, SWITCH};
use super::measure::weight_of;

/// A busy CPU that looks again within this time isn't kicked (`SOON` in `sched/src/cpu/wake.rs`).
const SOON: u64 = 20_000;

/// The bounds of one case.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From a post until the CPU takes it.
    pub unseen: u64,
    /// From a timer's time until its task is runnable.
    pub overdue: u64,
    /// How long a CPU may idle while a thread waits that may run there.
    pub waste: u64,
    /// How long a thread may run where one of higher priority waits.
    pub inversion: u64,
    /// From a change of a thread's affinity or weight until it's so, where the thread runs or waits.
    pub control: u64,
    /// By what part of itself a share may be off, over a window of seconds.
    pub share: f64,
    /// How long two equal threads take turns.
    pub slice: f64,
    /// What a thread may be ahead of its ideal or behind it where all are loops and have settled.
    pub steady_lag: f64,
    /// What a waiting thread may be owed of the CPU where it waits, by its weight.
    pub lag: f64,
    /// How long a real-time thread may wait while something lower runs where it may.
    pub outranked: u64,
    /// How long real-time threads may keep a fair one waiting on a CPU.
    pub held_up: u64,
    /// Whether there are real-time or background threads.
    pub ranked: bool,
}

impl Bounds {
    /// Those of `case`.
    pub fn of(case: &Case) -> Self {
        let look = look(&case.machine);
        Self {
            // It was interrupted, or its timer was about to make it look.
            unseen: SOON + look,
            // The timer is late, or the CPU that must take it switches.
            overdue: look,
            waste: waste(case),
            // As a post: by an interrupt, or by the timer that was about to fire.
            inversion: SOON + look,
            // News takes the way of a post, and follows a thread that has just moved on.
            control: 2 * (SOON + look),
            // The kernel's own limit; a stall is charged to whom it hits, and made up for after the window perhaps.
            share: if case.machine.stall_every > 0 { 0.05 } else { 0.02 },
            steady_lag: steady_lag(case),
            slice: case.config().slice().0 as f64,
            // Fair threads may be kept waiting on purpose.
            lag: if case.is_ranked() { f64::INFINITY } else { lag(&case.config(), look) },
            // Asked and given as a thread that waits is.
            outranked: waste(case),
            // All that is granted at the end of one period, and at the begin of the next; and a stall may hide an end.
            held_up: 2 * case.config().rt_runtime.0 + SOON + look + 4 * case.machine.stall.most,
            ranked: case.is_ranked(),
        }
    }
}

/// From an interrupt's cause, or a timer's time, to the look that follows: on its way, held up by a switch, or by a
/// CPU that doesn't run at all, once: it runs for long enough after a stall to handle what came meanwhile. And clocks may
/// disagree on when it was.
const fn look(machine: &Machine) -> u64 {
    unstalled(machine) + machine.stall.most
}

/// The same on a CPU that runs.
const fn unstalled(machine: &Machine) -> u64 {
    let kick = KICK + machine.slow_kick.most;
    let late = LATE + machine.late.most;
    let longer = if kick > late { kick } else { late };
    longer + SWITCH + machine.slow_switch.most + machine.skew.most
}

const _: () =
    assert!(unstalled(&Machine::rough()) < RUNS, "a stall's end and what waits for it are one look");

/// An idle CPU asks an overloaded one, which looks. That one may have nothing left, others having asked as well, and pass the
/// question on: each who does so halves the CPUs that are left (`sched/src/cpu/surplus.rs`), so the last of n CPUs is
/// reached after log2(n) looks more. It gives a task, which the idle one must see, by a look or while it polls. A task that
/// was just posted to a busy CPU may wait there for that one's own next look, which is soon.
///
/// Of the CPUs on that way three may be stalled one after the other, the idle one, the one that has a task and one in
/// between. More could be, but each would have to be on the point of it just when the question comes.
const fn waste(case: &Case) -> u64 {
    let machine = &case.machine;
    let looks = 2 + case.cpus.ilog2() as u64;
    looks * unstalled(machine) + 3 * machine.stall.most + SOON + NOTICE + machine.slow_notice.most
}

/// Balance looks once a slice, and moves a thread once it's behind by two; on its new CPU others may have to be moved in
/// turn. And a turn lasts longer the heavier the thread is.
fn steady_lag(case: &Case) -> f64 {
    let heaviest = case.threads.iter().map(weight_of).fold(1.0, f64::max);
    // A stall puts off each of the moves that it takes to make up for it.
    (4.0 + heaviest) * case.config().slice().0 as f64 + 4.0 * case.machine.stall.most as f64
}

/// By what the policy promises.
fn lag(config: &Config, look: u64) -> f64 {
    match config.policy.promise() {
        // Every task ahead runs one slice, and nobody comes in between.
        Promise::Turns => (config.slice().0 + look) as f64,
        // Each policy says how much, and why.
        Promise::Shares { owed, .. } => (owed(config).0 + look) as f64,
        // Starves on purpose.
        Promise::Precedence => f64::INFINITY,
    }
}
