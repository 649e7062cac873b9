//! Looking around: what every CPU and every thread has done so far. Costs those nothing.

use alloc::string::ToString;
use alloc::vec::Vec;

use arch::interrupts::{self, vector};
use bench::monitor::sample::{Cpu, Sample, State, Thread};
use bench::monitor::tables::Vectors;
use bench::os::Os;
use sched::{CpuId, Shared, TaskId};

use crate::local::{Local, now};
use crate::os::Tacet;
use crate::thread::{self, names};

/// What the vectors are, each from the number on.
pub const VECTORS: Vectors<'static> = &[
    (0, "exception"),
    (2, "NMI"),
    (3, "exception"),
    (vector::LEGACY, "8259"),
    (vector::TIMER, "timer"),
    (vector::KICK, "kick"),
    (vector::APIC_ERROR, "APIC error"),
    (vector::SERIAL, "serial"),
    (vector::UNASSIGNED, "unassigned"),
    (vector::SPURIOUS, "spurious"),
    (vector::OTHERS, "unassigned"),
];

/// All of it.
pub fn sample() -> Sample {
    let shared = Local::here().shared;
    let threads = (shared.cpus()..shared.slots()).filter_map(|slot| thread(shared, slot));
    Sample { at: now().0, cpus: (0..shared.cpus()).map(cpu).collect(), threads: threads.collect() }
}

fn cpu(number: usize) -> Cpu {
    let vectors: Vec<u64> =
        (0..=vector::OTHERS).map(|vector| interrupts::count(number as u32, vector)).collect();
    Cpu { attention: Tacet::attention(number), counters: Tacet::counters(number), vectors }
}

/// The thread in a slot, if there's one.
fn thread(shared: &Shared, slot: usize) -> Option<Thread> {
    let id = shared.tenant(slot)?;
    let task = shared.task(slot);
    let state = match (task.is_blocked(), task.meter.is_running()) {
        (_, true) => State::Running,
        (true, false) => State::Blocked,
        (false, false) => State::Ready,
    };
    let thread = Thread {
        id: slot as u32,
        key: id.to_bits(),
        name: names::of(shared, id)?.to_string(),
        class: task.class(),
        weight: task.weight(),
        cpu: task.cpu().0,
        is_pinned: !task.affinity().is_movable(),
        state,
        usage: thread::usage_of(Local::here(), id).into(),
    };
    // If it ended meanwhile, some of this is the next one's.
    shared.is_alive(id).then_some(thread)
}

/// The thread that users call by this number.
pub fn find(id: u32) -> Option<TaskId> {
    let shared = Local::here().shared;
    let slot = id as usize;
    if slot < shared.cpus() || slot >= shared.slots() { None } else { shared.tenant(slot) }
}

/// Whether there's a CPU of that number.
pub fn has_cpu(cpu: CpuId) -> bool {
    cpu.index() < Local::here().shared.cpus()
}
