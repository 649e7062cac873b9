//! What every CPU is doing, on the log: when somebody outside sends an NMI, as a hypervisor or a button does.
//!
//! The run goes on afterwards. An NMI can't wait for the log, which its own CPU may be in the middle of writing: whoever
//! is writes the states when its line is done.

use core::fmt::{Result, Write};
use core::sync::atomic::{AtomicBool, Ordering, fence};

use arch::fault::Registers;
use arch::fault::states::{self, Facts};
use arch::percpu;
use arch::symbols::At;
use bench::units::Plural;
use sched::CpuId;
use sched::attention::Notice;

use crate::console;
use crate::local::Local;

/// Somebody wants to read them.
static WANTED: AtomicBool = AtomicBool::new(false);

/// An NMI from outside.
pub fn on_nmi(registers: &Registers) {
    WANTED.store(true, Ordering::Relaxed);
    try_print(Some(registers));
}

/// Called whenever a line is done: states that were wanted meanwhile are printed now. From threads, and from boot.
#[inline]
pub fn print_if_wanted() {
    // SeqCst: pairs with the fence in `try_print`. Either who wants states finds the log free, or it's seen here.
    fence(Ordering::SeqCst);
    if WANTED.load(Ordering::Relaxed) {
        try_print(None);
    }
}

fn try_print(own: Option<&Registers>) {
    // SeqCst: pairs with the fence in `print_if_wanted`.
    fence(Ordering::SeqCst);
    console::try_write(|out| {
        if WANTED.swap(false, Ordering::Relaxed) {
            print(own, out);
        }
    });
}

fn print(own: Option<&Registers>, out: &mut dyn Write) {
    let Some(answers) = states::ask(own) else { return };
    let cpus = if percpu::kernel_ptr().is_null() { 1 } else { Local::here().shared.cpus() };
    let _ = writeln!(out, "NMI: what {} did when it came", Plural(cpus, "CPU"));
    for cpu in 0..cpus as u32 {
        let _ = match answers.of(cpu) {
            Some(facts) => write_state(out, cpu, &facts),
            None => writeln!(out, "  CPU {cpu} does not answer"),
        };
    }
}

/// One CPU's state: a line, and one for each caller.
pub fn write_state(out: &mut dyn Write, cpu: u32, facts: &Facts) -> Result {
    let on_off = |on| if on { "on" } else { "off" };
    write!(out, "  CPU {cpu}, thread \"{}\"", facts.thread())?;
    if !percpu::kernel_ptr().is_null() {
        write_attention(out, cpu)?;
    }
    let (interrupts, preemption) = (on_off(facts.interrupts_on()), on_off(facts.preempt_count == 0));
    writeln!(out, ", interrupts {interrupts}, preemption {preemption}, at {}", At(facts.rip))?;
    facts
        .callers
        .iter()
        .take_while(|caller| **caller != 0)
        .try_for_each(|caller| writeln!(out, "    {}", At(*caller)))
}

/// What the CPU's scheduler says that it does, and whether it has been sent something.
fn write_attention(out: &mut dyn Write, cpu: u32) -> Result {
    let mailbox = Local::here().shared.mailbox(CpuId(cpu));
    out.write_str(match mailbox.attention.peek() {
        Notice::Polling => ", polling",
        Notice::Halted => ", halted",
        Notice::Busy(_) | Notice::Ranked { .. } => ", busy",
    })?;
    out.write_str(if mailbox.pending.any() { ", with work in its inbox" } else { "" })
}
