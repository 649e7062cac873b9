//! Stands in for `cpu::init_this` and `clock::now_ns` until they exist.

pub(super) fn now_ns() -> u64 {
    // SAFETY: reads the time-stamp counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

pub(super) fn init_this(_: u32) {}
