//! Faults on purpose, so that tests can see them reported as what they are: `plant=` on the command line.

use arch::fault;
use bench::options::Plant;

use crate::println;

/// Does what was asked for; returns only for [`Plant::None`].
pub fn grow(plant: Plant) {
    match plant {
        Plant::None => {}
        Plant::Panic => panic!("planted by the command line"),
        Plant::Fault => touch_nothing(),
        Plant::Overflow => {
            println!("descended to {}", descend(0));
        }
        Plant::Hang => hang(),
        Plant::DoubleFault => fault::plant::double_fault(),
        Plant::MachineCheck => fault::plant::machine_check(),
    }
}

/// Writes where nothing is mapped.
fn touch_nothing() {
    // SAFETY: none, and that is the point: the address is in the lower half, where nothing is ever mapped, so
    // this faults before it changes anything.
    unsafe { core::ptr::with_exposed_provenance_mut::<u64>(0xdead_b000).write_volatile(1) };
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
