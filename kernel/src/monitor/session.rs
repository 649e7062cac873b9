//! Suites that are run from the console, and the end of it.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use arch::exit::{self, Exit};
use bench::monitor::NAME;
use bench::options::Options;
use bench::record::{self, Body, End, Record};
use bench::suite::Selection;

use crate::thread::{self, JoinHandle, SpawnError};
use crate::{facts, machine, println, record as tape, suite};

/// Whether a suite runs.
static RUNS: AtomicBool = AtomicBool::new(false);
/// Whether the machine is to power off once none does.
static LEAVES: AtomicBool = AtomicBool::new(false);

/// What all suites so far came to.
static PASSED: AtomicU32 = AtomicU32::new(0);
static FAILED: AtomicU32 = AtomicU32::new(0);

/// Whether a suite runs.
pub fn is_busy() -> bool {
    RUNS.load(Ordering::Relaxed)
}

/// Starts a suite, beside the console. Only the monitor's thread, and only if none runs.
pub fn start(rows: Selection) -> Result<JoinHandle<()>, SpawnError> {
    RUNS.store(true, Ordering::Relaxed);
    let options = Options { suite: rows, ..facts::options().clone() };
    let made = suite::thread(move || run(&options));
    RUNS.fetch_and(made.is_ok(), Ordering::Relaxed);
    made
}

fn run(options: &Options) {
    let outcome = suite::run(options);
    PASSED.fetch_add(outcome.passed, Ordering::Relaxed);
    FAILED.fetch_add(outcome.failed, Ordering::Relaxed);
    // SeqCst pairs with that of `leave`: one of the two sees what the other stored.
    RUNS.store(false, Ordering::SeqCst);
    // SeqCst pairs with that of `leave`.
    if LEAVES.load(Ordering::SeqCst) {
        end();
    }
}

/// Powers off, or lets the suite that runs do so when it has ended; then answers.
pub fn leave() {
    // SeqCst pairs with that of `run`.
    LEAVES.store(true, Ordering::SeqCst);
    // SeqCst pairs with that of `run`.
    if !RUNS.load(Ordering::SeqCst) {
        end();
    }
}

/// Once: whoever comes second waits for the end.
fn end() -> ! {
    static ENDS: AtomicBool = AtomicBool::new(false);
    while ENDS.swap(true, Ordering::Relaxed) {
        thread::park();
    }
    let (passed, failed) = (PASSED.load(Ordering::Relaxed), FAILED.load(Ordering::Relaxed));
    machine::describe_errors();
    println!("{NAME}: {passed} passed, {failed} failed");
    println!("{}", record::line(&Record::new(NAME, Body::End(End { passed, failed }))));
    tape::save();
    exit::qemu(if failed == 0 { Exit::Passed } else { Exit::Failed })
}
