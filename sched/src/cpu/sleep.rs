//! Timers of tasks: the running task asks to be woken at a time.
//!
//! A timer is a wake that comes by itself. To sleep, a task sets its timer and blocks; to park with a limit,
//! it does the same and cancels the timer when it's back. An early wake (anyone may wake a sleeper) leaves
//! the timer set, so a task that only sleeps blocks again until its time has come.

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

    /// Cancels the running task's timer, wherever it was set. Not needed once it has fired.
    #[inline]
    pub fn cancel_timer(&mut self) {
        self.timers.cancel(&self.shared.tasks, self.current);
    }
}
