//! The clock: nanoseconds since the TSC started, in six instructions.
//!
//! Each CPU reads its own TSC; firmware and hypervisors start them together. Reads are not serialised: two on one CPU never
//! go backwards, two on different CPUs may differ by the skew and by what an out-of-order core moves, some tens of
//! nanoseconds. The scheduler takes differences that saturate at zero.
//!
//! Without the invariant flag (TCG never has it) the TSC is used all the same, and [`Source`] says so.

#[cfg(all(feature = "freestanding", not(test)))]
mod calibrate;
mod rate;
#[cfg(all(feature = "freestanding", not(test)))]
mod reference;

#[cfg(all(feature = "freestanding", not(test)))]
pub use calibrate::{Source, init};
#[cfg(all(feature = "freestanding", not(test)))]
pub(crate) use calibrate::sample;
pub(crate) use rate::{Scale, scale, snapped};

use core::sync::atomic::{AtomicU64, Ordering};

/// Nanoseconds a tick, times 2^32. One nanosecond until [`init`].
static NS_PER_TICK: AtomicU64 = AtomicU64::new(1 << 32);
static HZ: AtomicU64 = AtomicU64::new(1_000_000_000);

/// This CPU's time-stamp counter, not serialised.
#[inline(always)]
pub fn ticks() -> u64 {
    // SAFETY: CR4.TSD concerns user code only.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Nanoseconds since the TSC started. Any context, any CPU; see the module about skew.
#[inline(always)]
pub fn now_ns() -> u64 {
    to_ns(ticks())
}

/// Nanoseconds at which a TSC had this value. One multiplication and one shift.
#[inline(always)]
pub fn to_ns(ticks: u64) -> u64 {
    (u128::from(ticks) * u128::from(NS_PER_TICK.load(Ordering::Relaxed)) >> 32) as u64
}

/// Ticks a second.
pub fn hz() -> u64 {
    HZ.load(Ordering::Relaxed)
}

/// Sets the rate; once, before other CPUs run.
fn set_hz(hz: u64) {
    HZ.store(hz, Ordering::Relaxed);
    NS_PER_TICK.store(rate::ns_per_tick(hz), Ordering::Relaxed);
}

/// From [`now_ns`] time to ticks, rounded up: at the resulting tick, and not before, `now_ns()` has reached the time.
pub(crate) fn ticks_scale() -> Scale {
    scale(1 << 32, NS_PER_TICK.load(Ordering::Relaxed))
}

/// Waits by spinning. Any context.
pub fn spin_ns(duration_ns: u64) {
    let start = now_ns();
    while now_ns().saturating_sub(start) < duration_ns {
        core::hint::spin_loop();
    }
}
