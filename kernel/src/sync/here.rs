//! What `sched`'s blocking primitives ask of this kernel.

use arch::interrupts;
use sched::primitives::Kernel;
use sched::{Task, TaskId};

use crate::dispatch;
use crate::local::Local;
use crate::thread;

/// This kernel, as the calling thread sees it.
#[derive(Clone, Copy)]
pub struct Here;

impl Kernel for Here {
    #[inline]
    fn current(&self) -> (u32, &Task) {
        interrupts::disable();
        // SAFETY: interrupts are off, and this is the only reference.
        let running = unsafe { Local::here().cpu() }.running_task();
        interrupts::enable();
        running
    }

    #[inline]
    fn tasks(&self) -> &[Task] {
        Local::here().shared.tasks()
    }

    #[inline]
    fn park(&self) {
        thread::park();
    }

    #[inline]
    fn wake(&self, task: TaskId) {
        dispatch::wake(task);
    }

    #[inline]
    fn notify(&self, task: TaskId) {
        dispatch::notify(task);
    }
}
