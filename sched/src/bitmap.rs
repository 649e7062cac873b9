//! A set of CPUs that others add to and one empties.
//!
//! With up to 64 CPUs the set is one word. Beyond that the word is a summary: a bit for each of up to 64 further
//! words that may not be empty, so that finding the members takes as long as there are members.

use alloc::boxed::Box;

use crate::id::CpuId;
use crate::sync::{AtomicU64, Ordering};

/// CPUs that a set can hold.
pub const MAX_CPUS: usize = 64 * 64;

/// A concurrent set of CPUs.
#[derive(Debug)]
pub struct Bitmap {
    /// The members, or the summary where there are `words`.
    top: AtomicU64,
    /// The members, where one word doesn't hold them.
    words: Box<[AtomicU64]>,
}

impl Bitmap {
    /// An empty set that can hold the CPUs `0..cpus`.
    ///
    /// # Panics
    /// With more than [`MAX_CPUS`].
    pub fn new(cpus: usize) -> Self {
        Self { top: AtomicU64::new(0), words: words(cpus) }
    }

    /// Whether the set may have members. A member added before a fence that this call follows is seen.
    #[inline]
    pub fn any(&self) -> bool {
        self.top.load(Ordering::Relaxed) != 0
    }

    /// The address that whoever adds a member to an empty set writes to: for a CPU that waits for that.
    pub fn bell(&self) -> *const u8 {
        core::ptr::from_ref(&self.top).cast()
    }

    /// The place of `cpu` in the set, for who adds it often.
    #[inline]
    pub fn member(&self, cpu: CpuId) -> Member<'_> {
        let (index, bit) = (cpu.index() / 64, bit(cpu));
        match self.words.get(index) {
            None => Member { word: &self.top, bit, summary: None },
            Some(word) => Member { word, bit, summary: Some((&self.top, 1 << index)) },
        }
    }

    /// Adds `cpu`. What was written before is seen by whoever takes the member.
    #[inline]
    pub fn insert(&self, cpu: CpuId) {
        self.member(cpu).insert();
    }

    /// Takes every member out and calls `visit` with each, lowest first within a word.
    #[inline(always)]
    pub fn take(&self, mut visit: impl FnMut(CpuId)) {
        // Acquire pairs with `insert`'s Release: what was written before the bit was set is seen.
        let mut top = self.top.swap(0, Ordering::Acquire);
        // One loop for both sizes, so that `visit` is compiled in once.
        while top != 0 {
            let (first, members) = if self.words.is_empty() { (0, top) } else { self.take_word(top) };
            top = if self.words.is_empty() { 0 } else { top & (top - 1) };
            each_bit(members, |low| visit(CpuId((first + low) as u32)));
        }
    }

    /// The members, left where they are. For invariants, while nobody else is at work.
    pub fn peek(&self) -> impl Iterator<Item = CpuId> + '_ {
        let words = if self.words.is_empty() { core::slice::from_ref(&self.top) } else { &*self.words };
        let bits = words.iter().map(|word| word.load(Ordering::Relaxed)).enumerate();
        bits.filter(|&(_, bits)| bits != 0).flat_map(|(index, bits)| {
            (0..64).filter(move |low| bits >> low & 1 != 0).map(move |low| CpuId((index * 64) as u32 + low))
        })
    }

    /// The members of the first word that a summary names, and the number of the first of them.
    #[cold]
    fn take_word(&self, summary: u64) -> (usize, u64) {
        let index = summary.trailing_zeros() as usize;
        // Acquire pairs with `insert`'s Release on the word.
        (index * 64, self.words[index].swap(0, Ordering::Acquire))
    }
}

/// One CPU's place in a set.
#[derive(Debug)]
pub struct Member<'a> {
    word: &'a AtomicU64,
    bit: u64,
    summary: Option<(&'a AtomicU64, u64)>,
}

impl Member<'_> {
    /// Adds the CPU. What was written before is seen by whoever takes it.
    #[inline]
    pub fn insert(&self) {
        // Release pairs with the Acquire of `take`.
        self.word.fetch_or(self.bit, Ordering::Release);
        if let Some((summary, bit)) = self.summary {
            // Unconditional, or who finds its word taken up would go ahead of the one that set it. Release pairs with
            // the Acquire of `take`'s swap. Relaxed, a machine might show this bit before the word's: a `take` in
            // between takes the bit, finds the word empty, and the member is left where nobody looks. Loom, which gives
            // both swaps the newest value, can't show that; no order on the word alone forbids it.
            summary.fetch_or(bit, Ordering::Release);
        }
    }
}

/// The words beside the first one that a set of `cpus` CPUs needs: none for up to 64.
pub(crate) fn words(cpus: usize) -> Box<[AtomicU64]> {
    assert!(cpus <= MAX_CPUS, "a set of CPUs holds up to {MAX_CPUS}");
    let words = if cpus <= 64 { 0 } else { cpus.div_ceil(64) };
    (0..words).map(|_| AtomicU64::new(0)).collect()
}

/// The bit of `cpu` within its word.
#[inline]
pub(crate) const fn bit(cpu: CpuId) -> u64 {
    1 << (cpu.index() % 64)
}

#[inline(always)]
fn each_bit(mut bits: u64, mut visit: impl FnMut(usize)) {
    while bits != 0 {
        visit(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn taken(set: &Bitmap) -> Vec<u32> {
        let mut out = Vec::new();
        set.take(|cpu| out.push(cpu.0));
        out
    }

    proptest! {
        /// Against a sorted set, for every size that has another number of words.
        #[test]
        fn what_is_added_comes_out_once(
            cpus in prop::sample::select(std::vec![1_u32, 2, 63, 64, 65, 128, 129, 256, 1_024, 4_096]),
            steps in prop::collection::vec((any::<bool>(), any::<u32>()), 0..60),
        ) {
            let (set, mut model) = (Bitmap::new(cpus as usize), BTreeSet::new());
            for (adds, any) in steps {
                if adds {
                    // The ends of words more often than chance would have it.
                    let cpu = [any, any / 64 * 64, any | 63, cpus - 1][any as usize % 4] % cpus;
                    set.insert(CpuId(cpu));
                    model.insert(cpu);
                } else {
                    prop_assert_eq!(taken(&set), core::mem::take(&mut model).into_iter().collect::<Vec<_>>());
                }
                prop_assert_eq!(set.any(), !model.is_empty());
                prop_assert!(set.peek().map(|cpu| cpu.0).eq(model.iter().copied()));
            }
        }
    }
}
