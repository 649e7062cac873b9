//! Who runs and waits on a CPU should, and counts as much as it should.
//!
//! Under the priority policy nobody heavier waits for long on the same CPU. And a thread whose affinity or weight was
//! changed follows soon, whether it runs, waits or has only just arrived.

use sched::policy::Promise;

use super::place::Place;
use super::{Invariant, Violation};
use crate::sim::world::{Phase, World};

/// Since when what shouldn't be is so.
pub struct Order {
    /// By CPU: it runs a thread that should wait.
    inverted: Vec<Option<u64>>,
    /// By slot: its tenant is to have another affinity or weight.
    wished: Vec<Option<u64>>,
}

impl Order {
    pub fn new(cpus: usize, slots: usize) -> Self {
        Self { inverted: vec![None; cpus], wished: vec![None; slots] }
    }

    pub fn wish(&mut self, slot: usize, now: u64) {
        self.wished[slot].get_or_insert(now);
    }

    pub fn forget(&mut self, slot: usize) {
        self.wished[slot] = None;
    }

    /// A task came to a CPU: what was wished before can only count from here on.
    pub fn arrived(&mut self, slot: usize, now: u64) {
        if let Some(since) = &mut self.wished[slot] {
            *since = now;
        }
    }
}

impl World<'_> {
    pub(super) fn check_order(&mut self, cpu: usize) -> Result<(), Violation> {
        self.check_wishes(cpu)?;
        if !matches!(self.promise(), Promise::Precedence) || self.checker.bounds.ranked {
            return Ok(());
        }
        self.checker.done += 1;
        let state = &self.cpus[cpu];
        let weight = |slot: usize| self.shared.task(slot).weight();
        let heaviest = self.checker.places.queue(cpu).iter().map(|&slot| weight(slot as usize)).max();
        let running = state.phase == Phase::Running || state.phase == Phase::Switching;
        let inverted =
            running && heaviest > Some(weight(state.sched.current_slot())) && !state.sched.is_idle();
        let since = &mut self.checker.order.inverted[cpu];
        if !inverted {
            *since = None;
            return Ok(());
        }
        since.get_or_insert(self.now);
        self.check_inversion(cpu)
    }

    /// An inversion doesn't last.
    pub(super) fn check_inversion(&self, cpu: usize) -> Result<(), Violation> {
        let lasted = self.checker.order.inverted[cpu].map_or(0, |since| self.now - since);
        if lasted <= self.checker.bounds.inversion {
            return Ok(());
        }
        let found = format!("on cpu {cpu} a thread has waited {lasted} ns for one of lower priority");
        Err(Invariant::Priority.violated(found))
    }

    /// The threads of a CPU have the affinity and weight that were wished for them, or will soon.
    fn check_wishes(&mut self, cpu: usize) -> Result<(), Violation> {
        self.check_wish(self.cpus[cpu].sched.current_slot())?;
        for index in 0..self.checker.places.queue(cpu).len() {
            self.check_wish(self.checker.places.queue(cpu)[index] as usize)?;
        }
        Ok(())
    }

    /// The same for one that runs or waits.
    pub(super) fn check_wish(&mut self, slot: usize) -> Result<(), Violation> {
        let (Some(since), Some(thread)) = (self.checker.order.wished[slot], self.tenants[slot]) else {
            return Ok(());
        };
        let (task, plan) = (self.shared.task(slot), &self.threads[thread].plan);
        let wanted = plan.cpus.affinity(self.cpus.len());
        let place = self.checker.places.of(slot);
        let allowed = match place {
            Place::Running(cpu) | Place::Queued(cpu) => wanted.allows(sched::CpuId(cpu as u32)),
            Place::Nowhere => return Ok(()),
        };
        let class = sched::Class::from(plan.class);
        let counts = task.class() == class && (class != sched::Class::Fair || task.weight() == plan.weight);
        if allowed && task.affinity() == wanted && counts {
            self.checker.order.wished[slot] = None;
            if let Place::Queued(cpu) = place {
                self.begins_to_wait(cpu, slot);
                self.checker.waste.waits(slot, wanted, self.now);
            }
            return Ok(());
        }
        if self.now - since <= self.checker.bounds.control {
            return Ok(());
        }
        let found =
            format!("thread {thread} is {place:?} {} ns after its terms were changed", self.now - since);
        Err(Invariant::Control.violated(found))
    }
}
