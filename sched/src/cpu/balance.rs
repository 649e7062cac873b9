//! Giving work away: to idle CPUs at once, to busier or luckier ones in measure.
//!
//! **To idle CPUs.** A CPU with a movable task waiting is in the *overloaded* set, one with nothing to run in
//! the *idle* set. Whichever enters its set second sees the other there: the overloaded one gives a task, the
//! idle one kicks the overloaded one so that it does. Whoever takes a CPU out of the idle set has the right,
//! and the duty, to send it one task. Where tasks may not run everywhere, the overloaded CPU publishes where its own
//! may ([`crate::reach`]); it asks the next one if none of them suits. So no CPU idles while another
//! has a task waiting that may run there. See `surplus.rs`.
//!
//! **By weight.** A task moves where it makes the sum of weights less than it is here.
//!
//! **By lag.** Where sums can't be made more equal (three equal loops on two CPUs), fairness takes turns: the
//! task that is owed most moves to the CPU whose virtual time is furthest ahead, once the gap exceeds a
//! slice and the two CPUs merely trade places by it. It carries its lag, so it runs there at once until it
//! has caught up. Beyond two slices it moves even if that makes the sums less equal: weights such as
//! {4, 4} against {2, 2, 1, 1} can be no more equal by any single move, and would stay wrong for ever.
//!
//! Both are looked at when the CPU reschedules anyway, at most once a slice: no timer is armed for them.

use super::Cpu;
use crate::decay::displace;
use crate::id::CpuId;
use crate::task::Task;
use crate::time::Nanos;

/// How many waiting tasks are looked at for one that can move, so that a decision's cost stays bounded.
const LOOKED_AT: usize = 32;

/// How many time constants two CPUs' virtual times may be apart before they count as adrift.
const ADRIFT: u64 = 4;

