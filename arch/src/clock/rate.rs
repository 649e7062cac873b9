//! Fixed-point arithmetic between clocks of different rates. Pure.

/// A factor as `value / 2^shift`, so that applying it takes one multiplication and one shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    pub value: u64,
}

/// Fixed: a factor of up to 16, with 60 bits after the point.
const SHIFT: u32 = 60;

impl Scale {
    /// `amount` times the factor, rounded down. Wraps if that does not fit in 64 bits.
    #[inline(always)]
    pub fn apply(self, amount: u64) -> u64 {
        ((u128::from(amount) * u128::from(self.value)) >> SHIFT) as u64
    }

    /// The factor times `numerator / denominator`, rounded up; saturates at 16.
    pub fn times(self, numerator: u64, denominator: u64) -> Self {
        let exact = (u128::from(self.value) * u128::from(numerator)).div_ceil(u128::from(denominator.max(1)));
        Self { value: u64::try_from(exact).unwrap_or(u64::MAX) }
    }
}

/// The factor `numerator / denominator`, rounded up; saturates at 16.
pub(crate) fn scale(numerator: u64, denominator: u64) -> Scale {
    Scale { value: 1 << SHIFT }.times(numerator, denominator)
}

const NS_PER_SECOND: u128 = 1_000_000_000;

/// Nanoseconds a tick at `hz`, times 2^32, to the nearest.
pub(super) fn ns_per_tick(hz: u64) -> u64 {
    let hz = u128::from(hz.max(1));
    (((NS_PER_SECOND << 32) + hz / 2) / hz) as u64
}

/// `hz`, or the multiple of 100 MHz that it is within 50 ppm of: a measured clock that is so close to a round number was
/// meant to be that, and what differs is the measurement.
pub(crate) fn snapped(hz: u64) -> u64 {
    const STEP: u64 = 100_000_000;
    let round = (hz + STEP / 2) / STEP * STEP;
    if round.abs_diff(hz) <= round / 20_000 { round } else { hz }
}

/// Whether two rates may be one, of which one was measured. A host that is busy may take 1% from a measurement. Without one, two
/// crystals differ by less than 100 millionths, and what is told by more where it's a round number: 2.5 GHz for 2.496.
pub(crate) fn agree(told: u64, measured: u64, has_host: bool) -> bool {
    told.abs_diff(measured) <= told / if has_host { 100 } else { 10_000 }
}

/// The most counts a second that a counter can make which was seen to make `counts` in `ticks` of a clock of `hz`: either
/// reading may be old by almost a count. Whoever counts down by this rate is a little late, and never early, which would cost
/// an interrupt more.
pub(crate) fn fastest(counts: u64, ticks: u64, hz: u64) -> u64 {
    (u128::from(counts + 1) * u128::from(hz)).div_ceil(u128::from(ticks.max(2) - 1)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches: a rate that is rounded down. Bochs's timer makes 15 counts a microsecond; a second was over 7 us early.
    #[test]
    fn a_counter_is_never_taken_for_slower_than_it_is() {
        for (rate, hz) in [(15_000_000, 15_000_000), (24_000_000, 3_000_000_000), (62_500_000, 2_445_432_101)]
        {
            for start in [0, 1, 7, 99, 12_345] {
                let end = start + hz / 100;
                let counts = |ticks: u64| (u128::from(ticks) * u128::from(rate) / u128::from(hz)) as u64;
                let found = fastest(counts(end) - counts(start), end - start, hz);
                assert!(found >= rate, "{found} for {rate}");
                assert!(found - rate <= 2 * (rate / 100_000 + 200), "{found} for {rate}");
            }
        }
    }

    #[test]
    fn snaps_only_what_is_close() {
        assert_eq!(snapped(1_000_049_000), 1_000_000_000);
        assert_eq!(snapped(999_951_000), 1_000_000_000);
        assert_eq!(snapped(1_000_051_000), 1_000_051_000);
        assert_eq!(snapped(2_592_000_000), 2_592_000_000);
        assert_eq!(snapped(3), 3);
    }

    #[test]
    fn rates_agree_as_far_as_they_can_be_measured() {
        let on_a_host = [(3_465, true), (3_535, true), (3_464, false), (3_536, false), (50, false)];
        for (measured, expected) in on_a_host {
            assert_eq!(agree(3_500_000_000, measured * 1_000_000, true), expected, "{measured} MHz");
        }
        for (told, measured, expected) in [
            (2_500_000_000, 2_496_000_000, false),
            (4_000_000_000, 4_008_000_000, false),
            (2_500_000_000, 2_500_240_000, true),
        ] {
            assert_eq!(agree(told, measured, false), expected, "{measured} Hz");
        }
    }

    #[test]
    fn one_gigahertz_is_exact() {
        assert_eq!(ns_per_tick(1_000_000_000), 1 << 32);
        assert_eq!(scale(1 << 32, 1 << 32).apply(123_456_789_012_345_678), 123_456_789_012_345_678);
    }

    /// The timer must not fire before the clock reaches the deadline, nor noticeably after, years from boot either.
    #[test]
    fn ticks_of_a_time_have_reached_that_time() {
        for hz in [998_000_123, 1_000_000_000, 2_592_000_000, 4_999_999_999_u64] {
            let ns_per_tick = ns_per_tick(hz);
            let to_ticks = scale(hz, hz).times(1 << 32, ns_per_tick);
            for ns in [0, 1, 999, 1_000_000_007, 86_400_000_000_000, 1 << 58] {
                let ticks = to_ticks.apply(ns) + 1;
                let back = ((u128::from(ticks) * u128::from(ns_per_tick)) >> 32) as u64;
                assert!(
                    (ns..=ns + 4).contains(&back),
                    "{hz} Hz: {ns} ns is {ticks} ticks, which are {back} ns"
                );
            }
        }
    }
}
