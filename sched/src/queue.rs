//! One CPU's run queue: the tasks that wait, ordered by the policy's key.

use crate::heap::{Entry, Heap};
use crate::task::Task;

/// Marks the key of a task that isn't to run as long as one waits whose key isn't marked. For policies whose tasks
/// may have to wait for a time in their lives: the rest of the key is that time, and [`RunQueue::sort`] looks whether
/// it has come.
pub const HELD: u64 = 1 << 63;

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
    /// Those of the rest whose keys are marked as [`HELD`].
    held: Heap,
    /// How many wait beside the first.
    more: usize,
    /// Weights of the rest, summed.
    rest_weight: u64,
    /// How many of the rest are movable.
    rest_movable: u32,
}

impl RunQueue {
    /// An empty queue for up to `capacity` tasks. `holds`: whether any of them may come with a key that is [`HELD`].
    pub fn new(capacity: usize, holds: bool) -> Self {
        Self {
            first: NOTHING,
            rest: Heap::with_capacity(capacity),
            held: Heap::with_capacity(if holds { capacity } else { 0 }),
            more: 0,
            rest_weight: 0,
            rest_movable: 0,
        }
    }

    /// How many tasks wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.more + usize::from(!self.is_empty())
    }

    /// Whether more than one waits.
    #[inline]
    pub fn has_choice(&self) -> bool {
        self.more != 0
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
        first.into_iter().chain(self.others().map(|entry| entry.slot))
    }

    /// The same with their keys.
    pub fn keys(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let first = self.first().map(|(key, slot)| (slot, key));
        first.into_iter().chain(self.others().map(|entry| (entry.slot, entry.key)))
    }

    /// All but the first one.
    fn others(&self) -> impl Iterator<Item = &Entry> + '_ {
        self.rest.entries().iter().chain(self.held.entries())
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
        self.store(later);
    }

    #[inline]
    fn store(&mut self, entry: Entry) {
        if entry.key & HELD == 0 { self.rest.push(entry) } else { self.held.push(entry) }
    }

    /// The least of all but the first one.
    #[inline]
    fn second(&self) -> Option<&Entry> {
        self.rest.first().or_else(|| self.held.first())
    }

    #[inline]
    fn take_second(&mut self) -> Option<Entry> {
        self.rest.pop().or_else(|| self.held.pop())
    }

    /// Takes the task with the least key.
    #[inline]
    pub fn pop(&mut self) -> Option<u32> {
        let slot = self.first.slot;
        if slot == NOTHING.slot {
            return None;
        }
        if self.more == 0 {
            self.first.slot = NOTHING.slot;
            self.first.tag = NOTHING.tag;
        } else {
            self.refill();
        }
        Some(slot)
    }

    #[inline(never)]
    fn refill(&mut self) {
        self.first = self.take_second().unwrap_or(NOTHING);
        self.count(self.first, -1);
    }

    /// Takes the first task and adds another. The queue must not be empty.
    #[inline]
    pub fn replace_first(&mut self, task: &Task, slot: u32, key: u64) -> u32 {
        let (first, tag) = (self.first.slot, task.burden());
        if self.more == 0 {
            self.first.key = key;
            self.first.slot = slot;
            self.first.tag = tag;
        } else {
            self.replace_first_of_more(Entry { key, slot, tag });
        }
        first
    }

    /// Puts the least of `entry` and the heaps' entries first.
    #[inline(never)]
    fn replace_first_of_more(&mut self, entry: Entry) {
        let is_least = self.second().is_none_or(|second| entry.key <= second.key);
        self.first = if is_least { entry } else { self.take_second_for(entry) };
        if !is_least {
            self.count(entry, 1);
            self.count(self.first, -1);
        }
    }

    /// Takes the least of all but the first one and adds another.
    fn take_second_for(&mut self, entry: Entry) -> Entry {
        if entry.key & HELD == 0 && !self.rest.is_empty() {
            return self.rest.replace_first(entry);
        }
        let second = self.take_second();
        self.store(entry);
        second.unwrap_or(NOTHING)
    }

    /// Brings the task that is to run next to the front, where time changes who that is: `key` tells a waiting task's
    /// key as of now. Of tasks that are held only the marks may have changed, of others not even those but to
    /// [`HELD`]. O(log n) for each whose mark has changed.
    pub fn sort(&mut self, key: impl Fn(u32) -> u64) {
        if self.is_empty() {
            return;
        }
        self.first.key = key(self.first.slot);
        while let Some(entry) = self.held.first().map(|held| Entry { key: key(held.slot), ..*held })
            && entry.key & HELD == 0
        {
            self.held.pop();
            self.rest.push(entry);
        }
        while let Some(entry) = self.rest.first().map(|ready| Entry { key: key(ready.slot), ..*ready })
            && entry.key & HELD != 0
        {
            self.rest.pop();
            self.held.push(entry);
        }
        if self.second().is_some_and(|second| second.key < self.first.key) {
            let first = self.first;
            self.replace_first_of_more(first);
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
        let place = |heap: &Heap| heap.entries().iter().position(|entry| entry.slot == slot);
        let entry = match place(&self.rest) {
            Some(index) => self.rest.remove(index),
            None => self.held.remove(place(&self.held).expect("a task that waits here is in the queue")),
        };
        self.count(entry, -1);
    }

    /// Adds `by` to every key, which leaves the order as it is. O(n).
    pub fn shift(&mut self, by: u64) {
        self.first.key = self.first.key.saturating_add(by);
        self.rest.shift(by);
        self.held.shift(by);
    }

    /// Keeps the sums of the rest. A task leaves as what it came as: its weight and affinity may change meanwhile.
    fn count(&mut self, entry: Entry, sign: i64) {
        let (weight, movable) = (i64::from(entry.tag >> 1), (entry.tag & 1) as i32);
        self.rest_weight = self.rest_weight.wrapping_add_signed(sign * weight);
        self.rest_movable = self.rest_movable.wrapping_add_signed(sign as i32 * movable);
        self.more = self.more.wrapping_add_signed(sign as isize);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{affinity::Affinity, id::CpuId, task::Spec};
    use proptest::prelude::*;

    /// Tasks of different weights, some of which may move.
    fn tasks() -> std::vec::Vec<Task> {
        let task = |slot: u32| {
            let affinity = if slot.is_multiple_of(3) { Affinity::one(CpuId(0)) } else { Affinity::ANY };
            let task = Task::new();
            task.create(0, Spec { weight: 100 + slot, affinity, ..Spec::default() }, CpuId(0));
            task
        };
        (0..256).map(task).collect()
    }

    proptest! {
        /// Against a sorted list: the least key comes first whatever was pushed, replaced or removed, and the
        /// sums are those of what waits.
        #[test]
        fn behaves_as_a_sorted_list(steps in prop::collection::vec((0_u8..6, any::<u16>()), 0..200)) {
            let tasks = tasks();
            let mut queue = RunQueue::new(256, true);
            let mut model: std::vec::Vec<(u64, u32)> = std::vec::Vec::new();
            for (number, (step, key)) in steps.into_iter().enumerate() {
                // Every third key is held.
                let mark = if key % 3 == 0 { HELD } else { 0 };
                let (slot, key) = (number as u32, mark | u64::from(key) << 16 | number as u64);
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
                    4 => {
                        queue.shift(1 << 40);
                        for (key, _) in &mut model {
                            *key += 1 << 40;
                        }
                    }
                    _ => {
                        let (_, gone) = model.remove(number * 7 % model.len());
                        queue.remove(gone);
                        prop_assert!(!queue.holds(gone));
                    }
                }
                prop_assert_eq!(queue.first(), model.iter().min().copied());
                model.sort_unstable();
                let mut all: std::vec::Vec<(u64, u32)> = queue.keys().map(|(slot, key)| (key, slot)).collect();
                all.sort_unstable();
                prop_assert_eq!(&all, &model);
                prop_assert!(model.iter().all(|&(_, slot)| queue.holds(slot)));
                prop_assert_eq!((queue.len(), queue.slots().count()), (model.len(), model.len()));
                prop_assert_eq!((queue.is_empty(), queue.has_choice()), (model.is_empty(), model.len() > 1));
                let all = || model.iter().map(|&(_, slot)| &tasks[slot as usize]);
                prop_assert_eq!(queue.weight(), all().map(|task| u64::from(task.weight())).sum::<u64>());
                prop_assert_eq!(queue.movable() as usize, all().filter(|task| task.affinity().is_movable()).count());
            }
        }

        /// Sorted, the first is the least of those whose time has come, or else the one whose time comes first;
        /// time goes forward and back.
        #[test]
        fn sorted_the_first_is_the_least_whose_time_has_come(
            steps in prop::collection::vec((0_u8..4, any::<u16>()), 0..200),
        ) {
            let task = Task::new();
            let mut queue = RunQueue::new(256, true);
            // By slot: its time, and its key from then on.
            let times: std::vec::Vec<(u64, u64)> =
                steps.iter().map(|&(_, key)| (key.into(), u64::from(key).wrapping_mul(40_503) % 65_536)).collect();
            let (mut model, mut now): (std::vec::Vec<u32>, u64) = (std::vec::Vec::new(), 0);
            for (number, (step, time)) in steps.into_iter().enumerate() {
                let slot = number as u32;
                let key = |slot: u32, now: u64| {
                    let (from, key) = times[slot as usize];
                    if from > now { HELD | from } else { key }
                };
                match step {
                    0 | 1 => { queue.push(&task, slot, key(slot, now)); model.push(slot); }
                    2 => now = time.into(),
                    _ => {
                        queue.sort(|slot| key(slot, now));
                        let gone = queue.pop();
                        model.retain(|&slot| Some(slot) != gone);
                    }
                }
                queue.sort(|slot| key(slot, now));
                let least = model.iter().map(|&slot| key(slot, now)).min();
                prop_assert_eq!(queue.first().map(|(key, _)| key), least);
                prop_assert_eq!((queue.len(), queue.slots().count()), (model.len(), model.len()));
            }
        }
    }
}
