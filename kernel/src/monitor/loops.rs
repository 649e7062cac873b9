//! Threads that want a CPU for ever, to play with.

use core::sync::atomic::{AtomicBool, Ordering};

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use arch::cpu;
use sched::TaskId;

use crate::thread::{Builder, JoinHandle, SpawnError, Usage};

/// Those that run.
#[derive(Default)]
pub struct Loops {
    running: Vec<Loop>,
    /// How many were started.
    started: u32,
}

struct Loop {
    handle: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

impl Loops {
    /// Starts one.
    pub fn start(&mut self, weight: u32) -> Result<TaskId, SpawnError> {
        let stop = Arc::new(AtomicBool::new(false));
        let name = format!("loop {}", self.started + 1);
        let handle = Builder::new(&name).priority(weight).spawn({
            let stop = stop.clone();
            move || turn(&stop)
        })?;
        self.started += 1;
        let task = handle.thread().task();
        self.running.push(Loop { handle, stop });
        Ok(task)
    }

    /// Ends one, and tells what it had. `None` if it's none of these.
    pub fn stop(&mut self, task: TaskId) -> Option<Usage> {
        let at = self.running.iter().position(|one| one.handle.thread().task() == task)?;
        let Loop { handle, stop } = self.running.swap_remove(at);
        stop.store(true, Ordering::Relaxed);
        let thread = handle.thread().clone();
        handle.join();
        Some(thread.usage())
    }
}

fn turn(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        cpu::relax();
    }
}
