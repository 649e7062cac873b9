//! Whether a thread has ended, and who waits for that.

use super::Kernel;
use crate::id::TaskId;
use crate::sync::untaped::AtomicU64;
use crate::sync::{Ordering, const_new};

/// The thread goes on, and nobody joins yet.
const GOING_ON: u64 = 0;
/// The thread has ended. No joiner's id: slot 0 is an idle task's.
const DONE: u64 = 1;

/// A thread's end, in one word: going on, done, or the id of the one who joins.
#[derive(Debug)]
pub struct Completion(AtomicU64);

impl Completion {
    const_new! {
        /// The end of a thread that goes on.
        pub fn new() -> Self {
            Self(AtomicU64::new(GOING_ON))
        }
    }

    /// Whether the thread has ended: then all that it left is there.
    #[inline]
    pub fn is_done(&self) -> bool {
        // Acquire pairs with the Release of the swap in `finish`.
        self.0.load(Ordering::Acquire) == DONE
    }

    /// Blocks until the thread has ended. One thread does, once.
    pub fn wait(&self, kernel: impl Kernel) {
        let (slot, task) = kernel.current();
        let me = TaskId { slot, generation: task.state.generation() };
        // Release pairs with `finish`'s Acquire: who wakes an id must have seen its task's creation. A failure means
        // DONE.
        let _ = self.0.compare_exchange(GOING_ON, me.to_bits(), Ordering::Release, Ordering::Relaxed);
        while !self.is_done() {
            kernel.park();
        }
    }

    /// Ends: who sees that sees what the thread did before. Once, by the thread itself.
    pub fn finish(&self, kernel: impl Kernel) {
        // Release pairs with the Acquire in `is_done`, Acquire with the Release in `wait`.
        match self.0.swap(DONE, Ordering::AcqRel) {
            GOING_ON => {}
            joiner => kernel.wake(TaskId::from_bits(joiner)),
        }
    }
}

impl Default for Completion {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::primitives::still::{Still, blocks};

    #[test]
    fn who_joins_waits_for_the_end_and_no_longer() {
        let (end, still) = (Completion::new(), Still::new(3));
        assert!(blocks(|| end.wait(still.thread(2))));
        assert!(!end.is_done());
        end.finish(still.thread(1));
        assert!(end.is_done());
        assert_eq!(*still.woken.borrow(), [2]);
        assert!(!blocks(|| end.wait(still.thread(2))));
    }

    #[test]
    fn an_end_that_nobody_waits_for_wakes_nobody() {
        let (end, still) = (Completion::new(), Still::new(3));
        end.finish(still.thread(1));
        assert!(still.woken.borrow().is_empty());
    }
}
