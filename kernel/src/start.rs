//! From one CPU with a stack to all CPUs with a scheduler.

use core::sync::atomic::{AtomicUsize, Ordering};

use alloc::boxed::Box;
use alloc::vec::Vec;

use arch::acpi::Acpi;
use arch::boot::BootInfo;
use arch::smp::{self, Started};
use arch::topology::Layout;
use arch::{cpu, memory};
use sched::{Config, Seat, Shared, Topology};
use spin::Once;

use crate::idle;
use crate::local::Local;
use crate::machine;
use crate::record;
use crate::thread::table::Table;

/// What a starting CPU needs.
struct Plan {
    shared: &'static Shared,
    threads: &'static Table,
}

static PLAN: Once<Plan> = Once::new();
static CHECKED_IN: AtomicUsize = AtomicUsize::new(0);

/// RAM for each thread slot: what a stack takes, and half as much again. 512 MiB are enough for 10,000 threads.
const RAM_PER_SLOT: u64 = 48 << 10;
/// Heap for each thread slot *on each CPU*: its places in the run queue, the timers and the ranks. On 288 CPUs that, and
/// not the stacks, is what there can be no more of.
const HEAP_PER_SLOT: usize = 80;
/// Slots beyond the idle tasks' that even the smallest machine has.
const FEWEST_SLOTS: usize = 128;
const MOST_SLOTS: usize = 16_384;

/// Starts up to `limit` CPUs; they wait for [`schedule`].
pub fn processors(info: &BootInfo, acpi: &Acpi, limit: usize) -> Started {
    smp::start_others(info, acpi, limit, enter)
}

/// Makes the scheduler for these CPUs and returns once each of them has joined it.
pub fn schedule(topology: Topology, config: Config) {
    let cpus = topology.seats().len();
    record::prepare();
    let shared: &'static Shared = Box::leak(Box::new(Shared::on(topology, slots(cpus), config)));
    let threads: &'static Table = Box::leak(Box::new(Table::new(shared)));
    record::describe(shared);
    Local::install(0, shared, threads);
    PLAN.call_once(|| Plan { shared, threads });
    // Acquire pairs with the Release in `enter`: every CPU's state is in place.
    while CHECKED_IN.load(Ordering::Acquire) + 1 < cpus {
        cpu::relax();
    }
}

/// How many threads there can be at once: as many as RAM has stacks for, and half of the heap room in the scheduler.
fn slots(cpus: usize) -> usize {
    let by_ram = (memory::total_bytes() / RAM_PER_SLOT) as usize;
    let by_heap = machine::heap_bytes() / 2 / (cpus * HEAP_PER_SLOT);
    by_ram.min(by_heap).min(MOST_SLOTS).max(cpus + FEWEST_SLOTS)
}

/// Which of the CPUs are near each other.
pub fn topology(online: &[smp::Cpu]) -> Topology {
    let layout = Layout::read();
    let seat = |cpu: &smp::Cpu| {
        let found = layout.seat(cpu.apic_id);
        Seat { package: found.package, cache: found.cache, core: found.core }
    };
    Topology::new(&online.iter().map(seat).collect::<Vec<_>>())
}

/// Where every CPU but the first begins, with interrupts off.
fn enter(index: u32) -> ! {
    while PLAN.get().is_none() {
        cpu::relax();
    }
    let plan = PLAN.wait();
    Local::install(index, plan.shared, plan.threads);
    // Release pairs with the Acquire in `schedule`.
    CHECKED_IN.fetch_add(1, Ordering::Release);
    idle::run()
}
