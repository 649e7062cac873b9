//! Starting the other CPUs.
//!
//! The first CPU makes every other one an *offer*: an entry of a table with a stack and a state. Then it
//! sends INIT, waits, and sends start-up interrupts (SDM 3A 9.4.4); all CPUs come up at the same time
//! through one page below 1 MiB, find their offer by their APIC id, and accept it.
//!
//! ```text
//!                  1 the CPU came in time            3 it is set up
//!      Offered ───────────────────────▶ Accepted ───────────────────▶ Ready
//!         │                               │
//!         │                               └────────────────────────▶ Failed
//!         └──────────────────────▶ Withdrawn       4 out of memory
//!                  2 it did not
//! ```
//!
//! 1 and 2 are compare-and-swaps of the same word, so a CPU that comes late finds its offer withdrawn,
//! whenever that is, and halts. Between 1 and 3 it waits to be told its index: indices are dense, and
//! given only once it is known who is there.

mod icr;
mod offer;
mod trampoline;

use crate::acpi::{Acpi, MAX_CPUS};
use crate::boot::BootInfo;
use crate::clock::{self, Skew};
use crate::memory::Stack;
use arrayvec::ArrayVec;
use core::fmt;
use offer::{Absent, Offer};

/// Bytes of the stack that a CPU starts on, and keeps.
const STACK_BYTES: usize = 32 << 10;
/// Between INIT and the start-up interrupt: 10 ms (SDM 3A 9.4.4).
const AFTER_INIT_NS: u64 = 10_000_000;
/// Between the first start-up interrupt and the second: 200 µs.
const AFTER_STARTUP_NS: u64 = 200_000;
/// Between further ones, which only a CPU that lost the first two needs.
const RETRY_NS: u64 = 50_000_000;
/// The time that a CPU has to come. Emulated CPUs share an overloaded host's few real ones.
const PATIENCE_NS: u64 = 5_000_000_000;

/// A CPU that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Its dense number; 0 is the CPU that booted.
    pub index: u32,
    /// Its local APIC id.
    pub apic_id: u32,
}

/// Why CPUs that the firmware lists were not even tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No page below 1 MiB is free, so there is nowhere to start a CPU.
    NoLowPage,
    /// RAM is short for stacks.
    OutOfMemory,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoLowPage => "no free page below 1 MiB to start CPUs from",
            Self::OutOfMemory => "no memory for the stacks of more CPUs",
        })
    }
}

/// Who runs, and who does not.
#[derive(Clone, Debug, Default)]
pub struct Started {
    /// The CPUs that run, by index; the one that booted is first.
    pub online: ArrayVec<Cpu, MAX_CPUS>,
    /// APIC ids of CPUs that did not come in time, cannot be addressed (an id above 254 without
    /// x2APIC), or had no memory for their exception stacks.
    pub missing: ArrayVec<u32, MAX_CPUS>,
    /// Why some were not tried.
    pub problem: Option<Problem>,
}

/// Starts up to `limit` CPUs in all, and returns when each of them is set up.
///
/// The clock must run, the local APIC be on, and `timer::init` be done, since the others copy its choice.
/// Every CPU that came calls `entry` with its index, with interrupts off, on a stack of its own, after
/// `cpu::init_this`. Entries run at once and concurrently with the caller. To be called once, on the first
/// CPU.
///
/// # Panics
/// If a CPU came up and then neither finished nor failed.
pub fn start_others(info: &BootInfo, acpi: &Acpi, limit: usize, entry: fn(u32) -> !) -> Started {
    let first = icr::this_apic_id();
    let mut started = Started::default();
    started.online.push(Cpu { index: 0, apic_id: first });
    let others = acpi.cpus.iter().copied().filter(|&id| id != first);
    // The first CPU may be missing from the list, which may be full.
    let others = others.take(limit.min(MAX_CPUS).saturating_sub(1));
    let (wanted, unreachable): (ArrayVec<u32, MAX_CPUS>, _) = others.partition(|&id| icr::can_address(id));
    started.missing = unreachable;
    if !wanted.is_empty() {
        match trampoline::install(&info.memory) {
            Ok(page) => {
                make_offers(&wanted, entry, &mut started);
                start(page, &mut started);
            }
            Err(problem) => started.problem = Some(problem),
        }
    }
    started
}

/// How each other CPU's TSC compares with the first one's, by the CPU's index. After [`start_others`].
pub fn skews() -> impl Iterator<Item = (u32, Skew)> {
    offer::all().iter().filter_map(|offer| Some((offer.index()?, offer.skew()?)))
}

/// Prepares everything that a starting CPU reads, for as many CPUs as there is memory for.
fn make_offers(wanted: &[u32], entry: fn(u32) -> !, started: &mut Started) {
    for &apic_id in wanted {
        if let Ok(stack) = Stack::new(STACK_BYTES) {
            offer::make(apic_id, stack.top(), entry);
        } else {
            started.missing.push(apic_id);
            started.problem = Some(Problem::OutOfMemory);
        }
    }
}

fn start(page: u32, started: &mut Started) {
    let offers = offer::all();
    for offer in offers {
        icr::send_init(offer.apic_id());
    }
    wait(AFTER_INIT_NS, || false);
    let retries = (0..PATIENCE_NS / RETRY_NS).map(|_| RETRY_NS);
    for pause in [AFTER_STARTUP_NS].into_iter().chain(retries) {
        for offer in offers.iter().filter(|offer| !offer.is_accepted()) {
            icr::send_startup(offer.apic_id(), page);
        }
        if wait(pause, || offers.iter().all(Offer::is_accepted)) {
            break;
        }
    }
    check_in(offers, started);
}

/// Withdraws the offers of those who did not come, and sets up the others, one after the other.
fn check_in(offers: &[Offer], started: &mut Started) {
    for offer in offers {
        let index = started.online.len() as u32;
        let apic_id = offer.apic_id();
        match set_up(offer, index) {
            Ok(()) => started.online.push(Cpu { index, apic_id }),
            Err(Absent::Withdrawn) => started.missing.push(apic_id),
            Err(Absent::OutOfMemory) => {
                started.missing.push(apic_id);
                started.problem = Some(Problem::OutOfMemory);
            }
        }
    }
}

/// Numbers a CPU that came, compares its clock, and waits until it is set up or has failed.
///
/// One that does neither would hold an index that is in use: there is no going on without it.
fn set_up(offer: &Offer, index: u32) -> Result<(), Absent> {
    if offer.withdraw() {
        return Err(Absent::Withdrawn);
    }
    offer.number(index);
    offer.settle_clock();
    wait(PATIENCE_NS, || offer.outcome().is_some());
    offer.outcome().unwrap_or_else(|| panic!("CPU {index} came up and got lost while it was set up"))
}

/// Waits for `done`, but no longer than `ns`; tells whether it came true.
fn wait(ns: u64, done: impl Fn() -> bool) -> bool {
    let start = clock::now_ns();
    while !done() {
        if clock::now_ns().saturating_sub(start) >= ns {
            return false;
        }
        core::hint::spin_loop();
    }
    true
}
