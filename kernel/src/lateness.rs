//! How late timer interrupts come: what tells an unfair scheduler from a host that is too busy to be fair, and from one that
//! lets a CPU wait for its turn.

use core::sync::atomic::{AtomicU64, Ordering};

use arch::percpu;
use crossbeam_utils::CachePadded;
use sched::Nanos;

use crate::dispatch;
use crate::local::{Local, now};

/// The sum for each CPU, written by that CPU alone.
static LATE: [CachePadded<AtomicU64>; percpu::MAX_CPUS] =
    [const { CachePadded::new(AtomicU64::new(0)) }; percpu::MAX_CPUS];

/// The timer interrupt, and by how much it came late.
pub fn on_timer() {
    // SAFETY: interrupts are off in a handler, and the reference ends with the statement.
    let due = unsafe { Local::here().cpu() }.armed();
    if due != Nanos::NEVER {
        let late = &LATE[percpu::index() as usize];
        late.store(late.load(Ordering::Relaxed) + now().since(due).0, Ordering::Relaxed);
    }
    dispatch::on_timer();
}

/// By how much `cpu`'s timer interrupts came later than they were armed for, in all.
pub fn total(cpu: u32) -> Nanos {
    Nanos(LATE[cpu as usize].load(Ordering::Relaxed))
}
