//! What a timer is told of a deadline: the tick at which to fire, or how many ticks to count down. Pure.

use crate::clock::Scale;

/// No deadline is later than this (36 years): the product below stays in range for every plausible TSC.
const LATEST_NS: u64 = 1 << 60;

/// The first tick at which the clock has certainly reached a deadline; hence also never zero.
#[inline(always)]
pub(crate) fn tick_of(deadline_ns: u64, per_ns: Scale) -> u64 {
    per_ns.apply(deadline_ns.min(LATEST_NS)) + 1
}

/// What to count down for a deadline so many ticks away: at least one, since zero would disarm, and at most what the
/// register holds. A deadline that is past is negative; one comparison tells both exceptions.
#[inline(always)]
pub(crate) fn count(ticks: u64) -> u32 {
    if ticks.wrapping_sub(1) < u64::from(u32::MAX) { ticks as u32 } else { limit(ticks) }
}

#[cold]
fn limit(ticks: u64) -> u32 {
    if ticks as i64 <= 0 { 1 } else { u32::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// Catches: a deadline that is told to the timer as an earlier or a later one, or overflows.
    #[test]
    fn a_deadline_is_told_to_the_tick_and_rounded_up() {
        for (hz, deadline_ns, tick) in [
            (3_000_000_000, 1_000_000, 3_000_000),
            (3_000_000_000, 3_600_000_000_000, 10_800_000_000_000),
            (1_000_000, 1_500, 1),
            (62_500_000, 0, 0),
        ] {
            let told = tick_of(deadline_ns, clock::scale(hz, 1_000_000_000));
            assert_eq!(told, tick + 1, "{deadline_ns} ns at {hz} Hz");
        }
        let fastest = clock::scale(10, 1);
        assert_eq!(tick_of(u64::MAX, fastest), tick_of(LATEST_NS, fastest));
    }

    #[test]
    fn a_count_neither_disarms_nor_fires_early_within_the_register() {
        for (ticks, counted) in
            [(0, 1), (1, 1), (77, 77), (0xffff_ffff, u32::MAX), (1 << 40, u32::MAX), (u64::MAX, 1)]
        {
            assert_eq!(count(ticks), counted, "{ticks} ticks away");
        }
    }
}
