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
/// So many fit below the next registers, at 0x480.
const MOST_BANKS: u64 = 32;
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

/// Banks that have registers at [`BANKS`]. Those of larger numbers don't: there other registers follow (SDM 4, table 2-2).
fn banks() -> u32 {
    (read(MCG_CAP) & CAP_BANKS).min(MOST_BANKS) as u32
}

/// Whether bank 0's control is another register of the platform's, which is the firmware's (SDM 3B 17.3.2.1): so on Intel's
/// CPUs before Nehalem.
fn has_platform_control(vendor: &str, family: u8, model: u8) -> bool {
    vendor == "GenuineIntel" && family == 6 && model < 0x1a
}

/// The first bank whose control is the kernel's to write.
fn first_controlled() -> u32 {
    let cpuid = CpuId::new();
    let (vendor, info) = (cpuid.get_vendor_info(), cpuid.get_feature_info());
    let is_platforms = vendor.zip(info).is_some_and(|(vendor, info)| {
        has_platform_control(vendor.as_str(), info.family_id(), info.model_id())
    });
    u32::from(is_platforms)
}

/// Turns all reports on, on this CPU, if it has any.
pub(crate) fn enable() {
    if !exists() {
        return;
    }
    if read(MCG_CAP) & CAP_HAS_CTL != 0 {
        write(MCG_CTL, u64::MAX);
    }
    for bank in first_controlled()..banks() {
        write(BANKS + 4 * bank, u64::MAX);
    }
    for bank in 0..banks() {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches: a Core 2 whose platform's settings are overwritten; a later CPU that leaves bank 0 off.
    #[test]
    fn bank_0_is_the_firmwares_on_old_cpus_of_intel() {
        for (vendor, family, model, is_platforms) in [
            ("GenuineIntel", 6, 0x0f, true),
            ("GenuineIntel", 6, 0x17, true),
            ("GenuineIntel", 6, 0x1a, false),
            ("GenuineIntel", 15, 6, false),
            ("AuthenticAMD", 6, 6, false),
        ] {
            assert_eq!(
                has_platform_control(vendor, family, model),
                is_platforms,
                "{vendor} {family} {model:#x}"
            );
        }
    }
}
