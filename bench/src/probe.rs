//! Telling `-icount` from inside: does a virtual nanosecond last an instruction?
//!
//! No register says so. But then, and only then, the same work takes the same time to the nanosecond, however often
//! it is repeated, and more work takes longer by as much each time.

use core::hint::black_box;

/// Different amounts of work that are timed.
const AMOUNTS: usize = 24;
/// An interrupt in between spoils an attempt.
const ATTEMPTS: usize = 4;

/// Whether the clock that `now` reads counts instructions. Takes some microseconds; best with interrupts off.
pub fn clock_counts_instructions(now: impl Fn() -> u64) -> bool {
    is_exact(|amount| {
        let start = now();
        for step in 0..amount {
            black_box(step);
        }
        now().wrapping_sub(start)
    })
}

fn is_exact(mut time: impl FnMut(usize) -> u64) -> bool {
    (0..ATTEMPTS).any(|_| {
        let first: [u64; AMOUNTS] = core::array::from_fn(|amount| time(amount * 8));
        let second: [u64; AMOUNTS] = core::array::from_fn(|amount| time(amount * 8));
        first == second && first.is_sorted_by(|less, more| less < more)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Instant;

    #[test]
    fn work_that_takes_its_instructions_is_exact() {
        assert!(is_exact(|amount| 7 + 3 * amount as u64));
    }

    #[test]
    fn one_disturbance_is_forgiven_and_jitter_is_not() {
        let calls = Cell::new(0);
        let called = || calls.replace(calls.get() + 1);
        assert!(is_exact(|amount| 7 + 3 * amount as u64 + u64::from(called() == 5)));
        assert!(!is_exact(|amount| 7 + 3 * amount as u64 + called() % 5));
    }

    #[test]
    fn a_clock_that_stands_still_or_runs_by_the_wall_is_none() {
        assert!(!is_exact(|_| 0));
        let start = Instant::now();
        assert!(!clock_counts_instructions(|| start.elapsed().as_nanos() as u64));
    }
}
