//! The end of a thread: its figures are kept, whoever joins is woken, its slot goes back.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};

use sched::{Reason, TaskId};

use super::{Usage, usage_of};
use crate::dispatch;
use crate::local::Local;

/// The thread goes on, and nobody joins yet.
const GOING_ON: u64 = 0;
/// The thread has ended. No joiner's id: slot 0 is an idle task's.
const DONE: u64 = 1;

/// Whether a thread has ended, and who waits for that.
pub(super) struct Completion {
    /// [`GOING_ON`], [`DONE`], or the joiner's id.
    state: AtomicU64,
    usage: UnsafeCell<Usage>,
}

// SAFETY: `usage` is written once, before DONE is published with Release, and read only after DONE was seen
// with Acquire.
unsafe impl Sync for Completion {}
// SAFETY: plain data.
unsafe impl Send for Completion {}

impl Completion {
    pub(super) fn new() -> Self {
        Self { state: AtomicU64::new(GOING_ON), usage: UnsafeCell::new(Usage::default()) }
    }

    pub(super) fn is_done(&self) -> bool {
        // Acquire pairs with the Release of the swap in `finish`.
        self.state.load(Ordering::Acquire) == DONE
    }

    /// The figures of the whole life, once it's over.
    pub(super) fn usage(&self) -> Option<Usage> {
        // SAFETY: after DONE nobody writes.
        self.is_done().then(|| unsafe { *self.usage.get() })
    }

    /// Notes that `joiner` waits. There is one, since a join takes the handle.
    pub(super) fn expect(&self, joiner: TaskId) {
        // Release pairs with `finish`'s Acquire: the id's owner is known by then. A failure means DONE.
        let _ = self.state.compare_exchange(GOING_ON, joiner.to_bits(), Ordering::Release, Ordering::Relaxed);
    }

    /// Ends: publishes `usage` and returns the joiner to wake.
    fn finish(&self, usage: Usage) -> Option<TaskId> {
        // SAFETY: called once, by the thread itself, before DONE: nobody reads yet.
        unsafe { *self.usage.get() = usage };
        // Release publishes the usage and the thread's result to `is_done`; Acquire pairs with `expect`.
        match self.state.swap(DONE, Ordering::AcqRel) {
            GOING_ON => None,
            joiner => Some(TaskId::from_bits(joiner)),
        }
    }
}

/// Ends the calling thread, whose result is stored already.
pub(super) fn exit(slot: usize) -> ! {
    let local = Local::here();
    let thread = local.threads.take_thread(slot).expect("a running thread has a handle");
    let joiner = thread.0.completion.finish(usage_of(local, thread.task()));
    if let Some(joiner) = joiner {
        dispatch::wake(joiner);
    }
    // On its own stack still, with preemption on: freeing memory is allowed here, and not later.
    drop(thread);
    dispatch::reschedule(Reason::Exit);
    unreachable!("a thread that exited was switched to")
}
