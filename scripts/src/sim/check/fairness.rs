//! No waiting thread is owed more than the bound.
//!
//! Against the ideal: a CPU that serves all its runnable threads at once, each by its weight. Its clock runs at one over
//! the sum of weights, so that what a thread is owed since it began to wait is its weight times what that
//! clock has advanced. This measure is the check's own; it shares nothing with the scheduler's virtual time.
//!
//! Round robin promises something else: that nobody who comes later goes first. There a thread's part of its wait is
//! what counts: the wait over the number of those that may be ahead of it.

use sched::policy::Promise;

use super::{Invariant, Violation};
use crate::sim::world::World;

/// What each CPU's ideal has served.
pub struct Lags {
    /// By CPU: the ideal's clock, and until when it's right.
    clock: Vec<(f64, u64)>,
    /// By CPU: among how much weight its time is divided since then.
    divisor: Vec<f64>,
    /// By slot: its CPU's clock when it began to wait, and its weight.
    began: Vec<(f64, f64)>,
    /// The most that any thread was owed.
    pub worst: f64,
}

impl Lags {
    pub fn new(cpus: usize, slots: usize) -> Self {
        Self {
            clock: vec![(0.0, 0); cpus],
            divisor: vec![0.0; cpus],
            began: vec![(0.0, 0.0); slots],
            worst: 0.0,
        }
    }

    pub fn begins(&mut self, cpu: usize, slot: usize, weight: f64) {
        self.began[slot] = (self.clock[cpu].0, weight);
    }
}

impl World<'_> {
    /// A task begins to wait, or to count otherwise.
    pub(super) fn begins_to_wait(&mut self, cpu: usize, slot: usize) {
        let weight = match self.promise() {
            Promise::Turns => 1.0 / (self.checker.places.queue(cpu).len() + 1) as f64,
            _ => self.weight(slot),
        };
        self.checker.lags.begins(cpu, slot, weight);
    }

    /// What the policy promises.
    pub(super) fn promise(&self) -> Promise {
        self.shared.config().policy.promise()
    }

    fn weight(&self, slot: usize) -> f64 {
        f64::from(self.shared.task(slot).weight())
    }

    /// Among how much weight a CPU's time is divided.
    fn divisor(&self, cpu: usize) -> f64 {
        let scheduler = &self.cpus[cpu].sched;
        match self.promise() {
            Promise::Turns => 1.0,
            _ if scheduler.is_idle() => 0.0,
            _ => {
                let waiting = scheduler.waiting_slots().map(|slot| self.weight(slot as usize)).sum::<f64>();
                self.weight(scheduler.current_slot()) + waiting
            }
        }
    }

    /// Brings the ideal up to date, as of before the event, and looks at those that wait.
    pub(super) fn check_lag(&mut self, cpu: usize) -> Result<(), Violation> {
        if matches!(self.promise(), Promise::Precedence) {
            return Ok(());
        }
        let divisor = self.divisor(cpu);
        let lags = &mut self.checker.lags;
        let (clock, at) = lags.clock[cpu];
        let passed = (self.now - at) as f64;
        let clock = clock + if lags.divisor[cpu] > 0.0 { passed / lags.divisor[cpu] } else { 0.0 };
        lags.clock[cpu] = (clock, self.now);
        let mut owed: (f64, usize) = (0.0, 0);
        for slot in self.checker.places.queue(cpu).iter().map(|&slot| slot as usize) {
            let (began, weight) = lags.began[slot];
            let mine = weight * (clock - began);
            if mine > owed.0 {
                owed = (mine, slot);
            }
        }
        lags.divisor[cpu] = divisor;
        lags.worst = lags.worst.max(owed.0);
        self.checker.done += 1;
        if owed.0 <= self.checker.bounds.lag {
            return Ok(());
        }
        let found = format!("slot {} waits at cpu {cpu} and is owed {:.0} ns", owed.1, owed.0);
        Err(Invariant::Lag.violated(found))
    }
}
