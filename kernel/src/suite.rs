//! The first thread: what the command line asks for, then the end.

use arch::exit::{self, Exit};

use crate::console::Log;
use crate::facts;
use crate::os::Tacet;
use crate::plant;
use crate::record;
use crate::thread::Builder;

/// The suite formats reports, so it has a larger stack than others.
const STACK: usize = 256 << 10;

/// Makes the thread that runs the suite. Called by boot, with interrupts off.
pub fn spawn() {
    let made = Builder::new("suite").stack_size(STACK).spawn(run);
    // Detached: it ends the machine.
    drop(made.expect("the first thread finds a free slot and memory for its stack"));
}

fn run() {
    let options = facts::options();
    plant::grow(options.plant);
    let outcome = bench::run::<Tacet>(options, &mut Log);
    record::save();
    exit::qemu(if outcome.failed == 0 { Exit::Passed } else { Exit::Failed })
}
