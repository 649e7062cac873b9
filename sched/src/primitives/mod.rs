//! Blocking primitives, without what they guard.
//!
//! These are protocols over words and lists of waiting threads. The kernel puts the data, the guards and the
//! threads to them; so what boots is also what `src/models` explores, in every order of events.
//!
//! A list is made of slot numbers, linked through the [`Waiter`] of each thread's [`Task`]. One is enough: a thread
//! waits for one thing at a time. So no list needs memory, and a node outlives whoever looks at it. Each primitive
//! has a word that tells threads which find nobody in their way what they need, and a list of those who wait, behind a
//! lock of its own that is held for a few instructions.
//!
//! What a thread waits for is given to it before it runs, the highest rank first and in the order of arrival among equals,
//! so that nobody overtakes; of a mutex that's true with exceptions, which its file states. All may be used from threads
//! alone, with interrupts and preemption on.

mod barrier;
mod channel;
mod completion;
mod condvar;
mod gate;
mod guard;
mod inheritance;
mod list;
mod migrate;
mod mutex;
mod once;
mod queue;
mod rcu;
mod reentrant;
mod rwlock;
mod semaphore;
#[cfg(all(test, not(loom)))]
mod still;
mod waiter;

pub use barrier::Barrier;
pub use channel::{Channel, Failure};
pub use completion::Completion;
pub use condvar::Condvar;
#[cfg(test)]
pub(crate) use gate::Gate;
pub use guard::{OnCpu, PerCpu, PreemptGuard, Preemption};
pub use migrate::{MigrateGuard, Migration};
pub use mutex::Mutex;
pub use once::Once;
pub use queue::WaitQueue;
pub use rcu::{Grace, Question};
pub use reentrant::ReentrantLock;
pub use rwlock::RwLock;
pub use semaphore::{MAX_PERMITS, Refusal, Semaphore};
pub use waiter::Waiter;

use crate::id::TaskId;
use crate::task::Task;
use crate::time::Nanos;

/// What a primitive asks of the kernel whose threads it blocks. All of it from threads, with interrupts on.
pub trait Kernel: Copy {
    /// The calling thread: its slot, which is never 0, and its task.
    fn current(&self) -> (u32, &Task);

    /// A number that tells the calling thread from all others that live: even, and not 0. Asked for on the shortest paths.
    fn token(&self) -> u32;

    /// The slot of the thread that has this token.
    fn slot_of(&self, token: u32) -> u32;

    /// The task table.
    fn tasks(&self) -> &[Task];

    /// The clock.
    fn now(&self) -> Nanos;

    /// Blocks the calling thread until it's woken, or not at all if that happened already. May return without.
    fn park(&self);

    /// The same, but not for longer than until the clock shows `deadline`.
    fn park_until(&self, deadline: Nanos);

    /// Whether a thread, once it's woken, most likely has to wait for the caller's CPU.
    fn is_near(&self, task: &Task) -> bool;

    /// Wakes a thread, or makes its next [`Kernel::park`] return at once.
    fn wake(&self, task: TaskId);

    /// Makes the scheduler look at what a thread's rank is: that has changed.
    fn reconsider(&self, task: TaskId);

    /// The same as [`Kernel::wake`] for a thread that will want a lock which the caller most likely holds.
    fn notify(&self, task: TaskId) {
        self.wake(task);
    }
}
