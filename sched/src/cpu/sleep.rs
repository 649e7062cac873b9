//! Timers of tasks: the running task asks to be woken at a time.
//!
//! A timer is a wake that comes by itself. To sleep, a task sets its timer and blocks until its time has
//! come, setting it again each time: anyone may wake a sleeper, and the CPU where the timer fired may have a
//! clock that's ahead of the one where the task goes on. To park with a limit, it does so once. Either cancels
//! the timer at the end, or a late one would wake the task from its next block.

use super::Cpu;
use crate::time::Nanos;

impl Cpu<'_> {
    /// Sets the running task's timer in place of any it had: at `deadline` the task is woken.
    ///
    /// The register is written by the next [`Cpu::reschedule`], which [`crate::Reason::Block`] brings.
    #[inline]
    pub fn set_timer(&mut self, deadline: Nanos) {
        self.timers.arm(&self.shared.tasks, self.current, deadline);
    }

    /// Cancels the running task's timer, wherever it was set.
    #[inline]
    pub fn cancel_timer(&mut self) {
        self.timers.cancel(&self.shared.tasks, self.current);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::cpu::tests::{run, start};
    use crate::{Affinity, Config, CpuId, Reason, Shared};

    /// Catches: a timer that fires although it was cancelled, or although a later one took its place.
    #[test]
    fn only_the_last_timer_that_was_not_cancelled_wakes_a_task() {
        for (deadlines, woken) in [(&[100, 200][..], true), (&[100][..], false)] {
            let shared = Shared::new(1, 1, Config::default());
            let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
            let task = start(&mut cpu, 1, Affinity::ANY)[0];
            for &deadline in deadlines {
                cpu.set_timer(Nanos(deadline));
            }
            if !woken {
                cpu.cancel_timer();
            }
            let _ = run(&mut cpu, 10, Reason::Block);
            let mut runs_at = |now| {
                cpu.timer_fired();
                let _ = run(&mut cpu, now, Reason::Preempt);
                cpu.current() == task
            };
            assert_eq!([199, 200].map(&mut runs_at), [false, woken]);
        }
    }
}
