//! The local APIC's registers in both of its modes, for paths where instructions count.

use core::arch::asm;
use core::sync::atomic::{AtomicPtr, Ordering};

/// Where the registers are in memory; null in x2APIC mode. Written once at boot.
static BASE: AtomicPtr<u32> = AtomicPtr::new(core::ptr::null_mut());

/// A register, by its offset in memory (SDM 3A, table 12-1). Its MSR is `0x800 + offset / 16` (12.12.1.2).
#[derive(Clone, Copy)]
pub(crate) struct Register(u32);

impl Register {
    pub const ID: Self = Self(0x20);
    pub const TASK_PRIORITY: Self = Self(0x80);
    pub const END_OF_INTERRUPT: Self = Self(0xb0);
    pub const SPURIOUS: Self = Self(0xf0);
    /// The first of eight, for 32 vectors each.
    pub const IN_SERVICE: Self = Self(0x100);
    /// Another eight.
    pub const REQUESTS: Self = Self(0x200);
    pub const ERROR_STATUS: Self = Self(0x280);
    pub const COMMAND: Self = Self(0x300);
    /// In memory only; in x2APIC mode the command register has 64 bits.
    pub const COMMAND_HIGH: Self = Self(0x310);
    pub const LVT_TIMER: Self = Self(0x320);
    pub const LVT_LINT0: Self = Self(0x350);
    pub const LVT_LINT1: Self = Self(0x360);
    pub const LVT_ERROR: Self = Self(0x370);
    pub const INITIAL_COUNT: Self = Self(0x380);
    pub const CURRENT_COUNT: Self = Self(0x390);
    pub const DIVIDE: Self = Self(0x3e0);

    /// The `n`th register from here.
    pub const fn plus(self, n: u32) -> Self {
        Self(self.0 + n * 0x10)
    }

    const fn msr(self) -> u32 {
        0x800 + self.0 / 16
    }

    const fn word(self) -> usize {
        self.0 as usize / 4
    }
}

/// A value of [`Register::DIVIDE`].
pub(crate) const DIVIDE_BY_1: u32 = 0b1011;

/// From now on registers are MSRs.
pub(super) fn use_msrs() {
    BASE.store(core::ptr::null_mut(), Ordering::Relaxed);
}

/// From now on registers are at `base`.
pub(super) fn use_memory(base: *mut u32) {
    BASE.store(base, Ordering::Relaxed);
}

/// Where the registers are in memory; `None` in x2APIC mode.
#[inline(always)]
pub(crate) fn in_memory() -> Option<*mut u32> {
    let base = BASE.load(Ordering::Relaxed);
    (!base.is_null()).then_some(base)
}

/// Writes a register of this CPU's local APIC.
#[inline(always)]
pub(crate) fn write(register: Register, value: u32) {
    match in_memory() {
        Some(base) => write_memory(base, register, value),
        None => write_msr(register, value.into()),
    }
}

/// Reads a register of this CPU's local APIC.
#[inline(always)]
pub(crate) fn read(register: Register) -> u32 {
    match in_memory() {
        // SAFETY: `base` is an uncached mapping of all registers, and offsets are multiples of 16 in it.
        Some(base) => unsafe { base.add(register.word()).read_volatile() },
        None => read_msr(register),
    }
}

/// Writes a register where it is in memory.
#[inline(always)]
pub(crate) fn write_memory(base: *mut u32, register: Register, value: u32) {
    // SAFETY: as in `read`. What the registers do to memory, which is nothing, is safe; what they do to control flow goes
    // through the interrupt stubs.
    unsafe { base.add(register.word()).write_volatile(value) };
}

/// Writes a register as MSR. Without a fence: the CPU may do this before earlier stores are visible (SDM 3A 12.12.3).
#[inline(always)]
pub(crate) fn write_msr(register: Register, value: u64) {
    // SAFETY: as in `write_memory`; only in x2APIC mode, so that the MSR exists.
    unsafe {
        asm!("wrmsr", in("ecx") register.msr(), in("eax") value as u32, in("edx") (value >> 32) as u32,
            options(nostack, preserves_flags));
    }
}

/// Reads a register as MSR.
///
/// MOV SS holds interrupts off for one instruction and does nothing else. It is there for QEMU with `-icount`, which makes
/// the next instruction a translation block of its own: reading the timer's current count fails in the middle of one.
#[inline(never)]
fn read_msr(register: Register) -> u32 {
    let value: u32;
    // SAFETY: only in x2APIC mode, so that the MSR exists; reading has no effect on memory, nor has loading SS with what
    // it holds.
    unsafe {
        asm!("mov {0:e}, ss", "mov ss, {0:e}", "rdmsr", out(reg) _, in("ecx") register.msr(),
            out("eax") value, out("edx") _, options(nostack, preserves_flags));
    }
    value
}
