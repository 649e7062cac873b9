//! The interrupt command register, as far as starting CPUs needs it (SDM 3A 11.6.1, 11.12.9).
//!
//! This CPU's local APIC must be on, in whichever mode; its mode is looked up each time.

use crate::memory;
use core::arch::x86_64::{__cpuid, __cpuid_count};
use x86_64::instructions::interrupts::without_interrupts;
use x86_64::registers::model_specific::Msr;

const APIC_BASE: u32 = 0x1b;
const APIC_BASE_X2APIC: u64 = 1 << 10;
const APIC_BASE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const X2APIC_ICR: u32 = 0x830;
const ICR_LOW: usize = 0x300;
const ICR_HIGH: usize = 0x310;
const PENDING: u32 = 1 << 12;
/// Level assert, which both messages need.
const ASSERT: u32 = 1 << 14;
const INIT: u32 = 5 << 8;
const START_UP: u32 = 6 << 8;
/// In x2APIC mode ids have 32 bits, else 8, of which the last is the broadcast.
const LAST_XAPIC_ID: u32 = 254;

/// Resets another CPU, which then waits for a start-up interrupt.
pub(super) fn send_init(apic_id: u32) {
    send(apic_id, ASSERT | INIT);
}

/// Lets a CPU that waits for it start in real mode at `page`, a multiple of 4 KiB below 1 MiB. Others ignore it.
pub(super) fn send_startup(apic_id: u32, page: u32) {
    send(apic_id, ASSERT | START_UP | page >> 12);
}

/// Whether a CPU with this id can be sent to in the APIC's present mode.
pub(super) fn can_address(apic_id: u32) -> bool {
    apic_id <= LAST_XAPIC_ID || is_x2apic()
}

/// This CPU's APIC id, found as `trampoline.s` finds it.
pub(super) fn this_apic_id() -> u32 {
    let has_leaf_11 = __cpuid(0).eax >= 11;
    let topology = has_leaf_11.then(|| __cpuid_count(11, 0)).filter(|leaf| leaf.ebx != 0);
    topology.map_or_else(|| __cpuid(1).ebx >> 24, |leaf| leaf.edx)
}

fn is_x2apic() -> bool {
    apic_base() & APIC_BASE_X2APIC != 0
}

fn apic_base() -> u64 {
    // SAFETY: every CPU with long mode has a local APIC and this register.
    unsafe { Msr::new(APIC_BASE).read() }
}

fn send(apic_id: u32, message: u32) {
    if is_x2apic() {
        // A WRMSR to the ICR isn't ordered after earlier stores; the fence is (SDM 3A 11.12.3).
        // SAFETY: x2APIC mode is on, so the register exists. The messages concern other CPUs, which run nothing of ours yet.
        unsafe {
            core::arch::x86_64::_mm_mfence();
            Msr::new(X2APIC_ICR).write(u64::from(apic_id) << 32 | u64::from(message));
        }
    } else {
        without_interrupts(|| send_xapic(apic_id, message));
    }
}

/// Two registers make a message, so interrupts must be off.
fn send_xapic(apic_id: u32, message: u32) {
    let registers = memory::map_device(apic_base() & APIC_BASE_ADDRESS, 4096) as usize;
    let register = |offset| (registers + offset) as *mut u32;
    // SAFETY: these are this CPU's own APIC registers, mapped uncached; the message is as in `send`.
    unsafe {
        register(ICR_HIGH).write_volatile(apic_id << 24);
        register(ICR_LOW).write_volatile(message);
        // Bounded: a message that an APIC never takes shall not hang the boot; the CPU will be missed.
        for _ in 0..1_000_000 {
            if register(ICR_LOW).read_volatile() & PENDING == 0 {
                break;
            }
            core::hint::spin_loop();
        }
    }
}
