//! The I/O APICs: every line masked, but for those that somebody asked for.

use crate::acpi::{self, IsaLine};
use crate::{memory, percpu};
use core::fmt;
use x2apic::ioapic::{IoApic, IrqFlags, RedirectionTableEntry};

/// Masks all lines of the I/O APIC at a physical address. Returns how many there were.
pub fn mask_all(physical: u64) -> u32 {
    let mut io_apic = open(physical);
    // SAFETY: `open` gives the registers of an I/O APIC; masking a line changes nothing else.
    unsafe {
        let last = io_apic.max_table_entry();
        (0..=last).for_each(|line| io_apic.disable_irq(line));
        u32::from(last) + 1
    }
}

/// From now on `line` interrupts CPU `cpu` with `vector`, which must have a handler. From one CPU at a time.
///
/// # Errors
/// If the line ends at none of the I/O APICs, or the CPU is out of their reach. Nothing was changed then.
pub fn route(io_apics: &[acpi::IoApic], line: IsaLine, vector: u8, cpu: u32) -> Result<(), NoRoute> {
    let (mut io_apic, input) = find(io_apics, line.interrupt).ok_or(NoRoute::NoInput(line.interrupt))?;
    let id = percpu::apic_id(cpu as usize).unwrap_or(u32::MAX);
    // 255 addresses all of them.
    let destination = u8::try_from(id).ok().filter(|id| *id != u8::MAX).ok_or(NoRoute::FarCpu(id))?;
    let mut entry = RedirectionTableEntry::default();
    entry.set_vector(vector);
    entry.set_dest(destination);
    entry.set_flags(flags(line));
    // SAFETY: the vector has a handler. The entry's halves are written one after the other, so it's masked meanwhile.
    unsafe {
        io_apic.set_table_entry(input, entry);
        io_apic.enable_irq(input);
    }
    Ok(())
}

/// Masked, and as the line is.
fn flags(line: IsaLine) -> IrqFlags {
    let mut flags = IrqFlags::MASKED;
    flags.set(IrqFlags::LOW_ACTIVE, line.is_active_low);
    flags.set(IrqFlags::LEVEL_TRIGGERED, line.is_level);
    flags
}

/// The I/O APIC at which a global system interrupt ends, and the number of its input.
fn find(io_apics: &[acpi::IoApic], interrupt: u32) -> Option<(IoApic, u8)> {
    io_apics.iter().find_map(|there| {
        let mut io_apic = open(there.physical);
        // SAFETY: `open` gives the registers of an I/O APIC, and reading this one changes nothing.
        let last = unsafe { io_apic.max_table_entry() };
        let input = u8::try_from(interrupt.checked_sub(there.first_interrupt)?).ok()?;
        (input <= last).then_some((io_apic, input))
    })
}

fn open(physical: u64) -> IoApic {
    let base = memory::map_device(physical, 4096);
    // SAFETY: an uncached mapping of the registers that the firmware's tables announce. Only functions of this file use
    // them, each for itself: at boot, from one CPU at a time.
    unsafe { IoApic::new(base as u64) }
}

/// Why an interrupt can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// No I/O APIC has this global system interrupt.
    NoInput(u32),
    /// The CPU's local APIC has this id, and I/O APICs know 255 only.
    FarCpu(u32),
}

impl fmt::Display for NoRoute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInput(interrupt) => write!(out, "no I/O APIC has interrupt {interrupt}"),
            Self::FarCpu(id) => write!(out, "no I/O APIC reaches the CPU with APIC id {id}"),
        }
    }
}
