//! A barrier; how it blocks is `sched`'s [`primitives::Barrier`].

use sched::primitives;

use super::Here;

/// A point that so many threads pass together, any number of times.
pub struct Barrier(primitives::Barrier);

/// How a thread passed a barrier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether the thread was the last one to come: one is, each time.
    pub fn is_leader(self) -> bool {
        self.0
    }
}

impl Barrier {
    /// A barrier for so many threads; 0 counts as 1.
    pub const fn new(threads: u32) -> Self {
        Self(primitives::Barrier::new(threads))
    }

    /// Blocks until all threads are there. What any of them did before, all see.
    pub fn wait(&self) -> BarrierWaitResult {
        BarrierWaitResult(self.0.wait(Here))
    }
}
