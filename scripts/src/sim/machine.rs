//! How the simulated machine behaves beyond its plain delays: each effect a knob of its own, none of them on
//! by default, and all of them from the case's seed.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::program::{Span, is_default};

/// From sending an interrupt to its handler, in nanoseconds.
pub const KICK: u64 = 1_000;
/// How late a timer fires.
pub const LATE: u64 = 200;
/// From a post to a polling CPU's noticing it.
pub const NOTICE: u64 = 50;
/// From the decision to switch to `switched`, interrupts off.
pub const SWITCH: u64 = 100;
/// For how long a CPU runs at least between two stalls, so that they're two: what waited for the first one's end is handled,
/// however late a rough machine makes it, before the next one begins.
pub const RUNS: u64 = 100_000;

/// What a machine does to the scheduler. All spans in nanoseconds of true time.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Machine {
    /// How much later than usual a timer fires.
    #[serde(skip_serializing_if = "is_default")]
    pub late: Span,
    /// Mean time between spurious timer interrupts of a CPU; never if 0.
    #[serde(skip_serializing_if = "is_default")]
    pub spurious_every: u64,
    /// How much longer than usual an interrupt takes to another CPU.
    #[serde(skip_serializing_if = "is_default")]
    pub slow_kick: Span,
    /// One kick in so many arrives twice; never if 0.
    #[serde(skip_serializing_if = "is_default")]
    pub kick_twice: u32,
    /// How much longer than usual a polling CPU takes to notice a post.
    #[serde(skip_serializing_if = "is_default")]
    pub slow_notice: Span,
    /// How much longer than usual a switch takes.
    #[serde(skip_serializing_if = "is_default")]
    pub slow_switch: Span,
    /// How far a CPU's clock is ahead of true time.
    #[serde(skip_serializing_if = "is_default")]
    pub skew: Span,
    /// Mean time from a stall's end to the next one of the same CPU, as a hypervisor makes them, [`RUNS`] aside; never if 0.
    #[serde(skip_serializing_if = "is_default")]
    pub stall_every: u64,
    /// How long a CPU stalls.
    #[serde(skip_serializing_if = "is_default")]
    pub stall: Span,
}

impl Machine {
    /// A machine that does everything that the contracts allow.
    pub const fn rough() -> Self {
        Self {
            late: Span::micros(0, 50),
            spurious_every: 3_000_000,
            slow_kick: Span::micros(0, 30),
            kick_twice: 10,
            slow_notice: Span { least: 0, most: 300 },
            slow_switch: Span { least: 0, most: 2_000 },
            skew: Span { least: 0, most: 2_000 },
            stall_every: 200_000_000,
            stall: Span::micros(10, 8_000),
        }
    }

    /// The knobs by name.
    pub const EFFECTS: [&str; 7] = ["late", "spurious", "slow-kick", "kick-twice", "slow", "skew", "stall"];

    /// Turns one knob to what it is on a rough machine; `false` if there's none of that name.
    pub fn turn_on(&mut self, effect: &str) -> bool {
        let rough = Self::rough();
        match effect {
            "late" => self.late = rough.late,
            "spurious" => self.spurious_every = rough.spurious_every,
            "slow-kick" => self.slow_kick = rough.slow_kick,
            "kick-twice" => self.kick_twice = rough.kick_twice,
            "slow" => (self.slow_notice, self.slow_switch) = (rough.slow_notice, rough.slow_switch),
            "skew" => self.skew = rough.skew,
            "stall" => (self.stall_every, self.stall) = (rough.stall_every, rough.stall),
            _ => return false,
        }
        true
    }

    /// Turns it off.
    pub fn turn_off(&mut self, effect: &str) {
        let plain = Self::default();
        match effect {
            "late" => self.late = plain.late,
            "spurious" => self.spurious_every = plain.spurious_every,
            "slow-kick" => self.slow_kick = plain.slow_kick,
            "kick-twice" => self.kick_twice = plain.kick_twice,
            "slow" => (self.slow_notice, self.slow_switch) = (plain.slow_notice, plain.slow_switch),
            "skew" => self.skew = plain.skew,
            _ => (self.stall_every, self.stall) = (plain.stall_every, plain.stall),
        }
    }
}

/// A span until a random event that comes on average every `mean`.
pub fn until_random(rng: &mut Rng, mean: u64) -> u64 {
    ((-rng.f64().max(1e-12).ln()) * mean as f64) as u64 + 1
}
