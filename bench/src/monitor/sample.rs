//! What every CPU and every thread had done at one moment.

use alloc::string::String;
use alloc::vec::Vec;

use crate::os::{Attention, Class, Counters, Usage};

/// All of a kernel, at one moment. Taken while it runs: a thread may be in two places, or in none, if it moved meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// When, in ns.
    pub at: u64,
    /// By number.
    pub cpus: Vec<Cpu>,
    /// By id.
    pub threads: Vec<Thread>,
}

/// One CPU since it started.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// What it does.
    pub attention: Attention,
    /// What it did.
    pub counters: Counters,
    /// Interrupts that it took, by vector; the last entry is of all vectors from there on.
    pub vectors: Vec<u64>,
}

/// One thread since it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// What users call it by.
    pub id: u32,
    /// What tells it from one that had the same id before.
    pub key: u64,
    /// Its name.
    pub name: String,
    /// Its class.
    pub class: Class,
    /// How much it counts.
    pub weight: u32,
    /// The CPU on which it runs, waits or ran last.
    pub cpu: u32,
    /// Whether it may run on that one only.
    pub is_pinned: bool,
    /// What it does.
    pub state: State,
    /// What it had.
    pub usage: Usage,
}

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It waits for a CPU.
    Ready,
    /// It waits for something else.
    Blocked,
}

impl Sample {
    /// Threads that wait for CPU `cpu`.
    pub fn queue(&self, cpu: usize) -> usize {
        self.threads
            .iter()
            .filter(|thread| thread.state == State::Ready && thread.cpu as usize == cpu)
            .count()
    }

    /// What was added since `earlier`. Of what began in between, all.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let cpus = self.cpus.iter().enumerate().map(|(i, cpu)| cpu.since(earlier.cpus.get(i)));
        let threads = self.threads.iter().map(|thread| {
            let before = earlier.threads.iter().find(|before| before.key == thread.key);
            let usage = before.map_or(thread.usage, |before| thread.usage.since(&before.usage));
            Thread { usage, ..thread.clone() }
        });
        Self { at: self.at.saturating_sub(earlier.at), cpus: cpus.collect(), threads: threads.collect() }
    }
}

impl Cpu {
    fn since(&self, earlier: Option<&Self>) -> Self {
        let Some(earlier) = earlier else { return self.clone() };
        let before = earlier.vectors.iter().chain(core::iter::repeat(&0));
        let vectors = self.vectors.iter().zip(before).map(|(now, before)| now.saturating_sub(*before));
        Self { counters: self.counters.since(&earlier.counters), vectors: vectors.collect(), ..*self }
    }
}
