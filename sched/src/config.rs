//! What a user may set: the scheduler's time constants and its policy.

use crate::policy::PolicyKind;
use crate::time::Nanos;

/// The scheduler's settings, fixed at boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// Which policy picks.
    pub policy: PolicyKind,
    /// Time constant of the decaying average: how long the past counts. 1 ms to 10 s.
    pub tau: Nanos,
    /// How far the running task may get ahead of the next before it is preempted; two equal loops on one CPU
    /// get slices of twice this.
    pub hysteresis: Nanos,
    /// How much a woken task must be behind the running one to preempt it, and what it is charged if it does.
    pub penalty: Nanos,
    /// How long an idle CPU looks for work before it halts.
    pub poll: Nanos,
    /// What real-time tasks may use of each period while fair ones wait; the whole period for no limit.
    pub rt_runtime: Nanos,
    /// The period of that limit.
    pub rt_period: Nanos,
    /// How long the turns of real-time tasks are that take turns, and of background ones.
    pub rr_slice: Nanos,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: PolicyKind::Fair,
            tau: Nanos::from_millis(200),
            hysteresis: Nanos::from_millis(5),
            penalty: Nanos::from_micros(10),
            poll: Nanos::from_micros(20),
            rt_runtime: Nanos::from_millis(950),
            rt_period: Nanos::from_millis(1_000),
            rr_slice: Nanos::from_millis(10),
        }
    }
}

impl Config {
    /// The length of a slice between two equal tasks: twice the hysteresis.
    #[inline]
    pub const fn slice(&self) -> Nanos {
        Nanos(self.hysteresis.0 * 2)
    }

    /// The shortest slice of a task of normal weight or more: one that was charged the penalty on arrival.
    #[inline]
    pub(crate) const fn shortest_slice(&self) -> Nanos {
        self.hysteresis.since(self.penalty)
    }

    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// Names the setting and its range.
    pub fn check(&self) -> Result<(), &'static str> {
        let within = |value: Nanos, least: Nanos, most: Nanos| (least..=most).contains(&value);
        if !within(self.tau, Nanos::from_millis(1), Nanos::from_millis(10_000)) {
            return Err("sched.tau must be from 1ms to 10s");
        }
        if !within(self.hysteresis, Nanos::from_micros(10), Nanos::from_millis(1_000)) {
            return Err("sched.hysteresis must be from 10us to 1s");
        }
        if !within(self.penalty, Nanos::ZERO, Nanos::from_millis(10)) {
            return Err("sched.penalty must be from 0 to 10ms");
        }
        if !within(self.poll, Nanos::ZERO, Nanos::from_millis(100)) {
            return Err("sched.poll must be from 0 to 100ms");
        }
        if !within(self.rt_period, Nanos::from_millis(1), Nanos::from_millis(60_000)) {
            return Err("sched.rt-period must be from 1ms to 60s");
        }
        if !within(self.rt_runtime, Nanos::from_micros(100), self.rt_period) {
            return Err("sched.rt-runtime must be from 100us to sched.rt-period");
        }
        if !within(self.rr_slice, Nanos::from_micros(100), Nanos::from_millis(10_000)) {
            return Err("sched.rr-slice must be from 100us to 10s");
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_each_range_are_allowed_and_what_is_beyond_is_named() {
        type Set = fn(&mut Config) -> &mut Nanos;
        let (us, ms) = (1_000, 1_000_000);
        let ranges: [(&str, Set, u64, u64); 7] = [
            ("tau", |config| &mut config.tau, ms, 10_000 * ms),
            ("hysteresis", |config| &mut config.hysteresis, 10 * us, 1_000 * ms),
            ("penalty", |config| &mut config.penalty, 0, 10 * ms),
            ("poll", |config| &mut config.poll, 0, 100 * ms),
            ("rt-period", |config| &mut config.rt_period, ms, 60_000 * ms),
            ("rt-runtime", |config| &mut config.rt_runtime, 100 * us, 1_000 * ms),
            ("rr-slice", |config| &mut config.rr_slice, 100 * us, 10_000 * ms),
        ];
        for (name, set, least, most) in ranges {
            let check = |value| {
                let mut config = Config { rt_runtime: Nanos(100 * us), ..Config::default() };
                *set(&mut config) = Nanos(value);
                config.check()
            };
            assert_eq!([least, most].map(check), [Ok(()); 2], "{name}");
            let beyond = [least.checked_sub(1), Some(most + 1)];
            for value in beyond.into_iter().flatten() {
                let error = check(value).expect_err(name);
                assert!(error.starts_with(&std::format!("sched.{name} must be from")), "{error}");
            }
        }
    }
}
