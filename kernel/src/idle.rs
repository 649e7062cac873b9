//! What a CPU does when there is nothing to do: ask, poll for a while, halt.
//!
//! If the user asks for MWAIT, it waits for a store to the word that every post writes to, instead of an interrupt: who posts
//! need send none.

use core::sync::atomic::{AtomicBool, Ordering};

use arch::cpu::monitor;
use arch::{apic, cpu, interrupts, percpu};
use bench::options::IdleMode;

use crate::dispatch;
use crate::local::{Local, now};
use sched::mailbox::Mailbox;
use sched::{CpuId, Nanos};

/// Whether CPUs wait by MWAIT.
static MWAITS: AtomicBool = AtomicBool::new(false);

/// Chooses how CPUs wait. Before any does. MWAIT is chosen only if it's asked for: no emulator that this was tried on
/// waits by it as hardware does.
///
/// # Errors
/// MWAIT was asked for and the CPU has none.
pub fn choose(mode: IdleMode) -> Result<(), &'static str> {
    if mode == IdleMode::Mwait && !cpu::features().mwait {
        return Err("this CPU has no MWAIT");
    }
    MWAITS.store(mode == IdleMode::Mwait, Ordering::Relaxed);
    Ok(())
}

/// Whether CPUs wait by MWAIT.
pub fn mwaits() -> bool {
    MWAITS.load(Ordering::Relaxed)
}

/// The idle task of this CPU. Called once on each, on the stack that it was started on, interrupts off.
pub fn run() -> ! {
    loop {
        dispatch::look_for_work();
        // No task was found, or else this one was switched away and is back: nothing waits.
        let until = announce();
        interrupts::enable();
        poll(until);
        interrupts::disable();
        if !percpu::resched_wanted() {
            if mwaits() { doze() } else { halt() }
        }
    }
}

/// Tells the others, and asks an overloaded one for work. Answers until when to poll. Interrupts off.
fn announce() -> Nanos {
    // SAFETY: interrupts are off, and this is the only reference.
    let scheduler = unsafe { Local::here().cpu() };
    scheduler.enter_idle(now());
    while let Some(target) = scheduler.take_kick() {
        apic::kick(target.0);
    }
    now() + scheduler.poll_time()
}

/// What others see of this CPU.
fn mailbox() -> &'static Mailbox {
    Local::here().shared.mailbox(CpuId(percpu::index()))
}

/// Looks for work. Interrupts on.
fn poll(until: Nanos) {
    let mailbox = mailbox();
    while !mailbox.pending.any() && !percpu::resched_wanted() && now() < until {
        cpu::relax();
    }
}

/// Halts unless there is something to look at. Interrupts off before and after.
fn halt() {
    // SAFETY: interrupts are off, and this is the only reference; it ends before they are turned on.
    if unsafe { Local::here().cpu() }.may_halt(now()) {
        interrupts::enable_and_halt();
        interrupts::disable();
        // SAFETY: as above.
        unsafe { Local::here().cpu() }.end_halt(now());
    }
}

/// Waits for a post, unless there is something to look at. Interrupts off before and after.
fn doze() {
    monitor::watch(mailbox().pending.bell());
    // SAFETY: as in `halt`.
    if unsafe { Local::here().cpu() }.may_doze(now()) {
        monitor::enable_and_wait();
        interrupts::disable();
        // SAFETY: as above.
        unsafe { Local::here().cpu() }.end_halt(now());
    }
}

/// An interrupt came while the idle task ran: it looks for work right there, on top of the handler's frame, and
/// not first back in its loop. What it holds in vector registers is on that frame, so a plain switch will do.
#[inline(never)]
pub fn interrupted() {
    dispatch::look_for_work();
    // Nothing to run, or this CPU ran dry again: the loop is to announce that.
    percpu::need_resched_set();
}
