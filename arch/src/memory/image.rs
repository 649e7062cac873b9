//! The kernel image's own addresses, from the linker script's symbols.

unsafe extern "C" {
    static __kernel_start: u8;
    static __kernel_end: u8;
}

/// Virtual address of the image's first byte.
pub fn start() -> u64 {
    // The address of a linker symbol is its value; nothing is read.
    &raw const __kernel_start as u64
}

/// Bytes that the image takes in memory, `.bss` and the boot stack included; whole pages.
pub fn len() -> u64 {
    &raw const __kernel_end as u64 - start()
}
