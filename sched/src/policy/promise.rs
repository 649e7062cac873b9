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
