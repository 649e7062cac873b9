//! A four-way heap of keyed slots with a fixed capacity, for run queues and timers.
//!
//! Four children a node make it half as deep as a binary heap, and a node's children share a cache line.
//! The memory is taken once, so no operation allocates.

use alloc::boxed::Box;

/// A slot and the key that it's ordered by; the least key comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What the heap is ordered by.
    pub key: u64,
    /// What it's for: a task's slot.
    pub slot: u32,
    /// A number of the owner's, carried along.
    pub tag: u32,
}

/// The heap.
#[derive(Debug)]
pub struct Heap {
    entries: Box<[Entry]>,
    len: usize,
}

const WAYS: usize = 4;

impl Heap {
    /// An empty heap that will never hold more than `capacity` entries.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { entries: (0..capacity).map(|_| Entry { key: 0, slot: 0, tag: 0 }).collect(), len: 0 }
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there is no room for another entry.
    pub fn is_full(&self) -> bool {
        self.len == self.entries.len()
    }

    /// The entry with the least key.
    #[inline]
    pub fn first(&self) -> Option<&Entry> {
        if self.len == 0 { None } else { self.entries.first() }
    }

    /// All entries, in no order beyond the heap's.
    pub fn entries(&self) -> &[Entry] {
        &self.entries[..self.len]
    }

    /// Adds an entry. O(log n).
    ///
    /// # Panics
    /// If the heap is full.
    #[inline]
    pub fn push(&mut self, entry: Entry) {
        self.entries[self.len] = entry;
        self.len += 1;
        if self.len > 1 {
            self.sift_up(self.len - 1);
        }
    }

    /// Takes the entry with the least key. O(log n).
    #[inline]
    pub fn pop(&mut self) -> Option<Entry> {
        let first = *self.first()?;
        if self.len == 1 {
            self.len = 0;
        } else {
            self.remove(0);
        }
        Some(first)
    }

    /// Takes the first entry and adds another, in one pass. O(log n). The heap must not be empty.
    #[inline]
    pub fn replace_first(&mut self, entry: Entry) -> Entry {
        let first = core::mem::replace(&mut self.entries[0], entry);
        if self.len > 1 {
            self.sift_down(0);
        }
        first
    }

    /// Takes the entry at `index` of [`Heap::entries`]. O(log n).
    #[inline(never)]
    pub fn remove(&mut self, index: usize) -> Entry {
        let gone = self.entries[index];
        self.len -= 1;
        if index < self.len {
            self.entries[index] = self.entries[self.len];
            let settled = self.sift_up(index);
            self.sift_down(settled);
        }
        gone
    }

    /// Adds `by` to every key, which leaves the order as it is. O(n).
    pub fn shift(&mut self, by: u64) {
        for entry in &mut self.entries[..self.len] {
            entry.key = entry.key.saturating_add(by);
        }
    }

    /// Keeps the entries for which `keep` holds. O(n).
    pub fn retain(&mut self, mut keep: impl FnMut(&Entry) -> bool) {
        let mut kept = 0;
        for index in 0..self.len {
            if keep(&self.entries[index]) {
                self.entries[kept] = self.entries[index];
                kept += 1;
            }
        }
        self.len = kept;
        for index in (0..kept).rev() {
            self.sift_down(index);
        }
    }

    #[inline(never)]
    fn sift_up(&mut self, mut index: usize) -> usize {
        let entry = self.entries[index];
        while index > 0 {
            let parent = (index - 1) / WAYS;
            if self.entries[parent].key <= entry.key {
                break;
            }
            self.entries[index] = self.entries[parent];
            index = parent;
        }
        self.entries[index] = entry;
        index
    }

    #[inline(never)]
    fn sift_down(&mut self, mut index: usize) {
        let entry = self.entries[index];
        while let Some(child) = self.least_child(index) {
            if self.entries[child].key >= entry.key {
                break;
            }
            self.entries[index] = self.entries[child];
            index = child;
        }
        self.entries[index] = entry;
    }

    #[inline]
    fn least_child(&self, index: usize) -> Option<usize> {
        let from = index * WAYS + 1;
        let to = (from + WAYS).min(self.len);
        (from..to).min_by_key(|&child| self.entries[child].key)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a sorted list: pushes, pops, removals, replacements and what is done to all leave the least first.
        #[test]
        fn behaves_as_a_sorted_list(steps in prop::collection::vec((0_u8..7, any::<u16>()), 0..200)) {
            let mut heap = Heap::with_capacity(8);
            let mut model: std::vec::Vec<u64> = std::vec::Vec::new();
            for (number, (step, key)) in steps.into_iter().enumerate() {
                let key = u64::from(key) << 32 | number as u64;
                let entry = Entry { key, slot: number as u32, tag: 0 };
                match step {
                    0 | 1 if heap.is_full() => prop_assert_eq!(model.len(), 8),
                    0 | 1 => { heap.push(entry); model.push(key); }
                    2 => {
                        model.sort_unstable();
                        let least = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(heap.pop().map(|e| e.key), least);
                    }
                    _ if heap.is_empty() => {}
                    3 => {
                        model.sort_unstable();
                        prop_assert_eq!(heap.replace_first(entry).key, model[0]);
                        model[0] = key;
                    }
                    4 => {
                        heap.shift(key & !0xffff_ffff);
                        for k in &mut model {
                            *k += key & !0xffff_ffff;
                        }
                    }
                    5 => {
                        heap.retain(|e| e.key % 8 != key % 8);
                        model.retain(|k| k % 8 != key % 8);
                    }
                    _ => {
                        let gone = heap.remove(key as usize % heap.len());
                        model.retain(|&k| k != gone.key);
                    }
                }
                prop_assert_eq!(heap.first().map(|e| e.key), model.iter().min().copied());
                prop_assert_eq!(heap.len(), model.len());
                prop_assert_eq!(heap.is_empty(), model.is_empty());
                prop_assert_eq!(heap.is_full(), model.len() == 8);
            }
        }
    }
}
