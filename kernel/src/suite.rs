//! The first thread: what the command line asks for, then the end.

use arch::exit::{self, Exit};
use bench::Outcome;
use bench::options::Options;
use sched::Nanos;

use crate::console::Log;
use crate::facts;
use crate::machine;
use crate::os::Tacet;
use crate::plant;
use crate::record;
use crate::thread::{Builder, JoinHandle, SpawnError};
use crate::watchdog;

/// The suite formats reports, so it has a larger stack than others.
const STACK: usize = 256 << 10;

/// Makes the thread that runs what the command line asks for and then ends the machine. Called by boot, with interrupts off.
pub fn spawn() {
    let made = thread(|| {
        let options = facts::options();
        guard(options);
        let passed = match options.soak {
            Some(time) => bench::soak::run::<Tacet>(options.seed, time, &mut Log),
            None => run(options).failed == 0,
        };
        machine::describe_errors();
        record::save();
        exit::qemu(if passed { Exit::Passed } else { Exit::Failed })
    });
    drop(made.expect("the first thread finds a free slot and memory for its stack"));
}

/// Makes a thread for a suite.
pub fn thread(body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, SpawnError> {
    Builder::new("suite").stack_size(STACK).spawn(body)
}

/// Lets CPUs look after each other, if that's asked for. From a thread, once.
pub fn guard(options: &Options) {
    if let Some(period) = options.watchdog {
        watchdog::start(Nanos(period));
    }
}

/// Runs a suite, in the calling thread.
pub fn run(options: &Options) -> Outcome {
    plant::grow(options.plant);
    let outcome = bench::run::<Tacet>(options, &mut Log);
    plant::harvest(options.plant);
    outcome
}
