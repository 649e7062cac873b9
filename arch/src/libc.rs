//! The few C symbols that `core` and `alloc`, as compiled for the host target, expect to find.
//!
//! Written in assembly: a Rust `memcpy` may be compiled into a call of `memcpy`. Up to 16 bytes, two
//! overlapping moves cover any length without a loop; above, 16 bytes a round with an overlapping tail;
//! from a page's worth on, the string instructions, which move whole cache lines (SDM 1 7.3.9.3).

use core::arch::global_asm;

global_asm!(include_str!("libc.s"), options(att_syntax));

/// Named by unwind tables, which the linker script discards: panics abort.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() -> ! {
    unwinding()
}

/// Called by landing pads of precompiled code, which a panic that aborts never runs.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    unwinding()
}

fn unwinding() -> ! {
    panic!("something tried to unwind");
}
