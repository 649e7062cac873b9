//! Who runs next, and when to look again.

use super::ranked::Admission;
use super::{Cpu, Leaving};
use crate::attention::Notice;
use crate::policy::Arrival;
use crate::task::NORMAL_WEIGHT;
use crate::time::Nanos;

/// Why a CPU reschedules: what the running task does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub enum Reason {
    /// It could go on: an interrupt or a wakeup asks whether it should. Also what the idle task says.
    Preempt,
    /// It gives way to whoever waits.
    Yield,
    /// It blocks until a wake, unless one already came.
    Block,
    /// It's done.
    Exit,
}

/// Which context the CPU is to continue with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub enum Next {
    /// The one that runs.
    Stay,
    /// The task in another slot: switch, then call [`Cpu::switched`] first of all on its stack.
    Switch(usize),
}

/// What to do with this CPU's timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub enum Arm {
    /// Leave it alone: nothing earlier than what is armed is needed.
    Keep,
    /// Arm it for this time; a time that has passed fires at once.
    At(Nanos),
}

/// What a CPU must do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
#[must_use = "the scheduler has already recorded that this happens"]
pub struct Decision {
    /// Which context to continue with.
    pub next: Next,
    /// What to do with the timer, before the switch.
    pub arm: Arm,
}

/// A task that may run no longer than this has run enough: the timer's rounding must not cost an interrupt.
pub(crate) const SLACK: Nanos = Nanos::from_micros(1);

/// How soon what is published is published again at most.
const FRESH: Nanos = Nanos::from_micros(100);

