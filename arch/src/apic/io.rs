//! The I/O APICs: every line masked. This kernel has no devices that interrupt.

use crate::memory;
use x2apic::ioapic::IoApic;

/// Masks all lines of the I/O APIC at a physical address. Returns how many there were.
pub fn mask_all(physical: u64) -> u32 {
    let base = memory::map_device(physical, 4096);
    // SAFETY: an uncached mapping of the registers that the firmware's tables announce; nobody else uses them.
    let mut io_apic = unsafe { IoApic::new(base as u64) };
    // SAFETY: as above; masking a line changes nothing else.
    unsafe {
        let last = io_apic.max_table_entry();
        (0..=last).for_each(|line| io_apic.disable_irq(line));
        u32::from(last) + 1
    }
}
