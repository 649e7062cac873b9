//! A set of CPUs that others add to and one takes from: words, and a summary of the words that aren't empty.
//!
//! Any number of CPUs; with up to 64 there is one word and the summary isn't used.

use alloc::boxed::Box;

use crate::id::CpuId;
use crate::sync::{AtomicU64, Ordering};

/// A concurrent set of CPUs.
#[derive(Debug)]
pub struct Bitmap {
    words: Box<[AtomicU64]>,
    summary: Box<[AtomicU64]>,
}

impl Bitmap {
    /// An empty set that can hold the CPUs `0..cpus`.
    pub fn new(cpus: usize) -> Self {
        let words = cpus.div_ceil(64).max(1);
        let zeroed = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self { words: zeroed(words), summary: zeroed(if words > 1 { words.div_ceil(64) } else { 0 }) }
    }

    /// Whether the set may have members. A member added before a fence that this call follows is seen.
    #[inline]
    pub fn any(&self) -> bool {
        let level = if self.summary.is_empty() { &self.words } else { &self.summary };
        level.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// Whether `cpu` is a member.
    #[inline]
    pub fn contains(&self, cpu: CpuId) -> bool {
        self.words[cpu.index() / 64].load(Ordering::Relaxed) & bit(cpu.index()) != 0
    }

    /// Adds `cpu`. What was written before is seen by whoever takes or removes the member.
    #[inline]
    pub fn insert(&self, cpu: CpuId) {
        let word = cpu.index() / 64;
        // Release pairs with the Acquire of `take` and `remove`.
        self.words[word].fetch_or(bit(cpu.index()), Ordering::Release);
        if !self.summary.is_empty() {
            // Unconditional, and Release: a `take` whose swap of the summary comes later sees the word.
            self.summary[word / 64].fetch_or(bit(word), Ordering::Release);
        }
    }

    /// Removes `cpu` and answers whether it was a member: of several removers one wins.
    #[inline]
    pub fn remove(&self, cpu: CpuId) -> bool {
        if !self.contains(cpu) {
            return false;
        }
        // Acquire pairs with `insert`'s Release. The summary is left: it may only overstate.
        let before = self.words[cpu.index() / 64].fetch_and(!bit(cpu.index()), Ordering::Acquire);
        before & bit(cpu.index()) != 0
    }

    /// Takes every member out and calls `visit` with each, lowest first within a word.
    #[inline]
    pub fn take(&self, mut visit: impl FnMut(CpuId)) {
        if self.summary.is_empty() {
            return self.take_word(0, &mut visit);
        }
        for (index, summary) in self.summary.iter().enumerate() {
            if summary.load(Ordering::Relaxed) != 0 {
                // Acquire pairs with `insert`'s Release on the summary: its word bits are seen below.
                let words = summary.swap(0, Ordering::Acquire);
                each_bit(words, |word| self.take_word(index * 64 + word, &mut visit));
            }
        }
    }

    #[inline]
    fn take_word(&self, index: usize, visit: &mut impl FnMut(CpuId)) {
        // Acquire pairs with `insert`'s Release: the inbox was pushed to before its bit was set.
        let members = self.words[index].swap(0, Ordering::Acquire);
        each_bit(members, |low| visit(CpuId((index * 64 + low) as u32)));
    }

    /// The first member for which `want` holds, by a plain look: it may be gone when the caller acts.
    #[inline]
    pub fn find(&self, mut want: impl FnMut(CpuId) -> bool) -> Option<CpuId> {
        for (index, word) in self.words.iter().enumerate() {
            let mut members = word.load(Ordering::Relaxed);
            while members != 0 {
                let cpu = CpuId((index * 64) as u32 + members.trailing_zeros());
                if want(cpu) {
                    return Some(cpu);
                }
                members &= members - 1;
            }
        }
        None
    }
}

#[inline]
const fn bit(index: usize) -> u64 {
    1 << (index % 64)
}

#[inline]
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
        for cpus in [1_u32, 64, 65, 288, 5_000] {
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
