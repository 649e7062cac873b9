//! The end of a run: tells the emulator how it went, or halts where nobody is listening.

use x86_64::instructions::port::Port;

use crate::{debug_console, serial};

/// QEMU's `isa-debug-exit`, at the address that the runner gives it.
const DEBUG_EXIT: u16 = 0xf4;

/// Bochs's shutdown port, and the word that it waits for, a byte at a time.
const SHUTDOWN: u16 = 0x8900;
const SHUTDOWN_WORD: &[u8] = b"Shutdown";

/// How a run ended. QEMU's exit status is `2 * code + 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Exit {
    /// Every verdict was a pass (status 33).
    Passed = 0x10,
    /// Some verdict was a failure (status 35).
    Failed = 0x11,
    /// The kernel panicked (status 37).
    Panicked = 0x12,
    /// The command line was not understood (status 39).
    BadInput = 0x13,
    /// A CPU exception (status 41).
    Fault = 0x14,
}

/// Ends the emulator with `code`, which Bochs has no status for: there the log alone tells how it went. On a machine
/// with neither exit device, halts this CPU for ever.
pub fn qemu(code: Exit) -> ! {
    // SAFETY: the port belongs to `isa-debug-exit`; where there is no such device nobody decodes it.
    unsafe { Port::<u32>::new(DEBUG_EXIT).write(code as u32) };
    // Only an emulator has a debug console. What else a machine may have at the next port, nobody knows.
    if debug_console::is_there() {
        shut_bochs_down();
    }
    halt()
}

/// Its UART takes time over the last bytes.
fn shut_bochs_down() {
    serial::drain();
    for &byte in SHUTDOWN_WORD {
        // SAFETY: by the debug console this is Bochs, whose port ends it, or QEMU, which has nothing there.
        unsafe { Port::new(SHUTDOWN).write(byte) };
    }
}

/// Halts this CPU for ever: interrupts are off, and an NMI only halts it again.
pub fn halt() -> ! {
    loop {
        x86_64::instructions::interrupts::disable();
        x86_64::instructions::hlt();
    }
}
