//! One CPU's scheduler: the part that only its owner touches.
//!
//! `&mut Cpu` means "on this CPU, with interrupts off". Other CPUs see a [`crate::mailbox::Mailbox`] only.
//! The scheduler never switches, arms or sends by itself: it answers with decisions, which the kernel
//! carries out. The files: `reschedule` (who runs next), `arrive` (tasks coming in), `wake` (tasks sent
//! out), `place` (where to), `control` (tasks told to go or to count otherwise), `sleep` (timers), `idle` (nothing to run), `surplus`
//! (work for idle CPUs), `balance` (work for others), `ranked` and `outranked` (real-time and background tasks),
//! `after` (once the switch is done).

mod after;
mod arrive;
mod balance;
mod control;
mod idle;
mod kicks;
mod outranked;
mod place;
mod ranked;
mod reschedule;
mod sleep;
mod surplus;
mod wake;

#[cfg(all(test, not(loom)))]
mod tests;

pub use after::After;
pub(crate) use reschedule::SLACK;
pub use reschedule::{Arm, Decision, Next, Reason};
pub use wake::{Rest, WakeOutcome};

use alloc::boxed::Box;

use crate::class::Rank;
use crate::id::{CpuId, TaskId};
use crate::mailbox::Mailbox;
use crate::outbox::Outbox;
use crate::policy::{AnyPolicy, Running};
use crate::queue::RunQueue;
use crate::ranks::Ranks;
use crate::reach::Extent;
use crate::shared::Shared;
use crate::task::{Spec, Task};
use crate::throttle::Throttle;
use crate::time::Nanos;
use crate::timers::Timers;
use kicks::Kicks;

/// What becomes of the task that a switch leaves, once its context is saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leaving {
    /// It waits in this CPU's queue, or is the idle task: nothing.
    Nothing,
    /// It blocks.
    Blocking,
    /// It goes to a CPU where it may run.
    Moving,
    /// It's gone.
    Exiting,
}

/// One CPU's scheduler.
#[derive(Debug)]
pub struct Cpu<'a> {
    shared: &'a Shared,
    /// The task table.
    tasks: &'a [Task],
    /// The ways to the other CPUs, by number.
    outboxes: Box<[Outbox<'a>]>,
    /// This CPU's own mailbox.
    mailbox: &'a Mailbox,
    id: CpuId,
    /// The slot of the task that runs; the CPU's own number when it's idle.
    current: u32,
    /// That task.
    running: &'a Task,
    /// The slot that the last switch left, and what's to become of it.
    left: (u32, Leaving),
    /// That slot's task.
    left_task: &'a Task,
    /// The fair tasks that wait.
    queue: RunQueue,
    policy: AnyPolicy,
    timers: Timers,
    /// Up to when the current task has been charged.
    charged: Nanos,
    /// When the current task was switched to.
    dispatched: Nanos,
    /// Whether an arrival is to run before the current task.
    preempt: bool,
    /// The least that a task of normal weight or more runs before another overtakes it.
    shortest_slice: Nanos,
    /// How long what is published may be out of date: two slices.
    stale_limit: Nanos,
    /// The deadline that the timer is armed for.
    armed: Nanos,
    /// Whether what this CPU publishes of its load is out of date.
    load_changed: bool,
    /// Not to publish it again before.
    next_publish: Nanos,
    /// How far the reach goes that this CPU publishes; nowhere unless it's in the set of overloaded ones.
    extent: Extent,
    /// When to look again at what others should run.
    next_look: Nanos,
    /// When to compare loads again.
    next_balance: Nanos,
    /// When this CPU, having gone idle, has missed too much of the others' virtual time.
    stale_at: Nanos,
    /// For how long to poll when idle.
    poll: Nanos,
    /// For how long this CPU had been idle in all when it last came to be.
    idled: Nanos,
    /// CPUs that this one still owes an interrupt.
    kicks: Kicks,
    /// The other tasks that wait.
    ranks: Ranks,
    throttle: Throttle,
    /// Up to when the current task has been charged by `ranked`.
    rank_charged: Nanos,
    /// Whether this CPU is in the set of outranked ones.
    is_outranked: bool,
    /// The rank that this CPU showed last, while others than fair tasks are about.
    shown: Rank,
    /// What it ran before it came to idle, until it enters idleness and asks for what it may run now.
    unasked: Rank,
}

