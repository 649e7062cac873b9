//! What the scheduler knows of a task: a slot of the task table.
//!
//! Every field is an atomic, so that a slot can be named from any CPU without a lock or unsafe code; but each
//! has one writer at a time. Fields marked *owner* are written only by the CPU that owns the task: the one in
//! whose run queue it is or on which it runs. Ownership travels with the task through an inbox, whose
//! Release and Acquire carry the fields along.

use crate::affinity::Affinity;
use crate::class::{Class, Rank};
use crate::id::{CpuId, TaskId};
use crate::meter::Meter;
use crate::primitives::Waiter;
use crate::state::State;
use crate::sync::{AtomicBool, AtomicU32, Ordering, Owned, Tally, fence};
use crate::terms::Terms;
pub use crate::terms::{MAX_WEIGHT, NORMAL_WEIGHT};

/// A task's slot.
#[derive(Debug)]
#[repr(align(128))]
pub struct Task {
    /// Generation, phase and permit: the only field that several CPUs write.
    pub(crate) state: State,
    /// How much the task counts and where it may run.
    pub(crate) terms: Terms,
    /// The links of the lanes that the task, or news of it, travels by; see [`crate::inbox`].
    pub(crate) links: [AtomicU32; 2],
    /// Whether news of the task is on its way, by the second link.
    pub(crate) announced: AtomicBool,
    /// The CPU that the task was last owned by.
    cpu: AtomicU32,
    /// Whether the task goes from one run queue to another, lag and all (owner).
    in_transit: AtomicU32,
    /// The number of the timer that is armed for the task; a timer of any other number is stale.
    pub(crate) timer: AtomicU32,
    /// CPU time used.
    pub meter: Meter,
    /// CPU time used over weight, comparable within one CPU's frame (owner).
    pub(crate) virtual_time: Owned,
    /// The virtual time up to which `measure` counts; what came after is yet to be added (owner).
    pub(crate) folded: Owned,
    /// The decaying measure of CPU time over weight, in the scale of its epoch (owner).
    pub(crate) measure: Owned,
    /// The epoch of `measure` (owner).
    pub(crate) epoch: Owned,
    /// The end of the window in which the task blocked last (owner).
    pub(crate) blocked_in: Owned,
    /// Two numbers of the policy's own: what else it must remember of the task (owner).
    pub(crate) own: [Owned; 2],
    /// What the task has run of its turn, if its class takes turns (owner).
    pub(crate) turn: Owned,
    /// The task's place among those that wait for a lock or a condition.
    pub(crate) waiter: Waiter,
    /// Times the task was switched to (owner).
    pub switches: Tally,
    /// Times the task was switched from although it could have gone on, and didn't ask for it (owner).
    pub preemptions: Tally,
    /// Times the task gave way to another (owner).
    pub yields: Tally,
    /// Times the task came to another CPU (owner).
    pub migrations: Tally,
}

/// What a new task is to be.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its share of CPU time relative to other tasks'; [`NORMAL_WEIGHT`] is one.
    pub weight: u32,
    /// What goes before it, and before what it goes.
    pub class: Class,
    /// Where it may run.
    pub affinity: Affinity,
}

impl Default for Spec {
    fn default() -> Self {
        Self { weight: NORMAL_WEIGHT, class: Class::Fair, affinity: Affinity::ANY }
    }
}

impl Task {
    /// A free slot.
    pub fn new() -> Self {
        Self {
            state: State::new(),
            terms: Terms::new(),
            links: [AtomicU32::new(0), AtomicU32::new(0)],
            announced: AtomicBool::new(false),
            cpu: AtomicU32::new(0),
            in_transit: AtomicU32::new(0),
            timer: AtomicU32::new(0),
            meter: Meter::new(),
            virtual_time: Owned::new(0),
            folded: Owned::new(0),
            measure: Owned::new(0),
            epoch: Owned::new(0),
            blocked_in: Owned::new(0),
            own: [Owned::new(0), Owned::new(0)],
            turn: Owned::new(0),
            waiter: Waiter::new(),
            switches: Tally::new(0),
            preemptions: Tally::new(0),
            yields: Tally::new(0),
            migrations: Tally::new(0),
        }
    }

