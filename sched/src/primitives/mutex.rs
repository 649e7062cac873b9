//! A blocking mutex with hand-off, time limits and priority inheritance.
//!
//! The word is 0 when free; otherwise it names the holder, and its lowest bit says that someone waits. Who waits is in
//! a list, and an unlock hands the lock to the first there: the lock is never free while someone waits, so nobody
//! overtakes and nobody spins. Free and uncontended, a lock and an unlock are one compare-and-swap each.
//!
//! The first that waits lends its rank to the holder; see [`super::inheritance`].

use super::Kernel;
use super::inheritance::{Followup, NOTHING};
use super::list::{WaitList, Waiting};
use super::waiter::{Call, Waiter, call};
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, const_new};
use crate::task::Task;
use crate::time::Nanos;

const FREE: u32 = 0;
/// Someone waits. Set and cleared with the list open; while it's set, the word is changed there alone.
pub(super) const QUEUED: u32 = 1;

/// A mutual exclusion lock that blocks, and hands over in the order of ranks, and of arrival among equals.
#[derive(Debug)]
pub struct Mutex {
    /// [`FREE`], or the holder's token, and maybe [`QUEUED`].
    pub(super) word: AtomicU32,
    /// Who waits. Their wishes are their tokens.
    pub(super) list: WaitList,
    /// The rank that the holder is lent, behind the list's gate.
    pub(super) lent: AtomicU32,
}

impl Mutex {
    const_new! {
        /// A free mutex.
        pub fn new() -> Self {
            Self { word: AtomicU32::new(FREE), list: WaitList::new(), lent: AtomicU32::new(NOTHING) }
        }
    }

    /// Blocks until the lock is the caller's.
    ///
    /// # Panics
    /// If the caller holds it already.
    #[inline]
    pub fn lock(&self, kernel: impl Kernel) {
        if !self.try_lock(kernel) {
            self.lock_slowly(kernel, Nanos::NEVER);
        }
    }

    /// Takes the lock if it's free.
    #[inline]
    #[must_use]
    pub fn try_lock(&self, kernel: impl Kernel) -> bool {
        // Acquire pairs with `unlock`'s Release: what the lock guards is as the last holder left it.
        self.word.compare_exchange(FREE, kernel.token(), Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Blocks until the lock is the caller's, and answers `true`; or `false` if the clock shows `deadline` before.
    ///
    /// # Panics
    /// As [`Mutex::lock`].
    #[inline]
    #[must_use]
    pub fn lock_until(&self, kernel: impl Kernel, deadline: Nanos) -> bool {
        self.try_lock(kernel) || self.lock_slowly(kernel, deadline)
    }

    /// Whether the calling thread holds the lock.
    #[inline]
    pub fn is_mine(&self, kernel: impl Kernel) -> bool {
        self.word.load(Ordering::Relaxed) & !QUEUED == kernel.token()
    }

    #[cold]
    #[inline(never)]
    fn lock_slowly(&self, kernel: impl Kernel, deadline: Nanos) -> bool {
        assert!(!self.is_mine(kernel), "deadlock: a thread locks a mutex that it holds");
        let token = kernel.token();
        let waiting = self.list.open(&kernel);
        if self.take_or_queue(token) {
            return true;
        }
        let (slot, task) = kernel.current();
        task.waiter.prepare(token);
        let followup = self.enlist(&waiting, slot, task);
        drop(waiting);
        followup.act(kernel);
        let stray = || self.follow_rank(kernel, Waiter::is_listed);
        let Err(waiting) = self.list.wait_until(&kernel, deadline, stray) else { return true };
        let followup = self.give_up(&waiting);
        drop(waiting);
        followup.act(kernel);
        false
    }

    /// Adds a thread to those that wait.
    fn enlist<K: Kernel>(&self, waiting: &Waiting<'_, K>, slot: u32, task: &Task) -> Followup {
        waiting.push(slot, task);
        self.lend(waiting)
    }

    /// The calling thread's time is up, and it's out of the list.
    fn give_up<K: Kernel>(&self, waiting: &Waiting<'_, K>) -> Followup {
        let followup = self.lend(waiting);
        if waiting.is_empty() {
            self.word.fetch_and(!QUEUED, Ordering::Relaxed);
        }
        followup
    }

    /// Takes the lock for `token` if it's free, and answers `true`; else says that someone waits. The list is open.
    #[inline]
    fn take_or_queue(&self, token: u32) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let next = if word == FREE { token } else { word | QUEUED };
            // Acquire as in `try_lock`.
            match self.word.compare_exchange(word, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return word == FREE,
                Err(now) => word = now,
            }
        }
    }

    /// Gives the lock back, or to the first thread that waits for it. Only the holder calls this.
    #[inline]
    pub fn unlock(&self, kernel: impl Kernel) {
        if !self.give_back(kernel) {
            self.unlock_slowly(kernel);
        }
    }

    #[cold]
    #[inline(never)]
    fn unlock_slowly(&self, kernel: impl Kernel) {
        self.hand_over(kernel).act(kernel);
    }

    /// The same by a thread that is about to block: it isn't preempted for the next holder before it has.
    #[inline]
    pub(super) fn unlock_to_block(&self, kernel: impl Kernel) {
        if !self.give_back(kernel) {
            self.unlock_slowly_to_block(kernel);
        }
    }

    #[cold]
    #[inline(never)]
    fn unlock_slowly_to_block(&self, kernel: impl Kernel) {
        // A rank that was returned is looked at when the caller is woken.
        if let Some(next) = self.hand_over(kernel).wake {
            kernel.notify(next);
        }
    }

    /// Frees the lock if nobody waits.
    #[inline]
    fn give_back(&self, kernel: impl Kernel) -> bool {
        // Release pairs with the Acquire of the next `lock`.
        self.word.compare_exchange(kernel.token(), FREE, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Gives the lock to the first that waits, unless its time was up meanwhile.
    fn hand_over(&self, kernel: impl Kernel) -> Followup {
        debug_assert!(self.is_mine(kernel), "a mutex is unlocked by the thread that locked it");
        let waiting = self.list.open(&kernel);
        let lowered = self.return_rank(&waiting);
        let Some((slot, task)) = waiting.pop() else {
            // Release as in `give_back`.
            self.word.swap(FREE, Ordering::Release);
            return Followup { wake: None, reconsider: lowered };
        };
        let token = task.waiter.wish.load(Ordering::Relaxed);
        let queued = if waiting.is_empty() { 0 } else { QUEUED };
        // The call that follows passes on what the lock guards.
        self.word.swap(token | queued, Ordering::Relaxed);
        if queued != 0 {
            // Nobody need be told: the new holder looks when it's woken.
            let _ = self.lend(&waiting);
        }
        drop(waiting);
        Followup { wake: Some(call(task, slot, Call::Granted)), reconsider: lowered }
    }

    /// Makes the thread in `slot`, which was taken out of another list where its wish is its token, wait for this lock
    /// instead. If the lock is free, it's the thread's at once.
    ///
    /// The mutex may be gone as soon as the thread can have it.
    pub(super) fn admit(&self, kernel: impl Kernel, slot: u32, task: &Task) -> Followup {
        let token = task.waiter.wish.load(Ordering::Relaxed);
        let waiting = self.list.open(&kernel);
        if !self.take_or_queue(token) {
            task.waiter.set_moved();
            return self.enlist(&waiting, slot, task);
        }
        drop(waiting);
        Followup { wake: Some(call(task, slot, Call::Granted)), reconsider: None }
    }
}

impl Default for Mutex {
    fn default() -> Self {
        Self::new()
    }
}
