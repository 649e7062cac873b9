//! Where the waiting tasks of a CPU may run: up to 64 groups of CPUs, a bit each.
//!
//! An overloaded CPU publishes it, so that an idle one asks a CPU that can help it. Exact with up to 64 CPUs, where
//! a group is one; beyond that it may overstate.

use crate::affinity::Affinity;
use crate::id::CpuId;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Groups of CPUs.
pub type Groups = u64;

/// Every CPU.
pub const EVERYWHERE: Groups = u64::MAX;

/// How a machine's CPUs are grouped.
#[derive(Clone, Copy, Debug)]
pub struct Grouping {
    cpus: u32,
    shift: u32,
}

impl Grouping {
    /// The finest one with no more than 64 groups.
    pub fn new(cpus: usize) -> Self {
        Self { cpus: cpus as u32, shift: cpus.div_ceil(64).next_power_of_two().ilog2() }
    }

    /// The group of a CPU.
    pub fn of(self, cpu: CpuId) -> Groups {
        1 << (cpu.0 >> self.shift)
    }

    /// The groups that an affinity touches.
    pub fn touched_by(self, affinity: Affinity) -> Groups {
        let (first, end) = (affinity.first().0, affinity.end().min(self.cpus));
        if first >= end {
            return 0;
        }
        let (low, high) = (first >> self.shift, (end - 1) >> self.shift);
        (EVERYWHERE << low) & (EVERYWHERE >> (63 - high))
    }
}

/// What a CPU publishes of it; it counts while the CPU is in the set of overloaded ones.
#[derive(Debug)]
pub struct Reach {
    groups: AtomicU64,
    /// Whether an idle CPU has asked, or another passed its question on, since this CPU looked.
    asked: AtomicBool,
}

impl Reach {
    /// Everywhere.
    pub fn new() -> Self {
        Self { groups: AtomicU64::new(EVERYWHERE), asked: AtomicBool::new(false) }
    }

    /// Publishes. The owner only; a fence must follow if it's more than before.
    pub fn publish(&self, groups: Groups) {
        self.groups.store(groups, Ordering::Relaxed);
    }

    /// Whether a task may wait there that can run on one of `groups`.
    pub fn touches(&self, groups: Groups) -> bool {
        self.groups.load(Ordering::Relaxed) & groups != 0
    }

    /// Puts a question to the CPU. Any CPU; it must then kick this one.
    pub fn ask(&self) {
        // Release pairs with the Acquire in `take_question`: who sees the question sees the idle CPU. No fence is between
        // the two where a question is passed on by one that had narrowed its reach. Relaxed, who takes it might see
        // another idle CPU only, can't help that one either, and pass the question on for that one's sake; when the
        // kick comes it finds the question taken, and the CPU that asked idles beside one that could have helped.
        self.asked.store(true, Ordering::Release);
    }

    /// Whether a question was put since the last call. Only the owner, before it looks who's idle.
    pub fn take_question(&self) -> bool {
        // Acquire pairs with the Release in `ask`.
        self.asked.load(Ordering::Relaxed) && self.asked.swap(false, Ordering::Acquire)
    }
}

impl Default for Reach {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_affinity_touches_the_groups_of_its_cpus_and_no_other() {
        for cpus in [1, 2, 63, 64, 65, 128, 200, 1024, 4096] {
            let grouping = Grouping::new(cpus);
            for (first, end) in
                [(0, 1), (0, cpus), (cpus / 2, cpus / 2 + 1), (cpus / 3, cpus), (cpus - 1, cpus)]
            {
                let affinity = Affinity::range(first as u32, end as u32).unwrap();
                let one_by_one = (first..end).fold(0, |sum, cpu| sum | grouping.of(CpuId(cpu as u32)));
                assert_eq!(grouping.touched_by(affinity), one_by_one, "{first}..{end} of {cpus}");
            }
            let all = (0..cpus).fold(0, |sum, cpu| sum | grouping.of(CpuId(cpu as u32)));
            assert_eq!(grouping.touched_by(Affinity::ANY), all);
            assert_eq!(grouping.touched_by(Affinity::one(CpuId(cpus as u32))), 0, "no such CPU");
        }
    }
}
