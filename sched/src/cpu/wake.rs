//! Tasks sent out: woken or started, and placed on the CPU where they should run.

use super::Cpu;
use crate::attention::Notice;
use crate::id::{CpuId, TaskId};
use crate::policy::Arrival;
use crate::state::Woken;
use crate::time::Nanos;

/// A busy CPU that looks again within this time isn't kicked: the interrupt would come hardly sooner.
const SOON: Nanos = Nanos::from_micros(20);

/// What a wake did, and what the caller must do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a kick that isn't sent may leave the task waiting for ever"]
pub enum WakeOutcome {
    /// The task is gone: nothing to do.
    Gone,
    /// The task wasn't blocked: its next block returns at once. Nothing to do.
    Already,
    /// The task waits on this CPU; if `preempt`, reschedule as soon as preemption is on.
    Local {
        /// Whether it should run before what runs now.
        preempt: bool,
    },
    /// The task was posted to a CPU that must be sent an interrupt.
    Kick(CpuId),
    /// The task was posted to a CPU that will look by itself. Nothing to do.
    Noticed,
}

impl Cpu<'_> {
    /// Wakes `task` if it's blocked, or makes its next block return at once.
    #[inline]
    pub fn wake(&mut self, task: TaskId, now: Nanos) -> WakeOutcome {
        match self.task(task.slot).state.wake(task.generation) {
            Woken::Gone => WakeOutcome::Gone,
            Woken::Noticed => WakeOutcome::Already,
            Woken::Claimed => {
                self.mailbox.stats.wakeups.add(1);
                self.send(task.slot, now)
            }
        }
    }

    /// Starts a task made by [`crate::Shared::create`].
    pub fn start(&mut self, task: TaskId, now: Nanos) -> WakeOutcome {
        self.send(task.slot, now)
    }

    /// Sends a task that this CPU owns where it should run: its last CPU if that's idle, else an idle one,
    /// else its last.
    #[inline]
    pub(super) fn send(&mut self, slot: u32, now: Nanos) -> WakeOutcome {
        let task = self.task(slot);
        let last = task.cpu();
        let target = match self.shared.claim_idle(task, last) {
            Some(idle) => idle,
            None if task.affinity().allows(last) => last,
            None => self.some_allowed(slot),
        };
        self.deliver(slot, target, now)
    }

    /// Sends a task on that may not run on this CPU.
    pub(super) fn route(&mut self, slot: u32, now: Nanos) {
        let task = self.task(slot);
        let target = self.shared.claim_idle(task, task.affinity().first());
        let target = target.unwrap_or_else(|| self.some_allowed(slot));
        let outcome = self.deliver(slot, target, now);
        self.remember_kick(outcome);
    }

    /// Keeps a kick that a decision brought with it, for [`Cpu::take_kick`].
    #[inline]
    pub(super) fn remember_kick(&mut self, outcome: WakeOutcome) {
        if let WakeOutcome::Kick(cpu) = outcome {
            self.kicks.insert(cpu);
        }
    }

    /// Takes one CPU that must be sent an interrupt. To be called until it answers `None`, after each
    /// [`Cpu::reschedule`], [`Cpu::switched`] and [`Cpu::enter_idle`].
    #[inline]
    pub fn take_kick(&mut self) -> Option<CpuId> {
        self.kicks.pop()
    }

    /// The least loaded CPU where the task may run; this one if there's none at all.
    #[cold]
    fn some_allowed(&self, slot: u32) -> CpuId {
        let affinity = self.task(slot).affinity();
        (0..self.shared.cpus() as u32)
            .map(CpuId)
            .filter(|&cpu| affinity.allows(cpu))
            .min_by_key(|&cpu| self.shared.mailbox(cpu).load.weight())
            .unwrap_or(self.id)
    }

    #[inline]
    fn deliver(&mut self, slot: u32, target: CpuId, now: Nanos) -> WakeOutcome {
        if target == self.id {
            self.charge(now);
            return self.enqueue(slot, Arrival::Woken, now);
        }
        self.post(slot, target, now)
    }

    /// Posts a task to another CPU and decides whether that needs a kick.
    #[inline]
    pub(super) fn post(&mut self, slot: u32, target: CpuId, now: Nanos) -> WakeOutcome {
        let (mailbox, stats) = (self.shared.mailbox(target), &self.mailbox.stats);
        mailbox.post(&self.shared.tasks, self.id, slot);
        let notices = match mailbox.attention.read() {
            Notice::Polling => true,
            Notice::Halted => false,
            Notice::Busy(until) => until <= now + SOON,
        };
        if notices {
            stats.kicks_saved.add(1);
            return WakeOutcome::Noticed;
        }
        stats.kicks_sent.add(1);
        WakeOutcome::Kick(target)
    }
}