impl Cpu<'_> {
    /// Decides what this CPU does from `now` on. The caller arms the timer as told and switches as told.
    ///
    /// Never blocks, allocates or spins.
    #[inline(always)]
    pub fn reschedule(&mut self, now: Nanos, reason: Reason) -> Decision {
        // The idle task only ever asks whether it should go on. Where the reason is a constant, so is this.
        let idle = reason == Reason::Preempt && self.is_idle();
        if idle {
            self.end_poll();
        }
        self.charge_unless(idle, now);
        let next = if self.collect(now) {
            self.choose_by_rank(now, reason)
        } else if idle {
            self.pop().unwrap_or(self.current)
        } else {
            self.choose(now, reason)
        };
        self.preempt = false;
        if next == self.current {
            self.publish_load(now);
            self.share_surplus(now);
            return Decision { next: Next::Stay, arm: self.arm() };
        }
        if idle {
            self.leave_idle();
        }
        let next = self.dispatch(next, now);
        self.publish_load(now);
        Decision { next, arm: self.arm_after_switch() }
    }

    /// Notes that the timer interrupt came: nothing is armed any more. [`Cpu::reschedule`] must follow.
    #[inline]
    pub fn timer_fired(&mut self) {
        self.mailbox.stats.timer_interrupts.add(1);
        self.armed = Nanos::NEVER;
        self.load_changed = true;
        if !self.is_idle() {
            // Less attentive, so before the drain that follows in `reschedule`.
            self.mailbox.attention.lower(Notice::Busy(Nanos::NEVER));
        }
    }

    /// The slot that runs next. The running task is queued, or noted as leaving, unless it's that one.
    #[inline(always)]
    fn choose(&mut self, now: Nanos, reason: Reason) -> u32 {
        match reason {
            Reason::Block if self.running.state.begin_block() => self.leave(Leaving::Blocking),
            Reason::Exit => {
                self.end_running();
                self.leave(Leaving::Exiting)
            }
            _ if !self.running.terms.admit(self.id) => self.choose_on_other_terms(now, reason),
            Reason::Yield => self.give_way(now),
            _ => self.preempted(now),
        }
    }

    /// The same where the running task must leave, or its terms changed.
    #[cold]
    #[inline(never)]
    fn choose_on_other_terms(&mut self, now: Nanos, reason: Reason) -> u32 {
        match self.admission(self.running) {
            Admission::Refused => {
                self.count_preemption();
                // It may be of another class by now; then the policy has been told that it left.
                self.part_with(Leaving::Moving);
                self.pop().unwrap_or(self.id.0)
            }
            Admission::Ranked => {
                self.make_ranked(now);
                // It doesn't block: it has just found a permit, and used it up.
                let reason = if reason == Reason::Block { Reason::Preempt } else { reason };
                self.choose_by_rank(now, reason)
            }
            Admission::Fair if reason == Reason::Yield => self.give_way(now),
            Admission::Fair => self.preempted(now),
        }
    }

    /// The running task is done.
    #[inline]
    pub(super) fn end_running(&mut self) {
        self.running.state.exit();
        self.mailbox.stats.exits.add(1);
    }

    /// The running task must go although it could go on.
    #[inline]
    pub(super) fn count_preemption(&mut self) {
        self.mailbox.stats.preemptions.add(1);
        self.running.preemptions.add(1);
    }

    /// The running task gives way.
    #[inline]
    pub(super) fn count_yield(&mut self) {
        self.mailbox.stats.yields.add(1);
        self.running.yields.add(1);
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<u32> {
        if self.queue.has_choice() { self.pop_sorted() } else { self.queue.pop() }
    }

    #[inline(never)]
    fn pop_sorted(&mut self) -> Option<u32> {
        self.policy.sort(&mut self.queue, self.tasks);
        self.queue.pop()
    }

    #[inline]
    fn leave(&mut self, leaving: Leaving) -> u32 {
        self.policy.depart(self.running);
        self.left.1 = leaving;
        self.load_changed = true;
        self.pop().unwrap_or(self.id.0)
    }

    /// The first waiting task in the running one's place, whatever their order, unless the policy forbids it.
    #[inline(always)]
    pub(super) fn give_way(&mut self, now: Nanos) -> u32 {
        if self.queue.has_choice() {
            self.policy.sort(&mut self.queue, self.tasks);
        }
        match self.queue.first() {
            Some((key, _)) if self.policy.may_give_way(self.running, key) => {
                let next = self.exchange(Arrival::Yielded(key), now);
                self.count_yield();
                next
            }
            _ => self.current,
        }
    }

    /// The first waiting task if it's due, else the running one.
    #[inline(never)]
    pub(super) fn preempted(&mut self, now: Nanos) -> u32 {
        let (running, urged) = (self.running(), self.preempt);
        if self.queue.is_empty() || !self.policy.is_over(running, &mut self.queue, self.tasks, urged) {
            return self.current;
        }
        self.count_preemption();
        self.exchange(Arrival::Preempted, now)
    }

    /// Queues the running task in exchange for the first waiting one.
    #[inline(always)]
    fn exchange(&mut self, why: Arrival, now: Nanos) -> u32 {
        let key = self.policy.arrive(self.running, why, None, now);
        let next = self.queue.replace_first(self.running, self.current, key);
        self.note_surplus(self.running);
        next
    }

    /// Records that this CPU switches to `slot`.
    #[inline]
    fn dispatch(&mut self, slot: u32, now: Nanos) -> Next {
        let (prev, next) = (self.running, self.task(slot));
        prev.meter.stop(now);
        next.meter.start(now);
        next.switches.add(1);
        self.mailbox.stats.switches.add(1);
        (self.left.0, self.left_task) = (self.current, prev);
        (self.current, self.running) = (slot, next);
        self.dispatched = now;
        Next::Switch(slot as usize)
    }

    /// [`Cpu::arm`], knowing that the task was just chosen: a timer that is armed for before the soonest that
    /// it can be overtaken is early enough, and how early needn't be worked out.
    #[inline(always)]
    fn arm_after_switch(&mut self) -> Arm {
        let early = self.queue.is_empty() || self.is_armed_early();
        if early && self.armed <= self.timers.due() { Arm::Keep } else { self.arm() }
    }

    /// Whether the timer is armed for before the soonest that any task of normal weight or more, chosen now,
    /// can be overtaken.
    #[inline]
    pub(super) fn is_armed_early(&self) -> bool {
        self.armed.0 <= self.charged.0 + self.shortest_slice.0 && self.running.weight() >= NORMAL_WEIGHT
    }

    /// The one deadline of this CPU, from all its sources; written only if it's earlier than what is armed.
    ///
    /// A later one is left to a spurious interrupt: it costs once a slice what it saves at every switch.
    #[inline(never)]
    fn arm(&mut self) -> Arm {
        let alert = self.timers.is_alert();
        let turn_ends = if alert {
            self.stay_alert();
            self.rank_ends_at()
        } else {
            self.overtaken_at()
        };
        let deadline = turn_ends.min(self.timers.first());
        if deadline >= self.armed {
            return Arm::Keep;
        }
        self.armed = deadline;
        if !alert && !self.is_idle() {
            self.mailbox.attention.raise(Notice::Busy(deadline));
        }
        self.mailbox.stats.timer_writes.add(1);
        Arm::At(deadline)
    }

    /// When the running task will have run enough, if another waits.
    #[inline]
    pub(super) fn overtaken_at(&self) -> Nanos {
        match self.queue.first() {
            Some((key, _)) if !self.is_idle() => self.charged + self.policy.remaining(self.running(), key),
            _ => Nanos::NEVER,
        }
    }

    /// Publishes what balance and placement read, if it has changed, and not too often: they are hints. It's
    /// put off only where the timer makes this CPU publish within two slices. While the sum of weights is the same
    /// readers know the progress: it advances at the same rate whoever runs.
    #[inline]
    pub(super) fn publish_load(&mut self, now: Nanos) {
        if self.load_changed && !self.is_certain_to_publish(now) {
            self.load_changed = false;
            self.next_publish = now + FRESH;
            let weight = if self.is_idle() { 0 } else { self.weight() };
            self.mailbox.load.publish(weight, self.progress(), now);
        }
    }

    #[inline]
    fn is_certain_to_publish(&self, now: Nanos) -> bool {
        now < self.next_publish && self.armed.0 <= self.next_publish.0 + self.stale_limit.0
    }

    /// This CPU's virtual time; 0 when idle.
    #[inline]
    fn progress(&self) -> u64 {
        if self.is_idle() { 0 } else { self.virtual_time().unwrap_or(0) }
    }

    /// The same where the policy has a virtual time and a task runs.
    #[inline]
    pub(super) fn virtual_time(&self) -> Option<u64> {
        self.policy.virtual_time(self.running, self.queue.first().map(|(key, _)| key))
    }
}
