//! Saving runs on the host: the instructions are not privileged, and emulators lack some of them.

use super::*;
use crate::context::{switch, switch_call};
use core::arch::{asm, naked_asm};
use core::mem::offset_of;

#[test]
fn avx512_is_enabled_only_whole_and_with_avx() {
    assert_eq!(enabled_of(0b11), 0b11);
    assert_eq!(enabled_of(0b111), 0b111);
    assert_eq!(enabled_of(0b1110_0111), 0b1110_0111);
    assert_eq!(enabled_of(0b0110_0111), 0b111);
    assert_eq!(enabled_of(0b1110_0011), 0b11);
}

#[test]
fn unknown_components_stay_off() {
    assert_eq!(enabled_of(u64::MAX), X87 | SSE | AVX | AVX512);
}

type Switch = unsafe extern "C" fn(*const Context, *const Context);

static INTERRUPTED: Context = Context::new();
static OTHER: Context = Context::new();

/// What another thread may do to registers before the first one runs again.
extern "C" fn destroy(avx: usize) -> ! {
    loop {
        // SAFETY: the clobbered registers are those of a call, plus the x87 stack, which nobody here uses.
        unsafe {
            if avx != 0 {
                // All ones, everywhere.
                asm!("vcmpps ymm0, ymm0, ymm0, 15", "vmovaps ymm15, ymm0", clobber_abi("C"));
            }
            asm!("fninit", "fldpi", clobber_abi("C"));
            switch(&raw const OTHER, &raw const INTERRUPTED);
        }
    }
}

/// What goes into registers before a switch, and what is found there after it.
#[repr(C)]
#[derive(Default)]
struct Probe {
    pattern: [u64; 4],
    ymm0: [u64; 4],
    ymm15: [u64; 4],
    number: f64,
    top: f64,
    avx: u8,
}

/// Plays the interrupted thread: fills the x87 stack and two YMM registers, leaves by `by`, looks what came back.
#[unsafe(naked)]
unsafe extern "C" fn leave_and_return(by: Switch, probe: *mut Probe) {
    naked_asm!(
        "push r12",
        "mov r12, rsi",
        "mov rax, rdi",
        "lea rdi, [rip + {interrupted}]",
        "lea rsi, [rip + {other}]",
        "fld qword ptr [r12 + {number}]",
        "cmp byte ptr [r12 + {avx}], 0",
        "je 2f",
        "vmovdqu ymm0, [r12 + {pattern}]",
        "vmovdqu ymm15, [r12 + {pattern}]",
        "2:",
        "call rax",
        "cmp byte ptr [r12 + {avx}], 0",
        "je 3f",
        "vmovdqu [r12 + {ymm0}], ymm0",
        "vmovdqu [r12 + {ymm15}], ymm15",
        "vzeroupper",
        "3:",
        "fstp qword ptr [r12 + {top}]",
        "fninit",
        "pop r12",
        "ret",
        interrupted = sym INTERRUPTED,
        other = sym OTHER,
        pattern = const offset_of!(Probe, pattern),
        ymm0 = const offset_of!(Probe, ymm0),
        ymm15 = const offset_of!(Probe, ymm15),
        number = const offset_of!(Probe, number),
        top = const offset_of!(Probe, top),
        avx = const offset_of!(Probe, avx),
    )
}

/// Whether the x87 stack, and the upper halves of YMM registers, survive being switched away from by `by`, also when these
/// are in their initial state.
fn survive(by: Switch, avx: bool) -> (bool, bool) {
    let [used, initial] = [[1, 2, 3, 4], [1, 2, 0, 0]].map(|pattern| survives(by, avx, pattern));
    (used.0 && initial.0, used.1 && initial.1)
}

fn survives(by: Switch, avx: bool, pattern: [u64; 4]) -> (bool, bool) {
    let mut stack = vec![0_u128; 4096];
    let mut probe = Probe { pattern, number: 1234.5, avx: avx.into(), ..Probe::default() };
    // SAFETY: the stack is ours and outlives both switches; its end is a multiple of 16.
    unsafe {
        OTHER.prepare(stack.as_mut_ptr_range().end as usize, destroy, avx.into());
        leave_and_return(by, &raw mut probe);
    }
    let upper = |register: [u64; 4]| register[2..] == probe.pattern[2..];
    (probe.top.to_bits() == probe.number.to_bits(), upper(probe.ymm0) && upper(probe.ymm15))
}

/// One test for all methods, which share statics.
#[test]
fn preempted_threads_keep_their_x87_and_vector_state() {
    assert_eq!(survive(preempt_switch, false), (true, false), "FXSAVE");
    let (Some(mask), true) = (supported_mask(), std::is_x86_feature_detected!("avx")) else { return };
    assert_eq!(
        survive(switch_call, true),
        (false, false),
        "a voluntary switch saves neither, or this test can't fail"
    );
    set(Method::Xsave, mask);
    assert_eq!(survive(preempt_switch, true), (true, true), "XSAVE");
    if std::is_x86_feature_detected!("xsavec") {
        set(Method::Xsavec, mask);
        assert_eq!(survive(preempt_switch, true), (true, true), "XSAVEC");
    }
}
