//! What a policy decides, and the choice between policies.
//!
//! A run queue is ordered by a key, least first. A policy gives a task its key when it arrives, says when
//! the running task has had enough, and whether an arrival may preempt. Everything else (queues, wakeups,
//! timers, balance) is the same for all. To add a policy, write a file beside these, name it in
//! [`PolicyKind`], and give it a variant of [`AnyPolicy`].

mod fair;
mod priority;
mod round_robin;

pub use fair::Fair;
pub use priority::Priority;
pub use round_robin::RoundRobin;

use crate::config::Config;
use crate::task::Task;
use crate::time::Nanos;

/// Why a task enters a run queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// It was created, or was blocked and last ran on another CPU.
    New,
    /// It was blocked and last ran here.
    Woken,
    /// It ran and was preempted.
    Preempted,
    /// It ran and gives way, to the task whose key is given.
    Yielded(u64),
    /// It waited on another CPU.
    Migrated,
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
pub trait Policy {
    /// Charges a task that ran from `from` to `to`.
    fn charge(&mut self, task: &Task, from: Nanos, to: Nanos);

    /// The key under which an arriving task waits. `least` is the runnable task that would run longest ago
    /// (the running one included), if there is one.
    fn arrive(&mut self, task: &Task, why: Arrival, least: Option<&Task>, now: Nanos) -> u64;

    /// Called when the running task blocks or exits.
    fn depart(&mut self, _task: &Task) {}

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

    /// Whether a task that just arrived with `key` must run at once.
    fn preempts(&self, key: u64, running: Running<'_>) -> bool;

    /// Whether the running task may yield to the one that waits with the least key.
    fn may_give_way(&self, _running: &Task, _least_key: u64) -> bool {
        true
    }

    /// Called when an arrival preempts the running task.
    fn preempted_by(&mut self, _arrival: &Task) {}

    /// The task's progress in this CPU's virtual time, for policies that balance by lag.
    fn progress(&self, task: &Task) -> Option<u64>;

    /// This CPU's virtual time while nothing is runnable.
    fn floor(&self) -> u64 {
        0
    }

    /// Called when the weight of a task that is owned here changed from `before`, while the CPU's virtual time is
    /// `frame`. The task's key is asked for anew if it waits.
    fn reweigh(&mut self, _task: &Task, _before: u32, _frame: u64) {}

    /// Moves this CPU's virtual time forward to `progress` while nothing is runnable.
    fn catch_up(&mut self, _progress: u64) {}
}

/// The policies that can be chosen at boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub enum PolicyKind {
    /// Decaying-average fair share, the default.
    Fair,
    /// Equal slices in turn, whatever the weight.
    RoundRobin,
    /// The heaviest task runs, equals in turn.
    Priority,
}

impl PolicyKind {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Fair, Self::RoundRobin, Self::Priority];

    /// The name on the boot command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fair => "decay",
            Self::RoundRobin => "round-robin",
            Self::Priority => "priority",
        }
    }

    /// The policy of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The policy that was chosen. A match costs less than a call through a pointer and needs no allocation.
#[derive(Debug)]
pub enum AnyPolicy {
    /// See [`Fair`].
    Fair(Fair),
    /// See [`RoundRobin`].
    RoundRobin(RoundRobin),
    /// See [`Priority`].
    Priority(Priority),
}

macro_rules! delegate {
    ($self:ident, $policy:ident => $call:expr) => {{
        // The default first: one comparison leads to it.
        if let AnyPolicy::Fair($policy) = $self {
            $call
        } else {
            match $self {
                AnyPolicy::RoundRobin($policy) => $call,
                AnyPolicy::Priority($policy) => $call,
                AnyPolicy::Fair(_) => unreachable!("asked for above"),
            }
        }
    }};
}

impl AnyPolicy {
    /// A fresh policy for one CPU.
    pub fn new(config: &Config) -> Self {
        match config.policy {
            PolicyKind::Fair => Self::Fair(Fair::new(config)),
            PolicyKind::RoundRobin => Self::RoundRobin(RoundRobin::new(config)),
            PolicyKind::Priority => Self::Priority(Priority::new(config)),
        }
    }
}

impl Policy for AnyPolicy {
    #[inline(always)]
    fn charge(&mut self, task: &Task, from: Nanos, to: Nanos) {
        delegate!(self, policy => policy.charge(task, from, to));
    }

    #[inline]
    fn arrive(&mut self, task: &Task, why: Arrival, least: Option<&Task>, now: Nanos) -> u64 {
        delegate!(self, policy => policy.arrive(task, why, least, now))
    }

    #[inline(always)]
    fn back(&mut self, task: &Task, least: &Task, now: Nanos) -> u64 {
        delegate!(self, policy => policy.back(task, least, now))
    }

    #[inline(always)]
    fn alone(&mut self, task: &Task, why: Arrival, now: Nanos) -> u64 {
        delegate!(self, policy => policy.alone(task, why, now))
    }

    #[inline(always)]
    fn depart(&mut self, task: &Task) {
        delegate!(self, policy => policy.depart(task));
    }

    #[inline(always)]
    fn remaining(&self, running: Running<'_>, least_key: u64) -> Nanos {
        delegate!(self, policy => policy.remaining(running, least_key))
    }

    #[inline(always)]
    fn preempts(&self, key: u64, running: Running<'_>) -> bool {
        delegate!(self, policy => policy.preempts(key, running))
    }

    #[inline(always)]
    fn may_give_way(&self, running: &Task, least_key: u64) -> bool {
        delegate!(self, policy => policy.may_give_way(running, least_key))
    }

    #[inline]
    fn preempted_by(&mut self, arrival: &Task) {
        delegate!(self, policy => policy.preempted_by(arrival));
    }

    #[inline]
    fn progress(&self, task: &Task) -> Option<u64> {
        delegate!(self, policy => policy.progress(task))
    }

    #[inline]
    fn floor(&self) -> u64 {
        delegate!(self, policy => policy.floor())
    }

    fn reweigh(&mut self, task: &Task, before: u32, frame: u64) {
        delegate!(self, policy => policy.reweigh(task, before, frame));
    }

    #[inline]
    fn catch_up(&mut self, progress: u64) {
        delegate!(self, policy => policy.catch_up(progress));
    }
}
