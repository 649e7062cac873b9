//! The meeting of those that have too much and those that have nothing.
//!
//! Both sides announce themselves, fence, and then look for the other, so one of them sees the other. A question of an
//! idle CPU that can't be answered is passed on, to overloaded CPUs of higher numbers only: it ends, and it has then
//! reached all that were there when it was put, as those that came later saw the idle CPU themselves. It's passed to
//! two, one for each half of the CPUs that are left. So the last of n CPUs hears of it after log2(n) steps: one
//! after the other they would keep it waiting for n, and many idle at once where many threads end together.
//!
//! Asked first is a CPU that shares a cache with the idle one, if there is one to ask, since a task that comes from there
//! keeps its data. If it can't help the question begins afresh, with the lowest number of all.

use super::Cpu;
use super::place::Placing;
use crate::affinity::Affinity;
use crate::id::CpuId;
use crate::reach::{Extent, Question, Reach};
use crate::sync::{Ordering, fence};
use crate::task::Task;
use crate::time::Nanos;

impl Cpu<'_> {
    /// Takes note of a task that waits here, newly come or preempted, unless it's known that some may that
    /// could run anywhere.
    #[inline]
    pub(super) fn note_surplus(&mut self, task: &Task) {
        if self.extent != Extent::Everywhere && self.queue.movable() > 0 {
            self.announce_surplus(task);
        }
    }

    /// Enters the set of overloaded CPUs, or makes known that a task waits here that can run where no other can.
    #[cold]
    pub(super) fn announce_surplus(&mut self, task: &Task) {
        let affinity = task.affinity();
        if !affinity.is_movable() || !self.mailbox.reach.widen(affinity) {
            return;
        }
        if self.extent == Extent::Nowhere {
            self.shared.overloaded.insert(self.id);
        }
        let anywhere = affinity == Affinity::ANY;
        self.extent = if anywhere { Extent::Everywhere } else { Extent::Somewhere };
        // Pairs with the fence in `Cpu::enter_idle`: either that CPU sees this one overloaded, or this one
        // sees it idle in `share_surplus`.
        fence(Ordering::SeqCst);
    }

    /// Gives away what others should run, if there is any.
    #[inline]
    pub(super) fn share_surplus(&mut self, now: Nanos) {
        if self.extent != Extent::Nowhere && (now >= self.next_look || self.shared.idle.any()) {
            self.share_slowly(now);
        }
    }

    #[inline(never)]
    fn share_slowly(&mut self, now: Nanos) {
        if self.shared.idle.any() {
            self.feed_hungry(now);
        }
        if now >= self.next_look {
            if !self.ranks.is_empty() {
                self.relieve_outranked(now);
            }
            if now >= self.next_balance {
                self.next_balance = now + self.shared.config.slice();
                if self.movable() > 0 { self.balance(now) } else { self.withdraw_surplus() }
            }
            self.next_look = self.next_balance;
        }
    }

    /// Whether an idle CPU may want what waits here.
    #[inline(never)]
    pub(super) fn sees_hungry(&self) -> bool {
        self.mailbox.reach.meets(&self.shared.idle)
    }

    /// Gives a task to each idle CPU, as long as there are both, and passes on a question that was put: who did may have
    /// got nothing, or have read that more waits here than does, just before this CPU said so.
    #[cold]
    fn feed_hungry(&mut self, now: Nanos) {
        let asked = self.mailbox.reach.take_question();
        while self.movable() > 0 && self.sees_hungry() {
            let claimed = self.ranks.slots().chain(self.queue.slots()).find_map(|slot| {
                let task = self.task(slot);
                Some((slot, self.claim_idle(task, Placing::Woken)?))
            });
            let Some((slot, idle)) = claimed else {
                self.narrow_reach();
                break;
            };
            self.give(slot, idle, now);
        }
        if self.movable() == 0 {
            self.withdraw_surplus();
        }
        if let Some(question) = asked {
            self.pass_question_on(question);
        }
    }

    /// Publishes where what waits here may run exactly, having nothing for the idle CPUs that it might have been for.
    fn narrow_reach(&mut self) {
        let waiting = || self.waiting_slots().map(|slot| self.task(slot).affinity());
        if self.mailbox.reach.narrow(|| waiting().filter(|affinity| affinity.is_movable())) {
            self.extent = Extent::Somewhere;
        } else {
            self.withdraw_surplus();
        }
    }

    /// Leaves the set of overloaded CPUs. Who saw it there still is heard by [`Cpu::hear_question`].
    fn withdraw_surplus(&mut self) {
        self.extent = Extent::Nowhere;
        self.shared.overloaded.remove(self.id);
        let _ = self.mailbox.reach.narrow(core::iter::empty);
    }

    /// Passes a question on that comes when nothing waits here; otherwise it's looked at when the surplus is shared.
    pub(super) fn hear_question(&mut self) {
        if self.extent == Extent::Nowhere
            && let Some(question) = self.mailbox.reach.take_question()
        {
            self.pass_question_on(question);
        }
    }

    /// Kicks two of the overloaded CPUs that are to be asked next and may have a task for an idle one: the first, which is
    /// to pass the question on in the lower half if it can't help, and one that has the upper half.
    fn pass_question_on(&mut self, Question { end, afresh }: Question) {
        if !self.shared.idle.any() {
            return;
        }
        let helper = |from: u32| {
            let asks = |cpu: CpuId| cpu != self.id && (from..end).contains(&cpu.0);
            self.helper(|cpu, reach| asks(cpu) && reach.meets(&self.shared.idle))
        };
        let Some(first) = helper(if afresh { 0 } else { self.id.0 + 1 }) else { return };
        let middle = (first.0 + 1).midpoint(end);
        let second = helper(middle);
        self.ask(first, Question { end: middle, afresh: false });
        if let Some(second) = second {
            self.ask(second, Question { end, afresh: false });
        }
    }

    /// Puts a question to a CPU.
    fn ask(&mut self, cpu: CpuId, question: Question) {
        self.shared.mailbox(cpu).ask(cpu, question);
        self.mailbox.stats.kicks_sent.add(1);
        self.kicks.insert(cpu);
    }

    /// The first overloaded CPU that `suits`, by its number and what it publishes.
    fn helper(&self, suits: impl Fn(CpuId, &Reach) -> bool) -> Option<CpuId> {
        self.shared.overloaded.find(|cpu| suits(cpu, &self.shared.mailbox(cpu).reach))
    }

    /// Kicks an overloaded CPU, which then sees that this one is idle. No answer is awaited, so two idle CPUs never
    /// ask each other.
    #[cold]
    #[inline(never)]
    pub(super) fn ask_for_work(&mut self) {
        // Who is asked below may have lesser work.
        self.ask_outranked();
        let suits = |cpu: CpuId, reach: &Reach| cpu != self.id && reach.includes(self.id);
        let Some(first) = self.helper(suits) else { return };
        let near = self.near_helper(suits).unwrap_or(first);
        self.ask(near, Question { end: self.shared.cpus() as u32, afresh: near != first });
    }

    /// An overloaded CPU near this one that `suits`.
    fn near_helper(&self, suits: impl Fn(CpuId, &Reach) -> bool) -> Option<CpuId> {
        let shared = self.shared;
        let suits = |cpu| shared.overloaded.contains(cpu) && suits(cpu, &shared.mailbox(cpu).reach);
        let mut groups = shared.topology.around(self.id);
        groups.find_map(|group| group.iter().copied().find(|&cpu| suits(cpu)))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{Config, Reason, Seat, Shared, Spec, Topology};
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    const NOW: Nanos = Nanos(0);

    /// Lets a CPU idle that `helpers` seem to have work for, and none has: in how many steps which CPUs are asked. So many
    /// in a row share a cache.
    fn ask_in_vain(cpus: u32, idle: u32, helpers: &BTreeSet<u32>, near: u32) -> (u32, Vec<u32>) {
        let seats: Vec<Seat> = (0..cpus).map(|core| Seat { package: 0, cache: core / near, core }).collect();
        let shared = Shared::on(Topology::new(&seats), 0, Config::default());
        let mut all: Vec<Cpu<'_>> = (0..cpus).map(|id| Cpu::new(&shared, CpuId(id), NOW)).collect();
        for &helper in helpers {
            shared.mailbox(CpuId(helper)).reach.widen(Affinity::ANY);
            shared.overloaded.insert(CpuId(helper));
        }
        all[idle as usize].enter_idle(NOW);
        let (mut steps, mut asked, mut kicked) = (0, Vec::new(), std::vec![idle as usize]);
        loop {
            kicked = kicked
                .iter()
                .flat_map(|&cpu| core::iter::from_fn(|| all[cpu].take_kick()).collect::<Vec<_>>())
                .map(CpuId::index)
                .collect();
            if kicked.is_empty() || asked.len() > 2 * cpus as usize {
                return (steps, asked);
            }
            steps += 1;
            for &cpu in &kicked {
                asked.push(cpu as u32);
                let _ = all[cpu].reschedule(NOW, Reason::Preempt);
            }
        }
    }

    /// Catches: an idle CPU that asks one whose tasks may not run there: an interrupt for nothing.
    #[test]
    fn an_idle_cpu_asks_only_one_that_can_help() {
        let near = [0, 1, 2, 3, 4, 5].map(|core| Seat { package: 0, cache: core / 4, core });
        for topology in [Topology::flat(4), Topology::new(&near)] {
            let shared = Shared::on(topology, 0, Config::default());
            for (helper, first, end) in [(0, 0, 2), (2, 2, 4)] {
                shared.mailbox(CpuId(helper)).reach.widen(Affinity::range(first, end).unwrap());
                shared.overloaded.insert(CpuId(helper));
            }
            for (idle, asked) in [(1, 0), (3, 2)] {
                let mut cpu = Cpu::new(&shared, CpuId(idle), NOW);
                cpu.enter_idle(NOW);
                assert_eq!((cpu.take_kick(), cpu.take_kick()), (Some(CpuId(asked)), None));
            }
        }
    }

    /// Catches: a CPU that is asked for ever for what it had once.
    #[test]
    fn who_has_nothing_left_says_so_when_it_would_balance() {
        let shared = Shared::new(2, 2, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), NOW);
        for slot in [2, 3] {
            let _ = cpu.start(shared.create(slot, Spec::default(), CpuId(0)), NOW);
        }
        let _ = cpu.reschedule(NOW, Reason::Preempt);
        let _ = cpu.switched();
        assert!(shared.overloaded.contains(CpuId(0)));
        let later = NOW + shared.config.slice() + shared.config.slice();
        for reason in [Reason::Exit, Reason::Preempt] {
            let _ = cpu.reschedule(later, reason);
            let _ = cpu.switched();
        }
        assert!(!shared.overloaded.contains(CpuId(0)));
    }

    /// Catches: `feed_hungry` that leaves its reach as it is when it has nothing for who asks, who asks again each time.
    #[test]
    fn who_asked_in_vain_does_not_ask_again() {
        let shared = Shared::new(3, 2, Config::default());
        let mut cpus = [0, 1, 2].map(|id| Cpu::new(&shared, CpuId(id), NOW));
        for idle in [0, 2] {
            // Or else a task is sent there for its load.
            shared.mailbox(CpuId(idle)).load.publish(1 << 20, 0, NOW);
        }
        let (here, upper) = (Affinity::one(CpuId(1)), Affinity::range(1, 3).unwrap());
        for (slot, affinity) in [(3, here), (4, upper)] {
            let task = shared.create(slot, Spec { affinity, ..Spec::default() }, CpuId(1));
            let _ = cpus[1].start(task, NOW);
            let _ = cpus[1].reschedule(NOW, Reason::Preempt);
        }
        assert_eq!(cpus[1].waiting(), 1);
        // As if another had waited that could run on CPU 0.
        shared.mailbox(CpuId(1)).reach.widen(Affinity::range(0, 2).unwrap());
        for asked in [Some(CpuId(1)), None] {
            shared.idle.remove(CpuId(0));
            cpus[0].enter_idle(NOW);
            assert_eq!(cpus[0].take_kick(), asked);
            let _ = cpus[1].reschedule(NOW, Reason::Preempt);
        }
        cpus[2].enter_idle(NOW);
        assert_eq!(cpus[2].take_kick(), Some(CpuId(1)), "what does wait is still made known");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Catches: a half that isn't asked, one that is asked twice, a question that goes from each to the next.
        #[test]
        fn a_question_reaches_each_who_might_help_once_and_soon(
            cpus in 2..140_u32,
            idle in any::<u32>(),
            share in 1..=4_u32,
            dice in prop::collection::vec(0..4_u32, 140),
            near in prop::sample::select(std::vec![1_u32, 4, 140]),
        ) {
            let idle = idle % cpus;
            let helpers = (0..cpus).filter(|&cpu| cpu != idle && dice[cpu as usize] < share).collect();
            let (steps, asked) = ask_in_vain(cpus, idle, &helpers, near);
            // The near one that was asked first seems to have work still, and is asked once more.
            let (again, nears) = (asked.len() - helpers.len().min(asked.len()), u32::from(near == 4));
            prop_assert!(again <= nears as usize, "{:?}", asked);
            prop_assert!(asked.first().is_none_or(|first| {
                near != 4 || first / 4 == idle / 4 || helpers.range(idle / 4 * 4..idle / 4 * 4 + 4).count() == 0
            }), "{:?}", asked);
            prop_assert_eq!(asked.into_iter().collect::<BTreeSet<_>>(), helpers);
            prop_assert!(steps <= 1 + nears + cpus.ilog2(), "{} steps among {} CPUs", steps, cpus);
        }
    }
}
