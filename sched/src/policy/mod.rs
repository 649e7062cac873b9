//! What a policy decides, and the choice between policies.
//!
//! A run queue is ordered by a key, least first. A policy gives a task its key when it arrives, says when
//! the running task has had enough, and whether an arrival may preempt. Everything else (queues, wakeups,
//! timers, balance) is the same for all. To add a policy, write a file beside these, and name it below, twice: the boot
//! command line, the simulator, the property tests and the report then know it. The book's chapter "Write a policy"
//! does so step by step; `stride.rs` is where it arrives.

mod any;
mod eevdf;
mod fair;
mod priority;
mod promise;
mod round_robin;
mod stride;

pub use promise::Promise;

use crate::config::Config;
use crate::cpu::SLACK;
use crate::decay::displace;
use crate::queue::RunQueue;
use crate::task::Task;
use crate::time::Nanos;

any::policies! {
    /// Decaying-average fair share, the default.
    "decay" => fair::Fair,
    /// Equal slices in turn, whatever the weight.
    "round-robin" => round_robin::RoundRobin,
    /// The heaviest task runs, equals in turn.
    "priority" => priority::Priority,
    /// Of those that have had no more than their share, the one with the earliest deadline.
    "eevdf" => eevdf::Eevdf,
    /// The one with the least pass, for a quantum.
    "stride" => stride::Stride,
}

/// The policy that was chosen.
#[derive(Debug)]
pub(crate) enum AnyPolicy {
    Default(Fair),
    Other(Listed),
}

any::methods! {
    #[inline(always)]
    charge(self: &mut Self, task: &Task, from: Nanos, to: Nanos);
    #[inline]
    arrive(self: &mut Self, task: &Task, why: Arrival, least: Option<&Task>, now: Nanos) -> u64;
    #[inline(always)]
    back(self: &mut Self, task: &Task, least: &Task, now: Nanos) -> u64;
    #[inline(always)]
    alone(self: &mut Self, task: &Task, why: Arrival, now: Nanos) -> u64;
    #[inline(always)]
    depart(self: &mut Self, task: &Task);
    #[inline]
    withdraw(self: &mut Self, task: &Task);
    #[inline(always)]
    remaining(self: &Self, running: Running<'_>, least_key: u64) -> Nanos;
    #[inline(always)]
    preempts(self: &Self, key: u64, running: Running<'_>) -> bool;
    #[inline(always)]
    is_over(self: &mut Self, running: Running<'_>, queue: &mut RunQueue, tasks: &[Task], urged: bool) -> bool;
    #[inline(always)]
    sort(self: &mut Self, queue: &mut RunQueue, tasks: &[Task]);
    #[inline(always)]
    may_give_way(self: &Self, running: &Task, least_key: u64) -> bool;
    #[inline]
    preempted_by(self: &mut Self, arrival: &Task);
    #[inline]
    progress(self: &Self, task: &Task) -> Option<u64>;
    #[inline(always)]
    virtual_time(self: &Self, running: &Task, first: Option<u64>) -> Option<u64>;
    #[inline]
    floor(self: &Self) -> u64;
    #[inline]
    reweigh(self: &mut Self, task: &Task, before: u32, frame: u64, runs: bool);
    #[inline]
    catch_up(self: &mut Self, progress: u64);
    #[inline]
    shift(self: &mut Self, task: &Task, gap: u64);
}

/// Why a task enters a run queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// It was created, or was blocked and last ran on another CPU.
    New,
    /// It was blocked and last ran here; or it was created for this CPU, and its virtual time is 0.
    Woken,
    /// It ran and was preempted.
    Preempted,
    /// It ran and gives way, to the task whose key is given.
    Yielded(u64),
    /// It waited on another CPU.
    Migrated,
    /// It waited here until now, when its weight changed ([`Policy::withdraw`] and [`Policy::reweigh`] came before).
    Changed,
}

/// The task that runs, as a policy sees it.
#[derive(Clone, Copy)]
pub struct Running<'a> {
    /// The task, charged up to now.
    pub task: &'a Task,
    /// When it was switched to.
    pub since: Nanos,
    /// Now.
    pub now: Nanos,
}

impl Running<'_> {
    /// How long the task has run since it was switched to.
    #[inline]
    pub fn ran(self) -> Nanos {
        self.now.since(self.since)
    }
}

