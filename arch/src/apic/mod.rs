//! The local APIC: which interrupts reach this CPU, and interrupts from CPU to CPU.
//!
//! The `x2apic` crate brings it up. What runs on every kick, interrupt or timer change goes straight to the
//! [`registers`]: there a handful of instructions count.

pub mod io;
mod ipi;
pub(crate) mod registers;

use crate::cause::ApicErrors;
use crate::interrupts::vector;
use crate::{cpu, memory, percpu};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
pub use ipi::{kick, plant};
pub(crate) use ipi::{nmi_others, online, others};
use registers::Register;
use x2apic::lapic::{LocalApic, LocalApicBuilder, TimerDivide, TimerMode, xapic_base};
use x86_64::registers::model_specific::Msr;

/// How the registers of the local APIC are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By MSRs; ids have 32 bits.
    X2Apic,
    /// In memory; ids have 8 bits.
    XApic,
}

impl Mode {
    /// As reports and the command line spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X2Apic => "x2apic",
            Self::XApic => "xapic",
        }
    }
}

const IA32_APIC_BASE: u32 = 0x1b;
const BASE_X2APIC: u64 = 1 << 10;
const BASE_ENABLED: u64 = 1 << 11;
const LVT_MASKED: u32 = 1 << 16;
/// Delivery mode of a pin (SDM 3A 12.5.1).
const LVT_NMI: u32 = 0b100 << 8;
/// The vector comes from an 8259: what Intel calls virtual wire mode.
const LVT_FROM_8259: u32 = 0b111 << 8;
const SPURIOUS_SOFTWARE_ENABLE: u32 = 1 << 8;

/// Errors that the local APICs reported about themselves: interrupts, and the union of their causes (SDM 3A 12.5.3).
static ERRORS: AtomicU64 = AtomicU64::new(0);
static ERROR_CAUSES: AtomicU32 = AtomicU32::new(0);

/// Brings up the first CPU's local APIC, in x2APIC mode where it has that, unless `wanted` says otherwise.
///
/// After `memory::init` and `pic::init`, with interrupts off. Returns the mode, which all CPUs will use.
///
/// # Errors
/// x2APIC was asked for and the CPU has none.
pub fn init(wanted: Option<Mode>) -> Result<Mode, NoX2Apic> {
    let has_x2apic = cpu::features().x2apic;
    let mode = wanted.unwrap_or(if has_x2apic { Mode::X2Apic } else { Mode::XApic });
    match mode {
        Mode::X2Apic if !has_x2apic => return Err(NoX2Apic),
        Mode::X2Apic => registers::use_msrs(),
        Mode::XApic => {
            // SAFETY: every x86-64 CPU has this MSR.
            let physical = unsafe { xapic_base() };
            registers::use_memory(memory::map_device(physical, 4096).cast());
        }
    }
    init_this();
    // One CPU is enough to take a button's NMI, or a hypervisor's: it asks the others.
    registers::write(Register::LVT_LINT1, LVT_NMI);
    Ok(mode)
}

/// x2APIC was asked for, but the CPU has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoX2Apic;

impl core::fmt::Display for NoX2Apic {
    fn fmt(&self, out: &mut core::fmt::Formatter) -> core::fmt::Result {
        out.write_str("this CPU has no x2APIC")
    }
}

/// The mode that [`init`] chose.
pub fn mode() -> Mode {
    if registers::in_memory().is_some() { Mode::XApic } else { Mode::X2Apic }
}

/// Brings up this CPU's local APIC in the mode that [`init`] chose, with its own timer and pins masked.
pub(crate) fn init_this() {
    match crate_apic() {
        // SAFETY: registers are mapped, vectors have handlers, and interrupts are off until the pins are masked below.
        Some(mut apic) => unsafe { apic.enable() },
        None => enable_xapic_of_x2apic(),
    }
    // Only now, since one that is disabled keeps its entries masked; the crate leaves this one as it was.
    registers::write(Register::ERROR_STATUS, 0);
    registers::write(Register::LVT_ERROR, vector::APIC_ERROR.into());
    // The crate unmasks the timer, and both pins with vector 0.
    for entry in [Register::LVT_TIMER, Register::LVT_LINT0, Register::LVT_LINT1] {
        registers::write(entry, LVT_MASKED);
    }
    registers::write(Register::INITIAL_COUNT, 0);
    registers::write(Register::TASK_PRIORITY, 0);
    percpu::set_apic_id(id());
    ipi::register(percpu::index(), id());
}

