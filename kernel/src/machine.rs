//! What boot does with the machine, and what it says of it.

use core::fmt::{self, Display};

use alloc::format;

use arch::acpi::Acpi;
use arch::boot::BootInfo;
use arch::clock::Skew;
use arch::exit::{self, Exit};
use arch::smp::{self, Started};
use arch::{apic, clock, context, cpu, fault, memory, pic, timer};
use bench::options::{ApicMode, Choice, Options, TimerMode};
use bench::units::{Plural, Time};
use sched::Topology;

use crate::{console, idle, panic, println};

/// The share of RAM that the heap gets, and its bounds.
const HEAP_SHARE: u64 = 8;
const HEAP_LEAST: u64 = 8 << 20;
const HEAP_MOST: u64 = 256 << 20;

/// How large the heap is to be on this machine.
pub fn heap_bytes() -> usize {
    (memory::total_bytes() / HEAP_SHARE).clamp(HEAP_LEAST, HEAP_MOST) as usize
}

/// Makes fault reports name threads, and begin on a line of their own.
pub fn report_faults() {
    fault::set_thread_name_hook(panic::thread_name);
    fault::set_settle_hook(console::settle);
}

/// Ends the run if the machine lacks something that boot can't do without.
pub fn or_end<T, E: Display>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|error| {
        println!("BAD INPUT: {what}: {error}");
        exit::qemu(Exit::BadInput)
    })
}

/// Ends the run if the command line asks for what can't be.
pub fn or_bad_input<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| {
        println!("BAD INPUT: {error}");
        exit::qemu(Exit::BadInput)
    })
}

/// The command line, understood.
pub fn options(info: &BootInfo) -> Options {
    if info.command_line_truncated {
        or_bad_input(Err::<(), _>("the command line is too long"));
    }
    or_bad_input(Options::parse(info.command_line))
}

/// Brings up interrupt controllers, clock and timer of the first CPU.
pub fn init(acpi: &Acpi, options: &Options) -> clock::Source {
    pic::init();
    let apic = apic::init(match options.apic {
        ApicMode::Auto => None,
        ApicMode::X2apic => Some(apic::Mode::X2Apic),
        ApicMode::Xapic => Some(apic::Mode::XApic),
    });
    or_bad_input(apic.map_err(|error| format!("apic={}: {error}", options.apic.name())));
    for io_apic in &acpi.io_apics {
        apic::io::mask_all(io_apic.physical);
    }
    let source = clock::init(acpi);
    let timer = timer::init(match options.timer {
        TimerMode::Auto => None,
        TimerMode::Deadline => Some(timer::Mode::Deadline),
        TimerMode::Oneshot => Some(timer::Mode::Oneshot),
    });
    or_bad_input(timer.map_err(|error| format!("timer={}: {error}", options.timer.name())));
    or_bad_input(
        idle::choose(options.idle).map_err(|error| format!("idle={}: {error}", options.idle.name())),
    );
    source
}

/// Says what was found.
pub fn describe(info: &BootInfo, acpi: &Acpi, source: clock::Source, started: &Started, topology: &Topology) {
    let features = cpu::features();
    let (method, bytes) = context::xstate::method();
    let mappings = memory::audit().unwrap_or_else(|violation| panic!("{violation}"));
    println!("  boot      {}, command line \"{}\"", info.door.name(), info.command_line);
    println!("  cpu       {} x {}", started.online.len(), features.brand());
    println!("  topology  {}", Levels(topology.counts()));
    println!("  memory    {} MiB, {} MiB free", memory::total_bytes() >> 20, memory::free_bytes() >> 20);
    println!(
        "  clock     TSC at {} MHz, {}{}{}",
        Megahertz(clock::hz()),
        source.name(),
        if features.invariant_tsc { "" } else { " (not invariant)" },
        Agreement
    );
    println!("  timer     {}, {} MHz", timer::mode().name(), Megahertz(timer::frequency_hz()));
    println!(
        "  apic      {}, {} I/O APIC(s) masked, 8259 remapped and masked",
        apic::mode().name(),
        acpi.io_apics.len()
    );
    println!(
        "  idle      {}",
        if idle::mwaits() { "polls, then waits by MWAIT" } else { "polls, then halts" }
    );
    println!("  guards    {}; {mappings} mappings, none both writable and executable", cpu::protections());
    println!(
        "  vectors   preempted threads keep {bytes} bytes by {method:?}{}",
        if features.xsavec && method == context::xstate::Method::Xsave {
            ", as this CPU's Xsavec loses some"
        } else {
            ""
        }
    );
    if let Some(problem) = acpi.problem {
        println!("  warning   {problem}");
    }
    if let Some(problem) = started.problem {
        println!("  warning   {problem}");
    }
    for apic_id in &started.missing {
        println!("  warning   CPU with APIC id {apic_id} did not come up and is left out");
    }
    for (cpu, skew) in smp::skews().filter(|(_, skew)| skew.was != 0) {
        println!("  warning   CPU {cpu}'s TSC was {}", Correction(skew));
    }
}

/// Says what the local APICs complained about since boot, if they did.
pub fn describe_errors() {
    let (reports, causes) = apic::errors();
    if reports != 0 {
        println!(
            "  warning   local APICs reported errors, {} in all: {causes}",
            Plural(reports as usize, "interrupt")
        );
    }
}

/// A frequency in Hz, to be read in MHz.
struct Megahertz(u64);

impl Display for Megahertz {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{:03}", self.0 / 1_000_000, self.0 / 1_000 % 1_000)
    }
}

/// How well the CPUs' clocks agree, to follow what is said of one's.
struct Agreement;

impl Display for Agreement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Emulated CPUs that take turns on one of the host's can't compare theirs any better.
        const VAGUE_NS: u64 = 100_000;
        let Some(within) = smp::skews().map(|(_, skew)| clock::to_ns(skew.within)).max() else {
            return Ok(());
        };
        let why = if within > VAGUE_NS { ": the host is too busy to tell" } else { "" };
        write!(out, ", skew below {}{why}", Time(within + 1))
    }
}

/// How wrong a CPU's clock was, and what became of it.
struct Correction(Skew);

impl Display for Correction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Skew { within, was, stays } = self.0;
        let side = if was < 0 { "behind" } else { "ahead of" };
        write!(out, "{} {side} CPU 0's ", Time(clock::to_ns(was.unsigned_abs())))?;
        if stays {
            write!(out, "and can't be set right: times that span CPUs are wrong by as much")
        } else {
            write!(out, "and is set right, within {}", Time(clock::to_ns(within)))
        }
    }
}

/// Packages, last caches and cores, as a reader counts them.
struct Levels([usize; 3]);

impl Display for Levels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([packages, caches, cores]) = *self;
        let [packages, caches, cores] =
            [(packages, "package"), (caches, "last-level cache"), (cores, "core")]
                .map(|(n, of)| Plural(n, of));
        write!(out, "{packages}, {caches}, {cores}")
    }
}

/// Ends the run if fewer CPUs run than the command line asked for.
pub fn check_cpus(options: &Options, started: &Started) {
    let online = Plural(started.online.len(), "CPU");
    if let Some(wanted) = options.cpus.filter(|wanted| *wanted > online.0) {
        let there = if online.0 == 1 { "is" } else { "are" };
        or_bad_input(Err::<(), _>(format_args!("cpus={wanted}: only {online} {there} there")));
    }
}
