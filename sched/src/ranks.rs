//! The tasks of a CPU that wait and aren't fair: by rank, and among equals in the order in which they came.
//!
//! The key of the run queue's heap holds both: the rank turned round, so that the highest comes first, and below it a
//! number that grows with each arrival. A preempted task goes before its equals, as POSIX has it: numbers for
//! that grow downwards.

use crate::class::Rank;
use crate::queue::RunQueue;
use crate::task::Task;

const NUMBER_BITS: u32 = 56;

/// More than any task's rank, and little enough for the key's highest bit, which the run queue has a use for.
const MOST: u8 = 127;

/// The waiting tasks of all classes but the fair one.
#[derive(Debug)]
pub struct Ranks {
    waiting: RunQueue,
    /// The number of the last that was put behind its equals.
    last: u64,
    /// The number of the last that was put before them.
    first: u64,
}

impl Ranks {
    /// None, with room for `capacity` tasks.
    pub fn new(capacity: usize) -> Self {
        let middle = 1 << (NUMBER_BITS - 1);
        Self { waiting: RunQueue::new(capacity, false), last: middle, first: middle }
    }

    /// Whether none waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many of them may run elsewhere.
    #[inline]
    pub fn movable(&self) -> u32 {
        self.waiting.movable()
    }

    /// The slots of those that wait, the first first, the others in no order.
    pub fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.waiting.slots()
    }

    /// The slots with their keys: by these, the one that runs next comes first.
    pub fn keys(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.waiting.keys()
    }

    /// The rank of the task that would run next.
    pub fn first(&self) -> Option<Rank> {
        self.waiting.first().map(|(key, _)| Rank(MOST - (key >> NUMBER_BITS) as u8))
    }

    /// Adds a task behind its equals.
    pub fn push_last(&mut self, task: &Task, slot: u32) {
        self.last += 1;
        self.waiting.push(task, slot, key(task, self.last));
    }

    /// Adds a task before its equals.
    pub fn push_first(&mut self, task: &Task, slot: u32) {
        self.first -= 1;
        self.waiting.push(task, slot, key(task, self.first));
    }

    /// Takes the task that runs next.
    pub fn pop(&mut self) -> Option<u32> {
        self.waiting.pop()
    }

    /// Takes a task that waits here. O(n).
    pub fn remove(&mut self, slot: u32) {
        self.waiting.remove(slot);
    }
}

fn key(task: &Task, number: u64) -> u64 {
    u64::from(MOST - task.rank().0) << NUMBER_BITS | number
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::class::{Class, Priority};
    use crate::{Affinity, CpuId, Spec};
    use std::vec::Vec;

    #[test]
    fn the_highest_rank_comes_first_and_equals_in_order() {
        let fifo = |number| Class::Fifo(Priority::new(number).unwrap());
        let classes = [fifo(5), Class::Background, fifo(7), fifo(5), fifo(7)];
        let tasks: Vec<Task> = classes.iter().map(|_| Task::new()).collect();
        let mut ranks = Ranks::new(8);
        for (slot, (task, class)) in tasks.iter().zip(classes).enumerate() {
            task.create(slot as u32, Spec { class, ..Spec::default() }, CpuId(0));
            if slot == 4 { ranks.push_first(task, 4) } else { ranks.push_last(task, slot as u32) }
        }
        assert_eq!(ranks.first(), Some(fifo(7).rank()));
        let order: Vec<u32> = std::iter::from_fn(|| ranks.pop()).collect();
        assert_eq!(order, [4, 2, 0, 3, 1]);
    }

    #[test]
    fn of_those_put_before_their_equals_the_last_is_first_and_who_is_removed_is_gone() {
        let tasks = [Affinity::ANY, Affinity::one(CpuId(0)), Affinity::ANY, Affinity::ANY].map(|affinity| {
            let task = Task::new();
            task.create(0, Spec { class: Class::Background, affinity, ..Spec::default() }, CpuId(0));
            task
        });
        let mut ranks = Ranks::new(4);
        assert!(ranks.is_empty());
        ranks.push_last(&tasks[0], 0);
        (1..4).for_each(|slot| ranks.push_first(&tasks[slot], slot as u32));
        assert_eq!((ranks.is_empty(), ranks.len(), ranks.movable()), (false, 4, 3));
        ranks.remove(2);
        let order: Vec<u32> = std::iter::from_fn(|| ranks.pop()).collect();
        assert_eq!(order, [3, 1, 0]);
    }
}
