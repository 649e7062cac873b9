//! What a policy promises: by this the simulator, the property tests and the report judge it.

use crate::config::Config;
use crate::time::Nanos;

/// What a policy promises.
#[derive(Clone, Copy, Debug)]
pub enum Promise {
    /// CPU time by weight.
    Shares {
        /// The most that a waiting task is ever owed of its CPU, by its weight, whoever comes and goes.
        owed: fn(&Config) -> Nanos,
        /// Whether one that slept gets what it missed lately, within limits: of a loop and one that wants half the
        /// CPU, half each.
        remembers: bool,
    },
    /// Equal slices in turn: nobody who comes later goes first.
    Turns,
    /// Nobody lighter runs before somebody heavier.
    Precedence,
}

impl Promise {
    /// Whether it's CPU time by weight.
    pub const fn is_shares(self) -> bool {
        matches!(self, Self::Shares { .. })
    }

    /// Whether what a sleeper missed counts.
    pub const fn remembers(self) -> bool {
        matches!(self, Self::Shares { remembers: true, .. })
    }
}

/// Twice a time constant and a slice, the most that one that arrives may be behind.
pub(super) fn two_arrivals(config: &Config) -> Nanos {
    Nanos(2 * (config.tau.0 + config.slice().0))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn two_arrivals_are_owed_a_time_constant_and_a_slice_each() {
        let config =
            Config { tau: Nanos::from_millis(200), hysteresis: Nanos::from_millis(5), ..Config::default() };
        assert_eq!(two_arrivals(&config), Nanos::from_millis(420));
    }

    #[test]
    fn who_promises_shares_may_remember_sleepers() {
        let shares = |remembers| Promise::Shares { owed: two_arrivals, remembers };
        let says = |promise: Promise| (promise.is_shares(), promise.remembers());
        assert_eq!(
            [shares(true), shares(false), Promise::Turns].map(says),
            [(true, true), (true, false), (false, false)]
        );
    }
}
