//! Tasks coming in: from inboxes, from timers, from a wake on this CPU.

use super::{Cpu, WakeOutcome};
use crate::policy::{Arrival, Policy};
use crate::state::Woken;
use crate::sync::{Ordering, fence};
use crate::task::Task;
use crate::time::Nanos;

impl<'a> Cpu<'a> {
    /// Takes in all that has arrived and all that is due.
    #[inline]
    pub(super) fn collect(&mut self, now: Nanos) {
        if self.mailbox.pending.any() {
            self.drain(now);
        }
        if self.timers.first() <= now {
            self.expire(now);
        }
    }

    /// Queues what other CPUs posted. A task that may not run here is passed on, never dropped.
    #[inline(never)]
    fn drain(&mut self, now: Nanos) {
        let (shared, mailbox) = (self.shared, self.mailbox);
        mailbox.take(&shared.tasks, |slot| {
            let task = &shared.tasks[slot as usize];
            if !task.affinity().allows(self.id) {
                return self.route(slot, now);
            }
            // Who waited elsewhere carries lag; who slept, or is new, carries history.
            let why = if task.is_in_transit() { Arrival::Migrated } else { Arrival::Woken };
            task.set_in_transit(false);
            let _ = self.enqueue(slot, why, now);
        });
    }

    /// Wakes the tasks whose timers are due.
    #[cold]
    #[inline(never)]
    fn expire(&mut self, now: Nanos) {
        while let Some(slot) = self.timers.pop_due(&self.shared.tasks, now) {
            let generation = self.task(slot).state.generation();
            if self.task(slot).state.wake(generation) == Woken::Claimed {
                let outcome = self.send(slot, now);
                self.remember_kick(outcome);
            }
        }
    }

    /// Puts a task that this CPU owns into its queue; whether it must run at once is noted and answered.
    #[inline]
    pub(super) fn enqueue(&mut self, slot: u32, why: Arrival, now: Nanos) -> WakeOutcome {
        let task = self.task(slot);
        if task.cpu() != self.id {
            task.set_cpu(self.id);
            task.migrations.add(1);
            self.mailbox.stats.migrations.add(1);
        }
        if self.is_idle() && self.queue.is_empty() {
            self.catch_up(now);
        }
        let key = self.policy.arrive(task, why, self.least(), now);
        let preempts = !self.is_idle() && self.policy.preempts(key, self.running());
        self.queue.push(task, slot, key);
        if preempts {
            self.policy.preempted_by(task);
        }
        self.preempt |= preempts;
        self.load_changed = true;
        self.note_surplus();
        WakeOutcome::Local { preempt: self.must_reschedule() }
    }

    /// Whether what was queued since the last decision asks for another: it's to run at once, or earlier than
    /// the timer would see to (with one task there was no timer), or an idle CPU could run it.
    #[inline]
    pub(super) fn must_reschedule(&self) -> bool {
        self.preempt
            || self.is_idle()
            || !self.is_armed_early() && self.overtaken_at() < self.armed
            || self.overloaded && self.shared.idle.any()
    }

    /// The runnable task that is owed most: the first in the queue, or the running one.
    #[inline]
    fn least(&self) -> Option<&'a Task> {
        let running = (!self.is_idle()).then(|| self.running);
        match (self.queue.first(), running) {
            (Some((key, slot)), Some(running)) => {
                let ahead = self.policy.progress(running).is_some_and(|mine| mine < key);
                Some(if ahead { running } else { self.task(slot) })
            }
            (Some((_, slot)), None) => Some(self.task(slot)),
            (None, running) => running,
        }
    }

    /// Enters the set of overloaded CPUs once a movable task waits here, newly come or preempted.
    #[inline]
    pub(super) fn note_surplus(&mut self) {
        if !self.overloaded && self.queue.movable() > 0 {
            self.announce_surplus();
        }
    }

    /// Enters the set of overloaded CPUs.
    #[cold]
    fn announce_surplus(&mut self) {
        self.overloaded = true;
        self.shared.overloaded.insert(self.id);
        // Pairs with the fence in `Cpu::enter_idle`: either that CPU sees this one overloaded, or this one
        // sees it idle in `share_surplus`.
        fence(Ordering::SeqCst);
    }
}
