//! The lock of a list of waiting threads: held for some dozen instructions, handed over in the order of arrival.
//!
//! It blocks as the mutex that it serves does, so nobody ever spins; and it has a list of its own, without a lock. That
//! knows no time limit: nobody may leave it, as nobody has to wait long. The word is 0 when free. Otherwise it has the bit LOCKED, maybe the bit QUEUED, and the slot of the newest
//! waiter, whose link names the one before it. A waiter adds itself with one compare-and-swap and parks. The
//! holder, and only the holder, takes the whole list when it unlocks, turns it round into a queue of its own
//! (QUEUED says that this isn't empty), and hands the lock to the oldest waiter: the lock is never free while
//! someone waits, so nobody overtakes and nobody spins.
//!
//! Free and uncontended, a lock and an unlock are one compare-and-swap each.

use super::Kernel;
use super::waiter::{NOBODY, let_in};
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, const_new};
use crate::task::Task;

const FREE: u32 = 0;
const LOCKED: u32 = 0b01;
const QUEUED: u32 = 0b10;
const FLAGS: u32 = LOCKED | QUEUED;
const SLOT: u32 = 2;

/// A mutual exclusion lock for a few instructions at a time.
///
/// Whoever unlocks it doesn't touch it once it's another's, which may free its memory.
#[derive(Debug)]
pub(crate) struct Gate {
    state: AtomicU32,
    /// The oldest waiter in the holder's queue, or [`NOBODY`]. Only the holder touches it.
    queue: AtomicU32,
}

impl Gate {
    const_new! {
        /// An open gate.
        pub(crate) fn new() -> Self {
            Self { state: AtomicU32::new(FREE), queue: AtomicU32::new(NOBODY) }
        }
    }

    /// Blocks until the lock is the caller's. Not for interrupt handlers, nor with preemption off.
    #[inline]
    pub(crate) fn lock(&self, kernel: impl Kernel) {
        if !self.try_lock() {
            self.lock_slowly(kernel);
        }
    }

    /// Takes the lock if it's free.
    #[inline]
    #[must_use]
    pub(crate) fn try_lock(&self) -> bool {
        // Acquire pairs with `unlock`'s Release: what the lock guards is as the last holder left it.
        self.state.compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn lock_slowly(&self, kernel: impl Kernel) {
        let (slot, task) = kernel.current();
        task.waiter.gate.prepare();
        if !self.join(slot, task) {
            task.waiter.gate.wait(kernel);
        }
    }

    /// Takes the lock if it has become free, and answers `true`; else adds the thread to the list.
    pub(super) fn join(&self, slot: u32, task: &Task) -> bool {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let next = if state == FREE { LOCKED } else { slot << SLOT | state & FLAGS };
            task.waiter.gate.link.store(state >> SLOT, Ordering::Relaxed);
            // AcqRel: Acquire as in `try_lock`; Release shows the link to the holder's Acquire in `take_list`.
            match self.state.compare_exchange(state, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return state == FREE,
                Err(now) => state = now,
            }
        }
    }

    /// Gives the lock back, or to the thread that has waited for it longest. Only the holder calls this.
    #[inline]
    pub(crate) fn unlock(&self, kernel: impl Kernel) {
        if !self.try_unlock() {
            self.hand_over(kernel);
        }
    }

    /// Gives the lock back if nobody waits.
    #[inline]
    pub(super) fn try_unlock(&self) -> bool {
        // Release pairs with the Acquire of the next `lock`.
        self.state.compare_exchange(LOCKED, FREE, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Gives the lock to the waiter that has waited longest. There is one: nobody but the holder takes any out.
    #[cold]
    pub(super) fn hand_over(&self, kernel: impl Kernel) {
        let tasks = kernel.tasks();
        let queued = self.queue.load(Ordering::Relaxed);
        let oldest = if queued == NOBODY { self.take_list(tasks) } else { queued };
        let task = &tasks[oldest as usize];
        let rest = task.waiter.gate.link.load(Ordering::Relaxed);
        self.queue.store(rest, Ordering::Relaxed);
        if rest == NOBODY {
            self.state.fetch_and(!QUEUED, Ordering::Relaxed);
        }
        // From the call on the lock is the waiter's.
        kernel.wake(let_in(task, oldest));
    }

    /// Takes all that wait in the list, links them oldest first, and returns the oldest.
    fn take_list(&self, tasks: &[Task]) -> u32 {
        // Acquire pairs with the Release in `join`.
        let mut slot = self.state.swap(LOCKED | QUEUED, Ordering::Acquire) >> SLOT;
        let mut queue = NOBODY;
        while slot != NOBODY {
            let link = &tasks[slot as usize].waiter.gate.link;
            let before = link.load(Ordering::Relaxed);
            link.store(queue, Ordering::Relaxed);
            queue = slot;
            slot = before;
        }
        queue
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::primitives::still::{Still, blocks};

    /// Catches: `take_list` that doesn't turn the list round; `hand_over` that takes the list before the queue is empty.
    #[test]
    fn the_lock_goes_round_in_the_order_of_arrival() {
        let still = Still::new(6);
        let kernel = still.thread(1);
        let gate = Gate::new();
        assert!(gate.try_lock());
        let arrive = |slot: u32| assert!(!gate.join(slot, &still.tasks[slot as usize]));
        [4, 1, 3].into_iter().for_each(arrive);
        gate.unlock(kernel);
        [5, 2].into_iter().for_each(arrive);
        for _ in 0..4 {
            gate.unlock(kernel);
        }
        assert_eq!(*still.woken.borrow(), [4, 1, 3, 5, 2]);
        assert!(!gate.try_lock(), "the last one holds it");
        gate.unlock(kernel);
        assert!(gate.try_lock());
    }

    /// Catches: a call that's left from the wait before.
    #[test]
    fn who_was_let_in_once_waits_again() {
        let (gate, still) = (Gate::new(), Still::new(3));
        for _ in 0..2 {
            gate.lock(still.thread(1));
            assert!(blocks(|| gate.lock(still.thread(2))));
            gate.unlock(still.thread(1));
            gate.unlock(still.thread(2));
        }
    }
}
