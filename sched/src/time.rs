//! Time as the scheduler counts it: nanoseconds of one monotonic clock.

use core::fmt;
use core::ops::Add;

/// A point in time, or a span of it, in nanoseconds since the machine's clock started.
///
/// Arithmetic saturates: clocks of different CPUs may differ by a small skew, and a difference that would be
/// negative is zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub struct Nanos(pub u64);

impl Nanos {
    /// A deadline that never comes.
    pub const NEVER: Self = Self(u64::MAX);
    /// The clock's origin, or no time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `count` microseconds.
    pub const fn from_micros(count: u64) -> Self {
        Self(count * 1_000)
    }

    /// A span of `count` milliseconds.
    pub const fn from_millis(count: u64) -> Self {
        Self(count * 1_000_000)
    }

    /// The span from `earlier` to this point, or zero where `earlier` is the later one.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Nanos {
    type Output = Self;

    #[inline]
    fn add(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl fmt::Display for Nanos {
    /// Shows the largest unit that divides the span: `200ms`, `10us`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => write!(out, "0"),
            n if n % 1_000_000_000 == 0 => write!(out, "{}s", n / 1_000_000_000),
            n if n % 1_000_000 == 0 => write!(out, "{}ms", n / 1_000_000),
            n if n % 1_000 == 0 => write!(out, "{}us", n / 1_000),
            n => write!(out, "{n}ns"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn spans_saturate_and_show_their_unit() {
        assert_eq!(Nanos(3).since(Nanos(5)), Nanos::ZERO);
        assert_eq!(Nanos::NEVER + Nanos(1), Nanos::NEVER);
        assert_eq!(Nanos::from_millis(200).to_string(), "200ms");
        let shown = [0, 7, 1_500, 2_000, 1_000_500_000, 3_000_000_000].map(|span| Nanos(span).to_string());
        assert_eq!(shown, ["0", "7ns", "1500ns", "2us", "1000500us", "3s"]);
    }
}
