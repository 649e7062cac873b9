//! Who called whom, from the chain of frame pointers.
//!
//! The kernel is built with frame pointers: rbp points at the caller's rbp, with the return address above it. Interrupt
//! stubs leave such a pair as well, so that the chain leads through an interrupt to what it interrupted.

use crate::memory;
use crate::symbols::At;
use core::arch::asm;
use core::fmt::Write;

/// Lines shown at most; a run of the same address takes one.
const MOST_LINES: usize = 32;
/// Frames followed at most: a chain that a bug makes endless is cut.
const DEEPEST: usize = 100_000;

/// Writes a line a frame: `rip` itself, then its callers by way of `rbp`.
///
/// Reads the stack only where the page tables have it, and only upwards, so that a damaged chain ends instead of
/// looping. Takes no lock; any context.
pub fn backtrace(rbp: u64, rip: u64, out: &mut dyn Write) {
    _ = writeln!(out, "  backtrace:");
    let mut lines = Lines { out, shown: 0, last: rip, repeats: 0 };
    for caller in callers(rbp).take(DEEPEST) {
        lines.push(caller);
    }
    lines.flush();
}

/// Where the functions were called whose frames `rbp` leads through, innermost first. As safe as [`backtrace`].
pub(super) fn callers(rbp: u64) -> impl Iterator<Item = u64> {
    let mut frame = Some(rbp);
    core::iter::from_fn(move || {
        let [caller_frame, return_address] = read_pair(frame?)?;
        frame = (caller_frame > frame?).then_some(caller_frame);
        // The call is before the address that it returns to, maybe at the very end of its function.
        return_address.checked_sub(1)
    })
}

/// [`backtrace`] of the caller itself, for panics.
#[inline(always)]
pub fn backtrace_here(out: &mut dyn Write) {
    let (rbp, rip): (u64, u64);
    // SAFETY: copies two registers.
    unsafe {
        asm!("mov {}, rbp", "lea {}, [rip]", out(reg) rbp, out(reg) rip,
            options(nomem, nostack, preserves_flags));
    }
    backtrace(rbp, rip, out);
}

/// The output, which holds one address back to see whether it comes again: a recursion is one line.
struct Lines<'a> {
    out: &'a mut dyn Write,
    shown: usize,
    last: u64,
    repeats: usize,
}

impl Lines<'_> {
    fn push(&mut self, address: u64) {
        if address == self.last {
            self.repeats += 1;
            return;
        }
        self.flush();
        (self.last, self.repeats) = (address, 0);
    }

    fn flush(&mut self) {
        self.shown += 1;
        _ = match (self.shown, self.repeats) {
            (..=MOST_LINES, 0) => writeln!(self.out, "    {}", At(self.last)),
            (..=MOST_LINES, repeats) => writeln!(self.out, "    {}, and {repeats} times more", At(self.last)),
            (shown, _) if shown == MOST_LINES + 1 => writeln!(self.out, "    ... and so on"),
            _ => Ok(()),
        };
    }
}

fn read_pair(address: u64) -> Option<[u64; 2]> {
    let readable = address.is_multiple_of(8) && memory::is_readable(address, 16);
    // SAFETY: aligned and mapped, by the check. Whatever the words are, they are plain data.
    readable.then(|| unsafe { (address as *const [u64; 2]).read_volatile() })
}
