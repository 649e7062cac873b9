//! A mutex that its holder may lock again.

use super::{Kernel, Mutex};
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, const_new};
use crate::time::Nanos;

/// A mutual exclusion lock that one thread may hold several times over.
#[derive(Debug)]
pub struct ReentrantLock {
    mutex: Mutex,
    /// How many times the holder has locked it; only the holder touches it.
    depth: AtomicU32,
}

impl ReentrantLock {
    const_new! {
        /// A free lock.
        pub fn new() -> Self {
            Self { mutex: Mutex::new(), depth: AtomicU32::new(0) }
        }
    }

    /// Takes the lock, once more if the caller holds it, or blocks; answers `false` if the clock shows `deadline` before.
    #[must_use]
    pub fn lock_until(&self, kernel: impl Kernel, deadline: Nanos) -> bool {
        self.deepen(self.mutex.is_mine(kernel) || self.mutex.lock_until(kernel, deadline))
    }

    /// Takes the lock if it's free, and once more if the caller holds it.
    #[must_use]
    pub fn try_lock(&self, kernel: impl Kernel) -> bool {
        self.deepen(self.mutex.is_mine(kernel) || self.mutex.try_lock(kernel))
    }

    fn deepen(&self, held: bool) -> bool {
        if held {
            let depth = self.depth.load(Ordering::Relaxed).checked_add(1);
            self.depth
                .store(depth.expect("a lock is held by guards, of which there are fewer"), Ordering::Relaxed);
        }
        held
    }

    /// Gives the lock back as often as it was taken, and the last time in earnest.
    pub fn unlock(&self, kernel: impl Kernel) {
        let depth = self.depth.load(Ordering::Relaxed) - 1;
        self.depth.store(depth, Ordering::Relaxed);
        if depth == 0 {
            self.mutex.unlock(kernel);
        }
    }
}

impl Default for ReentrantLock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::primitives::still::Still;

    #[test]
    fn a_lock_is_held_until_it_was_given_back_as_often_as_it_was_taken() {
        let (lock, still) = (ReentrantLock::new(), Still::new(3));
        let [holder, other] = [still.thread(1), still.thread(2)];
        assert!(lock.lock_until(holder, Nanos::NEVER) && lock.try_lock(holder));
        lock.unlock(holder);
        assert!(!lock.try_lock(other));
        lock.unlock(holder);
        assert!(lock.try_lock(other) && !lock.try_lock(holder));
    }
}
