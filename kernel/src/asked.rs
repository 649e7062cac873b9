//! What a kick may be for beside a look of the scheduler: a probe's question, or that of a thread that waits for readers.
//!
//! One word says whether anybody asks. The handler is on the way of every wakeup of a halted CPU, and so pays for one load,
//! however many kinds of question there are.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::local::now;
use crate::probe;
use crate::sync::rcu;

/// How many ask.
static ASKERS: AtomicU32 = AtomicU32::new(0);

/// While it lives, whoever is kicked answers. To be made before the question is put: a kick orders what was stored before it
/// before its handler.
pub struct Asking(());

impl Asking {
    /// One more who asks.
    pub fn new() -> Self {
        ASKERS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Called first thing by the kick's handler, and when preemption is turned on that a handler found off.
#[inline]
pub fn answer() {
    if ASKERS.load(Ordering::Relaxed) != 0 {
        answer_all();
    }
}

#[cold]
fn answer_all() {
    probe::answer(now());
    rcu::answer();
}
