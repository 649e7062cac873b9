//! A condition variable: waiters are notified in the order of their arrival.
//!
//! A notified thread takes the mutex by itself; it isn't moved to the mutex's list. The notifier mostly holds that
//! mutex for a few more instructions, which [`Kernel::notify`] tells the scheduler.

use super::waiter::{NOBODY, call};
use super::{Kernel, Mutex};
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, const_new};
use crate::task::Task;

/// Blocks threads until another one says that something has changed.
#[derive(Debug)]
pub struct Condvar {
    /// The oldest waiter, written under `lock`; readable without, so that a notification for nobody costs one load.
    first: AtomicU32,
    /// The youngest waiter, under `lock`.
    last: AtomicU32,
    lock: Mutex,
}

impl Condvar {
    const_new! {
        /// A condition variable that nobody waits for.
        pub fn new() -> Self {
            Self { first: AtomicU32::new(NOBODY), last: AtomicU32::new(NOBODY), lock: Mutex::new() }
        }
    }

    /// Unlocks `mutex`, which the caller holds, blocks until notified, and locks it again. May return without a
    /// notification, so look at the condition in a loop.
    #[inline]
    pub fn wait(&self, kernel: impl Kernel, mutex: &Mutex) {
        self.lock.lock(kernel);
        // After the lock, which may have to be waited for with the same waiter.
        let (slot, task) = kernel.current();
        task.waiter.prepare();
        self.push(kernel, slot);
        self.lock.unlock(kernel);
        // Whoever changes the condition under the mutex from here on sees the waiter.
        mutex.unlock(kernel);
        task.waiter.wait(kernel);
        mutex.lock(kernel);
    }

    /// Wakes the thread that has waited longest, if one waits.
    #[inline]
    pub fn notify_one(&self, kernel: impl Kernel) {
        if self.first.load(Ordering::Relaxed) != NOBODY {
            self.notify(kernel);
        }
    }

    /// Wakes every thread that waits.
    pub fn notify_all(&self, kernel: impl Kernel) {
        while self.first.load(Ordering::Relaxed) != NOBODY {
            self.notify(kernel);
        }
    }

    fn notify(&self, kernel: impl Kernel) {
        self.lock.lock(kernel);
        let oldest = self.first.load(Ordering::Relaxed);
        if oldest == NOBODY {
            return self.lock.unlock(kernel);
        }
        let task = &kernel.tasks()[oldest as usize];
        self.pop(task);
        self.lock.unlock(kernel);
        kernel.notify(call(task, oldest));
    }

    /// Adds a waiter, under the lock.
    #[inline]
    fn push(&self, kernel: impl Kernel, slot: u32) {
        let last = self.last.load(Ordering::Relaxed);
        if last == NOBODY {
            self.first.store(slot, Ordering::Relaxed);
        } else {
            kernel.tasks()[last as usize].waiter.link.store(slot, Ordering::Relaxed);
        }
        self.last.store(slot, Ordering::Relaxed);
    }

    /// Takes the oldest waiter out, under the lock.
    #[inline]
    fn pop(&self, oldest: &Task) {
        let next = oldest.waiter.link.load(Ordering::Relaxed);
        self.first.store(next, Ordering::Relaxed);
        if next == NOBODY {
            self.last.store(NOBODY, Ordering::Relaxed);
        }
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}
