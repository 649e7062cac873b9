//! The end of a thread: what it left to do is done, its figures are kept, whoever joins is woken, its slot goes back.

use core::cell::UnsafeCell;

use alloc::boxed::Box;

use sched::{Reason, primitives};

use super::{Usage, current, usage_of};
use crate::dispatch;
use crate::local::Local;
use crate::sync::Here;

/// A thread's end, and its figures.
pub(super) struct Completion {
    end: primitives::Completion,
    usage: UnsafeCell<Usage>,
}

// SAFETY: `usage` is written once, before the end, and read only after that was seen.
unsafe impl Sync for Completion {}

impl Completion {
    pub(super) fn new() -> Self {
        Self { end: primitives::Completion::new(), usage: UnsafeCell::new(Usage::default()) }
    }

    /// The figures of the whole life, once it's over.
    pub(super) fn usage(&self) -> Option<Usage> {
        // SAFETY: after the end nobody writes.
        self.end.is_done().then(|| unsafe { *self.usage.get() })
    }

    /// Blocks until the thread has ended. Once: a join takes the handle.
    pub(super) fn wait(&self) {
        self.end.wait(Here);
    }

    /// Ends, and wakes the joiner if one waits.
    fn finish(&self, usage: Usage) {
        // SAFETY: called once, by the thread itself, before the end: nobody reads yet.
        unsafe { *self.usage.get() = usage };
        self.end.finish(Here);
    }
}

/// Has the calling thread run `notifier` when it ends: after its body has returned, before whoever joins it goes on, and
/// with all that a thread may do, blocking included. What was registered last runs first; a notifier may register others.
///
/// # Panics
/// If the caller is not a thread.
pub fn at_exit(notifier: impl FnOnce() + 'static) {
    let local = Local::here();
    let slot = current().task().index();
    local.threads.push_at_exit(slot, Box::new(notifier));
}

/// Ends the calling thread, whose result is stored already.
pub(super) fn exit(slot: usize) -> ! {
    let local = Local::here();
    while let Some(notifier) = local.threads.pop_at_exit(slot) {
        notifier();
    }
    let thread = local.threads.take_thread(slot).expect("a running thread has a handle");
    thread.0.completion.finish(usage_of(local, thread.task()));
    // On its own stack still, with preemption on: freeing memory is allowed here, and not later.
    drop(thread);
    dispatch::reschedule(Reason::Exit);
    unreachable!("a thread that exited was switched to")
}
