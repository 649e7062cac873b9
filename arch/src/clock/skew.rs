//! How far the TSCs of two CPUs are apart, and putting that right.
//!
//! The first CPU asks another one for its TSC, many times, and notes its own before the question and after the answer. The
//! other's was read in between, so each round says between which bounds the difference is, and all rounds together say it as
//! precisely as the fastest: Cristian, "Probabilistic clock synchronization" (1989). A slow round, of an emulated CPU that its
//! host holds up, says little and spoils nothing.

use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

/// Rounds of one measurement, unless they take longer than [`LONGEST_US`].
const ROUNDS: usize = 64;
/// When no further round begins.
const LONGEST_US: u64 = 20_000;
/// A TSC that is no further off is left alone: setting it would be no more precise by much.
const TOLERATED_US: u64 = 1;
/// After so long without an answer the other CPU is lost.
const PATIENCE_US: u64 = 5_000_000;

/// What was found of a CPU's TSC. In ticks, as all here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew {
    /// It's no further than this from the first CPU's, either way, now.
    pub within: u64,
    /// It was so far ahead (behind, if negative) when its CPU came; 0 unless more was seen than is tolerated.
    pub was: i64,
    /// Setting it right was no use.
    pub stays: bool,
}

/// What is known of another TSC, less this CPU's at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    least: i64,
    most: i64,
}

impl Bounds {
    /// Nothing is known.
    const ANY: Self = Self { least: i64::MIN, most: i64::MAX };

    /// Learns from one round: the other TSC read `there`, some time between `before` and `after` here.
    fn learn(&mut self, before: u64, there: u64, after: u64) {
        self.least = self.least.max(there.wrapping_sub(after).cast_signed());
        self.most = self.most.min(there.wrapping_sub(before).cast_signed());
    }

    /// The difference is no larger, either way.
    fn within(self) -> u64 {
        self.least.unsigned_abs().max(self.most.unsigned_abs())
    }

    /// The likeliest difference, if it's more than `tolerated` for certain; else 0.
    fn surely(self, tolerated: u64) -> i64 {
        let least = 0_i64.clamp(self.least, self.most.max(self.least));
        if least.unsigned_abs() <= tolerated { 0 } else { self.least.midpoint(self.most) }
    }
}

// Whose turn it is, in `Exchange::turn`.
const NOBODY: u32 = 0;
const ASKED: u32 = 1;
const TO_SHIFT: u32 = 2;
const ANSWERED: u32 = 3;
const OVER: u32 = 4;

/// What the first CPU and another one pass each other. Used once.
pub(crate) struct Exchange {
    turn: AtomicU32,
    there: AtomicU64,
    shift: AtomicI64,
}

impl Exchange {
    pub(crate) const fn new() -> Self {
        Self { turn: AtomicU32::new(NOBODY), there: AtomicU64::new(0), shift: AtomicI64::new(0) }
    }

    /// On the first CPU, whose TSC is the measure: measures the other's, has it set right if it's off, and lets its CPU go on.
    /// `None` if that doesn't answer.
    pub(crate) fn settle(&self, read: impl Fn() -> u64, ticks_per_us: u64) -> Option<Skew> {
        let tolerated = TOLERATED_US * ticks_per_us;
        let mut bounds = self.measure(&read, ticks_per_us)?;
        let was = bounds.surely(tolerated);
        if was != 0 {
            self.shift.store(was.wrapping_neg(), Ordering::Relaxed);
            self.pass(TO_SHIFT, &read, ticks_per_us)?;
            bounds = self.measure(&read, ticks_per_us)?;
        }
        self.turn.store(OVER, Ordering::Relaxed);
        Some(Skew { within: bounds.within(), was, stays: bounds.surely(tolerated) != 0 })
    }

    fn measure(&self, read: &impl Fn() -> u64, ticks_per_us: u64) -> Option<Bounds> {
        let mut bounds = Bounds::ANY;
        let start = read();
        for _ in 0..ROUNDS {
            let before = read();
            self.pass(ASKED, read, ticks_per_us)?;
            let after = read();
            bounds.learn(before, self.there.load(Ordering::Relaxed), after);
            if after.wrapping_sub(start) > LONGEST_US * ticks_per_us {
                break;
            }
        }
        Some(bounds)
    }

    /// Gives the other CPU its turn and waits until that has done what it's for.
    fn pass(&self, turn: u32, read: &impl Fn() -> u64, ticks_per_us: u64) -> Option<()> {
        // Release: pairs with the Acquire load in `answer`, which sees by how much to shift.
        self.turn.store(turn, Ordering::Release);
        let start = read();
        // Acquire: pairs with the Release store in `answer`; what that read is seen.
        while self.turn.load(Ordering::Acquire) != ANSWERED {
            if read().wrapping_sub(start) > PATIENCE_US * ticks_per_us {
                return None;
            }
            core::hint::spin_loop();
        }
        Some(())
    }

