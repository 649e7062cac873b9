//! What the scheduler derives from its counts is what happened: wake-ups are counted nowhere, so that no wake pays for it.

use sched::CpuId;

use super::{Invariant, Violation};
use crate::sim::world::World;

impl World<'_> {
    /// Every thread was woken as often as it blocked, unless it's blocked now; every CPU saw as many blocks as it tells.
    pub fn check_counts(&self) -> Result<(), Violation> {
        for number in self.tenants.iter().copied().flatten() {
            let thread = &self.threads[number];
            let task = self.shared.task(thread.task.index());
            let told = task.wakeups() + u64::from(task.is_blocked());
            if told != thread.blocks {
                let found =
                    format!("thread {number} blocked {} times, the scheduler tells {told}", thread.blocks);
                return Err(Invariant::Counts.violated(found));
            }
        }
        for (cpu, state) in self.cpus.iter().enumerate() {
            let told = self.shared.blocks(CpuId(cpu as u32));
            if told != state.blocks {
                let found =
                    format!("{} threads blocked on cpu {cpu}, the scheduler tells {told}", state.blocks);
                return Err(Invariant::Counts.violated(found));
            }
        }
        Ok(())
    }
}
