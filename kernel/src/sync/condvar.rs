//! A condition variable for [`super::Mutex`]; how it waits and notifies is `sched`'s [`primitives::Condvar`].

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use sched::{Nanos, primitives};

use super::Here;
use super::mutex::MutexGuard;
use crate::local::now;

/// Blocks threads until another one says that something has changed. All that wait at a time use one mutex.
pub struct Condvar {
    inner: primitives::Condvar,
    /// The mutex of those who wait. Written and read while the list of them is locked.
    mutex: AtomicPtr<primitives::Mutex>,
}

/// Whether a wait ended since its time was up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether nobody had notified the thread by then.
    pub fn timed_out(self) -> bool {
        self.0
    }
}

impl Condvar {
    /// A condition variable that nobody waits for.
    pub const fn new() -> Self {
        Self { inner: primitives::Condvar::new(), mutex: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Unlocks the guard's mutex, blocks until notified, and has it locked again. Look at the condition in a loop: it
    /// may have changed back by then.
    ///
    /// # Panics
    /// If somebody waits with another mutex.
    #[inline]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let mutex = &guard.mutex().lock;
        // The guard stays: who holds the lock when this returns is the thread that did before.
        self.inner.wait(Here, mutex, |alone| self.note(mutex, alone));
        guard
    }

    /// Waits while `condition` holds of what the mutex guards.
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// [`Condvar::wait`] for `span` at most; it may take longer to have the mutex again.
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        span: Nanos,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        self.wait_until(guard, now() + span)
    }

    /// [`Condvar::wait`] until the clock shows `deadline` at most.
    pub fn wait_until<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Nanos,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let mutex = &guard.mutex().lock;
        let notified = self.inner.wait_until(Here, mutex, deadline, |alone| self.note(mutex, alone));
        (guard, WaitTimeoutResult(!notified))
    }

    /// Notifies the thread that has waited longest, if one waits.
    #[inline]
    pub fn notify_one(&self) {
        self.inner.notify_one(Here, || self.noted());
    }

    /// Notifies every thread that waits.
    pub fn notify_all(&self) {
        self.inner.notify_all(Here, || self.noted());
    }

    #[inline]
    fn note(&self, mutex: &primitives::Mutex, alone: &dyn Fn() -> bool) {
        let mutex = ptr::from_ref(mutex).cast_mut();
        if self.mutex.load(Ordering::Relaxed) != mutex {
            self.note_another(mutex, alone);
        }
    }

    #[cold]
    fn note_another(&self, mutex: *mut primitives::Mutex, alone: &dyn Fn() -> bool) {
        assert!(alone(), "a condition variable is used with two mutexes");
        self.mutex.store(mutex, Ordering::Relaxed);
    }

    #[inline]
    fn noted(&self) -> &primitives::Mutex {
        // SAFETY: called, and the reference used, while a thread waits that came by `note` with this mutex and can't go on:
        // its guard borrows the mutex.
        unsafe { &*self.mutex.load(Ordering::Relaxed) }
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}