/// A scheduling policy of one CPU. Called by its owner with interrupts off; never blocks or allocates.
///
/// What it must remember of a task is in the task: its virtual time, and two words of the policy's own. They are zero in
/// a new one, and stay as they are while the task is blocked or on its way to another CPU.
///
/// It needn't know who waits. But it's told when a task begins to be runnable here ([`Policy::arrive`], unless that's
/// [`Arrival::Preempted`] or [`Arrival::Yielded`]) and when it ceases to be ([`Policy::depart`],
/// [`Policy::withdraw`]), so that it can keep sums over all that are.
pub trait Policy {
    /// What the tests, the simulator and the report hold the policy to.
    const PROMISE: Promise;

    /// Whether it may have tasks wait for their time: whether keys may be marked as [`crate::queue::HELD`].
    const HOLDS: bool = false;

    /// The policy of a CPU on which nothing has run.
    fn new(config: &Config) -> Self
    where
        Self: Sized;

    /// Charges a task that ran from `from` to `to`.
    fn charge(&mut self, task: &Task, from: Nanos, to: Nanos);

    /// The key under which an arriving task waits, less than [`crate::queue::HELD`] if the policy doesn't hold any.
    /// `least` is the runnable task that would run longest ago (the running one included), if there is one.
    fn arrive(&mut self, task: &Task, why: Arrival, least: Option<&Task>, now: Nanos) -> u64;

    /// Called when the running task blocks, exits, or leaves for another CPU.
    fn depart(&mut self, _task: &Task) {}

    /// Called when a waiting task leaves for another CPU, or to be queued anew by another weight.
    fn withdraw(&mut self, _task: &Task) {}

    /// [`Policy::arrive`] for the most frequent case: a task that was blocked and ran here last, while others are
    /// runnable.
    fn back(&mut self, task: &Task, least: &Task, now: Nanos) -> u64 {
        self.arrive(task, Arrival::Woken, Some(least), now)
    }

    /// [`Policy::arrive`] where nothing else is runnable.
    fn alone(&mut self, task: &Task, why: Arrival, now: Nanos) -> u64 {
        self.arrive(task, why, None, now)
    }

    /// How much longer the running task may run before the waiting one with the least key must.
    fn remaining(&self, running: Running<'_>, least_key: u64) -> Nanos;

    /// The least that a task of normal weight or more runs before [`Policy::remaining`] is up; 0 if that can't be said.
    fn shortest_slice(config: &Config) -> Nanos
    where
        Self: Sized,
    {
        config.shortest_slice()
    }

    /// Whether a task that just arrived with `key` must run at once.
    fn preempts(&self, key: u64, running: Running<'_>) -> bool;

    /// Whether the running task must now make room for the first of the queue, which isn't empty. `urged`: an arrival
    /// since the last decision must run at once.
    fn is_over(&mut self, running: Running<'_>, queue: &mut RunQueue, _tasks: &[Task], urged: bool) -> bool {
        urged || queue.first().is_some_and(|(key, _)| self.remaining(running, key) <= SLACK)
    }

    /// Brings the task that must run next to the queue's front, where that changes while tasks wait. Only called if more
    /// than one does.
    fn sort(&mut self, _queue: &mut RunQueue, _tasks: &[Task]) {}

    /// Whether the running task may yield to the one that waits with the least key.
    fn may_give_way(&self, _running: &Task, _least_key: u64) -> bool {
        true
    }

    /// Called when an arrival preempts the running task.
    fn preempted_by(&mut self, _arrival: &Task) {}

    /// The task's progress in this CPU's virtual time, for policies that balance by lag.
    fn progress(&self, task: &Task) -> Option<u64>;

    /// This CPU's virtual time while `running` runs and the first one that waits has the key `first`.
    #[inline(always)]
    fn virtual_time(&self, running: &Task, first: Option<u64>) -> Option<u64> {
        let mine = self.progress(running)?;
        Some(first.map_or(mine, |key| mine.min(key)))
    }

    /// This CPU's virtual time while nothing is runnable.
    fn floor(&self) -> u64 {
        0
    }

    /// Called when the weight of a task that is owned here changed from `before`, while the CPU's virtual time is
    /// `frame`. The task `runs`, or it's about to arrive.
    fn reweigh(&mut self, _task: &Task, _before: u32, _frame: u64, _runs: bool) {}

    /// Moves this CPU's virtual time forward to `progress` while nothing is runnable.
    fn catch_up(&mut self, _progress: u64) {}

    /// Moves a runnable task forward by `gap` in virtual time, as part of moving them all; keys move by themselves.
    fn shift(&mut self, task: &Task, gap: u64) {
        displace(task, task.virtual_time.get() + gap);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{CpuId, Spec};

    /// A task of that weight, for the policies' tests.
    pub fn task(weight: u32) -> Task {
        let task = Task::new();
        task.create(0, Spec { weight, ..Spec::default() }, CpuId(0));
        task
    }
}
