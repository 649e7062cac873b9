//! A queue of threads that wait for conditions; how it blocks and wakes is `sched`'s [`primitives::WaitQueue`].

use sched::{Nanos, primitives};

use super::Here;
use crate::local::now;

/// Threads that wait for conditions of any kind, atomics for instance, that no mutex guards.
///
/// A condition is looked at by the thread that waits, at once and after each wake, so that a wake too many does no harm.
pub struct WaitQueue(primitives::WaitQueue);

impl WaitQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self(primitives::WaitQueue::new())
    }

    /// Blocks until `condition` holds. It must not block.
    pub fn wait_until(&self, condition: impl FnMut() -> bool) {
        self.0.wait_until(Here, Nanos::NEVER, condition);
    }

    /// The same for `span` at most; answers whether the condition held in the end.
    pub fn wait_timeout(&self, span: Nanos, condition: impl FnMut() -> bool) -> bool {
        self.0.wait_until(Here, now() + span, condition)
    }

    /// Wakes the thread that has waited longest, if one waits. What the caller changed before, its condition sees.
    #[inline]
    pub fn wake_one(&self) {
        self.0.wake_one(Here);
    }

    /// Wakes all threads that wait.
    #[inline]
    pub fn wake_all(&self) {
        self.0.wake_all(Here);
    }
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}
