//! Interrupts from CPU to CPU.

use super::registers::{self, Register};
use crate::interrupts::{self, vector};
use crate::percpu::{self, MAX_CPUS};
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// Command register fields (SDM 3A 12.6.1).
const ASSERT: u32 = 1 << 14;
const NMI: u32 = 0b100 << 8;
const DELIVERY_PENDING: u32 = 1 << 12;

/// A CPU that has not come up: no command is ever this.
const NOBODY: u64 = 0;

/// The complete kick command for each CPU, ready to be written, by index.
static KICKS: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(NOBODY) }; MAX_CPUS];

/// Makes CPU `index` known by its local APIC id.
pub(super) fn register(index: u32, apic_id: u32) {
    KICKS[index as usize].store(command(apic_id, ASSERT | u32::from(vector::KICK)), Ordering::Relaxed);
}

/// A 64-bit command: the destination is in the upper half, in xAPIC mode in the topmost 8 bits of it.
fn command(apic_id: u32, low: u32) -> u64 {
    let destination = if registers::in_memory().is_some() { apic_id << 24 } else { apic_id };
    u64::from(destination) << 32 | u64::from(low)
}

/// Interrupts CPU `index`, which runs the kick handler soon. Any context but an NMI.
/// The CPU must be up.
///
/// Everything that this CPU wrote before is visible to the handler.
#[inline]
pub fn kick(index: u32) {
    let command = KICKS[index as usize % KICKS.len()].load(Ordering::Relaxed);
    debug_assert_ne!(command, NOBODY, "CPU {index} is not up");
    send(command);
}

#[inline(always)]
fn send(command: u64) {
    match registers::in_memory() {
        None => {
            // A WRMSR to an x2APIC register waits neither for earlier stores nor for MFENCE alone (SDM 3A 12.12.3).
            // SAFETY: fences only order.
            unsafe { asm!("mfence", "lfence", options(nostack, preserves_flags)) };
            registers::write_msr(Register::COMMAND, command);
        }
        Some(base) => send_by_memory(base, command),
    }
}

/// Two writes, the second of which sends: no interrupt, which might send as well, may come in between.
#[inline(never)]
fn send_by_memory(base: *mut u32, command: u64) {
    let flags = interrupts::disable_save();
    while registers::read(Register::COMMAND) & DELIVERY_PENDING != 0 {
        core::hint::spin_loop();
    }
    registers::write_memory(base, Register::COMMAND_HIGH, (command >> 32) as u32);
    registers::write_memory(base, Register::COMMAND, command as u32);
    interrupts::restore(flags);
}

/// Sends an NMI to every other CPU that is up, which it does by index through `each`. Any context, NMIs included.
///
/// What they do then is [`crate::fault`]'s concern, which calls this.
pub(crate) fn nmi_others(mut each: impl FnMut(u32)) {
    for index in others() {
        each(index);
        send_nmi(
            KICKS[index as usize].load(Ordering::Relaxed) & !u64::from(u32::MAX) | u64::from(ASSERT | NMI),
        );
    }
}

/// The other CPUs that are up.
pub(crate) fn others() -> impl Iterator<Item = u32> {
    let is_up = |index: &u32| KICKS[*index as usize].load(Ordering::Relaxed) != NOBODY;
    (0..MAX_CPUS as u32).filter(is_up).filter(|index| *index != percpu::index())
}

/// [`send`], which an NMI may have interrupted between its two writes: the first one is undone afterwards.
fn send_nmi(command: u64) {
    let high = registers::in_memory().map(|base| (base, registers::read(Register::COMMAND_HIGH)));
    send(command);
    if let Some((base, high)) = high {
        registers::write_memory(base, Register::COMMAND_HIGH, high);
    }
}

/// Interrupts that go wrong on purpose, for tests of what becomes of them.
pub mod plant {
    use super::{ASSERT, KICKS, Ordering, command, interrupts, send, vector};
    use crate::apic::{is_requested, take_causes};
    use crate::cause::ApicErrors;

    /// One of those that share a counter.
    const OTHER: u8 = 0x51;

    /// Destination shorthand: who sends it (SDM 3A 12.6.1).
    const TO_ITSELF: u32 = 0b01 << 18;

    /// A local APIC id that no CPU has, with room above it: in xAPIC mode all ones would be everyone.
    const NO_APIC: u32 = 0xfe;

    /// Loses all kicks of CPU `index`, which is up: they go to nobody.
    pub fn lose_kicks(index: u32) {
        KICKS[index as usize].store(command(NO_APIC, ASSERT | u32::from(vector::KICK)), Ordering::Relaxed);
    }

    /// Loses none any more.
    pub fn deliver_kicks(index: u32) {
        super::register(index, crate::percpu::apic_id(index as usize).unwrap_or(NO_APIC));
    }

    /// Sends CPU `index`, which is up, interrupts that nobody expects: one each of three kinds. Gives their number.
    pub fn send_spurious(index: u32) -> u64 {
        let destination = KICKS[index as usize].load(Ordering::Relaxed) & !u64::from(u32::MAX);
        let vectors = [vector::SPURIOUS, vector::UNASSIGNED, OTHER];
        for vector in vectors {
            send(destination | u64::from(ASSERT | u32::from(vector)));
        }
        vectors.len() as u64
    }

    /// Sends this CPU vector 0, which only an exception may have. Where the local APIC reports that by an interrupt, gives
    /// `None`; where it reports it in its status alone, that.
    pub fn send_illegal() -> Option<ApicErrors> {
        let flags = interrupts::disable_save();
        send(u64::from(ASSERT | TO_ITSELF));
        let reported = is_requested(vector::APIC_ERROR);
        let causes = (!reported).then(|| ApicErrors(take_causes()));
        interrupts::restore(flags);
        causes
    }

    /// Sends this CPU the interrupt that reports errors.
    pub fn send_error() {
        send(u64::from(ASSERT | TO_ITSELF | u32::from(vector::APIC_ERROR)));
    }

    /// How many of those CPU `index` took, of each kind.
    pub fn taken_spurious(index: u32) -> [u64; 3] {
        [vector::SPURIOUS, vector::UNASSIGNED, OTHER].map(|vector| crate::interrupts::count(index, vector))
    }
}

/// CPUs that are up, this one included.
pub(crate) fn online() -> usize {
    KICKS.iter().filter(|kick| kick.load(Ordering::Relaxed) != NOBODY).count()
}