    /// Fills a free slot and brings its task to life on paper; the caller must enqueue or post it.
    pub(crate) fn create(&self, slot: u32, spec: Spec, cpu: CpuId) -> TaskId {
        self.terms.reset(self.state.generation(), spec);
        self.set_cpu(cpu);
        // Release pairs with the Acquire in [`crate::Shared::cpu_time`]: who reads what the new tenant's fields hold
        // finds that the last one is gone. A mere compiler barrier on x86.
        fence(Ordering::Release);
        self.meter.reset();
        let measures =
            [&self.virtual_time, &self.folded, &self.measure, &self.epoch, &self.blocked_in, &self.turn];
        for field in measures {
            field.set(0);
        }
        self.own.iter().for_each(|word| word.set(0));
        for count in [&self.switches, &self.preemptions, &self.yields, &self.migrations] {
            count.set(0);
        }
        self.state.create();
        TaskId { slot, generation: self.state.generation() }
    }

    /// The task's weight.
    #[inline]
    pub fn weight(&self) -> u32 {
        self.terms.weight()
    }

    /// The task's class.
    #[inline]
    pub fn class(&self) -> Class {
        self.terms.class()
    }

    /// The rank of the task's class.
    #[inline]
    pub fn rank(&self) -> Rank {
        self.class().rank()
    }

    /// Whether the task isn't a fair one, so that the policy doesn't know it.
    #[inline]
    pub(crate) fn is_ranked(&self) -> bool {
        self.terms.are_ranked()
    }

    /// A span of CPU time over the task's weight: what it counts in virtual time.
    #[inline]
    pub(crate) fn weighted(&self, nanos: u64) -> u64 {
        self.terms.weighted(nanos)
    }

    /// The CPU time that counts as `virtual_nanos`: the inverse of [`Task::weighted`].
    #[inline]
    pub(crate) fn unweighted(&self, virtual_nanos: u64) -> u64 {
        self.terms.unweighted(virtual_nanos)
    }

    /// Where the task may run.
    #[inline]
    pub fn affinity(&self) -> Affinity {
        self.terms.affinity()
    }

    /// Whether the task may run on more than one CPU.
    #[inline]
    pub(crate) fn is_movable(&self) -> bool {
        self.burden() & 1 != 0
    }

    /// Weight, and in the lowest bit whether the task is movable.
    #[inline]
    pub(crate) fn burden(&self) -> u32 {
        self.terms.burden()
    }

    /// The CPU that the task runs on, waits on or last ran on.
    #[inline]
    pub fn cpu(&self) -> CpuId {
        CpuId(self.cpu.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn set_cpu(&self, cpu: CpuId) {
        self.cpu.store(cpu.0, Ordering::Relaxed);
    }

    /// Notes whether the task's next arrival is from another run queue.
    #[inline]
    pub(crate) fn set_in_transit(&self, transit: bool) {
        self.in_transit.store(u32::from(transit), Ordering::Relaxed);
    }

    /// Whether the task arrives from another run queue.
    #[inline]
    pub(crate) fn is_in_transit(&self) -> bool {
        self.in_transit.load(Ordering::Relaxed) != 0
    }

    /// Makes every armed timer of the task stale and returns the number for the next.
    #[inline]
    pub(crate) fn next_timer(&self) -> u32 {
        let number = self.timer.load(Ordering::Relaxed).wrapping_add(1);
        self.timer.store(number, Ordering::Relaxed);
        number
    }

    /// Times the task was woken from a block. Not counted anywhere, so that no wake pays for it: every switch to a task
    /// follows its start, a preemption, a yield or a wake. Any CPU; while the task is on its way, one may be missing.
    pub fn wakeups(&self) -> u64 {
        let waits = self.state.is_active() && !self.meter.is_running();
        let switches = self.switches.get() + u64::from(waits);
        switches.saturating_sub(1 + self.preemptions.get() + self.yields.get())
    }

    /// Whether the task is blocked, or about to be.
    pub fn is_blocked(&self) -> bool {
        self.state.is_blocked()
    }
}

impl Default for Task {
    fn default() -> Self {
        Self::new()
    }
}
