//! One CPU's run queue: the tasks that wait, ordered by the policy's key.

use crate::heap::{Entry, Heap};
use crate::task::Task;

/// The waiting tasks of one CPU, with the sums that placement and balance ask for.
#[derive(Debug)]
pub struct RunQueue {
    heap: Heap,
    weight: u64,
    movable: u32,
}

impl RunQueue {
    /// An empty queue for up to `capacity` tasks.
    pub fn new(capacity: usize) -> Self {
        Self { heap: Heap::with_capacity(capacity), weight: 0, movable: 0 }
    }

    /// How many tasks wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The waiting tasks' weights, summed.
    #[inline]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// How many of them may run elsewhere. A hint: an affinity may have changed since a task was queued.
    #[inline]
    pub fn movable(&self) -> u32 {
        self.movable
    }

    /// The task that would run next, and its key.
    #[inline]
    pub fn first(&self) -> Option<(u64, u32)> {
        self.heap.first().map(|entry| (entry.key, entry.slot))
    }

    /// All that wait, in no order.
    pub fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.heap.entries().iter().map(|entry| entry.slot)
    }

    /// Adds a task.
    #[inline]
    pub fn push(&mut self, task: &Task, slot: u32, key: u64) {
        let entry = entry(task, slot, key);
        self.count(entry, 1);
        self.heap.push(entry);
    }

    /// Takes the task with the least key.
    #[inline]
    pub fn pop(&mut self) -> Option<u32> {
        let entry = self.heap.pop()?;
        self.count(entry, -1);
        Some(entry.slot)
    }

    /// Takes the first task and adds another. The queue must not be empty.
    #[inline]
    pub fn replace_first(&mut self, task: &Task, slot: u32, key: u64) -> u32 {
        let added = entry(task, slot, key);
        let first = self.heap.replace_first(added);
        if first.tag != added.tag {
            self.count(first, -1);
            self.count(added, 1);
        }
        first.slot
    }

    /// Takes a task that waits here. O(n).
    pub fn remove(&mut self, slot: u32) {
        let index = self.heap.entries().iter().position(|entry| entry.slot == slot);
        let entry = self.heap.remove(index.expect("a task that waits here is in the queue"));
        self.count(entry, -1);
    }

    /// Keeps the sums. A task leaves as what it came as: its weight and affinity may change meanwhile.
    #[inline]
    fn count(&mut self, entry: Entry, sign: i64) {
        self.weight = self.weight.wrapping_add_signed(sign * i64::from(entry.tag >> 1));
        self.movable = self.movable.wrapping_add_signed(sign as i32 * (entry.tag & 1) as i32);
    }
}

/// A queue entry, whose tag is the task's burden.
#[inline]
fn entry(task: &Task, slot: u32, key: u64) -> Entry {
    Entry { key, slot, tag: task.burden() }
}
