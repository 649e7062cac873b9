//! What a simulated thread does: a list of steps, part of which repeats.
//!
//! Programs are data, so that a failing case can be printed, run again and shrunk.

use fastrand::Rng;
use sched::{Affinity, CpuId};
use serde::{Deserialize, Serialize};

/// A span of time in nanoseconds, drawn anew each time from `least..=most`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(from = "WrittenSpan", into = "WrittenSpan")]
pub struct Span {
    /// The shortest.
    pub least: u64,
    /// The longest.
    pub most: u64,
}

/// How a span is written: one number, or both ends.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenSpan {
    Exactly(u64),
    Within([u64; 2]),
}

impl From<WrittenSpan> for Span {
    fn from(written: WrittenSpan) -> Self {
        match written {
            WrittenSpan::Exactly(nanos) => Self::exactly(nanos),
            WrittenSpan::Within([one, other]) => Self { least: one.min(other), most: one.max(other) },
        }
    }
}

impl From<Span> for WrittenSpan {
    fn from(span: Span) -> Self {
        if span.least == span.most { Self::Exactly(span.most) } else { Self::Within([span.least, span.most]) }
    }
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

/// Where a thread may run.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cpus {
    /// Anywhere.
    #[default]
    Any,
    /// On one CPU.
    One(u32),
    /// On the CPUs from the first number up to, without, the second.
    Range(u32, u32),
}

impl Cpus {
    /// The same as the scheduler has it, on a machine of `cpus` CPUs: a CPU that isn't there is one that is.
    pub fn affinity(self, cpus: usize) -> Affinity {
        let cpus = cpus as u32;
        match self {
            Self::Any => Affinity::ANY,
            Self::One(cpu) => Affinity::one(CpuId(cpu % cpus)),
            Self::Range(first, end) => {
                let first = first % cpus;
                Affinity::range(first, end.clamp(first + 1, cpus)).unwrap_or(Affinity::ANY)
            }
        }
    }
}

/// What a thread goes before.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// What the policy decides.
    #[default]
    Fair,
    /// Nothing.
    Background,
    /// Fair threads, and real-time ones of lower priority.
    Fifo(u8),
    /// The same, in turns with its equals.
    RoundRobin(u8),
}

impl From<Class> for sched::Class {
    /// The same as the scheduler has it; a priority out of range is the nearest within.
    fn from(class: Class) -> Self {
        let priority = |number: u8| sched::Priority::new(number.clamp(1, 99)).expect("it's within the range");
        match class {
            Class::Fair => Self::Fair,
            Class::Background => Self::Background,
            Class::Fifo(number) => Self::Fifo(priority(number)),
            Class::RoundRobin(number) => Self::RoundRobin(priority(number)),
        }
    }
}

/// One thing that a thread does. Threads, and channels, go by their numbers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Wakes a thread.
    Wake(usize),
    /// Wakes any thread.
    WakeAny,
    /// Puts a message into a channel and wakes who waits there longest. Never blocks.
    Send(usize),
    /// Takes a message out of a channel; blocks while there's none.
    Receive(usize),
    /// Starts a thread.
    Spawn(Box<Plan>),
    /// Changes where a thread may run; the one that does it if none is named.
    Pin {
        /// Whose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<usize>,
        /// To what.
        cpus: Cpus,
    },
    /// Changes a thread's weight; its own if none is named.
    Weigh {
        /// Whose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<usize>,
        /// To what.
        weight: u32,
    },
    /// Changes a thread's class; its own if none is named.
    Class {
        /// Whose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<usize>,
        /// To what.
        class: Class,
    },
    /// Ends.
    Exit,
}

/// What a thread is to be and to do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// When it starts, for those that the case starts itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start: u64,
    /// Its weight; `sched::NORMAL_WEIGHT` is one.
    #[serde(default = "normal_weight", skip_serializing_if = "is_normal")]
    pub weight: u32,
    /// What it goes before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub class: Class,
    /// Where it may run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cpus: Cpus,
    /// What it does.
    pub steps: Vec<Step>,
    /// The step that follows the last one; it exits if there's none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_from: Option<usize>,
}

/// Whether a value needs no mention in a written case.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

const fn normal_weight() -> u32 {
    sched::NORMAL_WEIGHT
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_normal(weight: &u32) -> bool {
    *weight == sched::NORMAL_WEIGHT
}

impl Plan {
    /// A thread of normal weight that may run anywhere and repeats `steps` for ever.
    pub fn repeat(steps: Vec<Step>) -> Self {
        Self {
            weight: sched::NORMAL_WEIGHT,
            class: Class::Fair,
            cpus: Cpus::Any,
            start: 0,
            steps,
            again_from: Some(0),
        }
    }

    /// A thread that runs `steps` once.
    pub fn once(steps: Vec<Step>) -> Self {
        Self { again_from: None, ..Self::repeat(steps) }
    }

    /// A thread that never stops running.
    pub fn looping() -> Self {
        Self::once(vec![Step::Loop])
    }

    /// Whether it's one that never stops running.
    pub fn is_loop(&self) -> bool {
        self.steps == [Step::Loop]
    }

    /// The same with another weight, as a multiple of the normal one.
    #[must_use]
    pub fn weighing(self, times: u32) -> Self {
        Self { weight: times * sched::NORMAL_WEIGHT, ..self }
    }

    /// The same, confined.
    #[must_use]
    pub fn on(self, cpus: Cpus) -> Self {
        Self { cpus, ..self }
    }

    /// Whether it, or a thread that it starts, is or becomes other than fair.
    pub fn is_ranked(&self) -> bool {
        let ranks = |step: &Step| match step {
            Step::Class { class, .. } => *class != Class::Fair,
            Step::Spawn(plan) => plan.is_ranked(),
            _ => false,
        };
        self.class != Class::Fair || self.steps.iter().any(ranks)
    }

    /// The step at `at`, and where the next one is.
    pub fn step(&self, at: usize) -> (&Step, usize) {
        match (self.steps.get(at), self.again_from) {
            (Some(step), _) => (step, at + 1),
            (None, Some(again)) if again < self.steps.len() => (&self.steps[again], again + 1),
            _ => (&Step::Exit, at),
        }
    }
}
