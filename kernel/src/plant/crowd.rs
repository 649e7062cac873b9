//! Faults of one CPU among others that are busy.

use alloc::format;

use arch::{cpu, interrupts};
use sched::{CpuId, Nanos};

use crate::local::Local;
use crate::println;
use crate::thread::{self, Builder, sleep};

/// How long others have to get going.
const A_WHILE: Nanos = Nanos(200_000_000);

fn on_each_other_cpu(name: &str, body: fn()) {
    for cpu in 1..Local::here().shared.cpus() as u32 {
        let made = Builder::new(&format!("{name} {cpu}")).pinned(CpuId(cpu)).spawn(body);
        drop(made.expect("there is room for a thread on each CPU"));
    }
}

/// Panics while all other CPUs print as fast as they can.
pub fn panic_among_printers() {
    on_each_other_cpu("printer", || {
        let mut lines = 0_u64;
        loop {
            println!("{} says line {lines} of many, in one piece", thread::current().name());
            lines += 1;
        }
    });
    sleep(A_WHILE);
    panic!("planted while others print")
}

/// One CPU is stuck with interrupts off while the others sleep and wake; whoever notices ends the run.
pub fn stick() {
    on_each_other_cpu("stuck", || {
        interrupts::disable();
        loop {
            cpu::relax();
        }
    });
    loop {
        sleep(A_WHILE);
    }
}
