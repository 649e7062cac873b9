//! A blocking mutex with time limits and priority inheritance.
//!
//! The word is 0 when free; otherwise it names the holder, and its lowest bit says that someone waits. Who waits is in
//! a list. Free and uncontended, a lock and an unlock are one compare-and-swap each.
//!
//! An unlock *offers* the lock to the first that waits: it's woken, and takes it. Until it comes, the last holder may
//! lock again: if the lock were given to a thread that doesn't run yet, two threads that lock often would switch at each
//! unlock (a *lock convoy*; M. Blasgen et al., "The convoy phenomenon", 1979). That happens to a thread once: if it came
//! in vain, the next unlock *grants* it the lock, which is never free in between. So does an unlock for a thread of a
//! higher rank or a real-time one, which nobody may overtake; and one by a thread that is about to block, and won't.
//! Linux's mutex does much the same, by a flag that it calls handoff. OSv's always hands over.
//!
//! The first that waits lends its rank to the holder; see [`super::inheritance`].

use super::Kernel;
use super::inheritance::{Followup, NOTHING};
use super::list::{WaitList, Waiting};
use super::waiter::{Call, Waiter, call};
use crate::class::Rank;
use crate::id::TaskId;
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, const_new};
use crate::task::Task;
use crate::time::Nanos;

const FREE: u32 = 0;
/// Someone waits. Set and cleared with the list open; while it's set, the word is changed there alone. By itself: the lock
/// is offered to the first.
pub(super) const QUEUED: u32 = 1;

/// What the first that waits knows.
mod first {
    /// Nothing.
    pub(super) const SLEEPS: u32 = 0;
    /// It was woken, since the lock was free.
    pub(super) const COMES: u32 = 1;
    /// It was awake, and the lock was held.
    pub(super) const CAME_IN_VAIN: u32 = 2;
}

/// A mutual exclusion lock that blocks, and comes to those who wait in the order of ranks, and of arrival among equals.
#[derive(Debug)]
pub struct Mutex {
    /// [`FREE`], or the holder's token, and maybe [`QUEUED`].
    pub(super) word: AtomicU32,
    /// Who waits. Their wishes are their tokens.
    pub(super) list: WaitList,
    /// The rank that the holder is lent, behind the list's gate.
    pub(super) lent: AtomicU32,
    /// A constant of [`first`], behind the list's gate.
    first: AtomicU32,
}

impl Mutex {
    const_new! {
        /// A free mutex.
        pub fn new() -> Self {
            Self {
                word: AtomicU32::new(FREE),
                list: WaitList::new(),
                lent: AtomicU32::new(NOTHING),
                first: AtomicU32::new(first::SLEEPS),
            }
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

    /// Takes the lock if it's free and nobody waits for it.
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
            let followup = self.lend_taker(&waiting);
            drop(waiting);
            followup.act(kernel);
            return true;
        }
        let (slot, task) = kernel.current();
        task.waiter.prepare(token);
        let followup = self.enlist(&waiting, slot, task);
        drop(waiting);
        followup.act(kernel);
        let stray = || self.look_again(kernel, Waiter::is_listed);
        let Err(waiting) = self.list.wait_until(&kernel, deadline, stray) else { return true };
        let followup = self.give_up(&waiting);
        drop(waiting);
        followup.act(kernel);
        false
    }

