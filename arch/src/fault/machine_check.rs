//! Machine checks: hardware errors that the CPU found. On, so that one is reported and doesn't reset the machine.

use core::fmt::{Result, Write};
use raw_cpuid::CpuId;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::model_specific::Msr;

/// Global registers (SDM 3B 17.3.1).
const MCG_CAP: u32 = 0x179;
const MCG_STATUS: u32 = 0x17a;
const MCG_CTL: u32 = 0x17b;
const CAP_BANKS: u64 = 0xff;
const CAP_HAS_CTL: u64 = 1 << 8;

/// Banks have four registers each from here on (17.3.2): control, status, address, miscellaneous.
const BANKS: u32 = 0x400;
const STATUS_VALID: u64 = 1 << 63;
const STATUS_HAS_MISC: u64 = 1 << 59;
const STATUS_HAS_ADDRESS: u64 = 1 << 58;

fn read(msr: u32) -> u64 {
    // SAFETY: callers name registers that CPUID and MCG_CAP announce; reading them has no effect on memory.
    unsafe { Msr::new(msr).read() }
}

fn write(msr: u32, value: u64) {
    // SAFETY: as in `read`; what they control is which errors are reported.
    unsafe { Msr::new(msr).write(value) }
}

fn exists() -> bool {
    CpuId::new().get_feature_info().is_some_and(|info| info.has_mce() && info.has_mca())
}

fn banks() -> u32 {
    (read(MCG_CAP) & CAP_BANKS) as u32
}

/// Turns all reports on, on this CPU, if it has any.
pub(crate) fn enable() {
    if !exists() {
        return;
    }
    if read(MCG_CAP) & CAP_HAS_CTL != 0 {
        write(MCG_CTL, u64::MAX);
    }
    for bank in 0..banks() {
        write(BANKS + 4 * bank, u64::MAX);
        write(BANKS + 4 * bank + 1, 0);
    }
    // SAFETY: vector 18 has its stub and its stack.
    unsafe { Cr4::update(|cr4| cr4.insert(Cr4Flags::MACHINE_CHECK_EXCEPTION)) };
}

/// Writes what this CPU's banks hold, a line each.
pub(super) fn write_banks(out: &mut dyn Write) -> Result {
    if !exists() {
        return Ok(());
    }
    writeln!(out, "  machine check status {:#x}", read(MCG_STATUS))?;
    (0..banks()).try_for_each(|bank| write_bank(out, bank))
}

fn write_bank(out: &mut dyn Write, bank: u32) -> Result {
    let first = BANKS + 4 * bank;
    let status = read(first + 1);
    if status & STATUS_VALID == 0 {
        return Ok(());
    }
    write!(out, "  bank {bank}: status {status:#018x}")?;
    if status & STATUS_HAS_ADDRESS != 0 {
        write!(out, ", address {:#x}", read(first + 2))?;
    }
    if status & STATUS_HAS_MISC != 0 {
        write!(out, ", more {:#x}", read(first + 3))?;
    }
    writeln!(out)
}
