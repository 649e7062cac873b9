//! Faults on purpose, so that tests can see them reported as what they are, or survived: `plant=` on the command line.

mod bumpy;
mod crowd;
mod hunger;

use core::fmt;

use arch::{clock, fault, memory};
use bench::options::Plant;

use crate::println;

/// Does what has to be done before the other CPUs come.
pub fn sow(plant: Plant) {
    if plant == Plant::Skew {
        let a_millisecond = clock::hz() / 1_000;
        clock::plant::skew_others(a_millisecond.cast_signed());
    }
}

/// Does what has to be done before any thread runs.
pub fn grow_early(plant: Plant) {
    if plant == Plant::WritableCode {
        memory::plant_writable_code();
    }
}

/// Does what was asked for, from the first thread; returns if the run goes on.
pub fn grow(plant: Plant) {
    match plant {
        Plant::None | Plant::WritableCode => {}
        Plant::Panic => panic!("planted by the command line"),
        Plant::PanicTwice => panic!("{Bomb}"),
        Plant::Fault => write_to(0xdead_b000),
        Plant::WriteCode => write_to(grow as fn(Plant) as usize),
        Plant::RunData => run_data(),
        Plant::Overflow => println!("descended to {}", descend(0)),
        Plant::Hang => hang(),
        Plant::DoubleFault => fault::plant::double_fault(),
        Plant::MachineCheck => fault::plant::machine_check(),
        Plant::PanicNoisy => crowd::panic_among_printers(),
        Plant::Stuck => crowd::stick(),
        Plant::Spurious => bumpy::bombard(),
        Plant::ApicError => bumpy::complain(),
        Plant::LostKicks => bumpy::lose_kicks(),
        Plant::Clock => bumpy::jump(),
        Plant::Skew => bumpy::compare(),
        Plant::Heap => hunger::starve(),
    }
}

/// Looks at what became of what was planted, after the suite.
pub fn harvest(plant: Plant) {
    if plant == Plant::Spurious {
        bumpy::count();
    }
}

/// Can't be shown.
struct Bomb;

impl fmt::Display for Bomb {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("{Bomb}")
    }
}

/// Writes where nothing may be written.
fn write_to(address: usize) {
    // SAFETY: none, and that is the point: nothing is mapped there, or it's read-only, so this faults before it changes
    // anything.
    unsafe { core::ptr::with_exposed_provenance_mut::<u64>(address).write_volatile(1) };
}

/// Executes a constant.
fn run_data() {
    static RETURN: [u8; 16] = [0xc3; 16];
    // SAFETY: none, as above: constants are no code, so this faults before the first instruction.
    let function = unsafe { core::mem::transmute::<*const u8, extern "C" fn()>(RETURN.as_ptr()) };
    function();
}

/// Recurses until the stack ends.
fn descend(depth: u64) -> u64 {
    let frame = core::hint::black_box([depth; 64]);
    if depth == u64::MAX { depth } else { descend(depth + 1).wrapping_add(frame[3]) }
}

/// Never comes back, with interrupts off.
fn hang() {
    println!("hanging on purpose");
    arch::exit::halt()
}
