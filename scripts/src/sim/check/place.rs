//! Each runnable thread is in exactly one place: on a CPU, in a queue, or on its way in an inbox.
//!
//! Only a CPU's own events change what runs and waits there, so that its places are brought up to date after each.
//! A task that left one and came to no other is in an inbox, or nowhere: the sweep tells which.

use super::{Invariant, Violation};
use crate::sim::world::{Doing, Phase, World};

/// Where a slot's task is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Blocked, gone, or in an inbox.
    Nowhere,
    /// On a CPU.
    Running(usize),
    /// In a CPU's queue.
    Queued(usize),
}

/// The places of all tasks.
pub struct Places {
    /// By slot.
    of: Vec<Place>,
    /// By slot: the CPU that is on the task's stack, until its switch away is done.
    stack: Vec<Option<usize>>,
    /// By CPU: the slot that runs, and the one that it's just leaving.
    current: Vec<usize>,
    leaving: Vec<Option<usize>>,
    /// By CPU: the slots that wait, as they were seen last.
    queues: Vec<Vec<u32>>,
    /// By slot: the last look at a queue that found it there.
    seen: Vec<u64>,
    looks: u64,
}

/// A slot that came into a queue or left it.
pub enum Moved {
    In(usize),
    Out(usize),
}

impl Places {
    pub fn new(cpus: usize, slots: usize) -> Self {
        let mut of = vec![Place::Nowhere; slots];
        let mut stack = vec![None; slots];
        for cpu in 0..cpus {
            (of[cpu], stack[cpu]) = (Place::Running(cpu), Some(cpu));
        }
        Self {
            of,
            stack,
            current: (0..cpus).collect(),
            leaving: vec![None; cpus],
            queues: vec![Vec::new(); cpus],
            seen: vec![0; slots],
            looks: 0,
        }
    }

    pub fn of(&self, slot: usize) -> Place {
        self.of[slot]
    }

    /// Whether a CPU is still on the task's stack.
    pub fn is_on_stack(&self, slot: usize) -> bool {
        self.stack[slot].is_some()
    }

    /// The slots that wait at `cpu`.
    pub fn queue(&self, cpu: usize) -> &[u32] {
        &self.queues[cpu]
    }

    /// A task is found on, or in the queue of, `cpu`.
    fn enter(&mut self, slot: usize, place: Place, cpu: usize) -> Result<(), Violation> {
        if let Some(other) = self.stack[slot].filter(|&other| other != cpu) {
            return Err(Invariant::OnePlace
                .violated(format!("slot {slot} is {place:?} while cpu {other} is still on its stack")));
        }
        let was = std::mem::replace(&mut self.of[slot], place);
        match was {
            Place::Running(at) | Place::Queued(at) if at != cpu => {
                Err(Invariant::OnePlace.violated(format!("slot {slot} is {was:?} and {place:?}")))
            }
            _ => Ok(()),
        }
    }

    /// What runs on `cpu` now, and whether the switch to it is done.
    fn run(&mut self, cpu: usize, slot: usize, switching: bool) -> Result<(), Violation> {
        let was = self.current[cpu];
        if slot != was {
            // A switch only begins once the one before is done.
            self.leave_stack(cpu);
            self.current[cpu] = slot;
            self.of[was] = Place::Nowhere;
            self.leaving[cpu] = Some(was);
            self.enter(slot, Place::Running(cpu), cpu)?;
            self.stack[slot] = Some(cpu);
        }
        if !switching {
            self.leave_stack(cpu);
        }
        Ok(())
    }

    fn leave_stack(&mut self, cpu: usize) {
        if let Some(left) = self.leaving[cpu].take().filter(|&left| left != self.current[cpu]) {
            self.stack[left] = None;
        }
    }

    /// What waits at `cpu` now; tells what came and went.
    fn wait(
        &mut self,
        cpu: usize,
        now: impl Iterator<Item = u32>,
        moved: &mut Vec<Moved>,
    ) -> Result<(), Violation> {
        let mut before = std::mem::take(&mut self.queues[cpu]);
        let mut after = Vec::with_capacity(before.len() + 1);
        after.extend(now);
        if after == before {
            self.queues[cpu] = before;
            return Ok(());
        }
        self.looks += 1;
        for slot in after.iter().map(|&slot| slot as usize) {
            if std::mem::replace(&mut self.seen[slot], self.looks) == self.looks {
                return Err(Invariant::OnePlace.violated(format!("slot {slot} waits twice at cpu {cpu}")));
            }
            if slot == self.current[cpu] {
                return Err(
                    Invariant::OnePlace.violated(format!("slot {slot} waits at cpu {cpu} and runs there"))
                );
            }
            if self.of[slot] != Place::Queued(cpu) {
                self.enter(slot, Place::Queued(cpu), cpu)?;
                moved.push(Moved::In(slot));
            }
        }
        for slot in before.drain(..).map(|slot| slot as usize).filter(|&slot| self.seen[slot] != self.looks) {
            moved.push(Moved::Out(slot));
            if self.of[slot] == Place::Queued(cpu) {
                self.of[slot] = Place::Nowhere;
            }
        }
        self.queues[cpu] = after;
        Ok(())
    }
}

impl World<'_> {
    /// Brings the places up to date after an event on `cpu`.
    pub(super) fn check_place(&mut self, cpu: usize) -> Result<(), Violation> {
        let state = &self.cpus[cpu];
        let places = &mut self.checker.places;
        let mut moved = std::mem::take(&mut self.checker.waste.moved);
        places.run(cpu, state.sched.current_slot(), state.phase == Phase::Switching)?;
        places.wait(cpu, state.sched.waiting_slots(), &mut moved)?;
        self.checker.done += 1;
        for change in moved.drain(..) {
            match change {
                Moved::In(slot) => self.comes_to_wait(cpu, slot)?,
                Moved::Out(slot) => self.checker.waste.forget(slot),
            }
        }
        self.checker.waste.moved = moved;
        Ok(())
    }

    fn comes_to_wait(&mut self, cpu: usize, slot: usize) -> Result<(), Violation> {
        let Some(number) = self.tenants[slot] else {
            return Err(
                Invariant::OnePlace.violated(format!("slot {slot} waits at cpu {cpu} without a thread"))
            );
        };
        let doing = self.threads[number].doing;
        if matches!(doing, Doing::Parked | Doing::New | Doing::Gone) {
            return Err(
                Invariant::OnePlace.violated(format!("thread {number} is {doing:?} but waits at cpu {cpu}"))
            );
        }
        self.begins_to_wait(cpu, slot);
        self.checker.order.arrived(slot, self.now);
        let affinity = self.shared.task(slot).affinity();
        self.checker.waste.waits(slot, affinity, self.now);
        Ok(())
    }
}
