//! How much a task counts and where it may run: wished for by anyone, taken over by its owner.
//!
//! Whoever changes a task's terms writes what is wanted, under the task's generation, and then marks the task
//! as changed; only the task's owner takes the wish over. So the owner's sums always agree with what it
//! summed up, a stale id changes nothing, and of several wishes the last one holds. The mark is a bit of the
//! affinity that makes it allow no CPU: whoever takes a task in looks at that word anyway, so tasks whose
//! terms don't change pay nothing. Tasks that aren't fair carry a mark there for good, for the same reason.
//!
//! Who waits for what a task holds lends it a rank: the task's class is the one that was wished for, or what makes it
//! as high as the highest that is lent.

use crate::affinity::Affinity;
use crate::class::{Class, Rank};
use crate::id::CpuId;
use crate::sync::{AtomicU32, AtomicU64, Ordering, Owned, overwrite};
use crate::task::Spec;

/// The weight of a task of normal priority. A task of twice the weight gets twice the CPU time.
pub const NORMAL_WEIGHT: u32 = 1024;

/// The largest weight; larger ones are taken as this.
pub const MAX_WEIGHT: u32 = 1 << 24;

/// Fixed point of [`Terms::weighted`]: 2^48 is the inverse of the normal weight, 2^34 that of the largest, so that
/// a second of virtual time errs by less than a nanosecond of it.
const INVERSE_SHIFT: u32 = 48;

/// In the word of an affinity: the terms changed. It stands for a first CPU that no machine has.
const CHANGED: u32 = 1 << 31;

/// Likewise: the task isn't a fair one.
const RANKED: u32 = 1 << 30;

const MARKS: u32 = CHANGED | RANKED;

/// One hold on a CPU, in the word that counts them.
const HOLD: u64 = 1 << 32;

/// What a real-time task that runs weighs for those who look for a CPU with little to do: as 20 normal tasks, since a
/// twentieth is what it leaves to the others if it never stops.
const REAL_TIME_WEIGHT: u32 = 20 * NORMAL_WEIGHT;

/// A task's weight, class and affinity, and those that are wanted.
#[derive(Debug)]
pub struct Terms {
    /// Where the task may run, and whether what is wanted has changed.
    affinity: AtomicU32,
    weight: AtomicU32,
    class: AtomicU32,
    /// Weight, and in the lowest bit whether the task is movable: what a run queue sums up.
    burden: AtomicU32,
    /// Normal weight over this task's, in fixed point.
    inverse: Owned,
    /// The affinity that is wanted, below the generation that it's meant for.
    wanted_affinity: AtomicU64,
    /// The weight that is wanted, likewise.
    wanted_weight: AtomicU64,
    /// The class that is wanted, likewise.
    wanted_class: AtomicU64,
    /// The CPU that the task holds on to, plus one, below how often it does; 0 if it doesn't (owner).
    held: Owned,
    /// Ranks that are lent to the task, a byte each; 0 is none.
    lent: AtomicU64,
}

/// Terms that were wished for, each as its word.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    affinity: u32,
    weight: u32,
    class: u32,
}

impl Wanted {
    /// Whether the task will not be a fair one.
    pub fn is_ranked(self) -> bool {
        mark(self.class) != 0
    }
}

impl Terms {
    /// Normal weight, anywhere.
    pub fn new() -> Self {
        Self {
            affinity: AtomicU32::new(Affinity::ANY.to_word()),
            weight: AtomicU32::new(NORMAL_WEIGHT),
            class: AtomicU32::new(Class::Fair.to_word()),
            burden: AtomicU32::new(NORMAL_WEIGHT << 1 | 1),
            inverse: Owned::new(1 << INVERSE_SHIFT),
            wanted_affinity: AtomicU64::new(0),
            wanted_weight: AtomicU64::new(0),
            wanted_class: AtomicU64::new(tagged(0, Class::Fair.to_word())),
            held: Owned::new(0),
            lent: AtomicU64::new(0),
        }
    }

    /// The terms of a new tenant. Only who fills the slot.
    pub fn reset(&self, generation: u32, spec: Spec) {
        let weight = spec.weight.clamp(1, MAX_WEIGHT);
        overwrite!(self.wanted_affinity, tagged(generation, spec.affinity.to_word()));
        overwrite!(self.wanted_weight, tagged(generation, weight));
        let class = spec.class.to_word();
        overwrite!(self.wanted_class, tagged(generation, class));
        overwrite!(self.lent, 0);
        self.held.set(0);
        overwrite!(self.affinity, spec.affinity.to_word() | mark(class));
        self.apply(weight, class, spec.affinity);
    }

    #[inline]
    fn apply(&self, wanted: u32, class: u32, affinity: Affinity) {
        let (weight, inverse) = measures(wanted, class);
        self.class.store(class, Ordering::Relaxed);
        self.weight.store(weight, Ordering::Relaxed);
        self.inverse.set(inverse);
        self.burden.store(weight << 1 | u32::from(affinity.is_movable()), Ordering::Relaxed);
    }

