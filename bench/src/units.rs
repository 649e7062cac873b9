//! Numbers as people read them: times with a unit, counts in few columns.

use alloc::format;
use core::fmt;

/// A time in ns, shown with three digits or more and the unit that suits: `950 ns`, `12.3 µs`, `4.50 ms`, `2.00 s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, scale) = match self.0 {
            0..1_000 => return write!(f, "{} ns", self.0),
            // What would be rounded to a thousand is one of the next.
            1_000..999_500 => ("µs", 1e3),
            999_500..999_500_000 => ("ms", 1e6),
            _ => ("s", 1e9),
        };
        let value = self.0 as f64 / scale;
        write!(f, "{value:.*} {unit}", decimals(value))
    }
}

/// A count in at most six columns: `999999`, `1.23M`, `12.3M`, `4.56G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compact(pub u64);

impl fmt::Display for Compact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (letter, scale) = match self.0 {
            0..1_000_000 => return fmt::Display::fmt(&self.0, f),
            1_000_000..1_000_000_000 => ('M', 1e6),
            1_000_000_000..1_000_000_000_000 => ('G', 1e9),
            _ => ('T', 1e12),
        };
        let value = self.0 as f64 / scale;
        let text = format!("{value:.*}{letter}", decimals(value));
        write!(f, "{text:>width$}", width = f.width().unwrap_or(0))
    }
}

/// A count and what it counts: `1 CPU`, `4 CPUs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plural<'a>(pub usize, pub &'a str);

impl fmt::Display for Plural<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{s}", self.0, self.1)
    }
}

/// Decimals that leave three digits in all.
fn decimals(value: f64) -> usize {
    match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_choose_their_unit() {
        let shown =
            [0, 999, 1_000, 12_345, 4_500_000, 200_000_000, 2_000_000_000].map(|ns| Time(ns).to_string());
        assert_eq!(shown, ["0 ns", "999 ns", "1.00 µs", "12.3 µs", "4.50 ms", "200 ms", "2.00 s"]);
        let rounded = [999_499, 999_500, 999_499_999, 999_500_000].map(|ns| Time(ns).to_string());
        assert_eq!(rounded, ["999 µs", "1.00 ms", "999 ms", "1.00 s"]);
    }

    #[test]
    fn counts_fit_six_columns() {
        let shown =
            [0, 999_999, 1_234_567, 12_345_678, 4_560_000_000].map(|count| format!("{:>6}", Compact(count)));
        assert_eq!(shown, ["     0", "999999", " 1.23M", " 12.3M", " 4.56G"]);
        assert!(Compact(u64::MAX).to_string().len() <= 9);
    }
}
