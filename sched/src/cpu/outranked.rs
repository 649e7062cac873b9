//! Real-time tasks across CPUs: none waits on one CPU while another, where it may run, runs something of lower rank.
//!
//! A real-time task that wakes goes to an idle CPU, or to the one that runs what is lowest. One that must wait
//! is offered: its CPU enters the set of *outranked* ones, fences, and looks at what every other CPU runs (that's in
//! its attention). A CPU that comes to run something lower publishes it, fences, looks at the set, and
//! kicks some of those in it whose tasks it could take, so that they look again. So one of the two sees the other.

use super::Cpu;
use super::place::Placing;
use crate::class::Rank;
use crate::id::CpuId;
use crate::sync::{Ordering, fence};
use crate::task::Task;
use crate::time::Nanos;

/// So many outranked CPUs are asked at a time.
const ASKED: usize = 4;

impl Cpu<'_> {
    /// Where a real-time or background task should run: where nothing does, else where what runs is lowest, else where
    /// it ran last.
    #[cold]
    pub(super) fn place_ranked(&self, task: &Task, why: Placing) -> CpuId {
        let last = task.cpu();
        if !task.is_movable() || self.outboxes[last.index()].is_idle() {
            return last;
        }
        let idle = if self.shared.idle.any() { self.claim_idle(task, why) } else { None };
        idle.or_else(|| self.lowest(task, last)).unwrap_or(last)
    }

    /// The CPU where `task` may run that runs what is lowest, if that's of lower rank; of several the one nearest to `last`.
    fn lowest(&self, task: &Task, last: CpuId) -> Option<CpuId> {
        let affinity = task.affinity();
        let cpus = (0..self.shared.cpus() as u32).map(CpuId).filter(|&cpu| affinity.allows(cpu));
        let topology = &self.shared.topology;
        let ranked = cpus.map(|cpu| (self.rank_on(cpu), topology.distance(last, cpu), cpu)).min()?;
        (ranked.0 < task.rank()).then_some(ranked.2)
    }

    /// The rank of what a CPU runs, by what it says.
    fn rank_on(&self, cpu: CpuId) -> Rank {
        if cpu == self.id { self.running_rank() } else { self.shared.mailbox(cpu).attention.peek().rank() }
    }

    /// Makes known that a task waits here that could run elsewhere.
    pub(super) fn offer(&mut self, task: &Task) {
        if !task.is_movable() {
            return;
        }
        self.announce_surplus(task);
        if may_be_relieved(task) {
            self.mailbox.waiting_reach.widen(task.affinity());
            self.mailbox.waiting_rank.set(self.mailbox.waiting_rank.get().max(task.rank().0.into()));
            self.shared.outranked.insert(self.id);
            self.is_outranked = true;
            // Pairs with the fence in `ask_outranked`: either that CPU sees this one outranked, or this one sees what
            // that one runs when it next shares.
            fence(Ordering::SeqCst);
            self.next_look = Nanos::ZERO;
        }
    }

    /// Sends real-time tasks that wait here to CPUs that run something lower: one to each, as it's not known of a CPU
    /// what others send it.
    #[cold]
    pub(super) fn relieve_outranked(&mut self, now: Nanos) {
        for target in (0..self.shared.cpus() as u32).map(CpuId) {
            if target != self.id
                && let Some(slot) = self.first_outranking(target)
            {
                self.give(slot, target, now);
            }
        }
        self.renew_offer();
    }

    /// Publishes exactly what waits here that could elsewhere. Who seems to have something and hasn't is asked in place of
    /// one who has.
    pub(super) fn renew_offer(&mut self) {
        if self.is_outranked && !self.show_waiting() {
            self.shared.outranked.remove(self.id);
            self.is_outranked = false;
        }
    }

    /// The first of the real-time tasks that wait here which should run on `target`.
    fn first_outranking(&self, target: CpuId) -> Option<u32> {
        let rank = self.rank_on(target);
        let fits = |slot: u32| {
            let task = self.task(slot);
            may_be_relieved(task) && task.rank() > rank && task.affinity().allows(target)
        };
        let keys = self.ranks.keys().filter(|&(slot, _)| fits(slot));
        keys.min_by_key(|&(_, key)| key).map(|(slot, _)| slot)
    }

    /// Kicks CPUs where real-time tasks wait, since this one comes to run something of lower rank than before, or
    /// nothing. The caller has published that, and a fence followed that pairs with the one in `offer`.
    ///
    /// Not all of them: on a large machine each would be asked by all others, and none would get anything done. The next
    /// ones by number are, so that not everyone asks the same. Where many wait for the same CPUs one of four is as good as any.
    pub(super) fn ask_outranked(&mut self) {
        if !self.shared.outranked.any() {
            return;
        }
        let rank = if self.is_idle() { Rank::IDLE } else { self.shown };
        let mut left = ASKED;
        for above in [true, false] {
            let _ = self.shared.outranked.find(|cpu| {
                if left > 0 && cpu != self.id && (cpu > self.id) == above && self.may_relieve(cpu, rank) {
                    self.mailbox.stats.kicks_sent.add(1);
                    self.kicks.insert(cpu);
                    left -= 1;
                }
                left == 0
            });
        }
    }

    /// Whether what waits on an outranked CPU may be more than `rank`, and may run here.
    fn may_relieve(&self, cpu: CpuId, rank: Rank) -> bool {
        let mailbox = self.shared.mailbox(cpu);
        mailbox.waiting_rank.get() > u64::from(rank.0) && mailbox.waiting_reach.includes(self.id)
    }

    /// Publishes exactly what waits here that could elsewhere, and tells whether anything does.
    fn show_waiting(&self) -> bool {
        let waiting = || self.ranks.slots().map(|slot| self.task(slot)).filter(|task| may_be_relieved(task));
        let rank = waiting().map(Task::rank).max().unwrap_or(Rank::IDLE);
        self.mailbox.waiting_rank.set(rank.0.into());
        self.mailbox.waiting_reach.narrow(|| waiting().map(Task::affinity))
    }
}

fn may_be_relieved(task: &Task) -> bool {
    task.is_movable() && task.rank().is_real_time()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::affinity::Affinity;
    use crate::{Config, Nanos, Shared};
    use std::vec::Vec;

    /// Whom an idle CPU 3 of 9 asks, each of which has a task of this rank waiting.
    fn asked_by_3(rank: Rank) -> Vec<u32> {
        let shared = Shared::new(9, 0, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(3), Nanos(0));
        for other in (0..9).map(CpuId) {
            shared.mailbox(other).waiting_rank.set(rank.0.into());
            shared.mailbox(other).waiting_reach.widen(Affinity::ANY);
            shared.outranked.insert(other);
        }
        cpu.ask_outranked();
        let mut asked: Vec<u32> = core::iter::from_fn(|| cpu.take_kick()).map(|cpu| cpu.0).collect();
        asked.sort_unstable();
        asked
    }

    /// Catches: all who idle asking the same; one that asks for what goes no further than what it runs.
    #[test]
    fn the_next_by_number_are_asked_for_what_goes_before() {
        assert_eq!(asked_by_3(Rank(Rank::FAIR.0 + 1)), [4, 5, 6, 7]);
        assert_eq!(asked_by_3(Rank::IDLE), []);
    }
}
