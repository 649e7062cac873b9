//! CPUs that look after each other, where the command line asks for it: `watchdog=1s`.
//!
//! Each CPU has a thread of the highest rank that notes, once a period, that it ran, and looks at the next CPU. One whose
//! note is the same after two whole periods of the looker's own doesn't run threads any more, most likely because it keeps
//! interrupts or preemption off: that ends the run, with what every CPU does, asked by NMI. So it's found within three
//! periods.
//!
//! One that is halted with work in its inbox, and takes no interrupt for a while, missed a kick: it's kicked again, and the
//! first time named.
//!
//! Off by default: a CPU with nothing to decide takes no interrupt, and this is one a period for each.

use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};

use alloc::format;

use arch::exit::{self, Exit};
use arch::fault::states::{self, Answers};
use arch::fault::{self, Claim};
use arch::{apic, interrupts, percpu};
use bench::units::Time;
use sched::attention::Notice;
use sched::{Class, CpuId, Nanos, Priority};

use crate::console::Raw;
use crate::local::Local;
use crate::println;
use crate::states::write_state;
use crate::thread::{self, Builder};

/// How often each CPU's watchdog has run.
static BEATS: [AtomicU64; percpu::MAX_CPUS] = [const { AtomicU64::new(0) }; percpu::MAX_CPUS];
static LOST_KICKS: AtomicU64 = AtomicU64::new(0);

/// Looks in a row that must have seen no beat.
const MISSES: u32 = 2;
/// How long a kick may take, on a host that has other things to do.
const KICK_NS: u64 = 20_000_000;

/// Has all CPUs looked after. With one CPU there is nobody to look.
pub fn start(period: Nanos) {
    let cpus = Local::here().shared.cpus();
    for cpu in (0..cpus as u32).filter(|_| cpus > 1) {
        let name = format!("watchdog {cpu}");
        let builder = Builder::new(&name).class(Class::Fifo(Priority::HIGHEST)).pinned(CpuId(cpu));
        let next = (cpu + 1) % cpus as u32;
        let made = builder.spawn(move || watch(cpu, next, period));
        drop(made.expect("there is room for a thread on each CPU before any other is made"));
    }
}

/// How often a CPU was found that had missed a kick.
pub fn lost_kicks() -> u64 {
    LOST_KICKS.load(Ordering::Relaxed)
}

/// One CPU's watchdog.
fn watch(own: u32, next: u32, period: Nanos) {
    let (mut last, mut missed) = (0, 0);
    // One after the other: what a CPU missed is seen before it wakes by itself.
    let cpus = Local::here().shared.cpus() as u64;
    thread::sleep(Nanos(period.0 * u64::from(own) / cpus));
    loop {
        BEATS[own as usize].fetch_add(1, Ordering::Relaxed);
        thread::sleep(period);
        let beat = BEATS[next as usize].load(Ordering::Relaxed);
        missed = if beat == last { missed + 1 } else { 0 };
        last = beat;
        if missed == MISSES {
            give_up(next, Nanos(period.0 * u64::from(MISSES)));
        }
        if missed_a_kick(next) {
            kick_again(next);
        }
    }
}

fn missed_a_kick(cpu: u32) -> bool {
    let before = interrupts::total(cpu);
    if !waits_for_kick(cpu) {
        return false;
    }
    thread::sleep(Nanos(KICK_NS));
    waits_for_kick(cpu) && interrupts::total(cpu) == before
}

fn waits_for_kick(cpu: u32) -> bool {
    let mailbox = Local::here().shared.mailbox(CpuId(cpu));
    mailbox.attention.peek() == Notice::Halted && mailbox.pending.any()
}

fn kick_again(cpu: u32) {
    apic::kick(cpu);
    if LOST_KICKS.fetch_add(1, Ordering::Relaxed) == 0 {
        println!(
            "  warning   CPU {cpu} was halted with work in its inbox: a kick was lost, or is late, and is sent again"
        );
    }
}

/// The end: what every CPU does, the stuck one first. Asked before the others are stopped.
fn give_up(stuck: u32, span: Nanos) -> ! {
    let Some(answers) = states::ask(None) else { exit::halt() };
    if fault::claim() == Claim::First {
        report(stuck, span, &answers);
    }
    exit::qemu(Exit::Panicked)
}

fn report(stuck: u32, span: Nanos, answers: &Answers) {
    let (mut log, cpus) = (Raw, Local::here().shared.cpus() as u32);
    let _ = writeln!(log, "\nPANIC: CPU {stuck} has not run its watchdog for {}: it's stuck", Time(span.0));
    for cpu in core::iter::once(stuck).chain((0..cpus).filter(|cpu| *cpu != stuck)) {
        let _ = match answers.of(cpu) {
            Some(facts) => write_state(&mut log, cpu, &facts),
            None => writeln!(log, "  CPU {cpu} does not answer an NMI"),
        };
    }
    let period = Time(span.0 / u64::from(MISSES));
    let _ = writeln!(log, "  found by CPU {}, which looks every {period}", percpu::index());
}
