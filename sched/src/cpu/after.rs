//! Once the switch is done: what becomes of the task that was left.
//!
//! Until here the left task's stack was in use, so it could be in no other CPU's hands. Only this file turns
//! Blocking into Blocked, sends a task away that ran here, or gives one up for good.

use super::place::Placing;
use super::{Cpu, Leaving};
use crate::id::TaskId;

/// What the kernel must do after a switch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
#[must_use]
pub enum After {
    /// Nothing: the task that was switched to runs.
    Run,
    /// Reschedule: the task that was left came back at once.
    Reschedule,
    /// Free the stack of a task that exited, which is no longer in use, then [`crate::Shared::release`] the slot.
    Reap(TaskId),
}

impl Cpu<'_> {
    /// Completes a switch. Called first of all on the new stack, with interrupts still off.
    #[inline]
    pub fn switched(&mut self) -> After {
        let after = if self.left.1 == Leaving::Nothing { After::Run } else { self.part() };
        self.share_surplus(self.charged);
        after
    }

    /// Does with the task that was left what it was left for.
    #[inline]
    fn part(&mut self) -> After {
        let (slot, leaving) = self.left;
        self.left.1 = Leaving::Nothing;
        if leaving == Leaving::Blocking && self.left_task.state.finish_block() {
            return After::Run;
        }
        self.part_otherwise(slot, leaving)
    }

    #[inline(never)]
    fn part_otherwise(&mut self, slot: u32, leaving: Leaving) -> After {
        match leaving {
            Leaving::Nothing => {}
            Leaving::Exiting => return After::Reap(self.task_id(slot)),
            Leaving::Moving => self.route(slot, self.charged),
            // Woken while it was still on its stack: the waker left it to us.
            Leaving::Blocking => {
                let outcome = self.send(slot, self.task(slot), Placing::Woken, self.is_idle(), self.charged);
                self.remember_kick(outcome);
            }
        }
        if self.is_idle() || self.timers.is_alert() || self.must_reschedule() {
            After::Reschedule
        } else {
            After::Run
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::cpu::tests::{run, start};
    use crate::state::Woken;
    use crate::{Affinity, After, Config, Cpu, CpuId, Nanos, Next, Reason, Shared, WakeOutcome};

    /// Catches: no second look where neither the CPU idles nor a timer is due: nothing would end the other's turn.
    #[test]
    fn one_that_comes_back_during_the_switch_asks_for_a_timer() {
        let shared = Shared::new(1, 2, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        start(&mut cpu, 2, Affinity::ANY);
        let blocks = cpu.current();
        cpu.timer_fired();
        assert_ne!(cpu.reschedule(Nanos(1_000), Reason::Block).next, Next::Stay);
        assert_eq!(cpu.armed(), Nanos::NEVER, "the other runs alone");
        assert_eq!(shared.task(blocks.index()).state.wake(blocks.generation), Woken::Noticed);
        assert_eq!(cpu.switched(), After::Reschedule);
    }

    /// Catches: `part` that leaves a note of what it did, so that the next switch blocks whoever it leaves.
    #[test]
    fn a_block_is_completed_once() {
        let shared = Shared::new(1, 3, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        start(&mut cpu, 3, Affinity::ANY);
        let _ = run(&mut cpu, 10, Reason::Block);
        let runner = cpu.current();
        let _ = run(&mut cpu, 20, Reason::Yield);
        assert_ne!(cpu.current(), runner);
        assert!(!shared.task(runner.index()).is_blocked());
        assert_eq!(cpu.wake_at_once(runner, Nanos(30)), WakeOutcome::Already);
    }
}