impl Cpu<'_> {
    /// Shifts this CPU's virtual time to the furthest busy CPU's if it's so far behind that it can't be lag.
    ///
    /// Virtual times drift apart while tasks may not move between two CPUs. When one comes that may, what
    /// happened before is not owed to it: without this it would move back and forth and starve.
    fn meet_others(&mut self, now: Nanos) {
        let (Some(mine), adrift) = (self.virtual_time(), self.shared.config.tau.0 * ADRIFT) else { return };
        let busy =
            self.shared.mailboxes.iter().map(|mailbox| &*mailbox.load).filter(|load| load.weight() > 0);
        let furthest = busy.map(|load| load.progress_at(now)).max().unwrap_or(0);
        let gap = furthest.saturating_sub(mine);
        if gap > adrift {
            if self.running.is_ranked() {
                displace(self.running, self.running.virtual_time.get() + gap);
            } else {
                self.policy.shift(self.running, gap);
            }
            for slot in self.queue.slots() {
                self.policy.shift(&self.tasks[slot as usize], gap);
            }
            self.queue.shift(gap);
            (self.load_changed, self.next_publish) = (true, now);
        }
    }

    /// Moves at most one task, by weight or else by lag.
    #[cold]
    pub(super) fn balance(&mut self, now: Nanos) {
        self.meet_others(now);
        let Some(slot) = self.owed_most() else { return };
        let task = self.task(slot);
        if let Some(target) = self.lighter(task).or_else(|| self.luckier(task, now)) {
            self.give(slot, target, now);
        }
    }

    /// The movable task that waits with the least key among those looked at.
    fn owed_most(&self) -> Option<u32> {
        let first = self.queue.first().map(|(_, slot)| slot);
        let movable = |slot: &u32| self.task(*slot).affinity().is_movable();
        first.filter(movable).or_else(|| {
            let waiting = self.queue.slots().take(LOOKED_AT).filter(movable);
            waiting.min_by_key(|&slot| self.task(slot).virtual_time.get())
        })
    }

    /// The sum of weights here, the running task's included.
    #[inline]
    pub(super) fn weight(&self) -> u64 {
        self.queue.weight() + u64::from(self.running.weight())
    }

    /// The lightest CPU that stays lighter than this one if it takes `task`; of several the nearest.
    fn lighter(&self, task: &Task) -> Option<CpuId> {
        let (shared, here) = (self.shared, self.id);
        let load = |cpu| (shared.mailbox(cpu).load.weight(), shared.topology.distance(here, cpu), cpu);
        let (weight, _, target) = self.others(task).map(load).min()?;
        (weight + u64::from(task.weight()) < self.weight()).then_some(target)
    }

    /// The CPU furthest ahead in virtual time, if `task` is behind it by more than a slice of CPU time and the
    /// two CPUs trade loads by its move; by more than two if they don't.
    fn luckier(&self, task: &Task, now: Nanos) -> Option<CpuId> {
        let behind = self.policy.progress(task)?;
        let limit = self.weight();
        let slice = self.shared.config.slice().0;
        // In virtual time a heavy task's slice is shorter, and a light one's share is so small that a whole
        // slice of it is much.
        let slice = slice.min(task.weighted(slice));
        let gaps = self.others(task).filter_map(|cpu| {
            let load = &*self.shared.mailbox(cpu).load;
            if load.weight() == 0 {
                return None;
            }
            let gap = load.progress_at(now).saturating_sub(behind);
            let trade = load.weight() + u64::from(task.weight()) <= limit;
            (gap > if trade { slice } else { slice * 2 }).then_some((gap, cpu))
        });
        gaps.max().map(|(_, target)| target)
    }

    /// The other CPUs where `task` may run.
    fn others(&self, task: &Task) -> impl Iterator<Item = CpuId> + '_ {
        let (affinity, here) = (task.affinity(), self.id);
        (0..self.shared.cpus() as u32).map(CpuId).filter(move |&cpu| cpu != here && affinity.allows(cpu))
    }

    /// Posts a waiting task to another CPU, lag and all.
    pub(super) fn give(&mut self, slot: u32, target: CpuId, now: Nanos) {
        let task = self.task(slot);
        self.remove_waiting(slot);
        task.set_in_transit(true);
        self.mailbox.stats.given.add(1);
        let outcome = self.post(slot, task, target, now);
        self.remember_kick(outcome);
        (self.load_changed, self.next_publish) = (true, now);
        // Others go by what is published, and this CPU may have no reason to reschedule any time soon.
        self.publish_load(now);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::class::{Class, Priority};
    use crate::cpu::tests::{run, start};
    use crate::{Affinity, Config, Cpu, CpuId, NORMAL_WEIGHT, Nanos, Reason, Shared, Spec};

    /// Catches: a running real-time task that stays behind, or goes back: it would be owed as much once it's a fair one.
    #[test]
    fn all_that_is_here_comes_along_to_the_others_virtual_time() {
        let shared = Shared::new(2, 2, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        for (slot, class) in [(2, Class::Fifo(Priority::new(1).unwrap())), (3, Class::Fair)] {
            let _ = cpu.start(shared.create(slot, Spec { class, ..Spec::default() }, CpuId(0)), Nanos(0));
        }
        let _ = run(&mut cpu, 0, Reason::Preempt);
        assert_eq!(cpu.current_slot(), 2);
        shared.mailbox(CpuId(1)).load.publish(1024, 1 << 40, Nanos(0));
        let times = || [2, 3].map(|slot| shared.task(slot).virtual_time.get());
        let before = times();
        cpu.meet_others(Nanos(0));
        let gone = [times()[0].wrapping_sub(before[0]), times()[1].wrapping_sub(before[1])];
        assert!(gone[0] == gone[1] && gone[0] > 1 << 39, "{gone:?}");
    }

    /// Catches: another limit, one that counts as passed when it's reached; a look at a CPU that has nothing to run.
    #[test]
    fn a_cpu_is_adrift_when_a_busy_one_is_more_than_four_time_constants_ahead() {
        let shared = Shared::new(2, 2, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        start(&mut cpu, 1, Affinity::one(CpuId(0)));
        let (before, limit) = (cpu.virtual_time().expect("decay has one"), 4 * shared.config.tau.0);
        for (weight, gap, met) in [(0, limit + 1, 0), (1024, limit, 0), (1024, limit + 1, limit + 1)] {
            shared.mailbox(CpuId(1)).load.publish(weight, before + gap, Nanos(0));
            cpu.meet_others(Nanos(0));
            assert_eq!(cpu.virtual_time(), Some(before + met), "{gap} ns behind {weight}");
        }
    }

    /// Catches: a limit that counts as passed when it's reached; one that doesn't double where the sums get less equal.
    #[test]
    fn a_task_goes_to_a_luckier_cpu_once_it_is_more_than_a_slice_behind() {
        let shared = Shared::new(2, 2, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        let tasks = start(&mut cpu, 2, Affinity::ANY);
        let waiting = shared.task(tasks.iter().find(|&&task| task != cpu.current()).unwrap().index());
        let behind = cpu.policy.progress(waiting).expect("decay has a virtual time");
        let slice = shared.config.slice().0;
        let normal = u64::from(NORMAL_WEIGHT);
        for (weight, limit) in [(normal, slice), (normal + 1, slice * 2)] {
            for (gap, expected) in [(limit - 1, None), (limit, None), (limit + 1, Some(CpuId(1)))] {
                shared.mailbox(CpuId(1)).load.publish(weight, behind + gap, Nanos(0));
                assert_eq!(cpu.luckier(waiting, Nanos(0)), expected, "{gap} ns behind {weight}");
            }
        }
    }
}
