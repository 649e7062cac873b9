//! What `sched`'s blocking primitives ask of this kernel.

use arch::{interrupts, percpu};
use sched::primitives::Kernel;
use sched::{Nanos, Task, TaskId};

use crate::dispatch;
use crate::local::{Local, now};
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

    /// The address of the place where the thread's context is saved: all of them are in one table of a few pages, so half
    /// the address tells them apart.
    #[inline]
    fn token(&self) -> u32 {
        percpu::running_low()
    }

    fn slot_of(&self, token: u32) -> u32 {
        Local::here().threads.slot_of(token)
    }

    fn reconsider(&self, task: TaskId) {
        dispatch::reconsider(task);
    }

    #[inline]
    fn now(&self) -> Nanos {
        now()
    }

    fn park_until(&self, deadline: Nanos) {
        thread::park_until(deadline);
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
    fn is_near(&self, task: &Task) -> bool {
        task.cpu().0 == percpu::index()
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
