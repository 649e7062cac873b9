//! Values that are made once, when they're first needed; who makes them and who waits is decided by `sched`'s
//! [`primitives::Once`].

use core::cell::{Cell, UnsafeCell};
use core::ops::Deref;

use sched::primitives;

use super::Here;

/// A value that is written once.
pub struct OnceLock<T> {
    once: primitives::Once,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is written once, before `once` is done, and only read after that; it may come from any thread and is
// dropped by any.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}

impl<T> OnceLock<T> {
    /// No value yet.
    pub const fn new() -> Self {
        Self { once: primitives::Once::new(), value: UnsafeCell::new(None) }
    }

    /// The value, if it's there.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if !self.once.is_completed() {
            return None;
        }
        // SAFETY: once it's done nobody writes.
        unsafe { (*self.value.get()).as_ref() }
    }

    /// The value, made by `make` if it isn't there; blocks while another thread makes it. A `make` that asks for the value
    /// waits for itself for ever.
    #[inline]
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        // SAFETY: called at most once, by one thread, before anyone reads.
        self.once.call_once(Here, || unsafe { *self.value.get() = Some(make()) });
        self.get().expect("what was made is there")
    }

    /// Gives it its value.
    ///
    /// # Errors
    /// If it has one already: then the new one comes back.
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("taken once"));
        value.map_or(Ok(()), Err)
    }

    /// The value, if it was made.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A value that is made when it's first looked at.
pub struct LazyLock<T, F = fn() -> T> {
    value: OnceLock<T>,
    make: Cell<Option<F>>,
}

// SAFETY: `make` is taken once, by the thread that makes the value; the rest is as in `OnceLock`.
unsafe impl<T: Send + Sync, F: Send> Sync for LazyLock<T, F> {}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// A value that `make` will make.
    pub const fn new(make: F) -> Self {
        Self { value: OnceLock::new(), make: Cell::new(Some(make)) }
    }

    /// The value, made if it isn't there; blocks while another thread makes it.
    #[inline]
    pub fn force(this: &Self) -> &T {
        this.value.get_or_init(|| this.make.take().expect("a value is made once")())
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        Self::force(self)
    }
}
