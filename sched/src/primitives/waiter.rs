//! A thread that waits: its place in a list, and the call that ends the wait.

use super::Kernel;
use crate::id::TaskId;
use crate::sync::Ordering;
use crate::sync::untaped::AtomicU32;
use crate::task::Task;

/// No thread: slot 0 is an idle task's, which never waits.
pub(super) const NOBODY: u32 = 0;

/// What a list of waiting threads keeps of each.
#[derive(Debug)]
pub struct Waiter {
    /// The neighbour in the list, or [`NOBODY`]. Written by the thread itself before others know it, then by whoever
    /// the list belongs to.
    pub(super) link: AtomicU32,
    /// Whether the wait is over.
    called: AtomicU32,
}

impl Waiter {
    /// One that doesn't wait.
    pub(crate) fn new() -> Self {
        Self { link: AtomicU32::new(NOBODY), called: AtomicU32::new(0) }
    }

    /// Before the thread enters a list: the link ends it, nobody has called.
    #[inline]
    pub(super) fn prepare(&self) {
        self.link.store(NOBODY, Ordering::Relaxed);
        self.called.store(0, Ordering::Relaxed);
    }

    /// Blocks the thread, whose waiter this is, until it's called.
    #[inline]
    pub(super) fn wait(&self, kernel: impl Kernel) {
        // Acquire pairs with `call`'s Release. A wake that comes for another reason is no call.
        while self.called.load(Ordering::Acquire) == 0 {
            kernel.park();
        }
    }
}

/// Ends the wait of `task`, in `slot`, which the caller took out of its list; returns whom to wake.
#[inline]
pub(super) fn call(task: &Task, slot: u32) -> TaskId {
    // Read first: once it's called the thread may go on and end, and another one be its slot's tenant.
    let id = TaskId { slot, generation: task.state.generation() };
    // Release pairs with the Acquire in `wait`: what the caller did is seen by the thread.
    task.waiter.called.store(1, Ordering::Release);
    id
}
