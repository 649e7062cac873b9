//! Faults on purpose that only the machine layer can make, for tests of what becomes of them.

use crate::interrupts;
use core::arch::asm;
use x86_64::VirtAddr;
use x86_64::instructions::tables::{lidt, sidt};
use x86_64::structures::DescriptorTablePointer;

/// A page fault that can't be delivered, and so a double fault: this CPU's interrupt table ends before the page fault's
/// entry.
pub fn double_fault() {
    interrupts::disable();
    let whole = sidt();
    let short = DescriptorTablePointer { limit: 14 * 16 - 1, base: VirtAddr::new(whole.base.as_u64()) };
    // SAFETY: what is left of the table is what it was, and the double fault's entry is in it. The address is in the lower
    // half, where nothing is ever mapped.
    unsafe {
        lidt(&short);
        core::ptr::with_exposed_provenance_mut::<u64>(0xdead_c000).write_volatile(1);
    }
}

/// A machine check's vector without a machine check.
pub fn machine_check() {
    // SAFETY: the handler never returns.
    unsafe { asm!("int 18") };
}
