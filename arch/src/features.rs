//! What this CPU can do, as far as the kernel cares.

use raw_cpuid::{CpuId, CpuIdReaderNative};

/// A CPU's facts from CPUID.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "CPUID's flags are independent of each other")]
pub struct Features {
    brand: [u8; 48],
    brand_len: usize,
    /// The local APIC can be driven by MSRs.
    pub x2apic: bool,
    /// The local APIC timer can take an absolute TSC value.
    pub tsc_deadline: bool,
    /// The TSC runs at one rate in every power state.
    pub invariant_tsc: bool,
    /// XSAVE and XCR0 exist.
    pub xsave: bool,
    /// XSAVEC exists.
    pub xsavec: bool,
    /// MONITOR and MWAIT exist.
    pub mwait: bool,
    /// Some hypervisor or emulator says that it is there.
    pub hypervisor: bool,
}

impl Features {
    /// The CPU's name, "unknown" where it has none.
    pub fn brand(&self) -> &str {
        match core::str::from_utf8(&self.brand[..self.brand_len]) {
            Ok(name) if !name.trim().is_empty() => name.trim(),
            _ => "unknown CPU",
        }
    }
}

/// Asks the CPU that runs this. Each call executes a dozen CPUIDs, which trap under a hypervisor: keep the result.
pub fn features() -> Features {
    let cpuid = CpuId::new();
    let basic = cpuid.get_feature_info();
    let basic = |has: fn(&raw_cpuid::FeatureInfo) -> bool| basic.as_ref().is_some_and(has);
    let extended = cpuid.get_extended_state_info();
    let (brand, brand_len) = brand(&cpuid);
    Features {
        brand,
        brand_len,
        x2apic: basic(raw_cpuid::FeatureInfo::has_x2apic),
        tsc_deadline: basic(raw_cpuid::FeatureInfo::has_tsc_deadline),
        invariant_tsc: cpuid.get_advanced_power_mgmt_info().is_some_and(|info| info.has_invariant_tsc()),
        xsave: basic(raw_cpuid::FeatureInfo::has_xsave),
        xsavec: extended.is_some_and(|info| info.has_xsavec()),
        mwait: basic(raw_cpuid::FeatureInfo::has_monitor_mwait),
        hypervisor: basic(raw_cpuid::FeatureInfo::has_hypervisor),
    }
}

fn brand(cpuid: &CpuId<CpuIdReaderNative>) -> ([u8; 48], usize) {
    let mut copy = [0; 48];
    let Some(brand) = cpuid.get_processor_brand_string() else { return (copy, 0) };
    let text = brand.as_str().as_bytes();
    let len = text.len().min(copy.len());
    copy[..len].copy_from_slice(&text[..len]);
    (copy, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brand_is_printable() {
        let brand = features();
        assert!(!brand.brand().is_empty());
        assert!(brand.brand().chars().all(|letter| !letter.is_control()));
    }
}
