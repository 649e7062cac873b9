//! A readers-writer lock around its value; who goes first is decided by `sched`'s [`primitives::RwLock`].

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem;
use core::ops::{Deref, DerefMut};

use sched::{Nanos, primitives};

use super::Here;
use crate::local::now;

/// A lock for many readers or one writer, in the order of arrival: neither starves the other.
///
/// So a thread that reads may not lock for reading again: a writer that came in between waits for the first, and the second
/// behind the writer.
pub struct RwLock<T: ?Sized> {
    lock: primitives::RwLock,
    value: UnsafeCell<T>,
}

// SAFETY: readers share `&T`, a writer has it for itself, and either may be any thread.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Self { lock: primitives::RwLock::new(), value: UnsafeCell::new(value) }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Blocks until the lock is the caller's for reading.
    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        let _ = self.lock.read_until(Here, Nanos::NEVER);
        RwLockReadGuard::new(self)
    }

    /// Takes the lock for reading, unless a writer holds it or someone waits.
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.lock.try_read().then(|| RwLockReadGuard::new(self))
    }

    /// [`RwLock::read`] for `span` at most.
    pub fn read_timeout(&self, span: Nanos) -> Option<RwLockReadGuard<'_, T>> {
        self.lock.read_until(Here, now() + span).then(|| RwLockReadGuard::new(self))
    }

    /// Blocks until the lock is the caller's for writing.
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        let _ = self.lock.write_until(Here, Nanos::NEVER);
        RwLockWriteGuard::new(self)
    }

    /// Takes the lock for writing if it's free.
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.lock.try_write().then(|| RwLockWriteGuard::new(self))
    }

    /// [`RwLock::write`] for `span` at most.
    pub fn write_timeout(&self, span: Nanos) -> Option<RwLockWriteGuard<'_, T>> {
        self.lock.write_until(Here, now() + span).then(|| RwLockWriteGuard::new(self))
    }

    /// The value: who has the lock for itself needn't take it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// Shared access to the value; unlocks when dropped.
#[must_use = "dropped at once, it unlocks at once"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// Not `Send`, as in `std`.
    here: PhantomData<*const ()>,
}

// SAFETY: sharing the guard shares `&T`.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    fn new(lock: &'a RwLock<T>) -> Self {
        Self { lock, here: PhantomData }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: while there are readers nobody writes.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.lock.unlock_read(Here);
    }
}

/// Exclusive access to the value; unlocks when dropped.
#[must_use = "dropped at once, it unlocks at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// Not `Send`, as in `std`.
    here: PhantomData<*const ()>,
}

// SAFETY: sharing the guard shares `&T`.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    fn new(lock: &'a RwLock<T>) -> Self {
        Self { lock, here: PhantomData }
    }

    /// Keeps the lock for reading: no other writer comes in between.
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        let lock = self.lock;
        mem::forget(self);
        lock.lock.downgrade(Here);
        RwLockReadGuard::new(lock)
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the only one.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the only one, and borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.lock.unlock_write(Here);
    }
}
