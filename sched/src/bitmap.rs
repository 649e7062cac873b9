//! A set of CPUs that others add to and one takes from.
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
        assert!(cpus <= MAX_CPUS, "a set of CPUs holds up to {MAX_CPUS}");
        let words = if cpus <= 64 { 0 } else { cpus.div_ceil(64) };
        Self { top: AtomicU64::new(0), words: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The word that holds `cpu`'s bit.
    #[inline]
    fn word(&self, cpu: CpuId) -> &AtomicU64 {
        if self.words.is_empty() { &self.top } else { &self.words[cpu.index() / 64] }
    }

    /// Whether the set may have members. A member added before a fence that this call follows is seen.
    #[inline]
    pub fn any(&self) -> bool {
        self.top.load(Ordering::Relaxed) != 0
    }

    /// Whether `cpu` is a member.
    #[inline]
    pub fn contains(&self, cpu: CpuId) -> bool {
        self.word(cpu).load(Ordering::Relaxed) & bit(cpu.index()) != 0
    }

    /// The place of `cpu` in the set, for who adds it often.
    #[inline]
    pub fn member(&self, cpu: CpuId) -> Member<'_> {
        let summary = (!self.words.is_empty()).then(|| (&self.top, bit(cpu.index() / 64)));
        Member { word: self.word(cpu), bit: bit(cpu.index()), summary }
    }

    /// Adds `cpu`. What was written before is seen by whoever takes or removes the member.
    #[inline]
    pub fn insert(&self, cpu: CpuId) {
        self.member(cpu).insert();
    }

    /// Removes `cpu` and answers whether it was a member: of several removers one wins.
    ///
    /// The summary is left, so that [`Bitmap::any`] may overstate from then on.
    #[inline]
    pub fn remove(&self, cpu: CpuId) -> bool {
        if !self.contains(cpu) {
            return false;
        }
        // Acquire pairs with `insert`'s Release.
        let before = self.word(cpu).fetch_and(!bit(cpu.index()), Ordering::Acquire);
        before & bit(cpu.index()) != 0
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

    /// The members of the first word that a summary names, and the number of the first of them.
    #[cold]
    fn take_word(&self, summary: u64) -> (usize, u64) {
        let index = summary.trailing_zeros() as usize;
        // Acquire pairs with `insert`'s Release on the word.
        (index * 64, self.words[index].swap(0, Ordering::Acquire))
    }

    /// The first member for which `want` holds, by a plain look: it may be gone when the caller acts. `want` sees
    /// what was written before the member was added.
    #[inline]
    pub fn find(&self, mut want: impl FnMut(CpuId) -> bool) -> Option<CpuId> {
        // Acquire, here and below, pairs with `insert`'s Release.
        if self.words.is_empty() {
            return find_bit(self.top.load(Ordering::Acquire), 0, &mut want);
        }
        let words = self.words.iter().enumerate();
        words
            .map(|(index, word)| (index as u32, word.load(Ordering::Acquire)))
            .find_map(|(index, word)| if word == 0 { None } else { find_bit(word, index * 64, &mut want) })
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
    /// Adds the CPU. What was written before is seen by whoever takes or removes it.
    #[inline]
    pub fn insert(&self) {
        // Release pairs with the Acquire of `take` and `remove`.
        self.word.fetch_or(self.bit, Ordering::Release);
        if let Some((summary, bit)) = self.summary {
            // Unconditional, and Release: a `take` whose swap of the summary comes later sees the word.
            summary.fetch_or(bit, Ordering::Release);
        }
    }
}

#[inline]
fn find_bit(mut members: u64, base: u32, want: &mut impl FnMut(CpuId) -> bool) -> Option<CpuId> {
    while members != 0 {
        let cpu = CpuId(base + members.trailing_zeros());
        if want(cpu) {
            return Some(cpu);
        }
        members &= members - 1;
    }
    None
}

#[inline]
const fn bit(index: usize) -> u64 {
    1 << (index % 64)
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
    use std::vec::Vec;

    fn taken(set: &Bitmap) -> Vec<u32> {
        let mut out = Vec::new();
        set.take(|cpu| out.push(cpu.0));
        out
    }

    #[test]
    fn members_come_out_once_in_any_size() {
        for cpus in [1_u32, 64, 65, 288, 4_096] {
            let set = Bitmap::new(cpus as usize);
            assert!(!set.any());
            set.insert(CpuId(0));
            set.insert(CpuId(cpus - 1));
            assert!(set.any() && set.contains(CpuId(cpus - 1)));
            assert_eq!(taken(&set), if cpus == 1 { [0].to_vec() } else { [0, cpus - 1].to_vec() });
            assert!(taken(&set).is_empty() && !set.any());
        }
    }

    #[test]
    fn of_two_removers_one_wins() {
        let set = Bitmap::new(70);
        set.insert(CpuId(69));
        assert_eq!(set.find(|_| true), Some(CpuId(69)));
        assert!(set.remove(CpuId(69)) && !set.remove(CpuId(69)));
        assert_eq!(set.find(|_| true), None);
    }
}
