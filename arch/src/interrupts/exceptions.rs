//! Entry of exceptions and NMIs. No exception returns: a kernel without user code has none to recover from. NMIs do.
//!
//! Each stays on the IST stack that it entered on. That is what lets a stack overflow be reported: its page fault has a
//! good stack, and moving the frame to the thread's own would fault again, for ever.

use super::idt::Stub;
use super::xmm::xmm;
use crate::cause::has_error_code;
use crate::fault::{self, Registers};
use core::arch::naked_asm;

/// The stub of one vector: makes both kinds of frame alike and leaves for [`enter`].
macro_rules! stubs {
    ($(#[$doc:meta])* $row:ident: $($name:ident = $vector:expr),*) => {
        $(#[unsafe(naked)]
        unsafe extern "C" fn $name() -> ! {
            naked_asm!(
                ".if {has_error} == 0",
                "push 0",
                ".endif",
                "push {vector}",
                "jmp {enter}",
                has_error = const has_error_code($vector) as u8,
                vector = const $vector,
                enter = sym enter,
            )
        })*
        $(#[$doc])*
        pub(super) const $row: [Stub; 32] = [$($name),*];
    };
}

stubs!(
    /// By vector.
    STUBS:
    e00 = 0, e01 = 1, e02 = 2, e03 = 3, e04 = 4, e05 = 5, e06 = 6, e07 = 7, e08 = 8, e09 = 9, e10 = 10, e11 = 11,
    e12 = 12, e13 = 13, e14 = 14, e15 = 15, e16 = 16, e17 = 17, e18 = 18, e19 = 19, e20 = 20, e21 = 21, e22 = 22,
    e23 = 23, e24 = 24, e25 = 25, e26 = 26, e27 = 27, e28 = 28, e29 = 29, e30 = 30, e31 = 31);

/// Completes a [`Registers`] below the CPU's frame, error code and vector, and hands it over.
#[unsafe(naked)]
unsafe extern "C" fn enter() -> ! {
    naked_asm!(
        "push rax",
        "push rbx",
        "push rcx",
        "push rdx",
        "push rsi",
        "push rdi",
        "push rbp",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov rdi, rsp",
        "and rsp, -16",
        "cld",
        "ldmxcsr [rip + {default_mxcsr}]",
        "call {handler}",
        "ud2",
        default_mxcsr = sym crate::context::xstate::DEFAULT_MXCSR,
        handler = sym on_exception,
    )
}

/// NMIs keep every register that Rust may change and return. Their IRETQ is the first since they came: a fault in between,
/// which would end it, never returns.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn nmi() -> ! {
    naked_asm!(
        "push 0",
        "push {vector}",
        "push rax",
        "push rbx",
        "push rcx",
        "push rdx",
        "push rsi",
        "push rdi",
        "push rbp",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov rbx, rsp", // which the handler keeps
        "sub rsp, {vectors}",
        "and rsp, -16",
        xmm!(save),
        "stmxcsr [rsp + 0x100]",
        "mov rdi, rbx",
        "cld",
        "ldmxcsr [rip + {default_mxcsr}]",
        "call {handler}",
        xmm!(restore),
        "ldmxcsr [rsp + 0x100]",
        "mov rsp, rbx",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rbp",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rbx",
        "pop rax",
        "add rsp, 16",
        "iretq",
        vector = const crate::cause::NMI,
        // XMM0 to 15, and MXCSR.
        vectors = const 16 * 16 + 16,
        default_mxcsr = sym crate::context::xstate::DEFAULT_MXCSR,
        handler = sym on_nmi,
    )
}

extern "C" fn on_nmi(registers: &mut Registers) {
    fault::on_nmi(registers);
}

extern "C" fn on_exception(registers: &Registers) -> ! {
    fault::on_exception(registers)
}
