//! Tasks sent out: woken or started, and placed on the CPU where they should run.

use super::place::Placing;
use super::ranked::Admission;
use super::{Arm, Cpu};
use crate::attention::Notice;
use crate::class::Rank;
use crate::id::{CpuId, TaskId};
use crate::policy::Arrival;
use crate::state::Woken;
use crate::task::Task;
use crate::time::Nanos;

/// A busy CPU that looks again within this time isn't kicked: the interrupt would come hardly sooner. Also how long
/// a preemption may be put off.
const SOON: Nanos = Nanos::from_micros(20);

/// What a wake did, and what the caller must do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
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

/// What is left of a wake after its short way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
#[must_use = "a claimed task that is dropped here is lost"]
pub enum Rest {
    /// The task wasn't blocked a moment ago; nothing was done.
    Unclaimed,
    /// The task was blocked and is now this CPU's to send.
    Claimed,
}

impl Cpu<'_> {
    /// Wakes `task` if it's blocked and the CPU where it ran last is idle, which is the most frequent case.
    ///
    /// # Errors
    /// In the other cases says which, for [`Cpu::wake_rest`].
    #[inline(always)]
    pub fn wake(&mut self, id: TaskId) -> Result<WakeOutcome, Rest> {
        let task = self.task(id.slot);
        if task.state.claim(id.generation).is_err() {
            return Err(Rest::Unclaimed);
        }
        let last = task.cpu();
        let outbox = &self.outboxes[last.index()];
        if !outbox.is_idle() {
            return Err(Rest::Claimed);
        }
        if outbox.post(task, id.slot) == Notice::Polling {
            self.mailbox.stats.kicks_saved.add(1);
            return Ok(WakeOutcome::Noticed);
        }
        self.mailbox.stats.kicks_sent.add(1);
        Ok(WakeOutcome::Kick(last))
    }

    /// The rest of a [`Cpu::wake`] by a thread, mostly of a task that ran on this CPU last: whether it stays here,
    /// and then whether to reschedule. `None`, and nothing was done, if it might be better off elsewhere.
    #[inline(always)]
    pub fn take_claimed(&mut self, id: TaskId, now: Nanos) -> Option<bool> {
        let task = self.task(id.slot);
        let may_go = task.is_movable() && self.shared.idle.any();
        if may_go || task.cpu() != self.id || !task.terms.admit(self.id) {
            return None;
        }
        // A thread wakes, so the idle task doesn't run.
        self.charge_unless(false, now);
        self.take_back(id.slot, task, now);
        Some(self.must_reschedule())
    }

    /// The rest of a [`Cpu::wake`] by a thread: a task that it claimed is placed, one that it didn't finds its next block
    /// return at once.
    #[inline(always)]
    pub fn wake_rest(&mut self, id: TaskId, rest: Rest, now: Nanos) -> WakeOutcome {
        if rest == Rest::Unclaimed {
            match self.task(id.slot).state.wake_unclaimed(id.generation) {
                Woken::Claimed => {}
                Woken::Noticed => return WakeOutcome::Already,
                Woken::Gone => return WakeOutcome::Gone,
            }
        }
        self.send_claimed(id.slot, now)
    }

    #[inline(never)]
    fn send_claimed(&mut self, slot: u32, now: Nanos) -> WakeOutcome {
        self.send(slot, self.task(slot), Placing::Woken, false, now)
    }

    /// A whole [`Cpu::wake`] by an interrupt's handler, which may have come upon the idle task. The caller must reschedule.
    pub fn wake_by_interrupt(&mut self, id: TaskId, now: Nanos) -> WakeOutcome {
        match self.task(id.slot).state.wake(id.generation) {
            Woken::Claimed => self.send(id.slot, self.task(id.slot), Placing::Woken, self.is_idle(), now),
            Woken::Noticed => WakeOutcome::Already,
            Woken::Gone => WakeOutcome::Gone,
        }
    }

    /// A whole [`Cpu::wake`] by a thread, for callers to whom its parts are one.
    pub fn wake_at_once(&mut self, id: TaskId, now: Nanos) -> WakeOutcome {
        let rest = match self.wake(id) {
            Ok(outcome) => return outcome,
            Err(rest) => rest,
        };
        let stays = if rest == Rest::Claimed { self.take_claimed(id, now) } else { None };
        match stays {
            Some(preempt) => WakeOutcome::Local { preempt },
            None => self.wake_rest(id, rest, now),
        }
    }

    /// Puts off the preemption that a wake asked for: the waker holds a lock that the woken task is about to
    /// take, and would only be switched to again. It has [`SOON`] to release it, or to block.
    pub fn put_off(&mut self, now: Nanos) -> Arm {
        let deadline = now + SOON;
        if deadline >= self.armed {
            return Arm::Keep;
        }
        self.armed = deadline;
        self.mailbox.stats.timer_writes.add(1);
        Arm::At(deadline)
    }

    /// Starts a task made by [`crate::Shared::create`].
    pub fn start(&mut self, task: TaskId, now: Nanos) -> WakeOutcome {
        self.send(task.slot, self.task(task.slot), Placing::New, self.is_idle(), now)
    }

    /// Sends a task that this CPU owns where it should run. `idle`: whether the idle task runs here.
    #[inline(always)]
    pub(super) fn send(
        &mut self,
        slot: u32,
        task: &Task,
        why: Placing,
        idle: bool,
        now: Nanos,
    ) -> WakeOutcome {
        let target =
            if task.terms.are_marked() { self.place_marked(task, why) } else { self.place(task, why) };
        if target == self.id { self.keep(slot, task, idle, now) } else { self.post(slot, task, target, now) }
    }

    /// Queues a woken or new task on this CPU.
    #[inline(always)]
    fn keep(&mut self, slot: u32, task: &Task, idle: bool, now: Nanos) -> WakeOutcome {
        if !idle {
            self.charge_unless(false, now);
        }
        let why = if task.cpu() == self.id { Arrival::Woken } else { Arrival::New };
        if why == Arrival::New {
            self.welcome(task);
        }
        match self.admission(task) {
            Admission::Fair => {}
            Admission::Ranked => {
                self.enqueue_ranked(slot, task);
                return WakeOutcome::Local { preempt: true };
            }
            Admission::Refused => return self.pass_on(slot, now),
        }
        if idle {
            self.enqueue_at_rest(slot, task, why, now);
            return WakeOutcome::Local { preempt: true };
        }
        self.enqueue_beside(slot, task, why, now);
        WakeOutcome::Local { preempt: self.must_reschedule() }
    }

    /// Sends a task on that may not run on this CPU.
    #[cold]
    pub(super) fn pass_on(&mut self, slot: u32, now: Nanos) -> WakeOutcome {
        let task = self.task(slot);
        let target = self.claim_idle(task, Placing::Woken).unwrap_or_else(|| self.some_allowed(task));
        if target == self.id {
            // No CPU of the machine is allowed: better here than nowhere.
            if task.is_ranked() {
                self.enqueue_ranked(slot, task);
            } else {
                self.enqueue(slot, task, Arrival::Woken, now);
            }
            return WakeOutcome::Local { preempt: true };
        }
        self.post(slot, task, target, now)
    }

    /// [`Cpu::pass_on`] from inside a decision: the kick it may need is kept for [`Cpu::take_kick`].
    pub(super) fn route(&mut self, slot: u32, now: Nanos) {
        let outcome = self.pass_on(slot, now);
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

    /// Posts a task to another CPU and decides whether that needs a kick.
    pub(super) fn post(&mut self, slot: u32, task: &Task, target: CpuId, now: Nanos) -> WakeOutcome {
        let notice = self.outboxes[target.index()].post(task, slot);
        if let Notice::Ranked { rank, bides } = notice
            && bides
            && is_patient(task, target, rank)
        {
            self.mailbox.stats.kicks_outranked.add(1);
            self.mailbox.stats.kicks_saved.add(1);
            return WakeOutcome::Noticed;
        }
        self.kick_unless_noticed(target, notice, now)
    }

    /// Whether a CPU that said this of itself must be kicked to see what was posted to it, and counts either.
    #[inline]
    pub(super) fn kick_unless_noticed(&self, target: CpuId, notice: Notice, now: Nanos) -> WakeOutcome {
        let notices = match notice {
            Notice::Halted | Notice::Ranked { .. } => false,
            Notice::Polling => true,
            Notice::Busy(until) => until <= now + SOON,
        };
        if notices {
            self.mailbox.stats.kicks_saved.add(1);
            return WakeOutcome::Noticed;
        }
        self.mailbox.stats.kicks_sent.add(1);
        WakeOutcome::Kick(target)
    }
}

/// Whether a task that was posted where one of `rank` runs may wait until that CPU looks by itself: it wouldn't run
/// before, nor can another CPU be looking for it. By terms that haven't changed; if they do, news of it goes to that CPU.
fn is_patient(task: &Task, target: CpuId, rank: Rank) -> bool {
    task.rank() < rank && !task.is_movable() && !task.terms.are_changed() && task.cpu() == target
}

#[cfg(all(test, not(loom)))]
mod tests;
