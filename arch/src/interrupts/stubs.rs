//! Entry and exit of maskable interrupts.
//!
//! The CPU pushes five words onto this CPU's interrupt stack. They can't stay there: the handler may switch threads, and
//! the next interrupt starts at the same place. Nor could the CPU have pushed them onto the thread's stack, whose red zone
//! (the 128 bytes below rsp) may be in use. So the stub builds a [`Frame`] *below* the red zone and goes on there: from then
//! on a preempted thread carries its own frame, like any other part of its stack.
//!
//! Interrupts stay off from entry to IRETQ. An NMI or a fault in between has a stack of its own.

use super::xmm::xmm;
use super::{handlers, vector};
use crate::context::xstate::DEFAULT_MXCSR;
use crate::cpu::area::{CODE_SELECTOR, DATA_SELECTOR};
use crate::percpu::COUNTS;
use crate::{apic, pic};
use core::arch::naked_asm;
use core::mem::{offset_of, size_of};

/// What an interrupted thread keeps on its stack. Callee-saved registers are kept by the handler, as by any function.
#[repr(C, align(16))]
struct Frame {
    xmm: [u128; 16],
    mxcsr: u64,
    rcx: u64,
    rdx: u64,
    rsi: u64,
    rdi: u64,
    r8: u64,
    r9: u64,
    r10: u64,
    r11: u64,
    rax: u64,
    /// With `rip` above it, this is a link in the chain of stack frames that a backtrace follows.
    rbp: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// The red zone (System V ABI, 3.2.2).
const RED_ZONE: usize = 128;

/// One stub: counts in this CPU's slot of `$vector` and calls `$handler`, an `extern "C" fn()`.
///
/// The offsets from `rsp` in the first half are those of the CPU's own frame with one pushed register before it.
macro_rules! stub {
    ($(#[$doc:meta])* $name:ident, $vector:expr, $handler:path) => {
        $(#[$doc])*
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name() -> ! {
            naked_asm!(
                "push rax",
                "mov rax, [rsp + 32]", // the thread's rsp
                "sub rax, {red_zone} + {size}",
                "and rax, -16",
                "mov [rax + {rcx}], rcx",
                "mov [rax + {rdx}], rdx",
                "mov [rax + {rsi}], rsi",
                "mov [rax + {rdi}], rdi",
                "mov [rax + {r8}], r8",
                "mov [rax + {r9}], r9",
                "mov [rax + {r10}], r10",
                "mov [rax + {r11}], r11",
                "mov [rax + {rbp}], rbp",
                "mov rcx, [rsp]",
                "mov rdx, [rsp + 8]",
                "mov rsi, [rsp + 24]",
                "mov rdi, [rsp + 32]",
                "mov [rax + {rax}], rcx",
                "mov [rax + {rip}], rdx",
                "mov [rax + {rflags}], rsi",
                "mov [rax + {rsp}], rdi",
                "mov qword ptr [rax + {cs}], {code}", // there is only one of each
                "mov qword ptr [rax + {ss}], {data}",
                "lea rbp, [rax + {rbp}]",
                "mov rsp, rax",
                xmm!(save),
                "stmxcsr [rsp + {mxcsr}]",
                "ldmxcsr [rip + {default_mxcsr}]", // a thread's rounding mode is not the handler's
                "cld",
                "inc qword ptr gs:[{count}]",
                "call {handler}",
                xmm!(restore),
                "ldmxcsr [rsp + {mxcsr}]",
                "mov rcx, [rsp + {rcx}]",
                "mov rdx, [rsp + {rdx}]",
                "mov rsi, [rsp + {rsi}]",
                "mov rdi, [rsp + {rdi}]",
                "mov r8, [rsp + {r8}]",
                "mov r9, [rsp + {r9}]",
                "mov r10, [rsp + {r10}]",
                "mov r11, [rsp + {r11}]",
                "mov rax, [rsp + {rax}]",
                "mov rbp, [rsp + {rbp}]",
                "add rsp, {rip}",
                "iretq",
                red_zone = const RED_ZONE,
                size = const size_of::<Frame>(),
                mxcsr = const offset_of!(Frame, mxcsr),
                rcx = const offset_of!(Frame, rcx),
                rdx = const offset_of!(Frame, rdx),
                rsi = const offset_of!(Frame, rsi),
                rdi = const offset_of!(Frame, rdi),
                r8 = const offset_of!(Frame, r8),
                r9 = const offset_of!(Frame, r9),
                r10 = const offset_of!(Frame, r10),
                r11 = const offset_of!(Frame, r11),
                rax = const offset_of!(Frame, rax),
                rbp = const offset_of!(Frame, rbp),
                rip = const offset_of!(Frame, rip),
                cs = const offset_of!(Frame, cs),
                rflags = const offset_of!(Frame, rflags),
                rsp = const offset_of!(Frame, rsp),
                ss = const offset_of!(Frame, ss),
                code = const CODE_SELECTOR,
                data = const DATA_SELECTOR,
                default_mxcsr = sym DEFAULT_MXCSR,
                count = const COUNTS + 8 * ($vector as usize),
                handler = sym $handler,
            )
        }
    };
}

stub!(
    /// The local APIC timer.
    timer, vector::TIMER, on_timer);
stub!(
    /// Another CPU's kick.
    kick, vector::KICK, on_kick);
stub!(
    /// The local APIC's own errors.
    apic_error, vector::APIC_ERROR, on_apic_error);
stub!(
    /// The serial port's received bytes.
    serial, vector::SERIAL, on_serial);
stub!(
    /// Vectors of 64 and above, which nobody sends.
    other, vector::OTHERS, on_unexpected);

stub!(
    /// What the local APIC took back.
    spurious, vector::SPURIOUS, on_spurious);

/// Stubs of a row of vectors that share a handler, each with its own counter.
macro_rules! row {
    ($(#[$doc:meta])* $row:ident: $base:expr, $make:ident, [$($name:ident = $number:expr),*]) => {
        $($make!($name, $base + $number, $number);)*
        $(#[$doc])*
        pub(super) const $row: [super::idt::Stub; [$($number),*].len()] = [$($name),*];
    };
}

/// A stub of one 8259 line, which the handler has to know.
macro_rules! legacy {
    ($name:ident, $vector:expr, $line:expr) => {
        stub!($name, $vector, on_legacy::<$line>);
    };
}

/// A stub of a vector that was given to nobody.
macro_rules! unassigned {
    ($name:ident, $vector:expr, $number:expr) => {
        stub!($name, $vector, on_unexpected);
    };
}

row!(
    /// The sixteen lines of the 8259s. All are masked, but while the legacy controllers are shown: what else comes is spurious.
    LEGACY: vector::LEGACY, legacy, [
    line0 = 0, line1 = 1, line2 = 2, line3 = 3, line4 = 4, line5 = 5, line6 = 6, line7 = 7,
    line8 = 8, line9 = 9, line10 = 10, line11 = 11, line12 = 12, line13 = 13, line14 = 14, line15 = 15]);

row!(
    /// Vectors between the assigned ones.
    UNASSIGNED: vector::UNASSIGNED, unassigned, [
    v34 = 0, v35 = 1, v36 = 2, v37 = 3, v38 = 4, v39 = 5, v3a = 6, v3b = 7, v3c = 8, v3d = 9, v3e = 10]);

extern "C" fn on_timer() {
    apic::end_of_interrupt();
    (handlers().timer)();
}

extern "C" fn on_kick() {
    apic::end_of_interrupt();
    (handlers().kick)();
}

extern "C" fn on_apic_error() {
    apic::note_errors();
    apic::end_of_interrupt();
}

/// A spurious interrupt is not in service, and nothing may be signalled. One that somebody sent with this vector is, and
/// would hold off all others for ever.
extern "C" fn on_spurious() {
    if apic::in_service(vector::SPURIOUS) {
        apic::end_of_interrupt();
    }
}

extern "C" fn on_serial() {
    // First the bytes: a level-triggered line that is still active would interrupt again at once.
    (handlers().take_serial)();
    apic::end_of_interrupt();
    (handlers().serial)();
}

extern "C" fn on_legacy<const LINE: u8>() {
    pic::end_of_interrupt(LINE);
}

extern "C" fn on_unexpected() {
    apic::end_of_interrupt();
}
