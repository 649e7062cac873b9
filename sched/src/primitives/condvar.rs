//! A condition variable: waiters are notified in the order of their ranks, and of their arrival among equals.
//!
//! A notified thread that would come at once, on another CPU, isn't woken to find the mutex held, mostly by its notifier,
//! and to block again: it goes from this list straight to the mutex's, and is woken when the lock is free or its own (*wait
//! morphing*, as OSv calls it). One that must wait for the notifier's own CPU is woken and takes the mutex by itself: the
//! notifier has released it by then.

use super::list::{WaitList, Waiting};
use super::waiter::{Call, Waiter, call};
use super::{Kernel, Mutex};
use crate::sync::const_new;
use crate::task::Task;
use crate::time::Nanos;

/// Blocks threads until another one says that something has changed.
///
/// All that wait at a time use one mutex. Who notifies must name it: the kernel's condition variable notes it when
/// they wait, so that its users needn't.
#[derive(Debug)]
pub struct Condvar {
    /// Who waits. Their wishes are their tokens, which is what the mutex wants of them.
    list: WaitList,
}

impl Condvar {
    const_new! {
        /// A condition variable that nobody waits for.
        pub fn new() -> Self {
            Self { list: WaitList::new() }
        }
    }

    /// Unlocks `mutex`, which the caller holds, blocks until notified, and has it again. Look at the condition in a
    /// loop all the same: it may be otherwise again by the time that the lock is free.
    ///
    /// `join` is called while nobody can notify, and may ask whether the caller is the only one that waits.
    #[inline]
    pub fn wait(&self, kernel: impl Kernel, mutex: &Mutex, join: impl FnOnce(&dyn Fn() -> bool)) {
        let task = self.leave(&kernel, mutex, join);
        let stray = move || mutex.look_again(kernel, Waiter::is_moved);
        if task.waiter.wait(kernel, stray) == Call::Dismissed {
            mutex.lock(kernel);
        }
    }

    /// The same; answers `false` if the clock showed `deadline` before a notification. The mutex is the caller's in either case.
    pub fn wait_until(
        &self,
        kernel: impl Kernel,
        mutex: &Mutex,
        deadline: Nanos,
        join: impl FnOnce(&dyn Fn() -> bool),
    ) -> bool {
        self.leave(&kernel, mutex, join);
        let stray = move || mutex.look_again(kernel, Waiter::is_moved);
        let call = self.list.wait_until(&kernel, deadline, stray).ok();
        if call != Some(Call::Granted) {
            mutex.lock(kernel);
        }
        call.is_some()
    }

    /// Enters the list, then unlocks.
    #[inline]
    fn leave<'k>(
        &self,
        kernel: &'k impl Kernel,
        mutex: &Mutex,
        join: impl FnOnce(&dyn Fn() -> bool),
    ) -> &'k Task {
        let waiting = self.list.open(kernel);
        join(&|| waiting.is_empty());
        let (slot, task) = kernel.current();
        task.waiter.prepare(kernel.token());
        waiting.push_and_close(slot, task);
        // Whoever changes the condition under the mutex from here on sees the waiter.
        mutex.unlock_to_block(*kernel);
        task
    }

    /// Whether a thread seems to wait.
    #[cfg(test)]
    pub(crate) fn is_awaited(&self) -> bool {
        !self.list.seems_empty()
    }

    /// Notifies the first of those that wait, if one does. `mutex` is called only then, and what it returns is
    /// used while a thread waits with it.
    #[inline]
    pub fn notify_one<'a>(&self, kernel: impl Kernel, mutex: impl Fn() -> &'a Mutex) {
        if !self.list.seems_empty() {
            Self::notify(self.list.open(&kernel), mutex);
        }
    }

    /// Notifies all that wait.
    pub fn notify_all<'a>(&self, kernel: impl Kernel, mutex: impl Fn() -> &'a Mutex) {
        while !self.list.seems_empty() {
            Self::notify(self.list.open(&kernel), &mutex);
        }
    }

    #[inline]
    fn notify<'a, K: Kernel>(waiting: Waiting<'_, K>, mutex: impl Fn() -> &'a Mutex) {
        let Some((slot, task)) = waiting.unlink() else { return };
        if waiting.kernel().is_near(task) {
            return waiting.close_and_notify(call(task, slot, Call::Dismissed));
        }
        Self::morph(waiting, mutex(), slot, task);
    }

    /// Sends the thread in `slot`, which was in the list, to wait for its mutex.
    #[cold]
    #[inline(never)]
    fn morph<K: Kernel>(waiting: Waiting<'_, K>, mutex: &Mutex, slot: u32, task: &Task) {
        let kernel = *waiting.kernel();
        task.waiter.take();
        let followed = mutex.admit(kernel, slot, task);
        drop(waiting);
        followed.act(kernel);
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::primitives::still::Still;

    /// Threads that wait from slot 2 on, and thread 1, which holds the mutex.
    fn scene(waiters: u32, condvar: &Condvar, mutex: &Mutex) -> Still {
        let still = Still::new(2 + waiters as usize);
        still.are_apart.set(true);
        for slot in 2..2 + waiters {
            mutex.lock(still.thread(slot));
            condvar.leave(&still.thread(slot), mutex, |_| ());
        }
        mutex.lock(still.thread(1));
        still
    }

    fn woken(still: &Still) -> Vec<u32> {
        still.woken.borrow().clone()
    }

    #[test]
    fn one_of_another_cpu_is_woken_when_the_mutex_is_free() {
        let (condvar, mutex) = (Condvar::new(), Mutex::new());
        let still = scene(2, &condvar, &mutex);
        condvar.notify_one(still.thread(1), || &mutex);
        assert_eq!(woken(&still), []);
        mutex.unlock(still.thread(1));
        assert_eq!(woken(&still), [2]);
    }

    #[test]
    fn of_those_that_are_notified_together_one_after_the_other_is_woken() {
        let (condvar, mutex) = (Condvar::new(), Mutex::new());
        let still = scene(3, &condvar, &mutex);
        mutex.unlock(still.thread(1));
        condvar.notify_all(still.thread(1), || &mutex);
        assert_eq!(woken(&still), [2]);
        for slot in 2..=4 {
            mutex.look_again(still.thread(slot), Waiter::is_moved);
            mutex.unlock(still.thread(slot));
        }
        assert_eq!(woken(&still), [2, 3, 4]);
        assert!(mutex.try_lock(still.thread(1)), "nobody waits any more");
    }

    #[test]
    fn those_of_the_same_cpu_are_woken() {
        let (condvar, mutex) = (Condvar::new(), Mutex::new());
        let still = scene(3, &condvar, &mutex);
        still.are_apart.set(false);
        condvar.notify_all(still.thread(1), || &mutex);
        assert_eq!(woken(&still), [2, 3, 4]);
    }
}
