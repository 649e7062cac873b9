//! Waiting for a store instead of an interrupt: MONITOR and MWAIT (SDM 2B).
//!
//! For CPUs whose [`crate::cpu::features`] have it.

use core::arch::asm;

/// Watches the cache line of `address` from now on, for the next [`enable_and_wait`]. What that waits for must be looked at
/// in between, or a store that came just before would be missed.
#[inline(always)]
pub fn watch(address: *const u8) {
    // SAFETY: MONITOR only reads the address, which may be any; it faults where the CPU has none, which the caller excludes.
    unsafe {
        asm!("monitor", in("rax") address, in("ecx") 0, in("edx") 0, options(nostack, preserves_flags));
    }
}

/// Turns interrupts on and waits for a store to the line that is watched, or an interrupt, as one step: none of either can slip
/// in between, since STI takes effect after the next instruction, and MWAIT waits for nothing if the store has been. In the
/// lightest sleep (C1). Returns with interrupts on, maybe for no reason.
#[inline(always)]
pub fn enable_and_wait() {
    // SAFETY: as for `interrupts::enable_and_halt`; extensions and hints are 0, which every MWAIT takes.
    unsafe { asm!("sti", "mwait", in("eax") 0, in("ecx") 0, options(nostack, preserves_flags)) };
}