    /// On the other CPU: does what the first one asks for, until that has found out.
    pub(crate) fn answer(&self, read: impl Fn() -> u64, shift: impl Fn(i64)) {
        loop {
            // Acquire: pairs with the Release store in `pass`.
            match self.turn.load(Ordering::Acquire) {
                ASKED => self.there.store(read(), Ordering::Relaxed),
                TO_SHIFT => shift(self.shift.load(Ordering::Relaxed)),
                OVER => return,
                _ => {
                    core::hint::spin_loop();
                    continue;
                }
            }
            // Release: pairs with the Acquire load in `pass`.
            self.turn.store(ANSWERED, Ordering::Release);
        }
    }
}

/// This CPU's TSC, read after all that comes before in the program, and before all that comes after.
#[cfg(all(feature = "freestanding", not(test)))]
pub(crate) fn read_in_order() -> u64 {
    use core::arch::x86_64::_mm_lfence;
    // SAFETY: every CPU with SSE2 has LFENCE.
    unsafe { _mm_lfence() };
    let ticks = super::ticks();
    // SAFETY: as above.
    unsafe { _mm_lfence() };
    ticks
}

/// Moves this CPU's TSC by so many ticks; without effect where a hypervisor doesn't let it.
#[cfg(all(feature = "freestanding", not(test)))]
pub(crate) fn shift_this(by: i64) {
    use raw_cpuid::CpuId;
    use x86_64::registers::model_specific::Msr;
    let can_adjust = CpuId::new().get_extended_feature_info().is_some_and(|info| info.has_tsc_adjust_msr());
    // What is written to the first is added to the TSC, with nothing lost in between (SDM 3B 19.17.3).
    let [mut adjust, mut counter] = [0x3b, 0x10].map(Msr::new);
    // SAFETY: every CPU has the second, and this one the first if it says so; this CPU's clock isn't used yet.
    unsafe {
        if can_adjust {
            let adjusted = adjust.read();
            adjust.write(adjusted.wrapping_add_signed(by));
        } else {
            counter.write(super::ticks().wrapping_add_signed(by));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn bounds(rounds: &[(u64, u64, u64)]) -> Bounds {
        let mut bounds = Bounds::ANY;
        for &(before, there, after) in rounds {
            bounds.learn(before, there, after);
        }
        bounds
    }

    /// Catches: bounds swapped, a slow round that hides a fast one, a difference of the wrong sign.
    #[test]
    fn the_fastest_rounds_decide() {
        for (rounds, within, was) in [
            (&[(100, 150, 200)][..], 50, 0),
            (&[(100, 180, 200)], 80, 0),
            (&[(100, 150, 200), (1_000, 5_000, 900_000)], 50, 0),
            (&[(1_000, 2_000, 900_000), (100, 150, 200)], 50, 0),
            (&[(100, 1_150, 200)], 1_050, 1_000),
            (&[(2_100, 1_150, 2_200)], 1_050, -1_000),
        ] {
            let bounds = bounds(rounds);
            assert_eq!((bounds.within(), bounds.surely(10)), (within, was), "{rounds:?}");
        }
    }

    /// Catches: a TSC set right for what nobody can measure.
    #[test]
    fn what_is_tolerated_is_left_alone() {
        let near = bounds(&[(100, 1_150, 200)]);
        assert_eq!([950, 949].map(|tolerated| near.surely(tolerated)), [0, 1_000]);
        assert_eq!(Bounds::ANY.surely(0), 0);
    }

    /// Catches: arithmetic that overflows where a TSC never was started with the others.
    #[test]
    fn any_two_counters_can_be_compared() {
        let far = bounds(&[(u64::MAX - 10, 5, u64::MAX)]);
        assert_eq!((far.within(), far.surely(0)), (16, 11));
        assert!(bounds(&[(0, 1 << 63, 1)]).within() >= 1 << 62);
    }

    /// Two CPUs of which one is `off`, and obeys if `sets`. Their time goes on by a tick with each look at it.
    fn settle(off: i64, sets: bool) -> Skew {
        let (exchange, time, offset) = (Exchange::new(), AtomicU64::new(1_000_000), AtomicI64::new(off));
        let tick = || {
            thread::yield_now();
            time.fetch_add(1, Ordering::SeqCst)
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                let read = || tick().wrapping_add_signed(offset.load(Ordering::SeqCst));
                let shift = |by| _ = sets.then(|| offset.fetch_add(by, Ordering::SeqCst));
                exchange.answer(read, shift);
            });
            // So slow a clock that no wait is too long.
            exchange.settle(tick, 1_000_000).expect("the other CPU answers")
        })
    }

    /// Catches: a correction of the wrong sign or size, one that isn't checked, one where nothing is wrong.
    #[test]
    fn what_is_off_is_set_right() {
        const FAR: i64 = 1 << 40;
        let near = settle(500_000, true);
        assert_eq!((near.was, near.stays), (0, false));
        for off in [FAR, -FAR] {
            let skew = settle(off, true);
            assert!(
                skew.was.abs_diff(off) <= 1_000_000 && !skew.stays && skew.within <= 2_000_000,
                "{skew:?}"
            );
            let skew = settle(off, false);
            assert!(skew.was.abs_diff(off) <= 1_000_000 && skew.stays, "{skew:?}");
        }
    }
}
