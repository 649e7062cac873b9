//! No CPU idles while a thread waits that may run there, beyond the bound.
//!
//! Both sets are kept: the idle CPUs, and for each CPU how many of the waiting threads may run there. A CPU that is in one
//! and has some of the other wastes, and since when is known to the event.

use sched::{Affinity, CpuId};

use super::place::Moved;
use super::{Invariant, Violation};
use crate::sim::world::{Phase, World};

/// Idle CPUs and waiting threads.
pub struct Waste {
    idle: Vec<bool>,
    /// The idle CPUs, in no order.
    idlers: Vec<usize>,
    /// How many of the waiting threads may run on any CPU.
    anywhere: usize,
    /// The others, as differences from each CPU to the next, summed as a Fenwick tree.
    ranges: Vec<i32>,
    /// By slot: as what it was counted.
    counted: Vec<Option<Affinity>>,
    /// CPUs that waste, and since when.
    wasting: Vec<(usize, u64)>,
    /// Room for the changes of one event.
    pub moved: Vec<Moved>,
    /// The longest waste that is over.
    pub longest: u64,
    /// All of them.
    pub sum: u64,
}

impl Waste {
    pub fn new(cpus: usize, slots: usize) -> Self {
        Self {
            idle: vec![false; cpus],
            idlers: Vec::new(),
            anywhere: 0,
            ranges: vec![0; cpus + 2],
            counted: vec![None; slots],
            wasting: Vec::new(),
            moved: Vec::new(),
            longest: 0,
            sum: 0,
        }
    }

    /// A thread waits from now on.
    pub fn waits(&mut self, slot: usize, affinity: Affinity, now: u64) {
        self.forget(slot);
        if !affinity.is_movable() {
            return;
        }
        self.counted[slot] = Some(affinity);
        self.count(affinity, 1);
        for index in 0..self.idlers.len() {
            let cpu = self.idlers[index];
            if affinity.allows(CpuId(cpu as u32)) {
                self.begin(cpu, now);
            }
        }
    }

    /// A thread doesn't count any more.
    pub fn forget(&mut self, slot: usize) {
        if let Some(affinity) = self.counted[slot].take() {
            self.count(affinity, -1);
        }
    }

    fn count(&mut self, affinity: Affinity, by: i32) {
        if affinity == Affinity::ANY {
            self.anywhere = self.anywhere.wrapping_add_signed(by as isize);
            return;
        }
        let cpus = self.idle.len();
        let first = affinity.first().index();
        let end =
            (first..=cpus).find(|&cpu| cpu == cpus || !affinity.allows(CpuId(cpu as u32))).unwrap_or(cpus);
        self.add(first, by);
        self.add(end, -by);
    }

    fn add(&mut self, at: usize, by: i32) {
        let mut index = at + 1;
        while index < self.ranges.len() {
            self.ranges[index] += by;
            index += index & index.wrapping_neg();
        }
    }

    /// Whether some waiting thread may run on `cpu`.
    fn wanted(&self, cpu: usize) -> bool {
        if self.anywhere > 0 {
            return true;
        }
        let (mut index, mut sum) = (cpu + 1, 0);
        while index > 0 {
            sum += self.ranges[index];
            index &= index - 1;
        }
        sum > 0
    }

    fn begin(&mut self, cpu: usize, now: u64) {
        if self.wasting.iter().all(|&(wasting, _)| wasting != cpu) {
            self.wasting.push((cpu, now));
        }
    }

    fn set_idle(&mut self, cpu: usize, idle: bool, now: u64) {
        if std::mem::replace(&mut self.idle[cpu], idle) == idle {
            return;
        }
        if idle {
            self.idlers.push(cpu);
            if self.wanted(cpu) {
                self.begin(cpu, now);
            }
        } else {
            self.idlers.retain(|&idler| idler != cpu);
        }
    }

    /// Ends what is over, and tells the one that has lasted longest.
    fn last(&mut self, now: u64) -> Option<(usize, u64)> {
        let mut index = 0;
        while index < self.wasting.len() {
            let (cpu, since) = self.wasting[index];
            if self.idle[cpu] && self.wanted(cpu) {
                index += 1;
            } else {
                self.wasting.swap_remove(index);
                self.longest = self.longest.max(now - since);
                self.sum += now - since;
            }
        }
        self.wasting.iter().copied().min_by_key(|&(_, since)| since)
    }
}

impl World<'_> {
    pub(super) fn check_waste(&mut self, cpu: usize) -> Result<(), Violation> {
        let idle = matches!(self.cpus[cpu].phase, Phase::Polling | Phase::Halted);
        let now = self.now;
        let waste = &mut self.checker.waste;
        waste.set_idle(cpu, idle, now);
        self.checker.done += 1;
        if waste.wasting.is_empty() {
            return Ok(());
        }
        match waste.last(now) {
            Some((cpu, since)) if now - since > self.checker.bounds.waste => Err(Invariant::WorkConserving
                .violated(format!(
                    "cpu {cpu} idles for {} ns while a thread waits that may run there",
                    now - since
                ))),
            _ => Ok(()),
        }
    }
}
