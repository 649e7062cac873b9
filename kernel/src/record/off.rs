//! Nothing is recorded.

use sched::{Cpu, CpuId, Nanos, Shared};

/// One CPU's scheduler.
pub type Scheduler = Cpu<'static>;

/// Before the scheduler's shared state is made.
pub fn prepare() {}

/// After it was made.
pub fn describe(_shared: &Shared) {}

/// Makes a CPU's scheduler.
pub fn scheduler(shared: &'static Shared, id: CpuId, now: Nanos) -> Scheduler {
    Cpu::new(shared, id, now)
}

/// At the end of the run.
pub fn save() {}
