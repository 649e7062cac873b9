//! What keeps a runaway real-time task from starving the rest: of each period, real-time tasks get only a part while
//! fair ones wait.
//!
//! Periods are the clock's own (they begin at its multiples), so nothing needs to be armed for one to begin. The part
//! counts all real-time tasks of a CPU together. What they used beyond it, since nobody else wanted the CPU or since
//! it was noticed late, is taken off the next period's part, up to what a period leaves to others.

use crate::config::Config;
use crate::time::Nanos;

/// One CPU's account of real-time tasks.
#[derive(Debug)]
pub struct Throttle {
    period: u64,
    /// What they may use of a period; all of it if that isn't less.
    runtime: u64,
    /// The number of the period that `used` is about.
    number: u64,
    used: u64,
}

impl Throttle {
    /// A throttle with the configured part and period.
    pub fn new(config: &Config) -> Self {
        Self { period: config.rt_period.0, runtime: config.rt_runtime.0, number: 0, used: 0 }
    }

    /// Whether there's a limit at all.
    #[inline]
    pub fn limits(&self) -> bool {
        self.runtime < self.period
    }

    /// Counts that a real-time task ran from `from` to `to`.
    pub fn charge(&mut self, from: Nanos, to: Nanos) {
        self.enter_period(from);
        let end = to.min(self.refilled_at());
        self.used += end.since(from).0;
        let last = to.0 / self.period;
        if last > self.number + 1 {
            // Whole periods in between, of which the last one counts.
            (self.number, self.used) = (last - 1, self.period);
        }
        self.enter_period(to);
        self.used += to.since(end.max(Nanos(self.number * self.period))).0;
    }

    /// Whether real-time tasks must let fair ones run at `now`.
    pub fn is_spent(&mut self, now: Nanos) -> bool {
        self.enter_period(now);
        self.limits() && self.used >= self.runtime
    }

    /// When they must, if one runs from `now` on.
    pub fn spent_at(&mut self, now: Nanos) -> Nanos {
        if !self.limits() {
            return Nanos::NEVER;
        }
        self.enter_period(now);
        let at = now + Nanos(self.runtime.saturating_sub(self.used));
        let next = self.refilled_at();
        if at < next { at } else { next + Nanos(self.runtime) }
    }

    /// When the period ends.
    pub fn refilled_at(&self) -> Nanos {
        Nanos((self.number + 1).saturating_mul(self.period))
    }

    fn enter_period(&mut self, now: Nanos) {
        let number = now.0 / self.period;
        // A clock that steps back begins no period anew.
        if number <= self.number {
            return;
        }
        let excess = self.used.saturating_sub(self.runtime).min(self.period - self.runtime);
        self.used = if number == self.number + 1 { excess } else { 0 };
        self.number = number;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn throttle(runtime: u64) -> Throttle {
        let config = Config { rt_runtime: Nanos(runtime * MS), ..Config::default() };
        Throttle::new(&config)
    }

    #[test]
    fn a_part_of_each_period_is_granted() {
        let mut throttle = throttle(950);
        throttle.charge(Nanos(10 * MS), Nanos(900 * MS));
        assert!(!throttle.is_spent(Nanos(900 * MS)));
        assert_eq!(throttle.spent_at(Nanos(900 * MS)), Nanos(960 * MS));
        throttle.charge(Nanos(900 * MS), Nanos(960 * MS));
        assert!(throttle.is_spent(Nanos(960 * MS)));
        assert_eq!(throttle.refilled_at(), Nanos(1_000 * MS));
        assert!(!throttle.is_spent(Nanos(1_000 * MS)));
    }

    #[test]
    fn what_ran_across_a_boundary_counts_for_the_later_period_only_in_part() {
        let mut throttle = throttle(950);
        throttle.charge(Nanos(500 * MS), Nanos(1_100 * MS));
        assert_eq!(throttle.spent_at(Nanos(1_100 * MS)), Nanos(1_950 * MS));
        assert_eq!(throttle.spent_at(Nanos(1_500 * MS)), Nanos(2_950 * MS), "the next period comes first");
        assert_eq!(
            throttle.spent_at(Nanos(1_150 * MS)),
            Nanos(2_950 * MS),
            "as it does where both come at once"
        );
        throttle.charge(Nanos(1_150 * MS), Nanos(4_100 * MS));
        assert_eq!(
            throttle.spent_at(Nanos(4_100 * MS)),
            Nanos(4_900 * MS),
            "with what the last whole one is over"
        );
    }

    /// Catches: an interrupt that comes late, again and again, and leaves nothing to the others.
    #[test]
    fn what_is_used_beyond_it_is_taken_off_the_next_part() {
        let mut throttle = throttle(950);
        throttle.charge(Nanos(0), Nanos(980 * MS));
        assert_eq!(throttle.spent_at(Nanos(1_000 * MS)), Nanos(1_920 * MS));
        throttle.charge(Nanos(1_000 * MS), Nanos(2_000 * MS));
        assert_eq!(
            throttle.spent_at(Nanos(2_000 * MS)),
            Nanos(2_900 * MS),
            "by no more than what is left to others"
        );
        assert_eq!(throttle.spent_at(Nanos(5_000 * MS)), Nanos(5_950 * MS), "and for one period");
    }

    #[test]
    fn without_a_limit_it_is_never_spent() {
        let mut throttle = throttle(1_000);
        throttle.charge(Nanos(0), Nanos(1_000 * MS));
        assert!(!throttle.is_spent(Nanos(1_000 * MS - 1)));
        assert_eq!(throttle.spent_at(Nanos(5)), Nanos::NEVER);
    }
}
