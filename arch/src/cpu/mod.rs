//! Bringing one CPU from "runs Rust" to "takes interrupts and faults as this kernel means them".
//!
//! The order on the first CPU: [`init_bsp`] before anything that may fault; then memory, ACPI, `pic::init`, `apic::init`,
//! `clock::init`, `timer::init`. Every other CPU calls [`init_this`], which does all of its own part in one go.

pub(crate) mod area;
mod control;
pub use control::protections;
pub mod monitor;

use crate::context::xstate;
use crate::fault::machine_check;
pub use crate::features::{Features, features};
use crate::{apic, interrupts, memory, timer};

/// First thing on the first CPU: control registers, segments, per-CPU block, interrupt table.
///
/// From here on a fault is reported instead of resetting the machine. Interrupts stay off.
pub fn init_bsp() {
    control::init();
    area::install_first();
    interrupts::idt::build(); // entries name the code segment, which is final only now
    interrupts::idt::load();
    xstate::init();
    machine_check::enable();
}

/// Makes the calling CPU number `index`, with all that it needs to run threads: [`init_bsp`]'s part, local APIC, timer.
///
/// To be called once, with interrupts off, on a CPU other than the first, after `timer::init` ran there.
///
/// # Errors
/// No memory for the CPU's exception stacks. The CPU has no way to report faults then, and should halt.
pub fn init_this(index: u32) -> Result<(), memory::OutOfMemory> {
    control::init();
    area::install(index)?;
    interrupts::idt::load();
    machine_check::enable();
    apic::init_this();
    timer::init_this();
    Ok(())
}

/// Tells the CPU (and the emulator) that this is a spin loop: PAUSE.
#[inline(always)]
pub fn relax() {
    core::hint::spin_loop();
}
