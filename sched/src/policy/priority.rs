//! A plain priority heap: the heaviest runnable task runs, equals take turns by slices.
//!
//! It starves the light ones as long as a heavier one is runnable, which is what this policy is there to
//! show. The weight serves as the priority.

use super::{Arrival, Policy, Promise, Running};
use crate::config::Config;
use crate::task::{MAX_WEIGHT, Task};
use crate::time::Nanos;

/// See the module's documentation.
#[derive(Debug)]
pub struct Priority {
    slice: Nanos,
    turn: u64,
}

/// So much of a key counts arrivals. At a million a second they begin anew after six days, and equals that wait then
/// may be overtaken for as long again.
const TURN_BITS: u32 = 39;

/// The heavier, the smaller: 24 bits, above those of the turn and below the [`HELD`](crate::queue::HELD) one.
#[inline]
fn rank(task: &Task) -> u64 {
    u64::from(MAX_WEIGHT - task.weight())
}

impl Policy for Priority {
    const PROMISE: Promise = Promise::Precedence;

    fn new(config: &Config) -> Self {
        Self { slice: config.slice(), turn: 0 }
    }

    #[inline]
    fn charge(&mut self, _task: &Task, _from: Nanos, _to: Nanos) {}

    #[inline]
    fn arrive(&mut self, task: &Task, _why: Arrival, _least: Option<&Task>, _now: Nanos) -> u64 {
        self.turn = (self.turn + 1) % (1 << TURN_BITS);
        rank(task) << TURN_BITS | self.turn
    }

    #[inline]
    fn remaining(&self, running: Running<'_>, least_key: u64) -> Nanos {
        match rank(running.task).cmp(&(least_key >> TURN_BITS)) {
            core::cmp::Ordering::Less => Nanos::NEVER,
            core::cmp::Ordering::Equal => self.slice.since(running.ran()),
            core::cmp::Ordering::Greater => Nanos::ZERO,
        }
    }

    /// Only to its equals: a lighter one would run until the timer that's armed already, slices later.
    #[inline]
    fn may_give_way(&self, running: &Task, least_key: u64) -> bool {
        least_key >> TURN_BITS <= rank(running)
    }

    #[inline]
    fn preempts(&self, key: u64, running: Running<'_>) -> bool {
        key >> TURN_BITS < rank(running.task)
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
    use crate::queue::HELD;

    #[test]
    fn who_is_as_heavy_is_next_after_a_slice_who_is_heavier_at_once_and_who_is_lighter_never() {
        let mut policy = Priority::new(&Config::default());
        let (task, since, now) = (&task(1024), Nanos(1_000), Nanos(3_000));
        let running = Running { task, since, now };
        for (weight, left) in
            [(1023, Nanos::NEVER), (1024, policy.slice.since(Nanos(2_000))), (1025, Nanos::ZERO)]
        {
            let key = policy.arrive(&self::task(weight), Arrival::New, None, now);
            assert_eq!(policy.remaining(running, key), left);
            assert_eq!(policy.preempts(key, running), weight > 1024);
            assert_eq!(policy.may_give_way(task, key), weight >= 1024);
        }
    }

    #[test]
    fn of_the_heaviest_one_is_still_heavier() {
        assert!(rank(&task(MAX_WEIGHT)) < rank(&task(MAX_WEIGHT - 1)));
    }

    /// Catches: turns that begin anew after some hours of yields, before those that wait already.
    #[test]
    fn turns_do_not_end_with_32_bits() {
        let mut policy = Priority::new(&Config::default());
        policy.turn = u64::from(u32::MAX) - 1;
        for weight in [1, MAX_WEIGHT] {
            let task = &task(weight);
            let mut arrive = || policy.arrive(task, Arrival::Preempted, None, Nanos(0));
            let turns = [arrive(), arrive(), arrive()];
            assert!(turns.is_sorted() && turns[0] < turns[2], "{turns:?}");
            assert!(turns.iter().all(|&key| key & HELD == 0 && key >> TURN_BITS == rank(task)));
        }
    }
}
