//! What happens, in the order of true time; at the same instant, in the order in which it was foreseen.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that happens to a CPU, or to the world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// The timer that was armed under this number fires.
    Timer(u64),
    /// A timer interrupt that nobody armed.
    Spurious,
    /// An interrupt from another CPU.
    Kick,
    /// What the CPU has been doing since this turn is done: a step, polling, or a switch.
    Done(u64),
    /// A polling CPU of this turn sees a post.
    Notice(u64),
    /// A stall begins.
    Stall,
    /// The scenario starts a thread, by its number; not a CPU's event.
    Start(usize),
}

/// An event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Event {
    /// When, in true time.
    pub at: u64,
    /// The tie-breaker.
    pub number: u64,
    /// On which CPU.
    pub cpu: usize,
    /// What.
    pub what: What,
}

/// The events to come.
#[derive(Default)]
pub struct Events {
    heap: BinaryHeap<Reverse<Event>>,
    count: u64,
}

impl Events {
    /// Foresees an event.
    pub fn add(&mut self, at: u64, cpu: usize, what: What) {
        self.count += 1;
        self.heap.push(Reverse(Event { at, number: self.count, cpu, what }));
    }

    /// Takes the next event that comes no later than `end`.
    pub fn next(&mut self, end: u64) -> Option<Event> {
        self.heap.peek().filter(|event| event.0.at <= end)?;
        self.heap.pop().map(|event| event.0)
    }
}
