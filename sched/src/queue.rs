//! One CPU's run queue: the tasks that wait, ordered by the policy's key.

use crate::heap::{Entry, Heap};
use crate::task::Task;

/// Stands where there is no entry: after every key.
const NOTHING: Entry = Entry { key: u64::MAX, slot: u32::MAX, tag: 0 };

/// The waiting tasks of one CPU, with the sums that placement and balance ask for.
///
/// The first one is kept outside the heap: with one task waiting, which is what most wakeups find, the heap
/// isn't touched at all.
#[derive(Debug)]
pub struct RunQueue {
    /// Its tag, as those of the rest, is the task's burden.
    first: Entry,
    rest: Heap,
    /// Weights of the rest, summed.
    rest_weight: u64,
    /// How many of the rest are movable.
    rest_movable: u32,
}

impl RunQueue {
    /// An empty queue for up to `capacity` tasks.
    pub fn new(capacity: usize) -> Self {
        Self { first: NOTHING, rest: Heap::with_capacity(capacity), rest_weight: 0, rest_movable: 0 }
    }

    /// How many tasks wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.rest.len() + usize::from(!self.is_empty())
    }

    /// Whether none waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.slot == NOTHING.slot
    }

    /// The waiting tasks' weights, summed.
    #[inline]
    pub fn weight(&self) -> u64 {
        self.rest_weight + u64::from(self.first.tag >> 1)
    }

    /// How many of them may run elsewhere. A hint: an affinity may have changed since a task was queued.
    #[inline]
    pub fn movable(&self) -> u32 {
        self.rest_movable + (self.first.tag & 1)
    }

    /// The task that would run next, and its key.
    #[inline]
    pub fn first(&self) -> Option<(u64, u32)> {
        if self.is_empty() { None } else { Some((self.first.key, self.first.slot)) }
    }

    /// All that wait: the first one, then the others in no order.
    pub fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        let first = self.first().map(|(_, slot)| slot);
        first.into_iter().chain(self.rest.entries().iter().map(|entry| entry.slot))
    }

    /// The same with their keys.
    pub fn keys(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let first = self.first().map(|(key, slot)| (slot, key));
        first.into_iter().chain(self.rest.entries().iter().map(|entry| (entry.slot, entry.key)))
    }

    /// Adds a task.
    #[inline]
    pub fn push(&mut self, task: &Task, slot: u32, key: u64) {
        let tag = task.burden();
        if self.is_empty() {
            self.first.key = key;
            self.first.slot = slot;
            self.first.tag = tag;
        } else {
            self.push_more(Entry { key, slot, tag });
        }
    }

    #[inline(never)]
    fn push_more(&mut self, entry: Entry) {
        let first_stays = self.first.key <= entry.key;
        let later = if first_stays { entry } else { core::mem::replace(&mut self.first, entry) };
        self.count(later, 1);
        self.rest.push(later);
    }

    /// Takes the task with the least key.
    #[inline]
    pub fn pop(&mut self) -> Option<u32> {
        let slot = self.first.slot;
        if slot == NOTHING.slot {
            return None;
        }
        if self.rest.is_empty() {
            self.first.slot = NOTHING.slot;
            self.first.tag = NOTHING.tag;
        } else {
            self.refill();
        }
        Some(slot)
    }

    #[inline(never)]
    fn refill(&mut self) {
        self.first = self.rest.pop().unwrap_or(NOTHING);
        self.count(self.first, -1);
    }

    /// Takes the first task and adds another. The queue must not be empty.
    #[inline]
    pub fn replace_first(&mut self, task: &Task, slot: u32, key: u64) -> u32 {
        let (first, tag) = (self.first.slot, task.burden());
        if self.rest.is_empty() {
            self.first.key = key;
            self.first.slot = slot;
            self.first.tag = tag;
        } else {
            self.replace_first_of_more(Entry { key, slot, tag });
        }
        first
    }

    /// Puts the least of `entry` and the heap's entries first.
    #[inline(never)]
    fn replace_first_of_more(&mut self, entry: Entry) {
        let is_least = self.rest.first().is_none_or(|first| entry.key <= first.key);
        self.first = if is_least { entry } else { self.rest.replace_first(entry) };
        if !is_least {
            self.count(entry, 1);
            self.count(self.first, -1);
        }
    }

    /// Whether a task waits here. O(n).
    pub fn holds(&self, slot: u32) -> bool {
        self.slots().any(|waiting| waiting == slot)
    }

    /// Takes a task that waits here. O(n).
    ///
    /// # Panics
    /// If it doesn't.
    pub fn remove(&mut self, slot: u32) {
        if self.first.slot == slot {
            self.pop();
            return;
        }
        let index = self.rest.entries().iter().position(|entry| entry.slot == slot);
        let entry = self.rest.remove(index.expect("a task that waits here is in the queue"));
        self.count(entry, -1);
    }

    /// Adds `by` to every key, which leaves the order as it is. O(n).
    pub fn shift(&mut self, by: u64) {
        self.first.key = self.first.key.saturating_add(by);
        self.rest.shift(by);
    }

    /// Keeps the sums of the rest. A task leaves as what it came as: its weight and affinity may change meanwhile.
    fn count(&mut self, entry: Entry, sign: i64) {
        let (weight, movable) = (i64::from(entry.tag >> 1), (entry.tag & 1) as i32);
        self.rest_weight = self.rest_weight.wrapping_add_signed(sign * weight);
        self.rest_movable = self.rest_movable.wrapping_add_signed(sign as i32 * movable);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a sorted list: the least key comes first whatever was pushed, replaced or removed, and the
        /// sums are those of what waits.
        #[test]
        fn behaves_as_a_sorted_list(steps in prop::collection::vec((0_u8..5, any::<u16>()), 0..200)) {
            let tasks: std::vec::Vec<Task> = (0..256).map(|_| Task::new()).collect();
            let mut queue = RunQueue::new(256);
            let mut model: std::vec::Vec<(u64, u32)> = std::vec::Vec::new();
            for (number, (step, key)) in steps.into_iter().enumerate() {
                let (slot, key) = (number as u32, u64::from(key) << 16 | number as u64);
                let task = &tasks[number];
                model.sort_unstable();
                match step {
                    0 | 1 => { queue.push(task, slot, key); model.push((key, slot)); }
                    2 => {
                        let least = (!model.is_empty()).then(|| model.remove(0).1);
                        prop_assert_eq!(queue.pop(), least);
                    }
                    _ if model.is_empty() => {}
                    3 => {
                        prop_assert_eq!(queue.replace_first(task, slot, key), model[0].1);
                        model[0] = (key, slot);
                    }
                    _ => {
                        let (_, gone) = model.remove(key as usize % model.len());
                        queue.remove(gone);
                    }
                }
                prop_assert_eq!(queue.first(), model.iter().min().copied());
                prop_assert_eq!((queue.len(), queue.slots().count()), (model.len(), model.len()));
                prop_assert_eq!(queue.weight(), 1024 * model.len() as u64);
                prop_assert_eq!(queue.movable() as usize, model.len());
            }
        }
    }
}
