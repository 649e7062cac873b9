//! Waiting for a thread and taking its result.

use core::cell::UnsafeCell;

use alloc::sync::Arc;

use super::Thread;

/// Where a thread leaves its result.
pub(super) struct Packet<T>(UnsafeCell<Option<T>>);

// SAFETY: written by the thread before it's done, read by the joiner after that; `Completion` orders the two.
unsafe impl<T: Send> Sync for Packet<T> {}

impl<T> Packet<T> {
    pub(super) fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// Leaves the result. Once, by the thread itself, before it ends.
    pub(super) fn leave(&self, result: T) {
        // SAFETY: the joiner doesn't look before the thread is done.
        unsafe { *self.0.get() = Some(result) };
    }

    fn take(&self) -> Option<T> {
        // SAFETY: only called by the joiner, after it saw that the thread is done.
        unsafe { (*self.0.get()).take() }
    }
}

/// The right to wait for a thread. Dropped, the thread is detached and cleans up after itself.
pub struct JoinHandle<T> {
    thread: Thread,
    packet: Arc<Packet<T>>,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(thread: Thread, packet: Arc<Packet<T>>) -> Self {
        Self { thread, packet }
    }

    /// The thread's handle.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Blocks until the thread has ended and returns its result.
    ///
    /// # Panics
    /// Never: a thread that panics ends the kernel.
    pub fn join(self) -> T {
        self.thread.0.completion.wait();
        self.packet.take().expect("a thread leaves its result before it's done")
    }
}
