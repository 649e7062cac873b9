//! The few C symbols that `core` and `alloc`, as compiled for the host target, expect to find.
//!
//! Written in assembly, since a Rust `memcpy` may be compiled into a call of `memcpy`. Up to 16 bytes, two
//! overlapping moves cover any length without a loop; above, 16 bytes a round and an overlapping tail; from
//! 2 KiB on, the string instructions, which move whole cache lines (SDM 1 7.3.9.3).
//!
//! Host tests compile the same code under Rust's names, beside the host's own libc.

use core::arch::naked_asm;

/// Copies `bytes` from `from` to `to`, which don't overlap. Returns `to`.
///
/// # Safety
/// As C's.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    naked_asm!(include_str!("memmove.s"), options(att_syntax))
}

/// Copies `bytes` from `from` to `to`, which may overlap. Returns `to`.
///
/// # Safety
/// As C's.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    naked_asm!(include_str!("memmove.s"), options(att_syntax))
}

/// Sets `bytes` at `to` to the low 8 bits of `value`. Returns `to`.
///
/// # Safety
/// As C's.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn memset(to: *mut u8, value: i32, bytes: usize) -> *mut u8 {
    naked_asm!(include_str!("memset.s"), options(att_syntax))
}

/// Compares as unsigned bytes: negative, zero or positive as `a` is below, equal to or above `b`.
///
/// # Safety
/// As C's.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, bytes: usize) -> i32 {
    naked_asm!(include_str!("memcmp.s"), options(att_syntax))
}

/// Zero if and only if the bytes are equal.
///
/// # Safety
/// As C's.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, bytes: usize) -> i32 {
    naked_asm!("jmp {memcmp}", memcmp = sym memcmp)
}

/// Bytes before the first NUL.
///
/// # Safety
/// As C's.
#[cfg_attr(not(test), unsafe(no_mangle))]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn strlen(text: *const u8) -> usize {
    naked_asm!(include_str!("strlen.s"), options(att_syntax))
}

/// Named by unwind tables, which the linker script discards: panics abort.
#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() -> ! {
    unwinding()
}

/// Called by landing pads of precompiled code, which a panic that aborts never runs.
#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    unwinding()
}

#[cfg(not(test))]
fn unwinding() -> ! {
    panic!("something tried to unwind");
}

#[cfg(test)]
mod tests;
