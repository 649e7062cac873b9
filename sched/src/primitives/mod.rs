//! Blocking primitives, without what they guard: mutex, condition variable, completion.
//!
//! These are protocols over words and lists of waiting threads. The kernel puts the data, the guards and the
//! threads to them; so what boots is also what `src/models` explores, in every order of events.
//!
//! A list is made of slot numbers, linked through the [`Waiter`] of each thread's [`Task`]. One is enough: a thread
//! waits for one thing at a time. So no list needs memory, and a node outlives whoever looks at it.

mod completion;
mod condvar;
mod mutex;
mod waiter;

pub use completion::Completion;
pub use condvar::Condvar;
pub use mutex::Mutex;
pub use waiter::Waiter;

use crate::id::TaskId;
use crate::task::Task;

/// What a primitive asks of the kernel whose threads it blocks. All of it from threads, with interrupts on.
pub trait Kernel: Copy {
    /// The calling thread: its slot, which is never 0, and its task.
    fn current(&self) -> (u32, &Task);

    /// The task table.
    fn tasks(&self) -> &[Task];

    /// Blocks the calling thread until it's woken, or not at all if that happened already. May return without.
    fn park(&self);

    /// Wakes a thread, or makes its next [`Kernel::park`] return at once.
    fn wake(&self, task: TaskId);

    /// The same for a thread that will want a lock which the caller most likely holds.
    fn notify(&self, task: TaskId) {
        self.wake(task);
    }
}
