//! Who runs next where tasks of several classes are about: real-time ones, background ones, and the fair ones between.
//!
//! A CPU that has only fair tasks never comes here: its [`crate::timers::Timers`] aren't *alert*. As soon as a
//! task of another class arrives, or the running one becomes such, every decision is made here, until the last
//! one has left. Among fair tasks it's still the policy's. What POSIX says of its scheduling policies holds: a
//! preempted task is the first of its priority, one that yields or has had its turn the last.

use super::{Cpu, Leaving, Reason};
use crate::attention::Notice;
use crate::class::Rank;
use crate::decay::displace;
use crate::policy::Arrival;
use crate::sync::{Ordering, fence};
use crate::task::Task;
use crate::time::Nanos;

/// What a task that this CPU owns is to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Admission {
    /// A fair task that may run here.
    Fair,
    /// A task of another class that may run here.
    Ranked,
    /// It must leave.
    Refused,
}

impl Cpu<'_> {
    /// Whether the next decision is more than the choice of the next fair task. Wakes whose timers are due.
    #[cold]
    #[inline(never)]
    pub(super) fn attend(&mut self, now: Nanos) -> bool {
        self.expire(now);
        if !self.timers.is_alert() {
            return false;
        }
        if !self.is_idle() {
            // What needn't be announced to a CPU that runs a real-time task must be to one that runs what comes next.
            let rank = self.shown;
            self.mailbox.attention.lower(Notice::Ranked { rank, bides: false });
            if self.mailbox.pending.any() {
                self.drain(now);
            }
        }
        if self.ranks.first().is_some_and(Rank::is_real_time) {
            // Another CPU may have come to run something of lower rank.
            self.next_look = now;
        }
        true
    }

    /// The slot that runs next. The running task is queued, or noted as leaving, unless it's that one.
    #[cold]
    #[inline(never)]
    pub(super) fn choose_by_rank(&mut self, now: Nanos, reason: Reason) -> u32 {
        self.charge_rank(now);
        let stays = self.stays(reason, now);
        let next = if stays { self.rival(reason, now) } else { self.pop_by_rank(now) };
        let next = next.unwrap_or(if stays { self.current } else { self.id.0 });
        self.come_to(next, now);
        next
    }

    /// Whether the running task could go on; what's to become of it otherwise is noted.
    fn stays(&mut self, reason: Reason, now: Nanos) -> bool {
        if self.is_idle() {
            return false;
        }
        match reason {
            Reason::Block if self.running.state.begin_block() => self.part_with(Leaving::Blocking),
            Reason::Exit => {
                self.end_running();
                self.part_with(Leaving::Exiting)
            }
            _ => self.stays_admitted(now),
        }
    }

    /// The running task leaves, whatever its class. Never stays.
    pub(super) fn part_with(&mut self, leaving: Leaving) -> bool {
        if !self.running.is_ranked() {
            self.policy.depart(self.running);
        }
        (self.left.1, self.load_changed) = (leaving, true);
        false
    }

    /// The same for one that neither blocks nor exits; it may have been given another class meanwhile.
    fn stays_admitted(&mut self, now: Nanos) -> bool {
        let was_ranked = self.running.is_ranked();
        match self.admission(self.running) {
            Admission::Refused => {
                self.count_preemption();
                return self.part_with(Leaving::Moving);
            }
            Admission::Fair if was_ranked => self.make_fair(now),
            Admission::Ranked if !was_ranked => self.make_ranked(now),
            _ => {}
        }
        true
    }

    /// The running task, which was a fair one, no longer is.
    pub(super) fn make_ranked(&mut self, now: Nanos) {
        self.running.turn.set(0);
        (self.rank_charged, self.load_changed) = (now, true);
    }

    /// The running task, which the policy didn't know, takes its place among the fair ones.
    fn make_fair(&mut self, now: Nanos) {
        match self.queue.first() {
            Some((_, first)) => self.policy.arrive(self.running, Arrival::New, Some(self.task(first)), now),
            None => self.policy.alone(self.running, Arrival::New, now),
        };
    }

    /// A waiting task that is to run before the running one, which is queued.
    fn rival(&mut self, reason: Reason, now: Nanos) -> Option<u32> {
        let mine = self.standing(self.running_rank(), now);
        let best = self.best_waiting(now)?;
        if best > mine {
            self.count_preemption();
            self.wait_again(now);
            return self.pop_by_rank(now);
        }
        let yields = reason == Reason::Yield;
        if best < mine {
            return None;
        }
        if best == Rank::FAIR {
            let next = if yields { self.give_way(now) } else { self.preempted(now) };
            return (next != self.current).then_some(next);
        }
        if !yields && !self.has_had_its_turn() {
            return None;
        }
        if yields {
            self.count_yield();
        } else {
            self.count_preemption();
        }
        self.running.turn.set(0);
        self.ranks.push_last(self.running, self.current);
        self.offer(self.running);
        self.pop_by_rank(now)
    }

    /// Queues the running task, which is preempted.
    fn wait_again(&mut self, now: Nanos) {
        self.load_changed = true;
        if self.running.is_ranked() {
            self.ranks.push_first(self.running, self.current);
        } else {
            let key = self.policy.arrive(self.running, Arrival::Preempted, None, now);
            self.queue.push(self.running, self.current, key);
        }
        self.offer(self.running);
    }

    /// The rank of what runs.
    pub fn running_rank(&self) -> Rank {
        if self.is_idle() { Rank::IDLE } else { self.running.rank() }
    }

    /// A rank as it counts now: that of real-time tasks which have used up what they may is below fair ones', while some
    /// fair ones are here.
    fn standing(&mut self, rank: Rank, now: Nanos) -> Rank {
        let is_held = rank.is_real_time() && self.has_fair() && self.throttle.is_spent(now);
        if is_held { Rank::THROTTLED } else { rank }
    }

    /// Whether a fair task runs or waits here.
    fn has_fair(&self) -> bool {
        !self.queue.is_empty() || !self.is_idle() && !self.running.is_ranked()
    }

    /// The standing of the first of all that wait.
    fn best_waiting(&mut self, now: Nanos) -> Option<Rank> {
        let ranked = self.ranks.first().map(|rank| self.standing(rank, now));
        let fair = (!self.queue.is_empty()).then_some(Rank::FAIR);
        ranked.max(fair)
    }

    /// Takes the first of all that wait.
    fn pop_by_rank(&mut self, now: Nanos) -> Option<u32> {
        if self.best_waiting(now)? == Rank::FAIR { self.pop() } else { self.ranks.pop() }
    }

    fn has_had_its_turn(&self) -> bool {
        self.running.class().takes_turns() && self.running.turn.get() >= self.shared.config.rr_slice.0
    }

    /// Counts what the running task ran, if it's ranked, for its turn and for the throttle.
    fn charge_rank(&mut self, now: Nanos) {
        let from = self.rank_charged.max(self.dispatched);
        self.rank_charged = now;
        // The idle task never is.
        if self.running.is_ranked() {
            self.running.turn.add(now.since(from).0);
            if self.running_rank().is_real_time() {
                self.throttle.charge(from, now);
            }
        }
    }

    /// Prepares for `next`: what the policy sees of a task that it doesn't know, what others see of this CPU, and whether
    /// the next decision is made here, too.
    fn come_to(&mut self, next: u32, now: Nanos) {
        let task = self.task(next);
        let idle = next == self.id.0;
        let ranked = !idle && task.is_ranked();
        if ranked && next != self.current {
            // Who arrives is placed beside it.
            displace(task, self.frame());
        }
        self.renew_offer();
        let spent = self.throttle.is_spent(now);
        let before = self.shown.max(self.unasked);
        self.unasked = if idle { before } else { Rank::IDLE };
        self.timers.set_alert(ranked || spent || !self.ranks.is_empty() || self.unasked.is_real_time());
        self.shown = match task.rank() {
            _ if idle => Rank::IDLE,
            // Nothing real-time may run here before the period ends, so nothing should come.
            Rank::FAIR if spent => Rank::HIGHEST,
            rank => rank,
        };
        self.show_rank();
        if self.shown < before && !idle {
            // Pairs with the fence in `offer`: what this CPU runs was published before.
            fence(Ordering::SeqCst);
            self.ask_outranked();
        }
    }

    /// Publishes what this CPU runs.
    fn show_rank(&self) {
        if self.shown != Rank::IDLE {
            let fair_is_known = !self.throttle.limits() || !self.queue.is_empty();
            let bides = fair_is_known && self.shown != Rank::HIGHEST;
            self.mailbox.attention.raise(match self.shown {
                Rank::FAIR => Notice::Busy(self.armed),
                rank => Notice::Ranked { rank, bides },
            });
        }
    }

    /// Sees to it that the next decision is made here, too, even if it's asked for by a wake that saw nothing of ranks.
    #[cold]
    pub(super) fn stay_alert(&mut self) {
        // Again: a CPU that left idleness since `come_to` has said only that it's busy.
        self.show_rank();
        self.preempt = !self.is_idle() && self.running_rank() != Rank::FAIR;
    }

    /// The deadline of a decision made here, timers aside: the end of a turn, or that of what is granted to real-time
    /// tasks, or the begin of the next period.
    #[cold]
    pub(super) fn rank_ends_at(&mut self) -> Nanos {
        let now = self.charged;
        let running = self.running_rank();
        if running == Rank::FAIR {
            let refilled =
                if self.shown == Rank::HIGHEST { self.throttle.refilled_at() } else { Nanos::NEVER };
            return self.overtaken_at().min(refilled);
        }
        let turn = self.turn_ends_at(running, now);
        let granted = running.is_real_time() && !self.queue.is_empty();
        if granted { turn.min(self.throttle.spent_at(now)) } else { turn }
    }

    fn turn_ends_at(&self, running: Rank, now: Nanos) -> Nanos {
        if self.ranks.first() != Some(running) || !self.running.class().takes_turns() {
            return Nanos::NEVER;
        }
        now + self.shared.config.rr_slice.since(Nanos(self.running.turn.get()))
    }

    /// Queues a task of another class than the fair one, newly come.
    #[cold]
    pub(super) fn enqueue_ranked(&mut self, slot: u32, task: &Task) {
        self.load_changed = true;
        task.turn.set(0);
        self.ranks.push_last(task, slot);
        self.timers.set_alert(true);
        self.offer(task);
    }
}
