//! What every CPU is doing right now, whether or not it listens to interrupts: asked by NMI.

use super::backtrace::callers;
use super::{Registers, thread_name};
pub use crate::percpu::state::Facts;
use crate::percpu::{self, PerCpu};
use crate::{apic, clock};
use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering};

/// How long CPUs have for their answers. One that takes longer is stuck in a way that even NMIs don't reach, or its
/// hypervisor doesn't run it.
const PATIENCE_NS: u64 = 1_000_000_000;

/// One question at a time.
static ASKING: AtomicBool = AtomicBool::new(false);

/// The right to read the answers.
#[derive(Debug)]
pub struct Answers(());

/// Asks all CPUs that are up, and waits up to a second for their answers. `None` if somebody else is asking.
///
/// `own` are the registers of what an NMI or a fault interrupted here; without them the caller itself is what this CPU
/// does. Any context; takes no lock.
pub fn ask(own: Option<&Registers>) -> Option<Answers> {
    // Acquire: pairs with the Release in `drop`, so that the last answers were read.
    if ASKING.swap(true, Ordering::Acquire) {
        return None;
    }
    let answers = Answers(());
    percpu::this().state().ask();
    match own {
        Some(registers) => answer(registers),
        None => answer_here(),
    }
    apic::nmi_others(|index| state(index).ask());
    let start = clock::now_ns();
    let waited = || clock::now_ns().saturating_sub(start);
    while apic::others().any(|index| answers.of(index).is_none()) && waited() < PATIENCE_NS {
        core::hint::spin_loop();
    }
    Some(answers)
}

impl Answers {
    /// What CPU `index`, which is up, was doing; `None` if it did not answer.
    pub fn of(&self, index: u32) -> Option<Facts> {
        state(index).answered()
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `ask`.
        ASKING.store(false, Ordering::Release);
    }
}

fn state(index: u32) -> &'static percpu::state::State {
    PerCpu::of(index as usize).expect("a CPU that is up has its block").state()
}

/// This CPU's answer.
pub(super) fn answer(registers: &Registers) {
    leave(registers.rip, registers.rbp, registers.rflags);
}

#[inline(never)]
fn answer_here() {
    let (rip, rbp, rflags): (u64, u64, u64);
    // SAFETY: copies registers; the push stays below the red zone's owner, as the block does not claim `nostack`.
    unsafe {
        asm!("lea {}, [rip]", "mov {}, rbp", "pushfq", "pop {}", out(reg) rip, out(reg) rbp, out(reg) rflags);
    }
    leave(rip, rbp, rflags);
}

fn leave(rip: u64, rbp: u64, rflags: u64) {
    let name = thread_name().unwrap_or("unknown");
    let mut facts = Facts::new(rip, rflags, percpu::preempt_count(), name);
    facts.callers.iter_mut().zip(callers(rbp)).for_each(|(kept, caller)| *kept = caller);
    percpu::this().state().answer(facts);
}
