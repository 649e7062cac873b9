//! What a CPU does when there is nothing to do: ask, poll for a while, halt.

use arch::{apic, cpu, interrupts, percpu};

use crate::dispatch;
use crate::local::{Local, now};

/// The idle task of this CPU. Called once on each, on the stack that it was started on, interrupts off.
pub fn run() -> ! {
    loop {
        dispatch::look_for_work();
        // No task was found, or else this one was switched away and is back: nothing waits.
        announce();
        interrupts::enable();
        poll();
        interrupts::disable();
        halt();
    }
}

/// Tells the others, and asks an overloaded one for work. Interrupts off.
fn announce() {
    // SAFETY: interrupts are off, and this is the only reference.
    let scheduler = unsafe { Local::here().cpu() };
    scheduler.enter_idle(now());
    while let Some(target) = scheduler.take_kick() {
        apic::kick(target.0);
    }
}

/// Looks for work as long as the settings say. Interrupts on.
fn poll() {
    let local = Local::here();
    let mailbox = local.shared.mailbox(sched::CpuId(percpu::index()));
    let until = now() + local.shared.config().poll;
    while !mailbox.pending.any() && !percpu::resched_wanted() && now() < until {
        cpu::relax();
    }
}

/// Halts unless there is something to look at. Interrupts off before and after.
fn halt() {
    if percpu::resched_wanted() {
        return;
    }
    // SAFETY: interrupts are off, and this is the only reference; it ends before they are turned on.
    if unsafe { Local::here().cpu() }.may_halt(now()) {
        interrupts::enable_and_halt();
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
