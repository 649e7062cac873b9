//! Tasks coming in: from inboxes, from timers, from a wake on this CPU.

use super::Cpu;
use super::place::Placing;
use super::ranked::Admission;
use crate::mailbox::Mail;
use crate::policy::Arrival;
use crate::reach::Extent;
use crate::state::Woken;
use crate::task::Task;
use crate::time::Nanos;

impl<'a> Cpu<'a> {
    /// Takes in all that has arrived and all that is due. Whether the decision is one by rank.
    #[inline]
    pub(super) fn collect(&mut self, now: Nanos) -> bool {
        if self.mailbox.pending.any() {
            self.drain(now);
        }
        self.timers.due() <= now && self.attend(now)
    }

    /// Queues what other CPUs posted, and acts on their news. A task that may not run here is passed on, never
    /// dropped.
    #[inline(never)]
    pub(super) fn drain(&mut self, now: Nanos) {
        let (shared, mailbox) = (self.shared, self.mailbox);
        mailbox.take(self.id, &shared.tasks, |mail| match mail {
            Mail::Task(slot) => self.take_in(slot, now),
            Mail::News => self.take_news(now),
        });
    }

    /// Queues a task that was posted here.
    #[inline(always)]
    fn take_in(&mut self, slot: u32, now: Nanos) {
        let task = self.task(slot);
        let why = if task.cpu() == self.id { Arrival::Woken } else { self.welcome_posted(task, now) };
        match self.admission(task) {
            Admission::Fair => self.enqueue(slot, task, why, now),
            Admission::Ranked => self.enqueue_ranked(slot, task),
            Admission::Refused => self.route(slot, now),
        }
    }

    /// Who waited elsewhere carries lag; who slept, or is new, carries history.
    #[inline]
    fn welcome_posted(&mut self, task: &Task, now: Nanos) -> Arrival {
        self.welcome(task);
        if !task.is_in_transit() {
            return Arrival::New;
        }
        task.set_in_transit(false);
        // Who sent it, and others, went by what this CPU had published: they'd send more.
        self.next_publish = now;
        Arrival::Migrated
    }

    /// Wakes the tasks whose timers are due.
    #[inline(always)]
    pub(super) fn expire(&mut self, now: Nanos) {
        while let Some(slot) = self.timers.pop_due(&self.shared.tasks, now) {
            let generation = self.task(slot).state.generation();
            if self.task(slot).state.wake(generation) == Woken::Claimed {
                let outcome = self.send(slot, self.task(slot), Placing::Woken, self.is_idle(), now);
                self.remember_kick(outcome);
            }
        }
    }

    /// Puts a task that this CPU owns into its queue; whether it must run at once is noted.
    #[inline(always)]
    pub(super) fn enqueue(&mut self, slot: u32, task: &Task, why: Arrival, now: Nanos) {
        if self.is_idle() {
            self.enqueue_at_rest(slot, task, why, now);
        } else {
            self.enqueue_beside(slot, task, why, now);
        }
    }

    /// The same where a task runs.
    #[inline(always)]
    pub(super) fn enqueue_beside(&mut self, slot: u32, task: &Task, why: Arrival, now: Nanos) {
        self.load_changed = true;
        let least = if self.queue.is_empty() { self.running } else { self.least_served() };
        let key = if why == Arrival::Woken {
            self.policy.back(task, least, now)
        } else {
            self.policy.arrive(task, why, Some(least), now)
        };
        self.insert(slot, task, key);
    }

    /// Queues a task that was blocked and ran here last, while a task runs here.
    #[inline(always)]
    pub(super) fn take_back(&mut self, slot: u32, task: &Task, now: Nanos) {
        self.load_changed = true;
        let least = if self.queue.is_empty() { self.running } else { self.least_served() };
        let key = self.policy.back(task, least, now);
        self.insert(slot, task, key);
    }

    /// Queues a task under its key, and notes whether it's to run at once.
    #[inline(always)]
    fn insert(&mut self, slot: u32, task: &Task, key: u64) {
        let preempts = self.policy.preempts(key, self.running());
        self.queue.push(task, slot, key);
        if preempts {
            self.policy.preempted_by(task);
            self.preempt = true;
        }
        self.note_surplus(task);
    }

