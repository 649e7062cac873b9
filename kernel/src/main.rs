//! Tacet's boot image.
//!
//! [`main`] is the boot, as a list of calls. Then read: `start` (all CPUs), `idle` (what each does with
//! nothing to do), `dispatch` (carrying out the scheduler's decisions), `thread` and `sync` (what programs
//! use), `os` (what the benchmarks use). Policy is in the crate `sched`, registers are in `arch`.
#![no_std]
#![no_main]

extern crate alloc;

mod asked;
mod console;
mod dispatch;
mod facts;
mod heap;
mod idle;
mod lateness;
mod legacy;
mod local;
mod machine;
mod monitor;
mod os;
mod panic;
mod plant;
mod preempt;
mod probe;
mod record;
mod registers;
mod start;
mod states;
mod suite;
mod sync;
mod thread;
mod watchdog;

use arch::boot::BootInfo;
use arch::{acpi, cpu, interrupts, memory, serial};
use bench::options::{Legacy, Switch};

arch::entry!(main);

static HANDLERS: interrupts::Handlers = interrupts::Handlers {
    timer: lateness::on_timer,
    kick: dispatch::on_kick,
    take_serial: monitor::take_input,
    serial: monitor::wake,
    nmi: states::on_nmi,
};

fn main(info: &'static BootInfo) -> ! {
    // A voice, and ears for faults.
    serial::init();
    cpu::init_bsp();
    println!("Tacet {} ({})", facts::VERSION, facts::COMMIT);
    machine::report_faults();

    // Memory, and with it the command line.
    machine::or_end(memory::init(info), "memory");
    machine::or_end(heap::init(machine::heap_bytes()), "heap");
    let options = machine::options(info);
    let config = options.sched;

    // The machine: interrupts, clock, timer.
    let acpi = acpi::find(info);
    let clock = machine::init(&acpi, &options);
    interrupts::set_handlers(&HANDLERS);

    // All CPUs, each with a scheduler.
    plant::sow(options.plant);
    let started = start::processors(info, &acpi, options.cpus.unwrap_or(usize::MAX));
    plant::grow_early(options.plant);
    let topology = start::topology(&started.online);
    machine::describe(info, &acpi, clock, &started, &topology);
    machine::check_cpus(&options, &started);
    if options.legacy == Legacy::Show {
        legacy::show();
    }
    facts::record(info, clock, options);
    start::schedule(topology, config);

    // The first thread runs the suite, or what is typed; this one becomes the first CPU's idle task.
    match facts::options().console {
        Switch::Off => suite::spawn(),
        Switch::On => monitor::spawn(&acpi),
    }
    idle::run()
}
