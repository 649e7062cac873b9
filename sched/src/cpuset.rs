//! A set of CPUs that each may join, and that any other may be taken from: the idle ones, the overloaded ones.
//!
//! With up to 64 CPUs the set is one word. Beyond that the word counts the members of further ones, so that whether
//! there is any is one load whatever the machine's size. A summary, as [`crate::bitmap`] has it, can't tell
//! that: whoever removes a word's last member couldn't clear its bit without hiding a member that is just added.

use alloc::boxed::Box;

use crate::bitmap::{bit, words};
use crate::id::CpuId;
use crate::sync::{AtomicU64, Ordering};

/// A concurrent set of CPUs.
#[derive(Debug)]
pub struct CpuSet {
    /// The members; where there are `words`, how many.
    top: AtomicU64,
    /// The members, where one word doesn't hold them.
    words: Box<[AtomicU64]>,
}

impl CpuSet {
    /// An empty set that can hold the CPUs `0..cpus`.
    ///
    /// # Panics
    /// With more than [`crate::bitmap::MAX_CPUS`].
    pub fn new(cpus: usize) -> Self {
        Self { top: AtomicU64::new(0), words: words(cpus) }
    }

    /// Whether the set has members. One added before a fence that this call follows is seen; one that
    /// is just added or removed may be.
    #[inline]
    pub fn any(&self) -> bool {
        self.top.load(Ordering::Relaxed) != 0
    }

    /// Whether `cpu` is a member.
    #[inline]
    pub fn contains(&self, cpu: CpuId) -> bool {
        let word = if self.words.is_empty() { &self.top } else { &self.words[cpu.index() / 64] };
        word.load(Ordering::Relaxed) & bit(cpu) != 0
    }

    /// The members among the 64 CPUs from `64 * index` on, a bit each; the machine must have some of those.
    #[inline]
    pub fn members(&self, index: usize) -> u64 {
        let word = if self.words.is_empty() { &self.top } else { &self.words[index] };
        word.load(Ordering::Relaxed)
    }

    /// Adds `cpu`. What was written before is seen by whoever finds it.
    #[inline]
    pub fn insert(&self, cpu: CpuId) {
        if self.words.is_empty() {
            // Release pairs with the Acquire of `find`.
            self.top.fetch_or(bit(cpu), Ordering::Release);
        } else {
            self.insert_counted(cpu);
        }
    }

    /// Counted first, so that the count is never less than the members.
    #[cold]
    fn insert_counted(&self, cpu: CpuId) {
        self.top.fetch_add(1, Ordering::Relaxed);
        // Release pairs with the Acquire of `remove_counted`: who removes the member finds it counted. And with that
        // of `find`.
        let before = self.words[cpu.index() / 64].fetch_or(bit(cpu), Ordering::Release);
        if before & bit(cpu) != 0 {
            self.top.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Removes `cpu` and answers whether it was a member: of several removers one wins. It's told nothing else: who
    /// takes an idle CPU posts to it, which rests on the fences of [`crate::attention`], and on nothing that the CPU
    /// wrote before it joined.
    #[inline]
    pub fn remove(&self, cpu: CpuId) -> bool {
        if !self.words.is_empty() {
            return self.remove_counted(cpu);
        }
        if self.top.load(Ordering::Relaxed) & bit(cpu) == 0 {
            return false;
        }
        self.top.fetch_and(!bit(cpu), Ordering::Relaxed) & bit(cpu) != 0
    }

    #[cold]
    fn remove_counted(&self, cpu: CpuId) -> bool {
        if !self.contains(cpu) {
            return false;
        }
        // Acquire pairs with `insert_counted`'s Release. Relaxed, C11 lets the count's decrement come before the increment
        // that it undoes, and the count be 0 between the two while another CPU is a member: `any` denies it. Loom
        // performs each CPU's read-modify-writes in its order, and can't show that.
        let before = self.words[cpu.index() / 64].fetch_and(!bit(cpu), Ordering::Acquire);
        let removed = before & bit(cpu) != 0;
        if removed {
            self.top.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    /// The first member for which `want` holds, by a plain look: it may be gone when the caller acts. `want` sees
    /// what was written before the member was added.
    #[inline]
    pub fn find(&self, mut want: impl FnMut(CpuId) -> bool) -> Option<CpuId> {
        if self.words.is_empty() {
            // Pairs with the Release of `insert`.
            return find_bit(self.top.load(Ordering::Acquire), 0, &mut want);
        }
        let words = self.words.iter().enumerate();
        // Acquire pairs with the Release of `insert_counted`.
        words
            .map(|(index, word)| (index as u32, word.load(Ordering::Acquire)))
            .find_map(|(index, word)| if word == 0 { None } else { find_bit(word, index * 64, &mut want) })
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Against a sorted set, for every size that has another number of words. Whether there is a member is exact
        /// while nobody is at work: a CPU of a large machine must not look for idle ones in vain for ever.
        #[test]
        fn behaves_as_a_sorted_set(
            cpus in prop::sample::select(std::vec![1_u32, 2, 63, 64, 65, 128, 129, 256, 1_024, 4_096]),
            steps in prop::collection::vec((any::<bool>(), any::<u32>()), 0..60),
        ) {
            let (set, mut model) = (CpuSet::new(cpus as usize), BTreeSet::new());
            for (adds, any) in steps {
                // Few CPUs, so that they come again, and at the ends of words.
                let cpu = [any % 3, any % 2 * 63, 64 + any % 2, cpus - 1][any as usize / 8 % 4] % cpus;
                if adds {
                    set.insert(CpuId(cpu));
                    model.insert(cpu);
                } else {
                    prop_assert_eq!(set.remove(CpuId(cpu)), model.remove(&cpu));
                }
                prop_assert_eq!(set.any(), !model.is_empty());
                prop_assert_eq!(set.contains(CpuId(cpu)), model.contains(&cpu));
                prop_assert_eq!(set.find(|_| true).map(|cpu| cpu.0), model.first().copied());
                prop_assert_eq!(set.find(|cpu| cpu.0 >= 64).map(|cpu| cpu.0), model.range(64..).next().copied());
            }
        }
    }
}
