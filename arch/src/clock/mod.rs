//! The clock: nanoseconds since the TSC started, in five instructions.
//!
//! Each CPU reads its own TSC; firmware and hypervisors start them together, and boot measures whether they did, and sets right
//! what is more than a microsecond off ([`Skew`]). Reads are not serialised: two on one CPU never go backwards, two on different
//! CPUs may differ by the skew and by what an out-of-order core moves, some tens of nanoseconds. The scheduler takes
//! differences that saturate at zero.
//!
//! Without the invariant flag (TCG never has it) the TSC is used all the same, and [`Source`] says so.

#[cfg(all(feature = "freestanding", not(test)))]
mod calibrate;
#[cfg(all(feature = "freestanding", not(test)))]
pub mod plant;
mod rate;
#[cfg(all(feature = "freestanding", not(test)))]
mod reference;
pub(crate) mod skew;

#[cfg(all(feature = "freestanding", not(test)))]
pub(crate) use calibrate::sample;
#[cfg(all(feature = "freestanding", not(test)))]
pub use calibrate::{Source, init};
pub(crate) use rate::{Scale, fastest, scale, snapped};
pub use skew::Skew;

use core::cell::UnsafeCell;

/// How fast the TSC runs. Plain words and not atomics, which the compiler would not fold into the multiplication.
struct Rate {
    hz: UnsafeCell<u64>,
    /// Nanoseconds a tick, times 2^32.
    ns_per_tick: UnsafeCell<u64>,
}

// SAFETY: written only by `init`, which by its contract runs before any other CPU does.
unsafe impl Sync for Rate {}

/// One nanosecond a tick until [`init`].
static RATE: Rate = Rate { hz: UnsafeCell::new(1_000_000_000), ns_per_tick: UnsafeCell::new(1 << 32) };

#[inline(always)]
fn ns_per_tick() -> u64 {
    // SAFETY: nobody writes any more, or only this CPU does, which is here now; see `Rate`.
    unsafe { *RATE.ns_per_tick.get() }
}

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
    ((u128::from(ticks) * u128::from(ns_per_tick())) >> 32) as u64
}

/// Ticks a second.
pub fn hz() -> u64 {
    // SAFETY: as in `ns_per_tick`.
    unsafe { *RATE.hz.get() }
}

/// Sets the rate.
///
/// # Safety
/// No other CPU runs yet.
#[cfg(all(feature = "freestanding", not(test)))]
unsafe fn set_hz(hz: u64) {
    // SAFETY: by the condition nobody reads at the same time.
    unsafe {
        RATE.hz.get().write(hz);
        RATE.ns_per_tick.get().write(rate::ns_per_tick(hz));
    }
}

/// Turns units a TSC tick into units a nanosecond, exactly as [`to_ns`] has them: a timer's idea of a deadline and the
/// clock's must not drift apart over a long uptime.
pub(crate) fn per_ns(per_tick: Scale) -> Scale {
    per_tick.times(1 << 32, ns_per_tick())
}

/// Waits by spinning. Any context.
pub fn spin_ns(duration_ns: u64) {
    let start = now_ns();
    while now_ns().saturating_sub(start) < duration_ns {
        core::hint::spin_loop();
    }
}
