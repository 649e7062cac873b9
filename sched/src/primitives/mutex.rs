//! A blocking mutex with first-in-first-out hand-off, in one word.
//!
//! The word is 0 when free. Otherwise it has the bit LOCKED, maybe the bit QUEUED, and the slot of the newest
//! waiter, whose link names the one before it. A waiter adds itself with one compare-and-swap and parks. The
//! holder, and only the holder, takes the whole list when it unlocks, turns it round into a queue of its own
//! (QUEUED says that this isn't empty), and hands the lock to the oldest waiter: the lock is never free while
//! someone waits, so nobody overtakes and nobody spins.
//!
//! Free and uncontended, a lock and an unlock are one compare-and-swap each.

use super::Kernel;
use super::waiter::{NOBODY, call};
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, const_new};
use crate::task::Task;

const FREE: u32 = 0;
const LOCKED: u32 = 0b01;
const QUEUED: u32 = 0b10;
const FLAGS: u32 = LOCKED | QUEUED;
const SLOT: u32 = 2;

/// A mutual exclusion lock that blocks, and hands over in the order of arrival.
#[derive(Debug)]
pub struct Mutex {
    state: AtomicU32,
    /// The oldest waiter in the holder's queue, or [`NOBODY`]. Only the holder touches it.
    queue: AtomicU32,
}

impl Mutex {
    const_new! {
        /// A free mutex.
        pub fn new() -> Self {
            Self { state: AtomicU32::new(FREE), queue: AtomicU32::new(NOBODY) }
        }
    }

    /// Blocks until the lock is the caller's. Not for interrupt handlers, nor with preemption off.
    #[inline]
    pub fn lock(&self, kernel: impl Kernel) {
        if !self.try_lock() {
            self.lock_slowly(kernel);
        }
    }

    /// Takes the lock if it's free.
    #[inline]
    #[must_use]
    pub fn try_lock(&self) -> bool {
        // Acquire pairs with `unlock`'s Release: what the lock guards is as the last holder left it.
        self.state.compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn lock_slowly(&self, kernel: impl Kernel) {
        let (slot, task) = kernel.current();
        task.waiter.prepare();
        if !self.join(slot, task) {
            task.waiter.wait(kernel);
        }
    }

    /// Takes the lock if it has become free, and answers `true`; else adds the thread to the list.
    fn join(&self, slot: u32, task: &Task) -> bool {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let next = if state == FREE { LOCKED } else { slot << SLOT | state & FLAGS };
            task.waiter.link.store(state >> SLOT, Ordering::Relaxed);
            // AcqRel: Acquire as in `try_lock`; Release shows the link to the holder's Acquire in `take_list`.
            match self.state.compare_exchange(state, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return state == FREE,
                Err(now) => state = now,
            }
        }
    }

    /// Gives the lock back, or to the thread that has waited for it longest. Only the holder calls this.
    #[inline]
    pub fn unlock(&self, kernel: impl Kernel) {
        // Release pairs with the Acquire of the next `lock`.
        if self.state.compare_exchange(LOCKED, FREE, Ordering::Release, Ordering::Relaxed).is_err() {
            self.hand_over(kernel);
        }
    }

    /// Gives the lock to the waiter that has waited longest. There is one: nobody but the holder takes any out.
    #[cold]
    fn hand_over(&self, kernel: impl Kernel) {
        let tasks = kernel.tasks();
        let queued = self.queue.load(Ordering::Relaxed);
        let oldest = if queued == NOBODY { self.take_list(tasks) } else { queued };
        let task = &tasks[oldest as usize];
        let rest = task.waiter.link.load(Ordering::Relaxed);
        self.queue.store(rest, Ordering::Relaxed);
        if rest == NOBODY {
            self.state.fetch_and(!QUEUED, Ordering::Relaxed);
        }
        // From the call on the lock is the waiter's.
        kernel.wake(call(task, oldest));
    }

    /// Takes all that wait in the list, links them oldest first, and returns the oldest.
    fn take_list(&self, tasks: &[Task]) -> u32 {
        // Acquire pairs with the Release in `join`.
        let mut slot = self.state.swap(LOCKED | QUEUED, Ordering::Acquire) >> SLOT;
        let mut queue = NOBODY;
        while slot != NOBODY {
            let link = &tasks[slot as usize].waiter.link;
            let before = link.load(Ordering::Relaxed);
            link.store(queue, Ordering::Relaxed);
            queue = slot;
            slot = before;
        }
        queue
    }
}

impl Default for Mutex {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::id::TaskId;
    use core::cell::RefCell;
    use std::vec::Vec;

    /// A kernel whose threads never get to run.
    #[derive(Clone, Copy)]
    struct Still<'a> {
        tasks: &'a [Task],
        woken: &'a RefCell<Vec<usize>>,
    }

    impl Kernel for Still<'_> {
        fn current(&self) -> (u32, &Task) {
            unreachable!("nobody runs")
        }

        fn tasks(&self) -> &[Task] {
            self.tasks
        }

        fn park(&self) {}

        fn wake(&self, task: TaskId) {
            self.woken.borrow_mut().push(task.index());
        }
    }

    /// Catches: `take_list` that doesn't turn the list round; `hand_over` that takes the list before the queue is empty.
    #[test]
    fn the_lock_goes_round_in_the_order_of_arrival() {
        let tasks: Vec<Task> = (0..6).map(|_| Task::new()).collect();
        let woken = RefCell::new(Vec::new());
        let kernel = Still { tasks: &tasks, woken: &woken };
        let mutex = Mutex::new();
        assert!(mutex.try_lock());
        let arrive = |slot: usize| assert!(!mutex.join(slot as u32, &tasks[slot]));
        [4, 1, 3].into_iter().for_each(arrive);
        mutex.unlock(kernel);
        [5, 2].into_iter().for_each(arrive);
        for _ in 0..4 {
            mutex.unlock(kernel);
        }
        assert_eq!(*woken.borrow(), [4, 1, 3, 5, 2]);
        assert!(!mutex.try_lock(), "the last one holds it");
        mutex.unlock(kernel);
        assert!(mutex.try_lock());
    }
}
