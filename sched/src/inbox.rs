//! One CPU's post to another: an intrusive LIFO with a single producer and a single consumer.
//!
//! The producer stores the task's link and swings the head to it; the consumer takes everything with one
//! swap and reverses it, so order is kept. The first try takes the inbox for empty, as it mostly is. With one
//! producer the second fails only because the consumer emptied the queue meanwhile, so a push ends in three tries.
//! It needs no memory, can't be full, and has no ABA: a head that reappears means the same list.

use crate::sync::{AtomicU32, Ordering};
use crate::task::Task;

/// Marks the end of a list; slots are stored as their index plus one.
const END: u32 = 0;

/// The lane of tasks: one producer posts what it owns.
pub const TASKS: usize = 0;

/// The lane of news about tasks: a task may be in it wherever it is itself, and any CPU posts. Several producers
/// do no harm but to each other's first try: only the consumer takes, and it takes all.
pub const NEWS: usize = 1;

/// A list of tasks, by their links of one lane, on their way from one CPU to another.
#[derive(Debug)]
pub struct Inbox<const LANE: usize = TASKS>(AtomicU32);

impl<const LANE: usize> Inbox<LANE> {
    /// An empty inbox.
    pub fn new() -> Self {
        Self(AtomicU32::new(END))
    }

    /// Posts `task`, of the slot `slot`, whose link of this lane is the caller's. Answers whether the inbox was
    /// empty: if not, the consumer has yet to take what was posted before, and will take this with it.
    #[inline]
    pub fn push(&self, task: &Task, slot: u32) -> bool {
        task.links[LANE].store(END, Ordering::Relaxed);
        // Release pairs with `take`'s Acquire: the task's fields and link are seen by the consumer.
        match self.0.compare_exchange(END, slot + 1, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => true,
            Err(head) => self.push_behind(task, slot, head),
        }
    }

    /// The same where the last look found `head`.
    #[inline(always)]
    fn push_behind(&self, task: &Task, slot: u32, mut head: u32) -> bool {
        loop {
            task.links[LANE].store(head, Ordering::Relaxed);
            // Release as in `push`.
            match self.0.compare_exchange(head, slot + 1, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return head == END,
                Err(now) => head = now,
            }
        }
    }

    /// Takes all that was posted, oldest first. Only the inbox's one consumer calls this.
    #[inline]
    pub fn take<'a>(&self, tasks: &'a [Task]) -> Taken<'a, LANE> {
        // Acquire pairs with `push`'s Release.
        let newest = self.0.swap(END, Ordering::Acquire);
        let single = newest != END && tasks[newest as usize - 1].links[LANE].load(Ordering::Relaxed) == END;
        Taken { tasks, next: if single { newest } else { reversed::<LANE>(tasks, newest) } }
    }

    /// What is posted, newest first, left where it is. For invariants, while neither side is at work.
    pub fn peek<'a>(&self, tasks: &'a [Task]) -> Taken<'a, LANE> {
        Taken { tasks, next: self.0.load(Ordering::Relaxed) }
    }
}

impl<const LANE: usize> Default for Inbox<LANE> {
    fn default() -> Self {
        Self::new()
    }
}

/// Reverses the list that starts at `head` and returns its new start.
#[inline(never)]
fn reversed<const LANE: usize>(tasks: &[Task], mut head: u32) -> u32 {
    let mut done = END;
    while head != END {
        let link = &tasks[head as usize - 1].links[LANE];
        let rest = link.load(Ordering::Relaxed);
        link.store(done, Ordering::Relaxed);
        done = head;
        head = rest;
    }
    done
}

/// The slots that one `take` brought, oldest first.
pub struct Taken<'a, const LANE: usize> {
    tasks: &'a [Task],
    next: u32,
}

impl<const LANE: usize> Iterator for Taken<'_, LANE> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let slot = self.next.checked_sub(1)?;
        // Read before the caller acts on the task: it may post it on, which reuses the link.
        self.next = self.tasks[slot as usize].links[LANE].load(Ordering::Relaxed);
        Some(slot)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn posts_come_out_in_order_and_can_be_posted_on() {
        let tasks: Vec<Task> = (0..4).map(|_| Task::new()).collect();
        let (here, there) = (Inbox::<TASKS>::new(), Inbox::<TASKS>::new());
        let firsts = [2, 0, 3].map(|slot| here.push(&tasks[slot as usize], slot));
        assert_eq!(firsts, [true, false, false]);
        let order: Vec<u32> =
            here.take(&tasks).inspect(|&slot| _ = there.push(&tasks[slot as usize], slot)).collect();
        assert_eq!(order, [2, 0, 3]);
        assert_eq!(there.take(&tasks).collect::<Vec<_>>(), [2, 0, 3]);
        assert_eq!(here.take(&tasks).count(), 0);
    }
}
