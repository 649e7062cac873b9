//! Of the threads that are runnable the highest run, on all CPUs together; and real-time ones leave some time to fair ones.
//!
//! A thread that waits while a CPU where it may run runs something of lower rank is outranking it in vain: that must
//! not last. What a CPU runs is what its scheduler says it runs; where real-time threads have used up what is granted,
//! fair ones run on purpose.

use sched::CpuId;
use sched::class::Rank;

use super::place::Place;
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
            let found = self.waits_in_vain(slot, &runs);
            let since = &mut self.checker.ranks.outranking[slot];
            let Some((here, cpu)) = found else {
                *since = None;
                continue;
            };
            let lasted = self.now - *since.get_or_insert(self.now);
            if lasted > self.checker.bounds.outranked {
                let ranks = format!(
                    "{:?} waits on cpu {here} while cpu {cpu} runs {:?}",
                    self.shared.task(slot).rank(),
                    runs[cpu]
                );
                return Err(Invariant::Priority.violated(format!("slot {slot} of {ranks} for {lasted} ns")));
            }
        }
        Ok(())
    }

    /// Whether a slot's task waits though it should run: where it does, and which CPU runs something lower.
    fn waits_in_vain(&self, slot: usize, runs: &[Rank]) -> Option<(usize, usize)> {
        let Place::Queued(here) = self.checker.places.of(slot) else { return None };
        if runs[here] == Rank::HIGHEST {
            return None;
        }
        let task = self.shared.task(slot);
        let runs_lower = |&cpu: &usize| runs[cpu] < task.rank() && self.cpus[cpu].phase != Phase::Switching;
        if runs_lower(&here) {
            return Some((here, here));
        }
        // A fair or background thread is only owed its own CPU; balance and idle CPUs see to the rest.
        let allowed = |cpu: &usize| task.rank().is_real_time() && task.affinity().allows(CpuId(*cpu as u32));
        Some((here, (0..self.cpus.len()).filter(allowed).find(runs_lower)?))
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
