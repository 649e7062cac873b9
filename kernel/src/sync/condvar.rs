//! A condition variable for [`super::Mutex`]; how it waits and notifies is `sched`'s [`primitives::Condvar`].

use sched::primitives;

use super::Here;
use super::mutex::MutexGuard;

/// Blocks threads until another one says that something has changed.
pub struct Condvar(primitives::Condvar);

impl Condvar {
    /// A condition variable that nobody waits for.
    pub const fn new() -> Self {
        Self(primitives::Condvar::new())
    }

    /// Unlocks the guard's mutex, blocks until notified, and locks again. May return without a notification,
    /// so look at the condition in a loop.
    #[inline]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        // The guard stays: who holds the lock when this returns is the thread that did before.
        self.0.wait(Here, &guard.mutex().lock);
        guard
    }

    /// Wakes the thread that has waited longest, if one waits.
    #[inline]
    pub fn notify_one(&self) {
        self.0.notify_one(Here);
    }

    /// Wakes every thread that waits.
    #[expect(dead_code, reason = "programs use it; the suite happens not to")]
    pub fn notify_all(&self) {
        self.0.notify_all(Here);
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}
