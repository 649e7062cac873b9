//! A mutex around its value; how it blocks and hands over is `sched`'s [`primitives::Mutex`].

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use sched::{Nanos, primitives};

use super::Here;
use crate::local::now;

/// A mutual exclusion lock that blocks. It goes to the highest rank first, and to equals in the order of arrival; whoever comes
/// while the first of them is being woken may overtake it, once.
pub struct Mutex<T: ?Sized> {
    pub(super) lock: primitives::Mutex,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, and there is one guard at a time.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A free mutex.
    pub const fn new(value: T) -> Self {
        Self { lock: primitives::Mutex::new(), value: UnsafeCell::new(value) }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Blocks until the lock is the caller's. Not for interrupt handlers, nor with preemption off.
    ///
    /// # Panics
    /// If the caller holds it already.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.lock.lock(Here);
        MutexGuard::new(self)
    }

    /// Takes the lock if it's free and nobody waits for it.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.lock.try_lock(Here).then(|| MutexGuard::new(self))
    }

    /// [`Mutex::lock`] for `span` at most.
    pub fn lock_timeout(&self, span: Nanos) -> Option<MutexGuard<'_, T>> {
        self.lock_until(now() + span)
    }

    /// [`Mutex::lock`] until the clock shows `deadline` at most.
    pub fn lock_until(&self, deadline: Nanos) -> Option<MutexGuard<'_, T>> {
        self.lock.lock_until(Here, deadline).then(|| MutexGuard::new(self))
    }

    /// The value: who has the mutex for itself needn't lock it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// Exclusive access to a mutex's value; unlocks when dropped, by the thread that locked.
#[must_use = "dropped at once, it unlocks at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// Not `Send`: the mutex knows its holder.
    here: PhantomData<*const ()>,
}

// SAFETY: sharing the guard shares `&T`.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    #[inline]
    fn new(mutex: &'a Mutex<T>) -> Self {
        Self { mutex, here: PhantomData }
    }

    /// The mutex that the guard is of.
    pub fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the only one.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the only one, and borrowed mutably.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.lock.unlock(Here);
    }
}
