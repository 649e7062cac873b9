//! Once the switch is done: what becomes of the task that was left.
//!
//! Until here the left task's stack was in use, so it could be in no other CPU's hands. Only this file turns
//! Blocking into Blocked, sends a task away that ran here, or gives one up for good.

use super::{Cpu, Leaving};
use crate::id::TaskId;

/// What the kernel must do after a switch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct After {
    /// A task that exited: its stack is no longer in use; free it, then [`crate::Shared::release`] the slot.
    pub reap: Option<TaskId>,
    /// Whether something arrived meanwhile that should run first: reschedule.
    pub reschedule: bool,
}

impl Cpu<'_> {
    /// Completes a switch. Called first of all on the new stack, with interrupts still off.
    #[inline]
    pub fn switched(&mut self) -> After {
        let reap = if self.left.1 == Leaving::Nothing { None } else { self.part() };
        self.share_surplus(self.charged);
        After { reap, reschedule: self.preempt }
    }

    /// Does with the task that was left what it was left for; returns it if it's gone.
    #[inline]
    fn part(&mut self) -> Option<TaskId> {
        let (slot, leaving) = self.left;
        self.left.1 = Leaving::Nothing;
        if leaving == Leaving::Blocking && self.task(slot).state.finish_block() {
            return None;
        }
        self.part_otherwise(slot, leaving)
    }

    #[inline(never)]
    fn part_otherwise(&mut self, slot: u32, leaving: Leaving) -> Option<TaskId> {
        match leaving {
            Leaving::Nothing => None,
            Leaving::Exiting => Some(self.task_id(slot)),
            Leaving::Moving => {
                self.route(slot, self.charged);
                None
            }
            // Woken while it was still on its stack: the waker left it to us.
            Leaving::Blocking => {
                let outcome = self.send(slot, self.charged);
                self.remember_kick(outcome);
                None
            }
        }
    }
}
