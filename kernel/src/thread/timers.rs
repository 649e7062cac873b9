//! Any number of timers for one thread, and waits that end with whichever comes first.
//!
//! The scheduler knows one timer of each thread, which is armed while the thread waits with a limit. These are kept by the
//! thread itself, in order: it waits until the earliest is due. So a timer that is set or cancelled costs a step in a
//! tree, no interrupt and nothing that another CPU sees.

use alloc::collections::BTreeSet;
use core::marker::PhantomData;

use sched::Nanos;

use super::{park, park_until};
use crate::local::now;

/// The calling thread's timers.
///
/// ```text
/// let mut timers = Timers::new();
/// let (retry, give_up) = (timers.set(now() + MS), timers.set(now() + SECOND));
/// match timers.wait_until(|| answer.is_there() || connection.is_closed()) {
///     None => …                              // one of the two
///     Some(timer) if timer == retry => …     // the earlier timer; the other one is still set
///     Some(_) => …
/// }
/// ```
#[derive(Debug, Default)]
pub struct Timers {
    due: BTreeSet<Timer>,
    /// Of the next timer.
    number: u64,
    /// Neither `Send` nor `Sync`: they are one thread's.
    here: PhantomData<*const ()>,
}

/// A timer that was set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Timer {
    deadline: Nanos,
    /// Tells it from others of that deadline, which come in the order in which they were set.
    number: u64,
}

impl Timer {
    /// When it's due, by the kernel's clock.
    pub fn deadline(self) -> Nanos {
        self.deadline
    }
}

impl Timers {
    /// None yet; allocates nothing.
    pub const fn new() -> Self {
        Self { due: BTreeSet::new(), number: 0, here: PhantomData }
    }

    /// Sets a timer, in logarithmic time. One whose deadline has passed is due at once.
    pub fn set(&mut self, deadline: Nanos) -> Timer {
        let timer = Timer { deadline, number: self.number };
        self.number += 1;
        self.due.insert(timer);
        timer
    }

    /// Takes a timer back, in logarithmic time. `false` if it has been returned as due already, or cancelled.
    pub fn cancel(&mut self, timer: Timer) -> bool {
        self.due.remove(&timer)
    }

    /// How many are set.
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// The earliest timer, if it's due; it's no longer set then.
    pub fn take_due(&mut self) -> Option<Timer> {
        let earliest = *self.due.first()?;
        if earliest.deadline > now() {
            return None;
        }
        self.due.pop_first()
    }

    /// Blocks until `condition` holds, and answers `None`; or until a timer is due, and takes that.
    ///
    /// The condition may be of several parts. Whoever makes one true unparks the thread afterwards
    /// ([`super::Thread::unpark`]). It's looked at before any timer is, and again after every wake.
    pub fn wait_until(&mut self, mut condition: impl FnMut() -> bool) -> Option<Timer> {
        loop {
            if condition() {
                return None;
            }
            if let Some(timer) = self.take_due() {
                return Some(timer);
            }
            match self.due.first() {
                Some(earliest) => park_until(earliest.deadline),
                None => park(),
            }
        }
    }
}
