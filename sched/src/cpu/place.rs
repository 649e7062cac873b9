//! Where a woken or new task should run.
//!
//! Its last CPU, if that's idle. Else an idle one: a woken task takes one that shares the last cache with its last CPU, where
//! its data may be, before one of the same package, before any; and at each step one whose core is idle as a whole, before
//! one that would have to share it. A new task has no data yet, and would rather have a core to itself, wherever. If no CPU
//! is idle it stays where it ran last.

use super::Cpu;
use crate::id::CpuId;
use crate::task::Task;

/// What a task is placed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Placing {
    /// It ran before: near its data.
    Woken,
    /// It's new: on a core of its own.
    New,
}

impl Cpu<'_> {
    /// Where a task should run that isn't a fair one, or whose terms changed while it was blocked.
    #[cold]
    pub(super) fn place_marked(&self, task: &Task, why: Placing) -> CpuId {
        if task.terms.are_changed() {
            // Or it would go once more to where it's no longer bound to run.
            task.terms.adopt_affinity();
        }
        if task.is_ranked() { self.place_ranked(task, why) } else { self.place(task, why) }
    }

    /// Where a fair task should run. The last CPU passes the task on, should it no longer be allowed there.
    #[inline]
    pub(super) fn place(&self, task: &Task, why: Placing) -> CpuId {
        let last = task.cpu();
        if task.is_movable() && self.shared.idle.any() {
            self.place_by_idleness(task, why, last)
        } else {
            last
        }
    }

    #[inline(never)]
    fn place_by_idleness(&self, task: &Task, why: Placing, last: CpuId) -> CpuId {
        if self.outboxes[last.index()].is_idle() {
            return last;
        }
        self.claim_idle(task, why).unwrap_or(last)
    }

    /// Claims the best idle CPU where `task` may run: it's no longer in the idle set, and the caller must post a task to
    /// it.
    pub(super) fn claim_idle(&self, task: &Task, why: Placing) -> Option<CpuId> {
        let topology = &self.shared.topology;
        if !topology.has_siblings() {
            return self.claim_nearest(task, |_| true);
        }
        let alone = |cpu| topology.siblings(cpu).iter().all(|&sibling| self.shared.idle.contains(sibling));
        match why {
            Placing::New => self.claim_nearest(task, alone).or_else(|| self.claim_nearest(task, |_| true)),
            Placing::Woken => topology
                .around(task.cpu())
                .find_map(|group| {
                    self.claim_among(group, task, alone).or_else(|| self.claim_among(group, task, |_| true))
                })
                .or_else(|| self.shared.claim_idle(task, alone))
                .or_else(|| self.shared.claim_idle(task, |_| true)),
        }
    }

    /// Claims the idle CPU nearest to where `task` ran last of those that `suit`.
    fn claim_nearest(&self, task: &Task, suits: impl Fn(CpuId) -> bool) -> Option<CpuId> {
        let around = self.shared.topology.around(task.cpu());
        let near = around.into_iter().find_map(|group| self.claim_among(group, task, &suits));
        near.or_else(|| self.shared.claim_idle(task, &suits))
    }

    /// Claims one of a group.
    fn claim_among(&self, group: &[CpuId], task: &Task, suits: impl Fn(CpuId) -> bool) -> Option<CpuId> {
        let (affinity, idle) = (task.affinity(), &self.shared.idle);
        let fits = |cpu| idle.contains(cpu) && affinity.allows(cpu) && suits(cpu);
        group.iter().copied().find(|&cpu| fits(cpu) && idle.remove(cpu))
    }

    /// The least loaded CPU where the task may run; this one if there's none at all.
    pub(super) fn some_allowed(&self, task: &Task) -> CpuId {
        let affinity = task.affinity();
        (0..self.shared.cpus() as u32)
            .map(CpuId)
            .filter(|&cpu| affinity.allows(cpu))
            .min_by_key(|&cpu| self.shared.mailbox(cpu).load.weight())
            .unwrap_or(self.id)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::cpu::tests::{run, spec, start};
    use crate::topology::tests::large;
    use crate::{Affinity, Config, Nanos, Reason, Shared, WakeOutcome};

    /// Where a woken and a new task go whose last CPU, 9, is busy, as these are idle.
    ///
    /// CPU 9 shares its core with 1, its cache with 0 and 8 as well, and its package with 2, 3, 10 and 11.
    fn targets(idle: &[u32], affinity: Affinity) -> [Option<u32>; 2] {
        [Placing::Woken, Placing::New].map(|why| {
            let shared = Shared::on(large(), 1, Config::default());
            let cpu = Cpu::new(&shared, CpuId(9), Nanos(0));
            let task = shared.create(16, spec(affinity), CpuId(9));
            for &cpu in idle {
                shared.idle.insert(CpuId(cpu));
            }
            let target = cpu.claim_idle(shared.task(task.index()), why);
            assert!(target.is_none_or(|target| !shared.idle.contains(target)), "it's claimed");
            target.map(|target| target.0)
        })
    }

    #[test]
    fn a_woken_task_stays_near_and_a_new_one_wants_a_core_of_its_own() {
        for (idle, expected) in [
            (&[8, 2, 10, 4, 12][..], [8, 2]),
            (&[1, 0, 8], [0, 0]),
            (&[3, 4, 12], [3, 4]),
            (&[2, 3, 11], [3, 3]),
            (&[5, 4, 12], [4, 4]),
            (&[5], [5, 5]),
        ] {
            assert_eq!(targets(idle, Affinity::ANY), expected.map(Some), "{idle:?}");
        }
        assert_eq!(targets(&[], Affinity::ANY), [None; 2]);
    }

    /// Catches: a wake that goes by where the task was bound to run before.
    #[test]
    fn a_task_that_was_unpinned_in_its_sleep_wakes_where_a_cpu_is_idle() {
        let shared = Shared::new(2, 1, Config::default());
        let [mut here, mut there] = [0, 1].map(|id| Cpu::new(&shared, CpuId(id), Nanos(0)));
        let sleeper = start(&mut here, 1, Affinity::one(CpuId(0)))[0];
        let _ = run(&mut here, 1, Reason::Block);
        there.enter_idle(Nanos(2));
        let outcome = there.set_affinity(sleeper, Affinity::ANY, Nanos(2));
        assert!(matches!(outcome, WakeOutcome::Kick(CpuId(0)) | WakeOutcome::Noticed));
        assert_eq!(here.wake_at_once(sleeper, Nanos(3)), WakeOutcome::Noticed, "CPU 1 polls");
        assert_eq!(shared.mailbox(CpuId(1)).posted(shared.tasks()).count(), 1);
        assert!(shared.task(sleeper.index()).terms.are_changed(), "who takes it in sees to the rest");
    }

    #[test]
    fn no_task_goes_where_it_may_not_run_for_being_near() {
        let far = Affinity::range(4, 8).unwrap();
        assert_eq!(targets(&[0, 8, 6], far), [Some(6); 2]);
        assert_eq!(targets(&[0, 8, 1], far), [None; 2]);
    }
}
