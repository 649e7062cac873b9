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
    pub fn push(&mut self, tasks: &[Task], slot: u32, key: u64) {
        self.count(&tasks[slot as usize], 1);
        self.heap.push(Entry { key, slot, tag: 0 }, |entry, at| tasks[entry.slot as usize].set_place(at));
    }

    /// Takes the task with the least key.
    #[inline]
    pub fn pop(&mut self, tasks: &[Task]) -> Option<u32> {
        let entry = self.heap.pop(|entry, at| tasks[entry.slot as usize].set_place(at))?;
        self.count(&tasks[entry.slot as usize], -1);
        Some(entry.slot)
    }

    /// Takes the first task and adds another.
    #[inline]
    pub fn replace_first(&mut self, tasks: &[Task], slot: u32, key: u64) -> u32 {
        let entry = Entry { key, slot, tag: 0 };
        let first = self.heap.replace_first(entry, |entry, at| tasks[entry.slot as usize].set_place(at));
        self.count(&tasks[first.slot as usize], -1);
        self.count(&tasks[slot as usize], 1);
        first.slot
    }

    /// Takes a task that waits here.
    pub fn remove(&mut self, tasks: &[Task], slot: u32) {
        let task = &tasks[slot as usize];
        let gone = self.heap.remove(task.place(), |entry, at| tasks[entry.slot as usize].set_place(at));
        debug_assert_eq!(gone.slot, slot, "a task's place is where it waits");
        self.count(task, -1);
    }

    /// Keeps the sums. A task leaves as what it came as, movable or not: its affinity may change meanwhile.
    #[inline]
    fn count(&mut self, task: &Task, sign: i64) {
        self.weight = self.weight.wrapping_add_signed(sign * i64::from(task.weight()));
        let movable = if sign > 0 { task.mark_movable() } else { task.was_movable() };
        self.movable = self.movable.wrapping_add_signed(sign as i32 * i32::from(movable));
    }
}