    /// Takes the lock for `token` if it's free, and answers `true`; else says that someone waits. The list is open.
    #[inline]
    fn take_or_queue(&self, token: u32) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let next = if is_free(word) { word | token } else { word | QUEUED };
            // Acquire as in `try_lock`.
            match self.word.compare_exchange(word, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return is_free(word),
                Err(now) => word = now,
            }
        }
    }

    /// Adds a thread to those that wait.
    fn enlist<K: Kernel>(&self, waiting: &Waiting<'_, K>, slot: u32, task: &Task) -> Followup {
        waiting.push(slot, task);
        if waiting.front().is_some_and(|(first, _)| first == slot) {
            self.first.store(first::SLEEPS, Ordering::Relaxed);
        }
        self.lend(waiting)
    }

    /// The calling thread, which waits here if `is_here` with the list open, was woken without a call: the lock may be free,
    /// or its own rank have changed.
    #[cold]
    #[inline(never)]
    pub(super) fn look_again(&self, kernel: impl Kernel, is_here: fn(&Waiter) -> bool) {
        let (slot, task) = kernel.current();
        let waiting = self.list.open(&kernel);
        if is_here(&task.waiter) {
            let followup = self.take_or_wait_on(&waiting, slot, task);
            drop(waiting);
            followup.act(kernel);
        }
    }

    fn take_or_wait_on<K: Kernel>(&self, waiting: &Waiting<'_, K>, slot: u32, task: &Task) -> Followup {
        if !is_free(self.word.load(Ordering::Relaxed)) {
            self.first.store(first::CAME_IN_VAIN, Ordering::Relaxed);
            waiting.place_again(slot, task);
            return self.lend(waiting);
        }
        waiting.remove(slot, task);
        self.pass_to(waiting, task);
        let _ = call(task, slot, Call::Granted);
        self.lend_taker(waiting)
    }

    /// Makes a thread that was taken out of the list the holder.
    fn pass_to<K: Kernel>(&self, waiting: &Waiting<'_, K>, task: &Task) {
        let token = task.waiter.wish.load(Ordering::Relaxed);
        let queued = if waiting.is_empty() { 0 } else { QUEUED };
        // Acquire as in `try_lock`, for one that takes the lock by itself: the last holder may not have been at the gate.
        self.word.swap(token | queued, Ordering::Acquire);
        self.first.store(first::SLEEPS, Ordering::Relaxed);
    }

    /// The calling thread's time is up, and it's out of the list.
    fn give_up<K: Kernel>(&self, waiting: &Waiting<'_, K>) -> Followup {
        if self.first.load(Ordering::Relaxed) == first::COMES {
            // It may have been this one.
            self.first.store(first::SLEEPS, Ordering::Relaxed);
        }
        if !waiting.is_empty() && is_free(self.word.load(Ordering::Relaxed)) {
            return Followup { wake: self.offer(waiting), reconsider: None };
        }
        // Before the word may change: the holder still has what it was lent.
        let followup = self.lend(waiting);
        if waiting.is_empty() {
            self.word.fetch_and(!QUEUED, Ordering::Relaxed);
        }
        followup
    }

    /// Gives the lock back, for the first thread that waits for it. Only the holder calls this.
    #[inline]
    pub fn unlock(&self, kernel: impl Kernel) {
        if !self.give_back(kernel) {
            self.unlock_slowly(kernel);
        }
    }

    #[cold]
    #[inline(never)]
    fn unlock_slowly(&self, kernel: impl Kernel) {
        self.hand_over(kernel, false).act(kernel);
    }

    /// The same by a thread that is about to block: it won't lock again at once, and isn't preempted for the next holder
    /// before it has blocked.
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
        if let Some(next) = self.hand_over(kernel, true).wake {
            kernel.notify(next);
        }
    }

    /// Frees the lock if nobody waits.
    #[inline]
    fn give_back(&self, kernel: impl Kernel) -> bool {
        // Release pairs with the Acquire of the next `lock`.
        self.word.compare_exchange(kernel.token(), FREE, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Gives the lock back while someone waits, or did a moment ago.
    fn hand_over(&self, kernel: impl Kernel, blocks: bool) -> Followup {
        debug_assert!(self.is_mine(kernel), "a mutex is unlocked by the thread that locked it");
        let waiting = self.list.open(&kernel);
        let reconsider = self.return_rank(&waiting);
        let due = if self.is_due(&waiting, blocks) { waiting.pop() } else { None };
        let Some((slot, task)) = due else {
            return Followup { wake: self.offer(&waiting), reconsider };
        };
        self.pass_to(&waiting, task);
        // Nobody need be told: the new holder looks when it's woken.
        let _ = self.lend(&waiting);
        drop(waiting);
        // The call passes on what the lock guards.
        Followup { wake: Some(call(task, slot, Call::Granted)), reconsider }
    }

    /// Whether the first that waits is the next holder. `blocks` says that the calling thread, which unlocks, doesn't want
    /// to lock again: then it may as well be, unless it comes by itself already.
    fn is_due<K: Kernel>(&self, waiting: &Waiting<'_, K>, blocks: bool) -> bool {
        match self.first.load(Ordering::Relaxed) {
            first::CAME_IN_VAIN => return true,
            first::SLEEPS if blocks => return true,
            _ => {}
        }
        let rank_of = |slot: u32| waiting.kernel().tasks()[slot as usize].terms.coming_rank();
        let first = waiting.front().map_or(Rank::IDLE, |(first, _)| rank_of(first));
        first.is_real_time() || first > rank_of(waiting.kernel().current().0)
    }

    /// Frees the lock, and answers who is to be woken for it: the first that waits, unless it comes already.
    fn offer<K: Kernel>(&self, waiting: &Waiting<'_, K>) -> Option<TaskId> {
        let front = waiting.front();
        // Release as in `give_back`: with nobody at the gate, the next holder looks at the word alone.
        self.word.swap(if front.is_some() { QUEUED } else { FREE }, Ordering::Release);
        let (slot, _) = front?;
        let comes = self.first.swap(first::COMES, Ordering::Relaxed) == first::COMES;
        (!comes).then(|| waiting.id_of(slot))
    }

    /// Makes the thread in `slot`, which was taken out of another list where its wish is its token, wait for this lock
    /// instead. If the lock is free, it's offered.
    ///
    /// The mutex may be gone as soon as the thread can have it.
    pub(super) fn admit(&self, kernel: impl Kernel, slot: u32, task: &Task) -> Followup {
        let waiting = self.list.open(&kernel);
        let word = self.word.fetch_or(QUEUED, Ordering::Relaxed);
        task.waiter.set_moved();
        let followup = self.enlist(&waiting, slot, task);
        if is_free(word) {
            return Followup { wake: self.offer(&waiting), reconsider: None };
        }
        followup
    }
}

#[cfg(test)]
impl Mutex {
    /// Lets a thread that doesn't run wait for the lock, which is held.
    pub(crate) fn queue(&self, kernel: impl Kernel) {
        let (slot, task) = kernel.current();
        task.waiter.prepare(kernel.token());
        self.admit(kernel, slot, task).act(kernel);
    }

    /// The rest of its wait, when it runs.
    pub(crate) fn wait_queued(&self, kernel: impl Kernel) {
        let stray = || self.look_again(kernel, Waiter::is_moved);
        assert!(kernel.current().1.waiter.wait(kernel, stray) == Call::Granted);
    }
}

/// Whether nobody holds the lock.
pub(super) fn is_free(word: u32) -> bool {
    word & !QUEUED == FREE
}

impl Default for Mutex {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