    /// Wishes the tenant `generation` another affinity. `false` if it's gone. Any CPU.
    pub fn want_affinity(&self, generation: u32, affinity: Affinity) -> bool {
        self.want(&self.wanted_affinity, generation, affinity.to_word())
    }

    /// Wishes the tenant `generation` another weight. `false` if it's gone. Any CPU.
    pub fn want_weight(&self, generation: u32, weight: u32) -> bool {
        self.want(&self.wanted_weight, generation, weight.clamp(1, MAX_WEIGHT))
    }

    /// Wishes the tenant `generation` another class. `false` if it's gone. Any CPU.
    pub fn want_class(&self, generation: u32, class: Class) -> bool {
        self.want(&self.wanted_class, generation, class.to_word())
    }

    fn want(&self, wish: &AtomicU64, generation: u32, value: u32) -> bool {
        let replace = |word: u64| ((word >> 32) as u32 == generation).then(|| tagged(generation, value));
        if wish.fetch_update(Ordering::Relaxed, Ordering::Relaxed, replace).is_err() {
            return false;
        }
        // Release pairs with the Acquire in `renew`: who sees the mark sees the wish.
        self.affinity.fetch_or(CHANGED, Ordering::Release);
        true
    }

    /// Lends the tenant a rank in place of one that was lent to it before, [`Rank::IDLE`] being none. Answers whether its
    /// rank will be another. Any CPU, while the tenant holds what the ranks are lent for.
    ///
    /// # Errors
    /// If eight are lent already, and none is returned.
    pub fn lend(&self, before: Rank, rank: Rank) -> Result<bool, Full> {
        let replace = |lent: u64| {
            let mut ranks = lent.to_le_bytes();
            *ranks.iter_mut().find(|lent| **lent == before.0)? = rank.0;
            Some(u64::from_le_bytes(ranks))
        };
        let found =
            self.lent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, replace).map_err(|_| Full)?;
        // Release pairs with the Acquire in `take_wanted`: who sees the mark sees what is lent.
        self.affinity.fetch_or(CHANGED, Ordering::Release);
        // What this changed, whatever others lend meanwhile: they tell of theirs.
        let wanted = self.wanted_rank();
        let left = replace(found).map_or(Rank::IDLE, highest);
        Ok(wanted.max(highest(found)) != wanted.max(left))
    }

    #[inline]
    fn wanted_rank(&self) -> Rank {
        Class::rank_of_word(self.wanted_class.load(Ordering::Relaxed) as u32)
    }

    /// The task's rank by all that is wished for and lent, taken over or not.
    #[inline]
    pub fn coming_rank(&self) -> Rank {
        let wanted = self.wanted_rank();
        match self.lent.load(Ordering::Relaxed) {
            0 => wanted,
            lent => wanted.max(highest(lent)),
        }
    }

    #[inline]
    fn coming_class(&self) -> Class {
        let wanted = Class::from_word(self.wanted_class.load(Ordering::Relaxed) as u32);
        let lent = self.lent.load(Ordering::Relaxed);
        if lent == 0 { wanted } else { wanted.raised_to(highest(lent)) }
    }

    /// Whether the task was wished to run only where nothing else would.
    pub fn are_backgrounds(&self) -> bool {
        self.wanted_class.load(Ordering::Relaxed) as u32 == Class::Background.to_word()
    }

    /// Takes over what is wanted. The owner only.
    #[cfg(test)]
    pub fn renew(&self) {
        self.adopt(self.take_wanted());
    }

    /// What is wanted, to be followed by [`Terms::adopt`]. The owner only.
    pub fn take_wanted(&self) -> Wanted {
        // The mark goes first, so that a wish that comes meanwhile isn't lost: it sets the mark again.
        // Acquire pairs with the Release in `want`.
        self.affinity.fetch_and(!CHANGED, Ordering::Acquire);
        Wanted {
            affinity: self.counting_affinity(),
            weight: self.wanted_weight.load(Ordering::Relaxed) as u32,
            class: self.coming_class().to_word(),
        }
    }

    /// Makes what was wanted what is. The owner only.
    pub fn adopt(&self, wanted: Wanted) {
        let Wanted { affinity, weight, class } = wanted;
        let keep_mark = |word: u32| Some(word & CHANGED | mark(class) | affinity);
        let _ = self.affinity.fetch_update(Ordering::Relaxed, Ordering::Relaxed, keep_mark);
        self.apply(weight, class, Affinity::from_word(affinity));
    }

    /// The CPU that the task holds on to, or else where it's wanted to run. The owner only.
    fn counting_affinity(&self) -> u32 {
        match self.held.get() as u32 {
            0 => self.wanted_affinity.load(Ordering::Relaxed) as u32,
            held => Affinity::one(CpuId(held - 1)).to_word(),
        }
    }

    /// Lets the task, which runs, hold on to the CPU that it runs on, once more. The owner only.
    pub fn hold(&self, cpu: CpuId) {
        let held = self.held.get();
        self.held.set((held | u64::from(cpu.0 + 1)) + HOLD);
        if held == 0 {
            self.adopt_affinity();
        }
    }

    /// Undoes one [`Terms::hold`]. The owner only, while the task runs.
    pub fn let_go(&self) {
        let held = self.held.get().saturating_sub(HOLD);
        self.held.set(if held < HOLD { 0 } else { held });
        if held < HOLD {
            self.adopt_affinity();
        }
    }

    /// Takes over where the task is to run, and leaves the mark for whoever takes over the rest: for a task that no run queue
    /// has, so that no sum has it. The owner only. A wish that is just made may be missed.
    pub fn adopt_affinity(&self) {
        let wanted = self.counting_affinity();
        let keep_marks = |word: u32| Some(word & MARKS | wanted);
        let _ = self.affinity.fetch_update(Ordering::Relaxed, Ordering::Relaxed, keep_marks);
        let movable = u32::from(Affinity::from_word(wanted).is_movable());
        self.burden.store(self.weight() << 1 | movable, Ordering::Relaxed);
    }

    /// Whether the task isn't a fair one, or its terms changed and are yet to be taken over.
    #[inline]
    pub fn are_marked(&self) -> bool {
        self.affinity.load(Ordering::Relaxed) & MARKS != 0
    }

    /// Whether the terms changed and are yet to be taken over.
    #[inline]
    pub fn are_changed(&self) -> bool {
        self.affinity.load(Ordering::Relaxed) & CHANGED != 0
    }

    /// Whether the task isn't a fair one, by the terms that were taken over.
    #[inline]
    pub fn are_ranked(&self) -> bool {
        self.affinity.load(Ordering::Relaxed) & RANKED != 0
    }

    /// The task's class.
    #[inline]
    pub fn class(&self) -> Class {
        Class::from_word(self.class.load(Ordering::Relaxed))
    }

    /// Whether the task is a fair one that may run on `cpu` and its terms haven't changed. One comparison.
    #[inline]
    pub fn admit(&self, cpu: CpuId) -> bool {
        Affinity::from_word(self.affinity.load(Ordering::Relaxed)).allows(cpu)
    }

    /// Where the task may run.
    #[inline]
    pub fn affinity(&self) -> Affinity {
        Affinity::from_word(self.affinity.load(Ordering::Relaxed) & !MARKS)
    }

    /// The task's weight.
    #[inline]
    pub fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// Weight, and in the lowest bit whether the task is movable.
    #[inline]
    pub fn burden(&self) -> u32 {
        self.burden.load(Ordering::Relaxed)
    }

    /// A span of CPU time over the weight: what it counts in virtual time.
    #[inline]
    pub fn weighted(&self, nanos: u64) -> u64 {
        ((u128::from(nanos) * u128::from(self.inverse.get())) >> INVERSE_SHIFT) as u64
    }

    /// The CPU time that counts as `virtual_nanos`: the inverse of [`Terms::weighted`], and up to 1 ns more.
    #[inline]
    pub fn unweighted(&self, virtual_nanos: u64) -> u64 {
        ((u128::from(virtual_nanos) * u128::from(self.weight())) / u128::from(NORMAL_WEIGHT)) as u64 + 1
    }
}

