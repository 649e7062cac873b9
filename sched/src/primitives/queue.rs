//! A queue of threads that wait for a condition of any kind, which nobody has to guard: Linux's and OSv's wait queue.
//!
//! A waiter enters the queue first and looks at its condition then; whoever changes the condition does so first and looks
//! at the queue then. A fence on either side makes sure that one of the two sees what the other did.

use super::Kernel;
use super::list::WaitList;
use super::waiter::Call;
use crate::sync::{Ordering, const_new, fence};
use crate::time::Nanos;

/// Threads that wait for conditions.
#[derive(Debug)]
pub struct WaitQueue {
    list: WaitList,
}

impl WaitQueue {
    const_new! {
        /// An empty queue.
        pub fn new() -> Self {
            Self { list: WaitList::new() }
        }
    }

    /// Blocks until `condition` holds; answers `false` if it didn't when the clock showed `deadline`.
    /// [`Nanos::NEVER`] is no limit.
    ///
    /// The condition is looked at by the calling thread: at once, whenever it's woken, and at the end. It must not block.
    pub fn wait_until(
        &self,
        kernel: impl Kernel,
        deadline: Nanos,
        mut condition: impl FnMut() -> bool,
    ) -> bool {
        loop {
            if condition() {
                return true;
            }
            match self.wait_once(kernel, deadline, &mut condition) {
                // Whoever woke this thread changed something; look again.
                Some(Call::Granted) => {}
                Some(Call::Dismissed) => return true,
                None => return condition(),
            }
        }
    }

    /// Waits for one wake, unless the condition holds once the thread is in the queue. `None`: the time is up.
    fn wait_once(
        &self,
        kernel: impl Kernel,
        deadline: Nanos,
        condition: &mut impl FnMut() -> bool,
    ) -> Option<Call> {
        let waiting = self.list.open(&kernel);
        let (slot, task) = kernel.current();
        task.waiter.prepare(0);
        waiting.push(slot, task);
        drop(waiting);
        // Pairs with the fence in `wake`: either the condition is seen here, or the waiter there.
        fence(Ordering::SeqCst);
        if !condition() {
            return self.list.wait_until(&kernel, deadline, || ()).ok();
        }
        // A wake that came all the same was for somebody who waits.
        if self.list.wait_until(&kernel, Nanos::ZERO, || ()).is_ok() {
            self.wake_one(kernel);
        }
        Some(Call::Dismissed)
    }

    /// Wakes the thread that has waited longest, if one waits. What the caller changed before, its condition sees.
    #[inline]
    pub fn wake_one(&self, kernel: impl Kernel) {
        if self.may_hold_someone() {
            self.list.open(&kernel).call_front(Call::Granted);
        }
    }

    /// Wakes all threads that wait.
    #[inline]
    pub fn wake_all(&self, kernel: impl Kernel) {
        if self.may_hold_someone() {
            self.list.open(&kernel).call_all(Call::Granted);
        }
    }

    #[inline]
    fn may_hold_someone(&self) -> bool {
        // Pairs with the fence in `wait_once`.
        fence(Ordering::SeqCst);
        !self.list.seems_empty()
    }
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::cell::Cell;

    use super::*;
    use crate::primitives::still::{Still, blocks};

    /// Waits no time for a condition that holds when it's looked at for the nth time; tells whether it did hold, and how often
    /// it was looked at.
    fn look(nth: u32) -> (bool, u32) {
        let (queue, still, looks) = (WaitQueue::new(), Still::new(2), Cell::new(0));
        let held = queue.wait_until(still.thread(1), Nanos::ZERO, || {
            looks.set(looks.get() + 1);
            looks.get() >= nth
        });
        assert!(queue.list.seems_empty(), "nobody waits any more");
        (held, looks.get())
    }

    /// At once, in the queue, and when the time is up.
    #[test]
    fn a_condition_is_looked_at_three_times_at_least() {
        assert_eq!([1, 2, 3, 4].map(look), [(true, 1), (true, 2), (true, 3), (false, 3)]);
    }

    #[test]
    fn one_or_all_are_woken_in_the_order_of_arrival() {
        let (queue, still) = (WaitQueue::new(), Still::new(5));
        for slot in 1..5 {
            assert!(blocks(|| _ = queue.wait_until(still.thread(slot), Nanos::NEVER, || false)));
        }
        queue.wake_one(still.thread(1));
        assert_eq!(*still.woken.borrow(), [1]);
        queue.wake_all(still.thread(1));
        assert_eq!(*still.woken.borrow(), [1, 2, 3, 4]);
    }
}
