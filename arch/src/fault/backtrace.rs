//! Who called whom, from the chain of frame pointers.
//!
//! The kernel is built with frame pointers: rbp points at the caller's rbp, with the return address above it. Interrupt
//! stubs leave such a pair as well, so that the chain leads through an interrupt to what it interrupted.

use crate::memory;
use crate::symbols::At;
use core::arch::asm;
use core::fmt::Write;

/// Frames shown at most: more than a sane chain, fewer than a runaway recursion.
const DEEPEST: usize = 32;

/// Writes a line a frame: `rip` itself, then its callers by way of `rbp`.
///
/// Reads the stack only where the page tables have it, and only upwards, so that a damaged chain ends instead of looping.
/// Takes no lock; any context.
pub fn backtrace(rbp: u64, rip: u64, out: &mut dyn Write) {
    _ = writeln!(out, "  backtrace:");
    _ = writeln!(out, "    {}", At(rip));
    let mut frame = rbp;
    for _ in 1..DEEPEST {
        let Some([caller_frame, return_address]) = read_pair(frame) else { return };
        if return_address == 0 {
            return;
        }
        // The call is before the address that it returns to, maybe at the very end of its function.
        _ = writeln!(out, "    {}", At(return_address - 1));
        if caller_frame <= frame {
            return;
        }
        frame = caller_frame;
    }
    _ = writeln!(out, "    ... and so on");
}

/// [`backtrace`] of the caller itself, for panics.
#[inline(always)]
pub fn backtrace_here(out: &mut dyn Write) {
    let (rbp, rip): (u64, u64);
    // SAFETY: copies two registers.
    unsafe { asm!("mov {}, rbp", "lea {}, [rip]", out(reg) rbp, out(reg) rip, options(nomem, nostack, preserves_flags)) };
    backtrace(rbp, rip, out);
}

fn read_pair(address: u64) -> Option<[u64; 2]> {
    let readable = address.is_multiple_of(8) && memory::is_readable(address, 16);
    // SAFETY: aligned and mapped, by the check. Whatever the words are, they are plain data.
    readable.then(|| unsafe { (address as *const [u64; 2]).read_volatile() })
}
