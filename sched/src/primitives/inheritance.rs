//! Priority inheritance: who holds a mutex has the highest rank of those that wait for it.
//!
//! So nothing of a rank between the two keeps the holder from giving the lock back. The first that waits lends its rank,
//! by a word of the holder's [`crate::terms`] that any CPU may write; the scheduler is told if that changes the holder's
//! rank. A holder that itself waits for a mutex is woken to pass it on: it looks for its place in that list again, and
//! lends the other holder what it has. What was lent is returned with the lock, or when who lent it gives up.
//!
//! After L. Sha, R. Rajkumar and J. Lehoczky, "Priority inheritance protocols: an approach to real-time
//! synchronization" (1990); the same as POSIX's `PTHREAD_PRIO_INHERIT`, for every mutex.

use super::Kernel;
use super::list::Waiting;
use super::mutex::{Mutex, QUEUED, is_free};
use crate::class::Rank;
use crate::id::TaskId;
use crate::sync::Ordering;
use crate::task::Task;

/// No rank is lent.
pub(super) const NOTHING: u32 = Rank::IDLE.0 as u32;

impl Mutex {
    /// Lends the holder the rank of the first that waits, in place of what it was lent before.
    #[inline]
    pub(super) fn lend<K: Kernel>(&self, waiting: &Waiting<'_, K>) -> Followup {
        let (tasks, word) = (waiting.kernel().tasks(), self.word.load(Ordering::Relaxed));
        if is_free(word) {
            return Followup::NONE;
        }
        let slot = waiting.kernel().slot_of(word & !QUEUED);
        let holder = &tasks[slot as usize];
        let first =
            waiting.front().map_or(Rank::IDLE, |(first, _)| tasks[first as usize].terms.coming_rank());
        let helps = first.is_real_time() || first == Rank::FAIR && holder.terms.are_backgrounds();
        let rank = if helps { first } else { Rank::IDLE };
        if u32::from(rank.0) == self.lent.load(Ordering::Relaxed) {
            return Followup::NONE;
        }
        self.lend_other(slot, holder, rank)
    }

    /// The same for the calling thread, which has just taken the lock.
    pub(super) fn lend_taker<K: Kernel>(&self, waiting: &Waiting<'_, K>) -> Followup {
        Followup { wake: None, ..self.lend(waiting) }
    }

    #[cold]
    fn lend_other(&self, slot: u32, holder: &Task, rank: Rank) -> Followup {
        let before = Rank(self.lent.load(Ordering::Relaxed) as u8);
        // Who is lent eight ranks already goes without the ninth.
        let Ok(changed) = holder.terms.lend(before, rank) else { return Followup::NONE };
        self.lent.store(rank.0.into(), Ordering::Relaxed);
        // It may wait for another mutex, and must then pass on what it's lent.
        let id = TaskId { slot, generation: holder.state.latest_generation() };
        Followup { wake: changed.then_some(id), reconsider: changed.then_some(id) }
    }

    /// Returns what the calling thread, the holder, was lent; answers its name if that lowers its rank.
    pub(super) fn return_rank<K: Kernel>(&self, waiting: &Waiting<'_, K>) -> Option<TaskId> {
        let lent = self.lent.load(Ordering::Relaxed);
        if lent == NOTHING {
            return None;
        }
        self.lent.store(NOTHING, Ordering::Relaxed);
        let (slot, task) = waiting.kernel().current();
        let lowered = task.terms.lend(Rank(lent as u8), Rank::IDLE) == Ok(true);
        lowered.then(|| TaskId { slot, generation: task.state.generation() })
    }
}

/// What remains to be done once the list is closed.
#[must_use]
pub(super) struct Followup {
    /// A thread to be woken.
    pub(super) wake: Option<TaskId>,
    /// One whose rank has changed.
    pub(super) reconsider: Option<TaskId>,
}

impl Followup {
    pub(super) const NONE: Self = Self { wake: None, reconsider: None };

