//! Of the threads that are runnable the highest run, on all CPUs together; and real-time ones leave some time to fair ones.
//!
//! A thread that waits while a CPU where it may run runs something of lower rank is outranking it in vain: that must
//! not last. What a CPU runs is what its scheduler says it runs; where real-time threads have used up what is granted,
//! fair ones run on purpose.

use sched::class::Rank;
use sched::{Class, CpuId};

use super::{Invariant, Violation};
use crate::sim::world::{Phase, World};

/// Since when what shouldn't be is so.
pub struct Ranks {
    /// By slot: it waits while something lower runs where it may.
    outranking: Vec<Option<u64>>,
    /// By CPU: it runs a real-time thread while a fair one waits there.
    held_up: Vec<Option<u64>>,
}

impl Ranks {
    pub fn new(cpus: usize, slots: usize) -> Self {
        Self { outranking: vec![None; slots], held_up: vec![None; cpus] }
    }
}

impl World<'_> {
    /// No thread waits for long that should run.
    pub(super) fn check_ranks(&mut self) -> Result<(), Violation> {
        if !self.checker.bounds.ranked {
            return Ok(());
        }
        let runs: Vec<Rank> = (0..self.cpus.len()).map(|cpu| self.runs(cpu)).collect();
        for slot in self.cpus.len()..self.shared.slots() {
            let since = &mut self.checker.ranks.outranking[slot];
            if let Some(found) = vain(&self.cpus, &self.checker.places, self.shared, &runs, slot) {
                let since = *since.get_or_insert(self.now);
                if self.now - since > self.checker.bounds.outranked {
                    let lasted = self.now - since;
                    return Err(Invariant::Priority.violated(format!("{found} for {lasted} ns")));
                }
            } else {
                *since = None;
            }
        }
        Ok(())
    }

    /// The rank of what a CPU runs, or the highest where it says that nothing better may come.
    fn runs(&self, cpu: usize) -> Rank {
        let scheduler = &self.cpus[cpu].sched;
        match scheduler.mailbox().attention.peek().rank() {
            Rank::HIGHEST => Rank::HIGHEST,
            _ => scheduler.running_rank(),
        }
    }

    /// Fair threads aren't held up for longer than what is granted to real-time ones.
    pub(super) fn check_held_up(&mut self, cpu: usize) -> Result<(), Violation> {
        let state = &self.cpus[cpu];
        let real_time = state.phase == Phase::Running && state.sched.running_rank().is_real_time();
        let since = &mut self.checker.ranks.held_up[cpu];
        if !real_time || state.sched.queue().is_empty() {
            *since = None;
            return Ok(());
        }
        let lasted = self.now - *since.get_or_insert(self.now);
        if lasted <= self.checker.bounds.held_up {
            return Ok(());
        }
        Err(Invariant::Throttle
            .violated(format!("on cpu {cpu} real-time threads kept fair ones waiting for {lasted} ns")))
    }
}

/// Whether a slot's task waits in vain, and how.
fn vain(
    cpus: &[crate::sim::world::VirtualCpu<'_>],
    places: &super::Places,
    shared: &sched::Shared,
    runs: &[Rank],
    slot: usize,
) -> Option<String> {
    let super::place::Place::Queued(here) = places.of(slot) else { return None };
    let task = shared.task(slot);
    let (rank, affinity) = (task.rank(), task.affinity());
    // A fair or background thread is only owed its own CPU; balance and idle CPUs see to the rest.
    let everywhere = !matches!(task.class(), Class::Fair | Class::Background);
    let runs_lower = |cpu: usize| runs[cpu] < rank && cpus[cpu].phase != Phase::Switching;
    if runs[here] == Rank::HIGHEST {
        return None;
    }
    let elsewhere = |cpu: &usize| runs_lower(*cpu) && affinity.allows(CpuId(*cpu as u32));
    let cpu = if runs_lower(here) {
        here
    } else if everywhere {
        (0..cpus.len()).find(elsewhere)?
    } else {
        return None;
    };
    Some(format!("slot {slot} of rank {rank:?} waits on cpu {here} while cpu {cpu} runs {:?}", runs[cpu]))
}
