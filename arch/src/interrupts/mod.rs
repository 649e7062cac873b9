//! Interrupts: the flag that holds them off, who handles them, and how many there were.
//!
//! Every vector has a stub ([`stubs`] for interrupts, [`exceptions`] for the rest) and, below 64, a counter a CPU. All
//! vectors are counted, including those that should never come: "zero interrupts of any vector" is a claim that the
//! kernel makes about itself.

pub(crate) mod exceptions;
pub(crate) mod idt;
pub mod stubs;
mod xmm;

use crate::fault::Registers;
use crate::percpu::{COUNTERS, PerCpu};
use core::arch::asm;
use core::sync::atomic::{AtomicPtr, Ordering};

/// Vectors that this kernel gives out. All below 64, where each has its own counter.
pub mod vector {
    /// The first of the 16 vectors that the 8259s are moved to.
    pub const LEGACY: u8 = 0x20;
    /// The local APIC timer.
    pub const TIMER: u8 = 0x30;
    /// "Look at your inboxes", from another CPU.
    pub const KICK: u8 = 0x31;
    /// The local APIC reports an error of its own.
    pub const APIC_ERROR: u8 = 0x32;
    /// The serial port received something.
    pub const SERIAL: u8 = 0x33;
    /// The first of those that are nobody's, up to the next below.
    pub const UNASSIGNED: u8 = 0x34;
    /// The local APIC took back an interrupt. The low four bits are ones, which old APICs hard-wire.
    pub const SPURIOUS: u8 = 0x3f;
    /// Not a vector: the counter of all vectors from here on, which nobody sends.
    pub const OTHERS: u8 = 0x40;
}

/// IST slots, counted from zero as the `x86_64` crate does; the hardware counts from one.
pub(crate) mod ist {
    pub const INTERRUPT: u16 = 0;
    pub const EXCEPTION: u16 = 1;
    pub const NMI: u16 = 2;
    pub const DOUBLE_FAULT: u16 = 3;
    pub const MACHINE_CHECK: u16 = 4;
}

/// What the kernel does about interrupts.
///
/// Each runs with interrupts off, on the stack of the interrupted thread, after the end of the interrupt has been
/// signalled: so it may switch threads. The interrupted thread's caller-saved general registers, XMM0 to 15 and MXCSR are
/// safe on its stack; nothing else is, so that a handler that switches must use [`crate::context::preempt_switch`].
pub struct Handlers {
    /// The timer fired; maybe early (see [`crate::timer::arm`]).
    pub timer: fn(),
    /// Another CPU called [`crate::apic::kick`]; maybe more than once.
    pub kick: fn(),
    /// The serial port has received something. Runs before the end of the interrupt is signalled, so it may not switch: it
    /// takes the bytes ([`crate::serial::receive`]) until there are none, or turns the interrupt off.
    pub take_serial: fn(),
    /// And then this.
    pub serial: fn(),
    /// An NMI that this kernel did not send interrupted what the registers say. Runs in the NMI, unlike the others, with
    /// all registers kept: it may neither fault, nor wait for a lock, nor switch threads.
    pub nmi: fn(&Registers),
}

static NOBODY: Handlers =
    Handlers { timer: || (), kick: || (), take_serial: || (), serial: || (), nmi: |_| () };
static HANDLERS: AtomicPtr<Handlers> = AtomicPtr::new((&raw const NOBODY).cast_mut());

/// Sets the handlers for all CPUs. Before the first call interrupts are counted and otherwise ignored.
pub fn set_handlers(handlers: &'static Handlers) {
    // Release: pairs with the dependency of `handlers` below on the pointer.
    HANDLERS.store(core::ptr::from_ref(handlers).cast_mut(), Ordering::Release);
}

#[inline(always)]
pub(crate) fn handlers() -> &'static Handlers {
    // Acquire: pairs with the Release in `set_handlers`. Costs nothing on x86.
    let handlers = HANDLERS.load(Ordering::Acquire);
    // SAFETY: only ever a `&'static Handlers`.
    unsafe { &*handlers }
}

/// Which counter counts `vector`.
fn slot(vector: u8) -> usize {
    usize::from(vector).min(COUNTERS - 1)
}

/// Interrupts of `vector` that CPU `cpu` took since it came up; vectors of 64 and above share one counter. Any context.
pub fn count(cpu: u32, vector: u8) -> u64 {
    PerCpu::of(cpu as usize).map_or(0, |block| block.count(slot(vector)))
}

/// Interrupts of every vector that CPU `cpu` took since it came up, NMIs and spurious ones included.
pub fn total(cpu: u32) -> u64 {
    PerCpu::of(cpu as usize).map_or(0, |block| (0..COUNTERS).map(|slot| block.count(slot)).sum())
}

/// RFLAGS.IF, as [`disable_save`] found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "interrupts stay off until `restore` gets this"]
pub struct Flags(u64);

const IF: u64 = 1 << 9;

impl Flags {
    /// Whether interrupts were on.
    #[inline(always)]
    pub const fn were_enabled(self) -> bool {
        self.0 & IF != 0
    }
}

/// Turns interrupts off on this CPU and says how they were. A compiler barrier.
#[inline(always)]
pub fn disable_save() -> Flags {
    let flags;
    // SAFETY: turning interrupts off is always allowed in ring 0. The push stays below the red zone's owner, as the
    // block does not claim `nostack`.
    unsafe { asm!("pushfq", "pop {}", "cli", out(reg) flags) };
    Flags(flags)
}

/// Undoes a [`disable_save`]. A compiler barrier.
#[inline(always)]
pub fn restore(flags: Flags) {
    if flags.0 & IF != 0 {
        enable();
    }
}

/// Turns interrupts off on this CPU. A compiler barrier.
#[inline(always)]
pub fn disable() {
    // SAFETY: always allowed in ring 0.
    unsafe { asm!("cli", options(nostack, preserves_flags)) };
}

/// Turns interrupts on on this CPU. A compiler barrier.
#[inline(always)]
pub fn enable() {
    // SAFETY: the stubs keep every register and touch no memory that a thread uses; what the handlers do is the kernel's
    // concern, which calls this where it may be interrupted.
    unsafe { asm!("sti", options(nostack, preserves_flags)) };
}

/// Enters the handler of `VECTOR`, one of an interrupt, as if that had come: nothing asked for it.
#[inline(always)]
pub fn raise<const VECTOR: u8>() {
    const { assert!(VECTOR >= vector::LEGACY, "exceptions' handlers don't return") };
    // SAFETY: as `enable`, if for one interrupt.
    unsafe { asm!("int {}", const VECTOR) };
}

/// Whether interrupts are on, on this CPU.
#[inline(always)]
pub fn enabled() -> bool {
    let flags: u64;
    // SAFETY: only reads RFLAGS; the block does not claim `nostack`.
    unsafe { asm!("pushfq", "pop {}", out(reg) flags, options(preserves_flags)) };
    flags & IF != 0
}

/// Turns interrupts on and halts as one step: one that is pending ends the halt and none can slip in between, since STI
/// takes effect after the next instruction (SDM 2B, STI). Returns, with interrupts on, after at least one interrupt (or
/// an SMI, so look again).
#[inline(always)]
pub fn enable_and_halt() {
    // SAFETY: as `enable`.
    unsafe { asm!("sti", "hlt", options(nostack, preserves_flags)) };
}
