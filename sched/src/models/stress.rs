//! Models on the host's own threads: no proof, but real processors and caches, and a few seconds for all of them.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::{env, panic};

/// How often a model runs, unless `MODEL_RUNS` says otherwise.
const RUNS: u32 = 100;

/// How long a run of a model may take on average. Nothing in it waits but for another thread of it.
const PATIENCE: Duration = Duration::from_millis(300);
/// The least number of runs whose time there is: a busy host may hold up a single one for long.
const LEAST: u32 = 20;

/// Runs `model` many times. How many preemptions there may be is for loom to know.
///
/// # Panics
/// If the model does, or if it doesn't end: then its threads stay behind.
pub fn explore(_preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let runs = env::var("MODEL_RUNS").map_or(RUNS, |runs| runs.parse().expect("MODEL_RUNS is a number"));
    let (done, wait) = mpsc::channel();
    let runner = thread::spawn(move || {
        (0..runs).for_each(|_| model());
        let _ = done.send(());
    });
    match wait.recv_timeout(PATIENCE * runs.max(LEAST)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a model doesn't end: a wake was lost?"),
        _ => runner.join().unwrap_or_else(|error| panic::resume_unwind(error)),
    }
}
