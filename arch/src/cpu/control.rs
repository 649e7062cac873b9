//! Control registers: what the CPU enforces, and which registers threads may use.

use crate::context::xstate;
use core::arch::asm;
use core::fmt;
use raw_cpuid::CpuId;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::xcontrol::XCr0;

/// Sets CR0, CR4 and XCR0 of this CPU and gives it clean x87 and SSE control words.
///
/// The same on every CPU of one model, so that a thread's vector state fits wherever it runs.
pub(super) fn init() {
    let cr0 = Cr0::read() - Cr0Flags::EMULATE_COPROCESSOR - Cr0Flags::TASK_SWITCHED;
    // SAFETY: turns the x87 and SSE units on, and makes ring 0 respect read-only pages, which nobody here writes to.
    unsafe {
        Cr0::write(cr0 | Cr0Flags::MONITOR_COPROCESSOR | Cr0Flags::NUMERIC_ERROR | Cr0Flags::WRITE_PROTECT);
    };
    // SAFETY: only bits that CPUID announces; see `cr4_additions` for why each is harmless here.
    unsafe { Cr4::write(Cr4::read() | cr4_additions()) };
    if let Some(mask) = xstate::supported_mask() {
        // SAFETY: the mask is a subset of what CPUID leaf 0xd allows, closed under the CPU's dependencies.
        unsafe { XCr0::write_raw(mask) };
    }
    // SAFETY: default control words (SDM 1 8.1.5, 11.6.4); kernel code expects nothing else.
    unsafe { asm!("fninit", "ldmxcsr [{}]", in(reg) &raw const xstate::DEFAULT_MXCSR, options(nostack)) };
}

/// SSE, and XSAVE where there is one. There are no user pages, so the last three can catch only bugs.
fn cr4_additions() -> Cr4Flags {
    let cpuid = CpuId::new();
    let extended = cpuid.get_extended_feature_info();
    let extended = |has: fn(&raw_cpuid::ExtendedFeatures) -> bool| extended.as_ref().is_some_and(has);
    let mut flags = Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    flags.set(Cr4Flags::OSXSAVE, cpuid.get_feature_info().is_some_and(|info| info.has_xsave()));
    flags
        .set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, extended(raw_cpuid::ExtendedFeatures::has_smep));
    flags.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, extended(raw_cpuid::ExtendedFeatures::has_smap));
    flags.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, extended(raw_cpuid::ExtendedFeatures::has_umip));
    flags
}

/// What of the protections against bugs of this kind is on, on this CPU: of ring 0 against itself, mostly.
pub fn protections() -> impl fmt::Display {
    Protections(Cr4::read())
}

struct Protections(Cr4Flags);

impl fmt::Display for Protections {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("WP NX")?;
        let optional = [
            ("SMEP", Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION),
            ("SMAP", Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
            ("UMIP", Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
        ];
        optional
            .iter()
            .filter(|(_, flag)| self.0.contains(*flag))
            .try_for_each(|(name, _)| write!(out, " {name}"))
    }
}