/// No more ranks can be lent to a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// The highest of the ranks in a word.
const fn highest(lent: u64) -> Rank {
    let (ranks, mut most, mut at) = (lent.to_le_bytes(), 0, 0);
    while at < ranks.len() {
        if ranks[at] > most {
            most = ranks[at];
        }
        at += 1;
    }
    Rank(most)
}

impl Default for Terms {
    fn default() -> Self {
        Self::new()
    }
}

/// What the affinity of a task of this class is marked with.
const fn mark(class: u32) -> u32 {
    if class == Class::Fair.to_word() { 0 } else { RANKED }
}

/// What a task counts for those who sum up, and the inverse by which its CPU time becomes virtual time: none for those
/// that the policy doesn't know.
#[inline]
const fn measures(wanted: u32, class: u32) -> (u32, u64) {
    if class == Class::Fair.to_word() {
        // Rounded up, as `unweighted` is: what was to run for a span of virtual time has then used it up.
        return (wanted, ((NORMAL_WEIGHT as u64) << INVERSE_SHIFT).div_ceil(wanted as u64));
    }
    (if Class::from_word(class).rank().is_real_time() { REAL_TIME_WEIGHT } else { 1 }, 0)
}

#[inline]
fn tagged(generation: u32, value: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(value)
}

#[cfg(all(test, not(loom)))]
mod tests;
