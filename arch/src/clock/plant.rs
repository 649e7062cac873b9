//! Clocks that are wrong on purpose, for tests of what becomes of it: one that jumps, and one that isn't the others'.
//!
//! A TSC can't be set everywhere, but its rate is a number here: the clock counts from the TSC's start, so another rate is
//! a jump, and a clock of another speed from then on.

use super::{RATE, now_ns, ns_per_tick, skew};
use crate::timer;
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The rate that the clock had, once it has another one.
static TRUE_RATE: AtomicU64 = AtomicU64::new(0);
/// Ticks by which the TSC of every CPU but the first will be wrong as its CPU comes.
static SKEW: AtomicI64 = AtomicI64::new(0);

/// Jumps ahead by so many ns, or a little more.
pub fn jump_ahead(by_ns: u64) {
    let rate = ns_per_tick();
    TRUE_RATE.store(rate, Ordering::Relaxed);
    let now = now_ns().max(1);
    let faster = u128::from(rate) * u128::from(now + by_ns) / u128::from(now);
    change(rate, faster as u64);
}

/// Jumps back to where the clock would be without [`jump_ahead`].
pub fn jump_back() {
    let rate = TRUE_RATE.load(Ordering::Relaxed);
    if rate != 0 {
        change(ns_per_tick(), rate);
    }
}

/// Has CPUs come with TSCs that are so many ticks ahead of the first one's, or behind, by turns. Before they are started.
pub fn skew_others(by: i64) {
    SKEW.store(by, Ordering::Relaxed);
}

/// Does that to this CPU.
pub(crate) fn skew_this(index: u32) {
    let by = SKEW.load(Ordering::Relaxed);
    if by != 0 {
        skew::shift_this(if index.is_multiple_of(2) { -by } else { by });
    }
}

fn change(from: u64, to: u64) {
    // SAFETY: the word is aligned. Other CPUs may read it at the same time, by single loads that get the old value or the
    // new one; that the clock then jumps for each of them at another moment is the point.
    unsafe { RATE.ns_per_tick.get().write_volatile(to) };
    timer::scale_by(from, to);
}
