//! A mutex that its holder may lock again; how it blocks is `sched`'s [`primitives::ReentrantLock`].

use core::marker::PhantomData;
use core::ops::Deref;

use sched::{Nanos, primitives};

use super::Here;
use crate::local::now;

/// A mutual exclusion lock that one thread may hold several times over; so its guards only share the value.
pub struct ReentrantLock<T: ?Sized> {
    lock: primitives::ReentrantLock,
    value: T,
}

// SAFETY: one thread at a time reaches the value, and only by `&T`.
unsafe impl<T: ?Sized + Send> Sync for ReentrantLock<T> {}

impl<T> ReentrantLock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Self { lock: primitives::ReentrantLock::new(), value }
    }
}

impl<T: ?Sized> ReentrantLock<T> {
    /// Takes the lock, once more if the caller holds it already, or blocks until it's the caller's.
    pub fn lock(&self) -> ReentrantLockGuard<'_, T> {
        let _ = self.lock.lock_until(Here, Nanos::NEVER);
        ReentrantLockGuard { lock: self, here: PhantomData }
    }

    /// Takes the lock if it's free or the caller's.
    pub fn try_lock(&self) -> Option<ReentrantLockGuard<'_, T>> {
        self.lock.try_lock(Here).then(|| ReentrantLockGuard { lock: self, here: PhantomData })
    }

    /// [`ReentrantLock::lock`] for `span` at most.
    pub fn lock_timeout(&self, span: Nanos) -> Option<ReentrantLockGuard<'_, T>> {
        let held = self.lock.lock_until(Here, now() + span);
        held.then(|| ReentrantLockGuard { lock: self, here: PhantomData })
    }
}

/// Access to the value for one thread; unlocks when its last guard is dropped.
#[must_use = "dropped at once, it unlocks at once"]
pub struct ReentrantLockGuard<'a, T: ?Sized> {
    lock: &'a ReentrantLock<T>,
    /// Not `Send`: the lock knows its holder.
    here: PhantomData<*const ()>,
}

impl<T: ?Sized> Deref for ReentrantLockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.lock.value
    }
}

impl<T: ?Sized> Drop for ReentrantLockGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.lock.unlock(Here);
    }
}
