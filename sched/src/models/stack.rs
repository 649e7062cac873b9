//! A task's stack: what two CPUs must never be on, and what must be whole when a CPU continues with it.

use core::sync::atomic::{AtomicU32 as Unseen, Ordering::SeqCst};

use crate::sync::{AtomicU32, Ordering};

/// The user of a stack that nobody is on.
const NOBODY: u32 = u32::MAX;

/// A stack with the context that was saved on it.
///
/// The saved context is one relaxed word: whoever continues without having synchronised with who saved it
/// may read an old one. What it should be is kept where loom doesn't see it, in the order of execution. (A
/// loom `UnsafeCell` would do the same, but sharing it takes unsafe code, which this crate forbids.)
pub struct Stack {
    saved: AtomicU32,
    saved_last: Unseen,
    user: Unseen,
}

impl Stack {
    /// A stack that nobody is on.
    pub fn new() -> Self {
        Self { saved: AtomicU32::new(0), saved_last: Unseen::new(0), user: Unseen::new(NOBODY) }
    }

    /// `cpu` continues with what was saved.
    pub fn enter(&self, cpu: u32) {
        let other = self.user.swap(cpu, SeqCst);
        assert_eq!(other, NOBODY, "two CPUs are on one stack");
        let saved = self.saved.load(Ordering::Relaxed);
        assert_eq!(saved, self.saved_last.load(SeqCst), "an old context was loaded");
    }

    /// `cpu` saves the context; from the next instruction on it's off the stack.
    pub fn leave(&self, cpu: u32) {
        self.saved.store(self.saved_last.fetch_add(1, SeqCst) + 1, Ordering::Relaxed);
        let me = self.user.swap(NOBODY, SeqCst);
        assert_eq!(me, cpu, "two CPUs were on one stack");
    }
}
