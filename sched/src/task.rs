//! What the scheduler knows of a task: a slot of the task table.
//!
//! Every field is an atomic, so that a slot can be named from any CPU without a lock or unsafe code; but each
//! has one writer at a time. Fields marked *owner* are written only by the CPU that owns the task: the one in
//! whose run queue it is or on which it runs. Ownership travels with the task through an inbox, whose
//! Release and Acquire carry the fields along.

use crate::affinity::Affinity;
use crate::id::{CpuId, TaskId};
use crate::meter::Meter;
use crate::state::State;
use crate::sync::{AtomicU32, Ordering, Owned};

/// The weight of a task of normal priority. A task of twice the weight gets twice the CPU time.
pub const NORMAL_WEIGHT: u32 = 1024;

/// The largest weight; larger ones are taken as this.
pub const MAX_WEIGHT: u32 = 1 << 24;

/// Fixed point of [`Task::inverse`]: 2^20 is the inverse of the normal weight.
pub const INVERSE_SHIFT: u32 = 20;

/// A task's slot.
#[derive(Debug)]
#[repr(align(128))]
pub struct Task {
    /// Generation, phase and permit: the only field that several CPUs write.
    pub(crate) state: State,
    /// The link of the inbox that the task is in.
    pub(crate) link: AtomicU32,
    /// Where the task may run; anyone may change it.
    affinity: AtomicU32,
    /// The CPU that the task was last owned by.
    cpu: AtomicU32,
    /// Whether the task goes from one run queue to another, lag and all (owner).
    in_transit: AtomicU32,
    /// The number of the timer that is armed for the task; a timer of any other number is stale.
    pub(crate) timer: AtomicU32,
    weight: AtomicU32,
    /// Weight, and in the lowest bit whether the task is movable: what a run queue sums up.
    burden: AtomicU32,
    /// Normal weight over this task's, in fixed point.
    inverse: Owned,
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
    /// Times the task was switched to (owner).
    pub switches: Owned,
    /// Times the task was switched from although it could have gone on (owner).
    pub preemptions: Owned,
    /// Times the task came to another CPU (owner).
    pub migrations: Owned,
}

/// What a new task is to be.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its share of CPU time relative to other tasks'; [`NORMAL_WEIGHT`] is one.
    pub weight: u32,
    /// Where it may run.
    pub affinity: Affinity,
}

impl Default for Spec {
    fn default() -> Self {
        Self { weight: NORMAL_WEIGHT, affinity: Affinity::ANY }
    }
}

impl Task {
    /// A free slot.
    pub fn new() -> Self {
        Self {
            state: State::new(),
            link: AtomicU32::new(0),
            affinity: AtomicU32::new(Affinity::ANY.to_word()),
            cpu: AtomicU32::new(0),
            in_transit: AtomicU32::new(0),
            timer: AtomicU32::new(0),
            weight: AtomicU32::new(NORMAL_WEIGHT),
            burden: AtomicU32::new(NORMAL_WEIGHT << 1 | 1),
            inverse: Owned::new(1 << INVERSE_SHIFT),
            meter: Meter::new(),
            virtual_time: Owned::new(0),
            folded: Owned::new(0),
            measure: Owned::new(0),
            epoch: Owned::new(0),
            blocked_in: Owned::new(0),
            switches: Owned::new(0),
            preemptions: Owned::new(0),
            migrations: Owned::new(0),
        }
    }

    /// Fills a free slot and brings its task to life on paper; the caller must enqueue or post it.
    pub(crate) fn create(&self, slot: u32, spec: Spec, cpu: CpuId) -> TaskId {
        self.set_weight(spec.weight);
        self.set_affinity(spec.affinity);
        self.set_cpu(cpu);
        self.meter.reset();
        for field in [
            &self.virtual_time,
            &self.folded,
            &self.measure,
            &self.epoch,
            &self.blocked_in,
            &self.switches,
            &self.preemptions,
            &self.migrations,
        ] {
            field.set(0);
        }
        self.state.create();
        TaskId { slot, generation: self.state.generation() }
    }

    fn set_weight(&self, weight: u32) {
        let weight = weight.clamp(1, MAX_WEIGHT);
        self.weight.store(weight, Ordering::Relaxed);
        self.inverse.set((u64::from(NORMAL_WEIGHT) << INVERSE_SHIFT) / u64::from(weight));
    }

    /// The task's weight.
    #[inline]
    pub fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// A span of CPU time over the task's weight: what it counts in virtual time.
    #[inline]
    pub(crate) fn weighted(&self, nanos: u64) -> u64 {
        ((u128::from(nanos) * u128::from(self.inverse.get())) >> INVERSE_SHIFT) as u64
    }

    /// The CPU time that counts as `virtual_nanos`: the inverse of [`Task::weighted`].
    #[inline]
    pub(crate) fn unweighted(&self, virtual_nanos: u64) -> u64 {
        ((u128::from(virtual_nanos) * u128::from(self.weight())) / u128::from(NORMAL_WEIGHT)) as u64
    }

    /// Where the task may run.
    #[inline]
    pub fn affinity(&self) -> Affinity {
        Affinity::from_word(self.affinity.load(Ordering::Relaxed))
    }

    /// Changes where the task may run, from its next dispatch on.
    pub fn set_affinity(&self, affinity: Affinity) {
        self.affinity.store(affinity.to_word(), Ordering::Relaxed);
        self.burden.store(self.weight() << 1 | u32::from(affinity.is_movable()), Ordering::Relaxed);
    }

    /// Whether the task may run on more than one CPU.
    #[inline]
    pub(crate) fn is_movable(&self) -> bool {
        self.burden() & 1 != 0
    }

    /// Weight, and in the lowest bit whether the task is movable.
    #[inline]
    pub(crate) fn burden(&self) -> u32 {
        self.burden.load(Ordering::Relaxed)
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
