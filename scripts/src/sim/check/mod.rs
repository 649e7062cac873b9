//! What must hold between any two events, whatever happened.
//!
//! After each event the CPU on which it happened is checked: nothing else can have changed but what that CPU sent, and
//! that is seen when it arrives. Each so many events everything is swept: on a small machine after every one, on
//! a large one often enough that the cost stays that of the simulation. What is bounded in time is kept as "since
//! when", so that a sweep that comes late finds it all the same.

mod counts;
mod fairness;
mod order;
mod place;
mod ranks;
mod sweep;
mod timers;
mod waste;

use std::fmt;

use sched::Shared;

use super::bounds::Bounds;
use super::case::Case;
use super::world::World;
use fairness::Lags;
use order::Order;
use place::Places;
use ranks::Ranks;
use timers::Timers;
use waste::Waste;

/// A sweep comes after every so many events for each so many CPUs.
const CPUS_A_SWEEP: usize = 16;

/// What must hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invariant {
    /// Each runnable thread is in exactly one place, and blocked ones are in none.
    OnePlace,
    /// What is woken is somewhere.
    NoLostWakeup,
    /// A timer is armed whenever one is needed, and fires.
    TimerArmed,
    /// None is armed when none is needed.
    NoNeedlessTimer,
    /// What is posted to a CPU is seen.
    Attention,
    /// No CPU idles while a thread waits that may run there.
    WorkConserving,
    /// No waiting thread is owed too much.
    Lag,
    /// No thread runs where one of higher priority waits.
    Priority,
    /// Real-time threads leave a part of each period to fair ones.
    Throttle,
    /// A changed affinity, weight or class takes effect.
    Control,
    /// All time is accounted for.
    TimeConserved,
    /// Wake-ups and blocks are told as they happened.
    Counts,
    /// CPUs get something done.
    Progress,
    /// Loops get the shares that their weights say.
    Shares,
}

/// An invariant that doesn't hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}: {}", self.invariant, self.found)
    }
}

impl Invariant {
    /// It doesn't hold.
    pub fn violated(self, found: impl Into<String>) -> Violation {
        Violation { invariant: self, found: found.into() }
    }
}

/// What the checks know of the world.
pub struct Checker {
    bounds: Bounds,
    /// At whose multiples real-time threads are granted CPU time anew.
    period: u64,
    places: Places,
    timers: Timers,
    waste: Waste,
    order: Order,
    lags: Lags,
    ranks: Ranks,
    /// Events until the next sweep.
    until_sweep: usize,
    /// Events between two sweeps.
    sweep_every: usize,
    /// Sweeps until time is summed up.
    until_sum: usize,
    /// What was found while the event was handled.
    found: Option<Violation>,
    /// Invariants checked, each for one CPU or thread.
    pub done: u64,
}

impl Checker {
    /// Knows a machine on which nothing has happened.
    pub fn new(shared: &Shared, case: &Case) -> Self {
        let (cpus, slots) = (shared.cpus(), shared.slots());
        let sweep_every = cpus.div_ceil(CPUS_A_SWEEP);
        Self {
            bounds: Bounds::of(case),
            period: case.config().rt_period.0,
            places: Places::new(cpus, slots),
            timers: Timers::new(cpus),
            waste: Waste::new(cpus, slots),
            order: Order::new(cpus, slots),
            lags: Lags::new(cpus, slots),
            ranks: Ranks::new(cpus, slots),
            until_sweep: sweep_every,
            sweep_every,
            until_sum: 1,
            found: None,
            done: 0,
        }
    }

    /// A CPU's timer is about to be armed for `deadline`, with so many tasks waiting there.
    pub fn arms(&mut self, cpu: usize, deadline: u64, waiting: usize) {
        let ends_a_period = self.bounds.ranked && deadline.is_multiple_of(self.period);
        if waiting == 0 && !ends_a_period && !self.timers.is_set(cpu, deadline) {
            let found =
                format!("cpu {cpu} arms its timer for {deadline} although no task waits or sleeps there");
            self.found.get_or_insert(Invariant::NoNeedlessTimer.violated(found));
        }
    }

    /// A thread asks `cpu` to wake it at `until`.
    pub fn sets_timer(&mut self, cpu: usize, thread: usize, until: u64) {
        self.timers.set(cpu, thread, until);
    }

    /// Another affinity or weight is wanted for a slot's tenant.
    pub fn wishes(&mut self, slot: usize, now: u64) {
        self.order.wish(slot, now);
    }

    /// A slot's tenant is gone.
    pub fn forgets(&mut self, slot: usize) {
        self.order.forget(slot);
    }

    /// The longest that a CPU idled while a thread waited that may run there, and the sum of all such times.
    pub fn waste(&self) -> (u64, u64) {
        (self.waste.longest, self.waste.sum)
    }

    /// The most that any waiting thread was owed, in nanoseconds.
    pub fn worst_lag(&self) -> f64 {
        self.lags.worst
    }
}

impl World<'_> {
    /// Checks what an event on `cpu` may have broken, and every so often everything.
    ///
    /// # Errors
    /// The first violation.
    pub fn check(&mut self, cpu: usize) -> Result<(), Violation> {
        if let Some(found) = self.checker.found.take() {
            return Err(found);
        }
        self.check_lag(cpu)?;
        self.check_place(cpu)?;
        self.check_timers(cpu)?;
        self.check_order(cpu)?;
        self.check_waste(cpu)?;
        self.checker.until_sweep -= 1;
        if self.checker.until_sweep == 0 {
            self.checker.until_sweep = self.checker.sweep_every;
            self.sweep()?;
        }
        Ok(())
    }
}
