//! The first thread: what the command line asks for, then the end.

use arch::exit::{self, Exit};
use sched::Nanos;

use crate::console::Log;
use crate::facts;
use crate::os::Tacet;
use crate::plant;
use crate::record;
use crate::thread::Builder;
use crate::watchdog;

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
    if let Some(period) = options.watchdog {
        watchdog::start(Nanos(period));
    }
    plant::grow(options.plant);
    let passed = match options.soak {
        Some(time) => bench::soak::run::<Tacet>(options.seed, time, &mut Log),
        None => bench::run::<Tacet>(options, &mut Log).failed == 0,
    };
    plant::harvest(options.plant);
    record::save();
    exit::qemu(if passed { Exit::Passed } else { Exit::Failed })
}
