//! Round robin: every task gets the same slice in turn. What textbooks begin with.
//!
//! Weights are ignored, and a task that sleeps loses its turn: compare `suite=share` under this policy with
//! the default to see what fairness over recent history buys.

use super::{Arrival, Policy, Promise, Running};
use crate::config::Config;
use crate::task::Task;
use crate::time::Nanos;

/// See the module's documentation.
#[derive(Debug)]
pub struct RoundRobin {
    slice: Nanos,
    /// The number of the next arrival: the key that makes the queue first in, first out.
    turn: u64,
}

impl Policy for RoundRobin {
    const PROMISE: Promise = Promise::Turns;

    fn new(config: &Config) -> Self {
        Self { slice: config.slice(), turn: 0 }
    }

    #[inline]
    fn charge(&mut self, _task: &Task, _from: Nanos, _to: Nanos) {}

    #[inline]
    fn arrive(&mut self, _task: &Task, _why: Arrival, _least: Option<&Task>, _now: Nanos) -> u64 {
        self.turn += 1;
        self.turn
    }

    #[inline]
    fn remaining(&self, running: Running<'_>, _least_key: u64) -> Nanos {
        self.slice.since(running.ran())
    }

    #[inline]
    fn preempts(&self, _key: u64, _running: Running<'_>) -> bool {
        false
    }

    #[inline]
    fn progress(&self, _task: &Task) -> Option<u64> {
        None
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::policy::tests::task;

    #[test]
    fn who_comes_later_is_later() {
        let (mut policy, task) = (RoundRobin::new(&Config::default()), task(1024));
        let mut arrive = || policy.arrive(&task, Arrival::Preempted, None, Nanos::ZERO);
        assert!(arrive() < arrive());
    }
}
