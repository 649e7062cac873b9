//! The first thread: what the command line asks for, then the end.

use arch::exit::{self, Exit};
use bench::Outcome;
use bench::options::Options;

use crate::console::Log;
use crate::facts;
use crate::os::Tacet;
use crate::plant;
use crate::record;
use crate::thread::{Builder, JoinHandle, SpawnError};

/// The suite formats reports, so it has a larger stack than others.
const STACK: usize = 256 << 10;

/// Makes the thread that runs the suite and then ends the machine. Called by boot, with interrupts off.
pub fn spawn() {
    let made = thread(|| {
        let outcome = run(facts::options());
        record::save();
        exit::qemu(if outcome.failed == 0 { Exit::Passed } else { Exit::Failed })
    });
    drop(made.expect("the first thread finds a free slot and memory for its stack"));
}

/// Makes a thread for a suite.
pub fn thread(body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, SpawnError> {
    Builder::new("suite").stack_size(STACK).spawn(body)
}

/// Runs a suite, in the calling thread.
pub fn run(options: &Options) -> Outcome {
    plant::grow(options.plant);
    bench::run::<Tacet>(options, &mut Log)
}
