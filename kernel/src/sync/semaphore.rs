//! A counting semaphore whose permits are guards; how it blocks is `sched`'s [`primitives::Semaphore`].

use core::mem;

pub use sched::primitives::Refusal;
use sched::{Nanos, primitives};

use super::Here;
use crate::local::now;

/// Permits to do something, so many at a time; in the order of arrival.
pub struct Semaphore(primitives::Semaphore);

impl Semaphore {
    /// A semaphore with so many permits.
    ///
    /// # Panics
    /// If that's more than [`primitives::MAX_PERMITS`].
    pub const fn new(permits: u32) -> Self {
        Self(primitives::Semaphore::new(permits))
    }

    /// How many permits are free right now.
    pub fn available_permits(&self) -> u32 {
        self.0.available()
    }

    /// Blocks until `count` permits are the caller's.
    ///
    /// # Errors
    /// [`Refusal::Closed`] if the semaphore is closed before.
    #[inline]
    pub fn acquire_many(&self, count: u32) -> Result<Permits<'_>, Refusal> {
        self.acquire_until(count, Nanos::NEVER)
    }

    /// [`Semaphore::acquire_many`] for `span` at most.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] if that takes longer; [`Refusal::Closed`] as before.
    pub fn acquire_timeout(&self, count: u32, span: Nanos) -> Result<Permits<'_>, Refusal> {
        self.acquire_until(count, now() + span)
    }

    /// [`Semaphore::acquire_many`] until the clock shows `deadline` at most.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] if that takes longer; [`Refusal::Closed`] as before.
    pub fn acquire_until(&self, count: u32, deadline: Nanos) -> Result<Permits<'_>, Refusal> {
        self.0.acquire_until(Here, count, deadline)?;
        Ok(Permits { semaphore: self, count })
    }

    /// Takes `count` permits if so many are free and nobody waits.
    ///
    /// # Errors
    /// [`Refusal`] says why not.
    #[inline]
    pub fn try_acquire_many(&self, count: u32) -> Result<Permits<'_>, Refusal> {
        self.0.try_acquire(count)?;
        Ok(Permits { semaphore: self, count })
    }

    /// Gives out `count` new permits.
    ///
    /// # Panics
    /// If there are more than [`primitives::MAX_PERMITS`] then.
    #[inline]
    pub fn add_permits(&self, count: u32) {
        self.0.release(Here, count);
    }

    /// Sends everyone away who waits, or comes to. Free permits can still be had.
    pub fn close(&self) {
        self.0.close(Here);
    }
}

/// Permits of a [`Semaphore`]; gives them back when dropped.
#[must_use = "dropped at once, the permits are given back at once"]
pub struct Permits<'a> {
    semaphore: &'a Semaphore,
    count: u32,
}

impl Permits<'_> {
    /// Keeps the permits for ever: the semaphore has so many fewer.
    pub fn forget(self) {
        mem::forget(self);
    }
}

impl Drop for Permits<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.add_permits(self.count);
    }
}