impl<'a> Cpu<'a> {
    /// The scheduler of the CPU `id`, which runs its idle task at `now`. Made once for each CPU.
    pub fn new(shared: &'a Shared, id: CpuId, now: Nanos) -> Self {
        let idle = id.0;
        let task = &shared.tasks[id.index()];
        task.create(idle, Spec { affinity: crate::Affinity::one(id), ..Spec::default() }, id);
        task.meter.start(now);
        shared.mailbox(id).load.publish(0, 0, now);
        Self {
            shared,
            tasks: &shared.tasks,
            outboxes: (0..shared.cpus()).map(|to| Outbox::new(shared, id, CpuId(to as u32))).collect(),
            mailbox: shared.mailbox(id),
            id,
            current: idle,
            running: task,
            left: (idle, Leaving::Nothing),
            left_task: task,
            queue: RunQueue::new(shared.slots(), shared.config.policy.holds()),
            policy: AnyPolicy::new(&shared.config),
            timers: Timers::new(shared.slots()),
            charged: now,
            dispatched: now,
            preempt: false,
            stale_limit: Nanos(shared.config.slice().0 * 2),
            shortest_slice: shared.config.policy.shortest_slice(&shared.config),
            armed: Nanos::NEVER,
            load_changed: true,
            next_publish: Nanos::ZERO,
            extent: Extent::Nowhere,
            next_look: Nanos::ZERO,
            next_balance: Nanos::ZERO,
            stale_at: now,
            poll: shared.config.poll,
            idled: Nanos::ZERO,
            kicks: Kicks::new(shared.cpus()),
            ranks: Ranks::new(shared.slots()),
            throttle: Throttle::new(&shared.config),
            rank_charged: now,
            is_outranked: false,
            shown: Rank::IDLE,
            unasked: Rank::IDLE,
        }
    }

    /// This CPU's number.
    #[inline]
    pub fn id(&self) -> CpuId {
        self.id
    }

    /// What all CPUs share.
    #[inline]
    pub fn shared(&self) -> &'a Shared {
        self.shared
    }

    /// The task that runs.
    #[inline]
    pub fn current(&self) -> TaskId {
        TaskId { slot: self.current, generation: self.running.state.generation() }
    }

    /// The task that runs, and its slot.
    #[inline]
    pub fn running_task(&self) -> (u32, &'a Task) {
        (self.current, self.running)
    }

    /// The slot of the task that runs.
    #[inline]
    pub fn current_slot(&self) -> usize {
        self.current as usize
    }

    /// Whether the idle task runs.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.current == self.id.0
    }

    /// How many tasks wait here.
    pub fn waiting(&self) -> usize {
        self.queue.len() + self.ranks.len()
    }

    /// The slots of the tasks that wait here, in no order: for reports and invariants.
    pub fn waiting_slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.queue.slots().chain(self.ranks.slots())
    }

    /// The run queue of fair tasks, for reports.
    pub fn queue(&self) -> &RunQueue {
        &self.queue
    }

    /// The deadline for which the timer is armed ([`Nanos::NEVER`] if it isn't).
    pub fn armed(&self) -> Nanos {
        self.armed
    }

    /// This CPU's shared face.
    #[inline]
    pub fn mailbox(&self) -> &'a Mailbox {
        self.mailbox
    }

    #[inline]
    fn task(&self, slot: u32) -> &'a Task {
        &self.tasks[slot as usize]
    }

    #[inline]
    fn task_id(&self, slot: u32) -> TaskId {
        TaskId { slot, generation: self.task(slot).state.generation() }
    }

    /// How many of the tasks that wait here may run elsewhere. A hint, as [`RunQueue::movable`].
    fn movable(&self) -> u32 {
        self.queue.movable() + self.ranks.movable()
    }

    /// Takes a task out that waits here. O(n).
    fn remove_waiting(&mut self, slot: u32) {
        let task = self.task(slot);
        if task.is_ranked() {
            return self.ranks.remove(slot);
        }
        self.queue.remove(slot);
        self.policy.withdraw(task);
    }

    /// The running task and how long it has run, for the policy.
    #[inline]
    fn running(&self) -> Running<'a> {
        Running { task: self.running, since: self.dispatched, now: self.charged }
    }

    /// Charges the running task up to `now`, unless that's the idle task, whose meter tells all.
    #[inline]
    fn charge_unless(&mut self, idle: bool, now: Nanos) {
        if now <= self.charged {
            return;
        }
        if !idle {
            self.policy.charge(self.running, self.charged, now);
        }
        self.charged = now;
    }
}