/// The crate's driver, which takes x2APIC mode wherever the CPU has it; `None` if that is not the mode we chose.
fn crate_apic() -> Option<LocalApic> {
    if mode() == Mode::XApic && cpu::features().x2apic {
        return None;
    }
    let mut builder = LocalApicBuilder::new();
    builder
        .timer_vector(vector::TIMER.into())
        .error_vector(vector::APIC_ERROR.into())
        .spurious_vector(vector::SPURIOUS.into())
        .timer_mode(TimerMode::OneShot)
        .timer_divide(TimerDivide::Div1)
        .timer_initial(0);
    if let Some(base) = registers::in_memory() {
        builder.set_xapic_base(base as u64);
    }
    Some(builder.build().expect("all that the builder requires is set"))
}

/// xAPIC mode on a CPU that has x2APIC: what the crate can't be asked for.
fn enable_xapic_of_x2apic() {
    let mut base = Msr::new(IA32_APIC_BASE);
    // SAFETY: from x2APIC mode the way back leads through "disabled" (SDM 3A 12.12.5); interrupts are off.
    unsafe {
        let value = base.read();
        if value & BASE_X2APIC != 0 {
            base.write(value & !(BASE_X2APIC | BASE_ENABLED));
        }
        base.write(value & !BASE_X2APIC | BASE_ENABLED);
    }
    registers::write(Register::DIVIDE, registers::DIVIDE_BY_1);
    registers::write(Register::SPURIOUS, SPURIOUS_SOFTWARE_ENABLE | u32::from(vector::SPURIOUS));
}

/// Whether this CPU is interrupted by the 8259s, whose request every local APIC has on its first pin.
pub fn set_virtual_wire(open: bool) {
    registers::write(Register::LVT_LINT0, if open { LVT_FROM_8259 } else { LVT_MASKED });
}

/// Whether it is.
pub fn has_virtual_wire() -> bool {
    registers::read(Register::LVT_LINT0) & LVT_MASKED == 0
}

/// This CPU's local APIC id.
pub fn id() -> u32 {
    let id = registers::read(Register::ID);
    if mode() == Mode::XApic { id >> 24 } else { id }
}

/// Tells the local APIC that the interrupt it delivered last is dealt with.
#[inline(always)]
pub(crate) fn end_of_interrupt() {
    registers::write(Register::END_OF_INTERRUPT, 0);
}

/// Whether this CPU's local APIC has an interrupt of that vector to deliver.
pub(crate) fn is_requested(vector: u8) -> bool {
    has_bit(Register::REQUESTS, vector)
}

/// Whether this CPU's local APIC waits for the end of an interrupt of that vector.
pub(crate) fn in_service(vector: u8) -> bool {
    has_bit(Register::IN_SERVICE, vector)
}

/// One bit of eight registers that have one a vector.
fn has_bit(first: Register, vector: u8) -> bool {
    registers::read(first.plus(u32::from(vector) / 32)) & 1 << (vector % 32) != 0
}

/// Whether this CPU's local APIC interrupts it when something went wrong.
pub fn reports_errors() -> bool {
    registers::read(Register::LVT_ERROR) & (LVT_MASKED | 0xff) == vector::APIC_ERROR.into()
}

/// Takes note of what the local APIC has to complain about.
pub(crate) fn note_errors() {
    ERROR_CAUSES.fetch_or(take_causes(), Ordering::Relaxed);
    ERRORS.fetch_add(1, Ordering::Relaxed);
}

/// What this CPU's local APIC found wrong since it was asked last (SDM 3A 12.5.3).
fn take_causes() -> u32 {
    registers::write(Register::ERROR_STATUS, 0); // latches the causes and clears them for the next time
    registers::read(Register::ERROR_STATUS)
}

/// Error interrupts of all local APICs since boot, and all of their causes.
pub fn errors() -> (u64, ApicErrors) {
    (ERRORS.load(Ordering::Relaxed), ApicErrors(ERROR_CAUSES.load(Ordering::Relaxed)))
}