    /// Wakes first: who was lent a rank until now is to be preempted by whom it was lent by, not by one between the two.
    #[inline]
    pub(super) fn act(self, kernel: impl Kernel) {
        if let Some(task) = self.wake {
            kernel.wake(task);
        }
        if let Some(task) = self.reconsider {
            kernel.reconsider(task);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::class::{Class, Priority, Rank};
    use crate::primitives::still::Still;
    use crate::primitives::{Mutex, Waiter};

    fn fifo(number: u8) -> Class {
        Class::Fifo(Priority::new(number).unwrap())
    }

    /// Threads of these classes from slot 1 on, of which the first holds the mutex and the others wait, having come in
    /// this order.
    fn crowd(mutex: &Mutex, classes: &[Class]) -> Still {
        let still = Still::new(1 + classes.len());
        for (task, &class) in still.tasks[1..].iter().zip(classes) {
            assert!(task.terms.want_class(0, class));
        }
        mutex.lock(still.thread(1));
        for slot in 2..=classes.len() as u32 {
            mutex.queue(still.thread(slot));
        }
        still
    }

    /// The slots of those that have the lock, one after the other.
    fn order(mutex: &Mutex, still: &Still) -> std::vec::Vec<u32> {
        let mut order = std::vec![1];
        while !mutex.try_lock(still.thread(1)) {
            let holder = *order.last().unwrap();
            still.woken.borrow_mut().clear();
            mutex.unlock_to_block(still.thread(holder));
            order.extend(still.woken.borrow().iter().copied());
        }
        order
    }

    #[test]
    fn the_highest_rank_is_next_and_equals_in_the_order_of_arrival() {
        let mutex = Mutex::new();
        let classes =
            [Class::Fair, Class::Background, Class::Fair, fifo(5), fifo(9), Class::Fair, fifo(5), fifo(7)];
        let still = crowd(&mutex, &classes);
        assert_eq!(order(&mutex, &still), [1, 5, 8, 4, 7, 3, 6, 2]);
    }

    /// A wake says nothing of why it came.
    #[test]
    fn who_is_woken_keeps_its_place_unless_its_rank_has_changed() {
        let mutex = Mutex::new();
        let still = crowd(&mutex, &[Class::Fair, fifo(5), fifo(5), Class::Fair, Class::Fair, Class::Fair]);
        for slot in [2, 4] {
            mutex.look_again(still.thread(slot), Waiter::is_moved);
        }
        assert!(
            still.tasks[6].terms.want_class(0, fifo(9)) && still.tasks[2].terms.want_class(0, Class::Fair)
        );
        for slot in [6, 2] {
            mutex.look_again(still.thread(slot), Waiter::is_moved);
        }
        assert_eq!(order(&mutex, &still), [1, 6, 3, 4, 5, 2]);
    }

    #[test]
    fn a_holder_has_the_highest_rank_of_those_that_wait() {
        let mutex = Mutex::new();
        let still = crowd(&mutex, &[Class::Fair, Class::Fair, fifo(5), fifo(3), fifo(9)]);
        assert_eq!(still.tasks[1].terms.coming_rank(), fifo(9).rank());
        assert_eq!(*still.reconsidered.borrow(), [(1, 1), (1, 2)], "only where it changes something");
        mutex.unlock(still.thread(1));
        assert_eq!(still.tasks[1].terms.coming_rank(), Rank::FAIR);
        assert_eq!(*still.woken.borrow(), [1, 1, 5]);
        assert_eq!(still.reconsidered.borrow().last(), Some(&(1, 3)), "once the next holder is awake");
    }

    /// Whoever gets the lock is lent what the rest have, even if it's higher itself at the time.
    #[test]
    fn the_next_holder_may_lower_itself_no_further_than_who_waits() {
        let mutex = Mutex::new();
        let still = crowd(&mutex, &[Class::Fair, fifo(9), fifo(5)]);
        mutex.unlock(still.thread(1));
        assert!(still.tasks[2].terms.want_class(0, Class::Fair));
        assert_eq!(still.tasks[2].terms.coming_rank(), fifo(5).rank());
    }

    /// A lock that a background thread holds is otherwise given back when nobody wants the CPU.
    #[test]
    fn a_background_holder_is_as_high_as_a_fair_thread_that_waits() {
        let mutex = Mutex::new();
        let still = crowd(&mutex, &[Class::Background, Class::Background, Class::Fair]);
        assert_eq!(still.tasks[1].terms.coming_rank(), Rank::FAIR);
        mutex.unlock(still.thread(1));
        assert_eq!(still.tasks[1].terms.coming_rank(), Rank::BACKGROUND);
    }

    #[test]
    fn fair_threads_lend_each_other_nothing() {
        let mutex = Mutex::new();
        let still = crowd(&mutex, &[Class::Fair, Class::Fair, Class::Fair]);
        assert_eq!((still.reconsidered.borrow().len(), still.woken.borrow().len()), (0, 0));
    }

    /// Catches: ranks lent to no effect, of which there's room for eight.
    #[test]
    fn a_fair_holder_is_lent_nothing_by_fair_waiters() {
        let mutexes = [const { Mutex::new() }; 9];
        let still = Still::new(12);
        for (mutex, slot) in mutexes.iter().zip(2..) {
            mutex.lock(still.thread(1));
            mutex.queue(still.thread(slot));
        }
        assert!(still.tasks[11].terms.want_class(0, fifo(3)));
        mutexes[8].queue(still.thread(11));
        assert_eq!(still.tasks[1].terms.coming_rank(), fifo(3).rank());
    }
}
