//! How fast the TSC runs: asked for where somebody knows, else measured.

use super::rate::{agree, snapped};
use super::reference::{Hpet, Pit, PmTimer, Reference};
use super::{set_hz, ticks};
use crate::acpi::{Acpi, PmTimerRegister};
use crate::{apic, cpu, memory};
use raw_cpuid::CpuId;

/// Who said how fast the TSC runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The hypervisor's CPUID leaf 0x40000010.
    Hypervisor,
    /// CPUID leaf 0x15: the crystal and its ratio.
    Crystal,
    /// CPUID leaf 0x16: the nominal frequency.
    Nominal,
    /// Measured by the HPET.
    Hpet,
    /// Measured by the ACPI PM timer.
    PmTimer,
    /// Measured by the 8254.
    Pit,
    /// Nobody says, and nothing counts: 1 GHz, for want of better.
    Assumed,
}

impl Source {
    /// For the report: "TSC, measured by HPET", say, after "TSC, ".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hypervisor => "rate from the hypervisor",
            Self::Crystal => "rate from CPUID 0x15",
            Self::Nominal => "rate from CPUID 0x16",
            Self::Hpet => "measured by HPET",
            Self::PmTimer => "measured by ACPI PM timer",
            Self::Pit => "measured by PIT",
            Self::Assumed => "rate assumed: no counter counts",
        }
    }
}

/// Rates that a TSC may have; anything else is a mistake of whoever says so.
const PLAUSIBLE_HZ: core::ops::RangeInclusive<u64> = 10_000_000..=20_000_000_000;

/// Finds out the TSC's rate and sets the clock by it; takes some 20 ms where it has to measure.
///
/// After `memory::init`, with interrupts off.
///
/// # Panics
/// If other CPUs run already.
pub fn init(acpi: &Acpi) -> Source {
    assert!(apic::online() <= 1, "the clock is set before other CPUs run");
    let (source, hz) = match announced() {
        Some((Source::Nominal, hz)) => checked(hz, acpi),
        Some(told) => told,
        None => measured(acpi),
    };
    // SAFETY: the assertion above; a CPU reads the clock only after it has registered with the APICs.
    unsafe { set_hz(hz) };
    source
}

/// Rates that CPUID tells.
fn announced() -> Option<(Source, u64)> {
    let cpuid = CpuId::new();
    let hypervisor = || Some(u64::from(cpuid.get_hypervisor_info()?.tsc_frequency()?) * 1_000);
    let crystal = || cpuid.get_tsc_info()?.tsc_frequency();
    let nominal = || {
        // Where the TSC's ratio is known but the crystal isn't, the TSC runs at about the nominal rate: that's a round number,
        // where a crystal of 24 MHz makes 2.496 GHz of 2.5.
        cpuid.get_tsc_info().filter(|tsc| tsc.numerator() != 0)?;
        Some(u64::from(cpuid.get_processor_frequency_info()?.processor_base_frequency()) * 1_000_000)
    };
    let plausible = |hz: &u64| PLAUSIBLE_HZ.contains(hz);
    let told = |source, hz: Option<u64>| Some((source, hz.filter(plausible)?));
    told(Source::Hypervisor, hypervisor())
        .or_else(|| told(Source::Crystal, crystal()))
        .or_else(|| told(Source::Nominal, nominal()))
}

/// The nominal frequency, unless a counter contradicts it: it's told "in accordance with the processor's specification" (SDM 2A,
/// CPUID), and emulators and hypervisors pass on a specification that their TSC isn't made to.
fn checked(nominal: u64, acpi: &Acpi) -> (Source, u64) {
    match measured(acpi) {
        (Source::Assumed, _) => (Source::Nominal, nominal),
        (_, hz) if agree(nominal, hz, cpu::features().hypervisor) => (Source::Nominal, nominal),
        contradiction => contradiction,
    }
}

fn measured(acpi: &Acpi) -> (Source, u64) {
    let hpet = || Some((Source::Hpet, rate(&Hpet::new(memory::map_device(acpi.hpet?, 1024).cast())?)?));
    let pm_timer = || match acpi.pm_timer?.register {
        PmTimerRegister::Port(port) => Some((Source::PmTimer, rate(&PmTimer { port })?)),
        PmTimerRegister::Memory(_) => None,
    };
    let pit = || Some((Source::Pit, rate(&Pit::start())?));
    hpet().or_else(pm_timer).or_else(pit).unwrap_or((Source::Assumed, 1_000_000_000))
}

/// The TSC's rate by a reference; `None` if that one does not count.
fn rate(reference: &impl Reference) -> Option<u64> {
    let window = reference.hz() / 50;
    let (tsc, counts) = measure(|| reference.read(), reference.mask(), window)?;
    let hz = u128::from(tsc) * u128::from(reference.hz()) / u128::from(counts);
    let hz = u64::try_from(hz).ok().filter(|hz| PLAUSIBLE_HZ.contains(hz))?;
    Some(snapped(hz))
}

/// The same moment on two clocks.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub tsc: u64,
    pub count: u64,
}

/// Reads a counter and the TSC together: of many tries the one with the least time around the read, since an interruption
/// by an emulator's host, a hypervisor or firmware can only lengthen it.
pub(crate) fn sample(read: impl Fn() -> u64) -> Sample {
    let attempt = |_| {
        let before = ticks();
        let count = read();
        let width = ticks().wrapping_sub(before);
        (width, Sample { tsc: before.wrapping_add(width / 2), count })
    };
    let best = (0..64).map(attempt).min_by_key(|(width, _)| *width);
    best.expect("there were attempts").1
}

/// Ticks of the TSC in at least `window` counts of a counter modulo `mask + 1`, and the counts they took.
///
/// `None` if the counter stands still. The window may be longer than a turn of the counter.
fn measure(read: impl Fn() -> u64, mask: u64, window: u64) -> Option<(u64, u64)> {
    /// More polls than any window takes; a counter that has not moved by then is not there.
    const PATIENCE: u32 = 50_000_000;
    let first = sample(&read);
    let mut last = first.count;
    let mut counted = 0;
    for _ in 0..PATIENCE {
        let count = read();
        counted += count.wrapping_sub(last) & mask;
        last = count;
        if counted >= window {
            let end = sample(&read);
            counted += end.count.wrapping_sub(last) & mask;
            return Some((end.tsc.wrapping_sub(first.tsc), counted));
        }
        core::hint::spin_loop();
    }
    None
}
