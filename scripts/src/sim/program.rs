//! What a simulated thread does: a list of steps, part of which repeats.
//!
//! Programs are data, so that a failing case can be printed, replayed and shrunk.

use fastrand::Rng;
use sched::Affinity;

/// A span of time in nanoseconds, drawn anew each time from `least..=most`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The shortest.
    pub least: u64,
    /// The longest.
    pub most: u64,
}

impl Span {
    /// Always the same.
    pub const fn exactly(nanos: u64) -> Self {
        Self { least: nanos, most: nanos }
    }

    /// From one microsecond to the other.
    pub const fn micros(least: u64, most: u64) -> Self {
        Self { least: least * 1_000, most: most * 1_000 }
    }

    /// A span from this range.
    pub fn draw(self, rng: &mut Rng) -> u64 {
        if self.least == self.most { self.least } else { rng.u64(self.least..=self.most) }
    }
}

/// One thing that a thread does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Uses that much CPU time.
    Run(Span),
    /// Uses the CPU for ever.
    Loop,
    /// Sleeps.
    Sleep(Span),
    /// Gives way.
    Yield,
    /// Blocks until it's woken.
    Park,
    /// Wakes a thread, by its number.
    Wake(usize),
    /// Wakes any thread.
    WakeAny,
    /// Starts a thread.
    Spawn(Box<Plan>),
    /// Changes a thread's affinity; its own if that's `None`.
    Pin(Option<usize>, Affinity),
    /// Ends.
    Exit,
}

/// What a thread is to be and to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its weight; `sched::NORMAL_WEIGHT` is one.
    pub weight: u32,
    /// Where it may run.
    pub affinity: Affinity,
    /// When it starts, for those that the scenario starts itself.
    pub start: u64,
    /// What it does.
    pub steps: Vec<Step>,
    /// The step that follows the last one; it exits if there's none.
    pub again_from: Option<usize>,
}

impl Plan {
    /// A thread of normal weight that may run anywhere and repeats `steps` for ever.
    pub fn repeat(steps: Vec<Step>) -> Self {
        Self { weight: sched::NORMAL_WEIGHT, affinity: Affinity::ANY, start: 0, steps, again_from: Some(0) }
    }

    /// A thread that runs `steps` once.
    pub fn once(steps: Vec<Step>) -> Self {
        Self { again_from: None, ..Self::repeat(steps) }
    }

    /// A thread that never stops running.
    pub fn looping() -> Self {
        Self::once(vec![Step::Loop])
    }

    /// The same with another weight, as a multiple of the normal one.
    pub fn weighing(self, times: u32) -> Self {
        Self { weight: times * sched::NORMAL_WEIGHT, ..self }
    }

    /// The same, confined.
    pub fn on(self, affinity: Affinity) -> Self {
        Self { affinity, ..self }
    }

    /// The step at `at`, and where the next one is.
    pub fn step(&self, at: usize) -> (Step, usize) {
        match (self.steps.get(at), self.again_from) {
            (Some(step), _) => (step.clone(), at + 1),
            (None, Some(again)) if again < self.steps.len() => (self.steps[again].clone(), again + 1),
            _ => (Step::Exit, at),
        }
    }
}
