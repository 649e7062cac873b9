//! One CPU's timers: which tasks to wake, and when.
//!
//! A timer belongs to the CPU that armed it, a task has at most one that counts, and its number says which.
//! Cancelling is raising the number, from whatever CPU the task is on by then: a stale timer is dropped when
//! it comes to the top, or swept with the others once they are half of the heap.

use crate::heap::{Entry, Heap};
use crate::sync::Ordering;
use crate::task::Task;
use crate::time::Nanos;

/// The armed timers of one CPU.
#[derive(Debug)]
pub struct Timers {
    heap: Heap,
    /// When the first timer is due.
    first: Nanos,
    /// When the owner must do more than pick the next fair task: that, or at once.
    due: Nanos,
    /// All ones; none while it must at every decision.
    mask: u64,
    /// Timers known to be stale: a lower bound, since other CPUs cancel too.
    stale: usize,
}

impl Timers {
    /// No timers, with room for those of `tasks` tasks.
    pub fn new(tasks: usize) -> Self {
        Self {
            heap: Heap::with_capacity(tasks * 2),
            first: Nanos::NEVER,
            due: Nanos::NEVER,
            mask: u64::MAX,
            stale: 0,
        }
    }

    /// When the first timer is due. It may turn out to be stale.
    #[inline]
    pub fn first(&self) -> Nanos {
        self.first
    }

    /// When a decision is more than the choice of the next fair task: when the first timer is due, or at once.
    #[inline]
    pub fn due(&self) -> Nanos {
        self.due
    }

    /// Whether every decision is.
    #[inline]
    pub fn is_alert(&self) -> bool {
        self.mask == 0
    }

    /// Makes every decision one that is more than the choice of the next fair task, or no longer. One word then tells
    /// the two reasons for a look at the unusual, so the usual pays for neither.
    pub fn set_alert(&mut self, alert: bool) {
        self.mask = if alert { 0 } else { u64::MAX };
        self.set_first(self.first);
    }

    #[inline]
    fn set_first(&mut self, first: Nanos) {
        self.first = first;
        self.due = Nanos(first.0 & self.mask);
    }

    fn find_first(&mut self) {
        self.set_first(self.heap.first().map_or(Nanos::NEVER, |entry| Nanos(entry.key)));
    }

    /// Arms a task's timer for `deadline` in place of any it had.
    pub fn arm(&mut self, tasks: &[Task], slot: u32, deadline: Nanos) {
        if self.heap.is_full() {
            self.sweep(tasks);
        }
        let tag = tasks[slot as usize].next_timer();
        self.heap.push(Entry { key: deadline.0, slot, tag });
        self.set_first(self.first.min(deadline));
    }

    /// Cancels a task's timer, wherever it was armed; called on the CPU where the task is.
    pub fn cancel(&mut self, tasks: &[Task], slot: u32) {
        tasks[slot as usize].next_timer();
        self.stale += 1;
        if self.stale * 2 > self.heap.len() {
            self.sweep(tasks);
        }
    }

    /// Takes a task whose timer is due by `now`. Stale timers at the top are dropped.
    #[inline]
    pub fn pop_due(&mut self, tasks: &[Task], now: Nanos) -> Option<u32> {
        while self.first() <= now {
            let entry = self.heap.pop()?;
            self.find_first();
            if is_current(tasks, &entry) {
                return Some(entry.slot);
            }
            self.stale = self.stale.saturating_sub(1);
        }
        None
    }

    fn sweep(&mut self, tasks: &[Task]) {
        self.heap.retain(|entry| is_current(tasks, entry));
        self.find_first();
        self.stale = 0;
    }
}

#[inline]
fn is_current(tasks: &[Task], entry: &Entry) -> bool {
    tasks[entry.slot as usize].timer.load(Ordering::Relaxed) == entry.tag
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Against a sorted map: what is due comes out in order, what was cancelled or re-armed does not,
        /// and stale entries never fill the heap.
        #[test]
        fn behaves_as_a_sorted_map(steps in prop::collection::vec((0_u8..3, 0_u32..8, 0_u64..100), 0..300)) {
            let tasks: std::vec::Vec<Task> = (0..8).map(|_| Task::new()).collect();
            let mut timers = Timers::new(8);
            let mut model: BTreeMap<u32, u64> = BTreeMap::new();
            for (step, slot, time) in steps {
                match step {
                    0 => { timers.arm(&tasks, slot, Nanos(time)); model.insert(slot, time); }
                    1 => { timers.cancel(&tasks, slot); model.remove(&slot); }
                    _ => {
                        let mut due: std::vec::Vec<u64> = model.values().copied().filter(|&t| t <= time).collect();
                        due.sort_unstable();
                        for expected in due {
                            let slot = timers.pop_due(&tasks, Nanos(time)).expect("one is due");
                            prop_assert_eq!(model.remove(&slot), Some(expected));
                        }
                        prop_assert_eq!(timers.pop_due(&tasks, Nanos(time)), None);
                    }
                }
            }
        }
    }

    /// Catches: none that's swept, or all at each: the heap's order would cost what cancelling is to save.
    #[test]
    fn the_stale_are_swept_once_they_are_more_than_half() {
        let tasks: std::vec::Vec<Task> = (0..6).map(|_| Task::new()).collect();
        let mut timers = Timers::new(6);
        (0..6).for_each(|slot| timers.arm(&tasks, slot, Nanos(10 + u64::from(slot))));
        for (slot, first) in [(0, 10), (1, 10), (2, 10), (3, 14)] {
            timers.cancel(&tasks, slot);
            assert_eq!(timers.first(), Nanos(first), "{slot} cancelled");
        }
    }
}
