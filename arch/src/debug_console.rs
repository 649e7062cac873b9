//! The debug console of QEMU and Bochs: a port that takes bytes without ado, and without a UART's bookkeeping.

use core::arch::asm;

use x86_64::instructions::port::Port;

/// Bochs's, and QEMU's `isa-debugcon`, at the address that the runner gives it.
const PORT: u16 = 0xe9;

/// Whether there is one: read, the port answers with its own number.
pub fn is_there() -> bool {
    // SAFETY: reading the port changes nothing, whatever is behind it.
    unsafe { Port::<u8>::new(PORT).read() == PORT as u8 }
}

/// Sends `bytes` as they are. Where there is no console they are lost.
pub fn write_bytes(bytes: &[u8]) {
    // SAFETY: reads the slice and nothing else; the direction flag is clear, as the ABI has it.
    unsafe {
        asm!(
            "rep outsb",
            in("dx") PORT,
            inout("rsi") bytes.as_ptr() => _,
            inout("rcx") bytes.len() => _,
            options(nostack, preserves_flags, readonly),
        );
    }
}
