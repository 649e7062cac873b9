//! The meeting of those that have too much and those that have nothing.
//!
//! Both sides announce themselves, fence, and then look for the other, so one of them sees the other. A question
//! that can't be answered is passed on to overloaded CPUs of higher numbers only: it ends, and it has then
//! reached all that were there when it was put, as those that came later saw the idle CPU themselves.

use super::Cpu;
use crate::id::CpuId;
use crate::reach::{EVERYWHERE, Groups};
use crate::sync::{Ordering, fence};
use crate::task::Task;
use crate::time::Nanos;

impl Cpu<'_> {
    /// Takes note of a task that waits here, newly come or preempted, unless it's known that some may that
    /// could run anywhere.
    #[inline]
    pub(super) fn note_surplus(&mut self, task: &Task) {
        if self.reach != EVERYWHERE && self.queue.movable() > 0 {
            self.announce_surplus(task);
        }
    }

    /// Enters the set of overloaded CPUs, or makes known that a task waits here that can run where no other can.
    #[cold]
    pub(super) fn announce_surplus(&mut self, task: &Task) {
        let reach = if self.reach == 0 { EVERYWHERE } else { self.reach | self.reached_by(task) };
        if reach == self.reach {
            return;
        }
        self.mailbox.reach.publish(reach);
        if self.reach == 0 {
            self.shared.overloaded.insert(self.id);
        }
        self.reach = reach;
        // Pairs with the fence in `Cpu::enter_idle`: either that CPU sees this one overloaded, or this one
        // sees it idle in `share_surplus`.
        fence(Ordering::SeqCst);
    }

    /// Where a task that waits here may run instead.
    fn reached_by(&self, task: &Task) -> Groups {
        if task.is_movable() { self.shared.grouping.touched_by(task.affinity()) } else { 0 }
    }

    /// Gives away what others should run, if there is any.
    #[inline]
    pub(super) fn share_surplus(&mut self, now: Nanos) {
        if self.reach != 0 && (now >= self.next_look || self.shared.idle.any()) {
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
        let grouping = self.shared.grouping;
        self.shared.idle.find(|cpu| grouping.of(cpu) & self.reach != 0).is_some()
    }

    /// Gives a task to each idle CPU, as long as there are both.
    #[cold]
    fn feed_hungry(&mut self, now: Nanos) {
        let asked = self.mailbox.reach.take_question();
        while self.movable() > 0 && self.sees_hungry() {
            let claimed = self.ranks.slots().chain(self.queue.slots()).find_map(|slot| {
                let task = self.task(slot);
                Some((slot, self.shared.claim_idle(task)?))
            });
            let Some((slot, idle)) = claimed else { return self.narrow_reach(asked) };
            self.give(slot, idle, now);
        }
        if self.movable() == 0 {
            self.withdraw_surplus();
        } else if asked {
            // Who asked may have read that more waits here than does, just before this CPU said so.
            self.pass_question_on();
        }
    }

    /// Publishes where what waits here may run exactly, having nothing for the idle CPUs that it might have been for.
    fn narrow_reach(&mut self, asked: bool) {
        self.reach = self.waiting_slots().fold(0, |reach, slot| reach | self.reached_by(self.task(slot)));
        if self.reach == 0 {
            return self.withdraw_surplus();
        }
        self.mailbox.reach.publish(self.reach);
        // Beyond 64 CPUs it may seem for long that an idle one could be fed. It has its answer; who wasn't asked says
        // nothing, or looks would make looks on other CPUs without end.
        if asked {
            self.pass_question_on();
        }
    }

    /// Leaves the set of overloaded CPUs, if it's in it.
    fn withdraw_surplus(&mut self) {
        self.reach = 0;
        self.shared.overloaded.remove(self.id);
        // Pairs with the fence in `Cpu::enter_idle`: either that CPU no longer sees this one overloaded, or this
        // one sees it idle.
        fence(Ordering::SeqCst);
        self.pass_question_on();
    }

    /// Kicks the next overloaded CPU that may have a task for an idle one.
    fn pass_question_on(&mut self) {
        if self.shared.idle.any()
            && let Some(next) = self.helper(|cpu| cpu > self.id, self.hungry())
        {
            self.ask(next);
        }
    }

    fn ask(&mut self, cpu: CpuId) {
        self.shared.mailbox(cpu).reach.ask();
        self.mailbox.stats.kicks_sent.add(1);
        self.kicks.insert(cpu);
    }

    /// The idle CPUs.
    fn hungry(&self) -> Groups {
        let mut groups = 0;
        let _ = self.shared.idle.find(|cpu| {
            groups |= self.shared.grouping.of(cpu);
            false
        });
        groups
    }

    /// An overloaded CPU, of those that `which` admits, that may have a task for one of `groups`.
    fn helper(&self, which: impl Fn(CpuId) -> bool, groups: Groups) -> Option<CpuId> {
        self.shared.overloaded.find(|cpu| which(cpu) && self.shared.mailbox(cpu).reach.touches(groups))
    }

    /// Kicks an overloaded CPU, which then sees that this one is idle. No answer is awaited, so two idle CPUs never
    /// ask each other.
    #[cold]
    pub(super) fn ask_for_work(&mut self) {
        // Who is asked below may have lesser work.
        self.ask_outranked();
        if let Some(victim) = self.helper(|cpu| cpu != self.id, self.shared.grouping.of(self.id)) {
            self.ask(victim);
        }
    }
}
