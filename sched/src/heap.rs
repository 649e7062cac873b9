//! A four-way heap of keyed slots with a fixed capacity, for run queues and timers.
//!
//! Four children a node make it half as deep as a binary heap, and a node's children share a cache line.
//! The memory is taken once, so no operation allocates.

use alloc::vec::Vec;

/// A slot and the key that it's ordered by; the least key comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What the heap is ordered by.
    pub key: u64,
    /// What it's for: a task's slot.
    pub slot: u32,
    /// A number of the owner's, carried along: a timer's sequence.
    pub tag: u32,
}

/// The heap. Every method that moves entries tells the new places to `place`.
#[derive(Debug)]
pub struct Heap(Vec<Entry>);

const WAYS: usize = 4;

impl Heap {
    /// An empty heap that will never hold more than `capacity` entries.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether another entry would need memory.
    pub fn is_full(&self) -> bool {
        self.0.len() == self.0.capacity()
    }

    /// The entry with the least key.
    #[inline]
    pub fn first(&self) -> Option<&Entry> {
        self.0.first()
    }

    /// All entries, in no order beyond the heap's.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Adds an entry. O(log n). The heap must not be full.
    #[inline]
    pub fn push(&mut self, entry: Entry, place: impl FnMut(&Entry, usize)) {
        debug_assert!(!self.is_full(), "a heap is as large as the task table");
        self.0.push(entry);
        self.sift_up(self.0.len() - 1, place);
    }

    /// Takes the entry with the least key. O(log n).
    #[inline]
    pub fn pop(&mut self, place: impl FnMut(&Entry, usize)) -> Option<Entry> {
        if self.0.is_empty() { None } else { Some(self.remove(0, place)) }
    }

    /// Takes the first entry and adds another, in one pass. O(log n). The heap must not be empty.
    #[inline]
    pub fn replace_first(&mut self, entry: Entry, place: impl FnMut(&Entry, usize)) -> Entry {
        let first = core::mem::replace(&mut self.0[0], entry);
        self.sift_down(0, place);
        first
    }

    /// Takes the entry at `index`. O(log n).
    #[inline]
    pub fn remove(&mut self, index: usize, mut place: impl FnMut(&Entry, usize)) -> Entry {
        let gone = self.0.swap_remove(index);
        if index < self.0.len() {
            let settled = self.sift_up(index, &mut place);
            self.sift_down(settled, place);
        }
        gone
    }

    /// Keeps the entries for which `keep` holds. O(n).
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool, mut place: impl FnMut(&Entry, usize)) {
        self.0.retain(keep);
        for index in (0..self.0.len()).rev() {
            self.sift_down(index, &mut place);
        }
    }

    #[inline]
    fn sift_up(&mut self, mut index: usize, mut place: impl FnMut(&Entry, usize)) -> usize {
        let entry = self.0[index];
        while index > 0 {
            let parent = (index - 1) / WAYS;
            if self.0[parent].key <= entry.key {
                break;
            }
            self.set(index, self.0[parent], &mut place);
            index = parent;
        }
        self.set(index, entry, &mut place);
        index
    }

    #[inline]
    fn sift_down(&mut self, mut index: usize, mut place: impl FnMut(&Entry, usize)) {
        let entry = self.0[index];
        while let Some(child) = self.least_child(index) {
            if self.0[child].key >= entry.key {
                break;
            }
            self.set(index, self.0[child], &mut place);
            index = child;
        }
        self.set(index, entry, &mut place);
    }

    #[inline]
    fn least_child(&self, index: usize) -> Option<usize> {
        let from = index * WAYS + 1;
        let to = (from + WAYS).min(self.0.len());
        (from..to).min_by_key(|&child| self.0[child].key)
    }

    #[inline]
    fn set(&mut self, index: usize, entry: Entry, place: &mut impl FnMut(&Entry, usize)) {
        self.0[index] = entry;
        place(&entry, index);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Against a sorted list: pushes, pops, removals and replacements leave the least first, and the
        /// places that were told are the places where the entries are.
        #[test]
        fn behaves_as_a_sorted_list(steps in prop::collection::vec((0_u8..4, any::<u16>()), 0..200)) {
            let mut heap = Heap::with_capacity(256);
            let mut model: std::vec::Vec<u64> = std::vec::Vec::new();
            let mut places = HashMap::new();
            for (number, (step, key)) in steps.into_iter().enumerate() {
                let key = u64::from(key) << 32 | number as u64;
                let entry = Entry { key, slot: number as u32, tag: 0 };
                let place = |e: &Entry, at: usize| { places.insert(e.slot, at); };
                match step {
                    0 | 1 => { heap.push(entry, place); model.push(key); }
                    2 => {
                        model.sort_unstable();
                        let least = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(heap.pop(place).map(|e| e.key), least);
                    }
                    _ if heap.is_empty() => {}
                    _ => {
                        let gone = heap.remove(key as usize % heap.len(), place);
                        model.retain(|&k| k != gone.key);
                    }
                }
                prop_assert_eq!(heap.first().map(|e| e.key), model.iter().min().copied());
                prop_assert_eq!(heap.len(), model.len());
                for (at, entry) in heap.entries().iter().enumerate() {
                    prop_assert_eq!(places[&entry.slot], at);
                }
            }
        }
    }
}
