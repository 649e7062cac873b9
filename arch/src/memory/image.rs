//! The kernel image's own addresses, from the linker script's symbols.
//!
//! The address of such a symbol is its value; nothing is ever read through it.

use core::ops::Range;

unsafe extern "C" {
    static __kernel_start: u8;
    static __text_start: u8;
    static __text_end: u8;
    static __data_start: u8;
    static __boot_stack_guard: u8;
    static __kernel_end: u8;
}

/// Virtual address of the image's first byte.
pub fn start() -> u64 {
    &raw const __kernel_start as u64
}

/// Bytes that the image takes in memory, `.bss` and the boot stack included; whole pages.
pub fn len() -> u64 {
    end() - start()
}

/// The executable part.
pub fn text() -> Range<u64> {
    &raw const __text_start as u64..&raw const __text_end as u64
}

/// What is only read: constants, headers and the symbol table.
pub(super) fn constants() -> Range<u64> {
    start()..text().start
}

/// What is written, below and above the boot stack's guard page.
pub(super) fn data() -> [Range<u64>; 2] {
    [&raw const __data_start as u64..boot_stack_guard(), boot_stack_guard() + 4096..end()]
}

/// The page below the boot stack, which is never mapped.
pub(super) fn boot_stack_guard() -> u64 {
    &raw const __boot_stack_guard as u64
}

fn end() -> u64 {
    &raw const __kernel_end as u64
}