    /// The same where the idle task runs.
    #[inline(always)]
    pub(super) fn enqueue_at_rest(&mut self, slot: u32, task: &Task, why: Arrival, now: Nanos) {
        self.load_changed = true;
        let key = if let Some((_, first)) = self.queue.first() {
            self.policy.arrive(task, why, Some(self.task(first)), now)
        } else {
            self.catch_up(now);
            self.policy.alone(task, why, now)
        };
        self.queue.push(task, slot, key);
        self.note_surplus(task);
    }

    /// Whether what was queued since the last decision asks for another: it's to run at once, or earlier than
    /// the timer would see to (with one task there was no timer), or an idle CPU could run it.
    #[inline(always)]
    pub(super) fn must_reschedule(&self) -> bool {
        self.preempt
            || !self.is_armed_early() && self.overtaken_at() < self.armed
            || self.extent != Extent::Nowhere && self.queue.movable() > 0 && self.sees_hungry()
    }

    /// The runnable task with the least virtual time, where some wait: the first of them, or the running one.
    #[inline(never)]
    fn least_served(&self) -> &'a Task {
        let Some((key, slot)) = self.queue.first() else { return self.running };
        let ahead = self.policy.progress(self.running).is_some_and(|mine| mine < key);
        if ahead { self.running } else { self.task(slot) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::cpu::tests::{run, start};
    use crate::policy::PolicyKind;
    use crate::{Affinity, Config, Cpu, CpuId, Nanos, Reason, Shared, Spec, WakeOutcome};

    const MS: u64 = 1_000_000;

    /// Catches: tasks that wait for the next switch, while a CPU that could run one idles.
    #[test]
    fn an_arrival_asks_for_a_decision_where_a_cpu_idles_for_what_waits() {
        for idles in [false, true] {
            let shared = Shared::new(2, 6, Config { policy: PolicyKind::RoundRobin, ..Config::default() });
            let [mut here, mut there] = [0, 1].map(|id| Cpu::new(&shared, CpuId(id), Nanos(0)));
            // The other CPU gets one.
            start(&mut here, 3, Affinity::ANY);
            if idles {
                there.enter_idle(Nanos(0));
            }
            let spec = Spec { affinity: Affinity::one(CpuId(0)), ..Spec::default() };
            let pinned = shared.create(5, spec, CpuId(0));
            assert_eq!(here.start(pinned, Nanos(MS)), WakeOutcome::Local { preempt: idles });
        }
    }

    /// Catches: an arrival that asks for a decision though the timer sees to what it changes.
    #[test]
    fn an_arrival_that_is_not_owed_anything_waits_for_the_timer() {
        let shared = Shared::new(1, 4, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        // Light tasks take long slices, and may be overtaken before the timer that was armed for a normal one's.
        let light = |slot| shared.create(slot, Spec { weight: 256, ..Spec::default() }, CpuId(0));
        let _ = cpu.start(light(1), Nanos(0));
        let _ = cpu.start(light(2), Nanos(0));
        let _ = run(&mut cpu, 0, Reason::Preempt);
        assert!(!cpu.is_armed_early() && cpu.armed() < Nanos::NEVER);
        assert_eq!(cpu.start(light(3), Nanos(10)), WakeOutcome::Local { preempt: false });
    }

    /// Catches: what an arrival is measured against being the first that waits though the running task is owed more.
    #[test]
    fn the_least_served_runs_or_is_the_first_that_waits() {
        let shared = Shared::new(1, 2, Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        start(&mut cpu, 2, Affinity::ANY);
        let first = cpu.current_slot();
        let _ = run(&mut cpu, 2 * MS, Reason::Preempt);
        assert_eq!(cpu.current_slot(), first);
        let other = 3 - first;
        assert!(core::ptr::eq(cpu.least_served(), shared.task(other)), "it has run nothing yet");
        let _ = run(&mut cpu, 10 * MS, Reason::Preempt);
        assert_eq!(cpu.current_slot(), other);
        assert!(core::ptr::eq(cpu.least_served(), shared.task(other)), "it runs, and has just begun");
    }
}
