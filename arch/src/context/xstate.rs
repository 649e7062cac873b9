//! The vector and x87 state of a thread that was preempted.
//!
//! The interrupt stub has saved XMM0 to 15 and MXCSR, on which the kernel's own code works. What it did not touch (the
//! upper halves of YMM, the AVX-512 registers, the x87 stack) is still in the CPU, and [`preempt_switch`] saves it, on
//! the stack of the thread, before another one may use it.
//!
//! On the stack, not in an area a task: a thread that was not preempted needs no room, and nothing has to be found. It
//! must not be XSAVEOPT then, which skips what it believes unchanged since the last restore from the same address (SDM 1
//! 13.9), while other calls have long used that memory. XSAVEC has no such memory; it skips only what is in its initial
//! state, and says so in the header. XSAVE where there is no XSAVEC; FXSAVE where there is neither.

use super::{Context, switch_call};
use core::arch::naked_asm;
use core::sync::atomic::{AtomicU32, Ordering};
use raw_cpuid::CpuId;

mod trial;

/// All exceptions masked, round to nearest: what threads start with and handlers run with.
pub(crate) static DEFAULT_MXCSR: u32 = 0x1f80;

/// State components (SDM 1 13.1).
const X87: u64 = 1 << 0;
const SSE: u64 = 1 << 1;
const AVX: u64 = 1 << 2;
const AVX512: u64 = 0b111 << 5;

/// Bytes of an FXSAVE image, which also opens every XSAVE area.
const LEGACY_BYTES: u32 = 512;

/// How much [`preempt_switch`] takes from the stack. FXSAVE's until [`init`].
static AREA_BYTES: AtomicU32 = AtomicU32::new(LEGACY_BYTES);
/// Which components it asks for; all fit in the low half.
static COMPONENTS: AtomicU32 = AtomicU32::new(0);
/// A [`Method`].
static METHOD: AtomicU32 = AtomicU32::new(Method::Fxsave as u32);

/// The instruction that saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Method {
    /// Neither AVX nor XSAVE.
    Fxsave = 0,
    /// The standard format.
    Xsave = 1,
    /// The compacted format.
    Xsavec = 2,
}

impl Method {
    /// The mnemonic.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fxsave => "FXSAVE",
            Self::Xsave => "XSAVE",
            Self::Xsavec => "XSAVEC",
        }
    }
}

/// Registers that threads may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// YMM0 to 15.
    pub avx: bool,
    /// ZMM0 to 31 and the opmasks.
    pub avx512: bool,
}

/// What XCR0 is to be: the components that threads may use, as far as the CPU has them. `None` without XSAVE.
pub(crate) fn supported_mask() -> Option<u64> {
    let cpuid = CpuId::new();
    if !cpuid.get_feature_info()?.has_xsave() {
        return None;
    }
    let leaf = core::arch::x86_64::__cpuid_count(0xd, 0);
    Some(enabled_of(u64::from(leaf.edx) << 32 | u64::from(leaf.eax)))
}

/// Keeps what is known here, and of that what may be enabled: AVX needs SSE, AVX-512 needs AVX and all its three parts.
fn enabled_of(supported: u64) -> u64 {
    let has = |components: u64| if supported & components == components { components } else { 0 };
    let avx = has(AVX);
    X87 | SSE | avx | if avx == 0 { 0 } else { has(AVX512) }
}

/// Chooses method and size, once, on the first CPU after its XCR0 is set: XSAVEC where it's there and [gives
/// back](trial::gives_back) what it took.
pub(crate) fn init() {
    let Some(mask) = supported_mask() else { return };
    let has_compact = CpuId::new().get_extended_state_info().is_some_and(|info| info.has_xsavec());
    let compact = has_compact && trial::gives_back(true, mask & !SSE);
    set(if compact { Method::Xsavec } else { Method::Xsave }, mask);
}

/// Makes [`preempt_switch`] use a method that the CPU has, for the components of `mask`.
fn set(method: Method, mask: u64) {
    // EBX is the size of an area with all that XCR0 enables: of the standard format in subleaf 0, compacted in 1. No
    // supervisor component is enabled, so that IA32_XSS adds nothing.
    let bytes = match method {
        Method::Fxsave => LEGACY_BYTES,
        Method::Xsave => core::arch::x86_64::__cpuid_count(0xd, 0).ebx,
        Method::Xsavec => core::arch::x86_64::__cpuid_count(0xd, 1).ebx,
    };
    AREA_BYTES.store(bytes, Ordering::Relaxed);
    COMPONENTS.store((mask & !SSE) as u32, Ordering::Relaxed);
    METHOD.store(method as u32, Ordering::Relaxed);
}

/// How preempted threads' state is saved, and how many bytes of their stacks that takes.
pub fn method() -> (Method, u32) {
    let method = match METHOD.load(Ordering::Relaxed) {
        2 => Method::Xsavec,
        1 => Method::Xsave,
        _ => Method::Fxsave,
    };
    (method, AREA_BYTES.load(Ordering::Relaxed))
}

/// Which vector registers wider than XMM [`preempt_switch`] keeps.
pub fn kept() -> Kept {
    let components = u64::from(COMPONENTS.load(Ordering::Relaxed));
    Kept { avx: components & AVX != 0, avx512: components & AVX512 != 0 }
}

/// [`switch`], for a thread that was interrupted: keeps its x87 and vector state too.
///
/// Only from an interrupt handler (see [`crate::interrupts::Handlers`]), whose stub keeps the XMM registers and MXCSR: those
/// it may destroy.
///
/// # Safety
/// As for [`switch`].
#[unsafe(naked)]
pub unsafe extern "C" fn preempt_switch(previous: *const Context, next: *const Context) {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "mov eax, dword ptr [rip + {bytes}]",
        "sub rsp, rax",
        "and rsp, -64",
        "mov ecx, dword ptr [rip + {method}]",
        "mov eax, dword ptr [rip + {components}]",
        "xor edx, edx",
        "cmp ecx, 1",
        "jb 4f",
        // The header: XRSTOR faults if what the saving instruction leaves alone is not zero (SDM 1 13.8).
        "xorps xmm0, xmm0",
        "movaps [rsp + 0x200], xmm0",
        "movaps [rsp + 0x210], xmm0",
        "movaps [rsp + 0x220], xmm0",
        "movaps [rsp + 0x230], xmm0",
        "je 2f",
        "xsavec64 [rsp]",
        "jmp 3f",
        "2:",
        "xsave64 [rsp]",
        "3:",
        "call {switch}",
        "mov eax, dword ptr [rip + {components}]",
        "xor edx, edx",
        "xrstor64 [rsp]",
        "mov rsp, rbp",
        "pop rbp",
        "ret",
        "4:",
        "fxsave64 [rsp]",
        "call {switch}",
        "fxrstor64 [rsp]",
        "mov rsp, rbp",
        "pop rbp",
        "ret",
        bytes = sym AREA_BYTES,
        components = sym COMPONENTS,
        method = sym METHOD,
        switch = sym switch_call,
    )
}

#[cfg(test)]
mod tests;
