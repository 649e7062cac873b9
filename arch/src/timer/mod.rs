//! This CPU's one-shot timer: the local APIC's, by absolute TSC deadline where the CPU can, else by a count.
//!
//! A timer belongs to the CPU that arms it. It fires once, at vector [`crate::interrupts::vector::TIMER`], and is then
//! disarmed. There is nothing periodic here, and no way to ask for it.

mod calibrate;

use crate::apic::registers::{self, Register};
use crate::clock::{self, Scale};
use crate::cpu;
use crate::deadline::{count, tick_of};
use crate::interrupts::vector;
use core::arch::asm;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// How the timer is told when to fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// By the TSC value at which to fire.
    Deadline = 0,
    /// By the number of timer ticks until then.
    Oneshot = 1,
}

impl Mode {
    /// As reports and the command line spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Oneshot => "oneshot",
        }
    }
}

const IA32_TSC_DEADLINE: u32 = 0x6e0;
const LVT_DEADLINE: u32 = 0b10 << 17;
const LVT_ONESHOT: u32 = 0;
const LVT_MASKED: u32 = 1 << 16;

static MODE: AtomicU8 = AtomicU8::new(Mode::Oneshot as u8);
static HZ: AtomicU64 = AtomicU64::new(0);
/// [`Scale`]s: timer ticks a nanosecond of the clock, and a tick of the TSC. In deadline mode the latter is 1.
static TICKS_PER_NS: AtomicU64 = AtomicU64::new(0);
static TICKS_PER_TSC: AtomicU64 = AtomicU64::new(0);

/// TSC deadlines were asked for, but the CPU has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoDeadline;

impl core::fmt::Display for NoDeadline {
    fn fmt(&self, out: &mut core::fmt::Formatter) -> core::fmt::Result {
        out.write_str("this CPU's timer has no TSC deadline")
    }
}

/// Chooses the mode for all CPUs and sets up the first one's timer, disarmed. After `apic::init` and `clock::init`.
///
/// # Errors
/// Deadline mode was asked for and the CPU has none.
pub fn init(wanted: Option<Mode>) -> Result<Mode, NoDeadline> {
    let has_deadline = cpu::features().tsc_deadline;
    let mode = wanted.unwrap_or(if has_deadline { Mode::Deadline } else { Mode::Oneshot });
    let hz = match mode {
        Mode::Deadline if !has_deadline => return Err(NoDeadline),
        Mode::Deadline => clock::hz(),
        Mode::Oneshot => calibrate::count_hz(),
    };
    let ticks_per_tsc = clock::scale(hz, clock::hz());
    HZ.store(hz, Ordering::Relaxed);
    TICKS_PER_TSC.store(ticks_per_tsc.value, Ordering::Relaxed);
    TICKS_PER_NS.store(clock::per_ns(ticks_per_tsc).value, Ordering::Relaxed);
    MODE.store(mode as u8, Ordering::Relaxed);
    init_this();
    Ok(mode)
}

/// Sets up this CPU's timer in the mode that [`init`] chose, disarmed.
pub(crate) fn init_this() {
    registers::write(Register::DIVIDE, registers::DIVIDE_BY_1);
    let kind = if mode() == Mode::Deadline { LVT_DEADLINE } else { LVT_ONESHOT };
    registers::write(Register::LVT_TIMER, kind | u32::from(vector::TIMER));
    // SAFETY: a fence only orders. In xAPIC mode the first deadline must not overtake the LVT write (SDM 3A 12.5.4.1).
    unsafe { asm!("mfence", options(nostack, preserves_flags)) };
    disarm();
}

/// Fires at `deadline_ns` on the clock's scale, or at once if that is past; replaces what was armed on this CPU.
///
/// May fire early, because a count has only 32 bits: the handler looks at the clock and arms again. Fires late by no more
/// than the instructions between its look at the clock and its write to the timer, by the interrupt's own latency, and,
/// where it counts, by what the count's rate is overstated by, which is less than two counts in 10 ms.
/// Interrupts off, or preemption off at least.
#[inline(always)]
pub fn arm(deadline_ns: u64) {
    let deadline = tick_of(deadline_ns, scale(&TICKS_PER_NS));
    if MODE.load(Ordering::Relaxed) == Mode::Deadline as u8 {
        write_deadline(deadline);
    } else {
        let now = scale(&TICKS_PER_TSC).apply(clock::ticks());
        registers::write(Register::INITIAL_COUNT, count(deadline.wrapping_sub(now)));
    }
}

/// Forgets what was armed on this CPU. An interrupt that is already on its way still arrives.
#[inline(always)]
pub fn disarm() {
    if MODE.load(Ordering::Relaxed) == Mode::Deadline as u8 {
        write_deadline(0);
    } else {
        registers::write(Register::INITIAL_COUNT, 0);
    }
}

/// The clock's rate is another one: `to` instead of `from`.
pub(crate) fn scale_by(from: u64, to: u64) {
    let scaled = scale(&TICKS_PER_NS).times(from, to);
    TICKS_PER_NS.store(scaled.value, Ordering::Relaxed);
}

/// The mode that [`init`] chose.
pub fn mode() -> Mode {
    if MODE.load(Ordering::Relaxed) == Mode::Deadline as u8 { Mode::Deadline } else { Mode::Oneshot }
}

/// Ticks a second of what the timer counts by.
pub fn frequency_hz() -> u64 {
    HZ.load(Ordering::Relaxed)
}

#[inline(always)]
fn scale(of: &AtomicU64) -> Scale {
    Scale { value: of.load(Ordering::Relaxed) }
}

#[inline(always)]
fn write_deadline(tsc: u64) {
    // SAFETY: only in deadline mode, so that the MSR exists; it touches no memory.
    unsafe {
        asm!("wrmsr", in("ecx") IA32_TSC_DEADLINE, in("eax") tsc as u32, in("edx") (tsc >> 32) as u32,
            options(nostack, preserves_flags));
    }
}
