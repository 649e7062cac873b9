//! Waiting for a thread and taking its result.

use core::cell::UnsafeCell;
use core::mem;

use alloc::sync::Arc;

use super::Thread;

/// What a thread is to run, and then what came of it, in one place: it's allocated once.
pub(super) struct Packet<F, T>(UnsafeCell<Content<F, T>>);

enum Content<F, T> {
    Body(F),
    Result(T),
    Nothing,
}

// SAFETY: touched by the thread before it's done, and by the joiner after that; `Completion` orders the two.
unsafe impl<F: Send, T: Send> Sync for Packet<F, T> {}

/// A packet for the thread, whatever comes of it.
pub(super) trait Run: Send + Sync {
    /// Runs the body and leaves the result. Once, by the thread itself, before it ends.
    fn run(self: Arc<Self>);
}

/// A packet for whoever joins, whatever was run.
trait Outcome<T>: Send + Sync {
    /// Takes the result out. Only by the joiner, after it saw that the thread is done.
    fn take(&self) -> Option<T>;
}

impl<F, T> Packet<F, T> {
    pub(super) fn new(body: F) -> Self {
        Self(UnsafeCell::new(Content::Body(body)))
    }

    /// # Safety
    /// Only by the one who may touch it now.
    unsafe fn replace(&self, content: Content<F, T>) -> Content<F, T> {
        // SAFETY: the caller's promise.
        mem::replace(unsafe { &mut *self.0.get() }, content)
    }
}

impl<T: Send, F: FnOnce() -> T + Send> Run for Packet<F, T> {
    fn run(self: Arc<Self>) {
        // SAFETY: the joiner doesn't look before the thread is done.
        if let Content::Body(body) = unsafe { self.replace(Content::Nothing) } {
            let result = body();
            // SAFETY: as above.
            unsafe { self.replace(Content::Result(result)) };
        }
    }
}

impl<F: Send, T: Send> Outcome<T> for Packet<F, T> {
    fn take(&self) -> Option<T> {
        // SAFETY: called by the joiner, who saw that the thread is done with it.
        match unsafe { self.replace(Content::Nothing) } {
            Content::Result(result) => Some(result),
            _ => None,
        }
    }
}

/// The right to wait for a thread. Dropped, the thread is detached and cleans up after itself.
pub struct JoinHandle<T> {
    thread: Thread,
    outcome: Arc<dyn Outcome<T>>,
}

impl<T> JoinHandle<T> {
    pub(super) fn new<F: Send + 'static>(thread: Thread, packet: Arc<Packet<F, T>>) -> Self
    where
        T: Send + 'static,
    {
        Self { thread, outcome: packet }
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
        self.outcome.take().expect("a thread leaves its result before it's done")
    }
}
