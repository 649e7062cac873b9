//! The interrupt probe: how long from sending a kick to the first instruction of its handler.

use core::sync::atomic::{AtomicU64, Ordering};

use arch::{apic, cpu, percpu};
use sched::Nanos;

use crate::asked::Asking;
use crate::local::now;
use crate::preempt::PreemptGuard;

/// The CPU that is asked for an answer, plus one; 0 when none is.
static ASKED: AtomicU64 = AtomicU64::new(0);
/// The time at which its handler began.
static ANSWER: AtomicU64 = AtomicU64::new(0);

/// How long an answer is waited for.
const PATIENCE_NS: u64 = 1_000_000_000;

/// Answers with the time at which the handler began, if this CPU is the one that was asked.
pub fn answer(time: Nanos) {
    let asked = ASKED.load(Ordering::Relaxed);
    if asked != u64::from(percpu::index()) + 1 {
        return;
    }
    ANSWER.store(time.0, Ordering::Relaxed);
    // Release pairs with the Acquire in `round`: who sees the question gone sees the answer.
    ASKED.store(0, Ordering::Release);
}

/// Sends `target` a kick and returns the nanoseconds to its handler; `None` if none ran within a second. One
/// prober at a time.
pub fn round(target: u32) -> Option<u64> {
    let _preemption = PreemptGuard::new();
    let _asking = Asking::new();
    ASKED.store(u64::from(target) + 1, Ordering::Relaxed);
    let sent = now();
    apic::kick(target);
    // Acquire pairs with the Release in `answer`.
    while ASKED.load(Ordering::Acquire) != 0 {
        cpu::relax();
        if now().since(sent).0 > PATIENCE_NS {
            ASKED.store(0, Ordering::Relaxed);
            return None;
        }
    }
    Some(ANSWER.load(Ordering::Relaxed).saturating_sub(sent.0))
}
