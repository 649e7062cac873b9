//! The boot command line: `key=value` words that say what to run and how.
//!
//! ```text
//! suite=share,yield cpus=2 policy=decay seed=7 sched.tau=200ms timer=oneshot
//! ```
//!
//! A kernel that guesses what its user meant measures something else than was asked. So every word is understood
//! or stops the boot, with the word, what would have been valid, and the nearest valid spelling. Values may be quoted
//! (`"` or `'`), durations need a unit, and of two words with one key the later counts, since boot loaders append.

mod mistake;
mod value;
mod words;

use alloc::string::String;
use core::fmt;

pub use mistake::Mistake;
pub(crate) use mistake::no_such_name;

use crate::suite::Selection;
use value::{Choice, duration, integer};

/// Everything that the command line can set; `Options::default()` is an empty line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What to run: `suite=`.
    pub suite: Selection,
    /// How many CPUs take part: `cpus=`; `None`: all that answer.
    pub cpus: Option<usize>,
    /// The scheduling policy: `policy=`; `None`: the kernel's default.
    pub policy: Option<String>,
    /// The seed of everything random: `seed=`.
    pub seed: u64,
    /// The fair share's constants: `sched.*`.
    pub sched: Fair,
    /// Which timer to use: `timer=`.
    pub timer: TimerMode,
    /// Which local APIC mode to use: `apic=`.
    pub apic: ApicMode,
    /// A fault to plant, for the boot tests: `plant=`.
    pub plant: Plant,
}

/// The fair share's constants, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fair {
    /// Time constant of the decay: `sched.tau=`.
    pub tau_ns: u64,
    /// How far the running thread may overtake the next one: `sched.hysteresis=`.
    pub hysteresis_ns: u64,
    /// What a switch is charged: `sched.penalty=`.
    pub penalty_ns: u64,
}

/// `timer=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimerMode {
    /// TSC-deadline where the CPU has it.
    #[default]
    Auto,
    /// TSC-deadline, or no boot.
    Deadline,
    /// The one-shot count.
    Oneshot,
}

/// `apic=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApicMode {
    /// x2APIC where the CPU has it.
    #[default]
    Auto,
    /// x2APIC, or no boot.
    X2apic,
    /// xAPIC.
    Xapic,
}

/// `plant=`: what goes wrong on purpose once every CPU is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    /// Nothing.
    #[default]
    None,
    /// A panic.
    Panic,
    /// A page fault.
    Fault,
    /// A stack overflow.
    Overflow,
    /// A CPU that never comes back.
    Hang,
}

impl Choice for TimerMode {
    const NAMES: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("deadline", Self::Deadline), ("oneshot", Self::Oneshot)];
}

impl Choice for ApicMode {
    const NAMES: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("x2apic", Self::X2apic), ("xapic", Self::Xapic)];
}

impl Choice for Plant {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("panic", Self::Panic),
        ("fault", Self::Fault),
        ("overflow", Self::Overflow),
        ("hang", Self::Hang),
    ];
}

impl Default for Fair {
    fn default() -> Self {
        Self { tau_ns: 200_000_000, hysteresis_ns: 5_000_000, penalty_ns: 10_000 }
    }
}

impl Fair {
    /// How long one of two equal loops runs before the other takes over: from a hysteresis behind to one ahead.
    pub const fn slice_ns(&self) -> u64 {
        2 * self.hysteresis_ns
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            suite: Selection::quick(),
            cpus: None,
            policy: None,
            seed: 1,
            sched: Fair::default(),
            timer: TimerMode::default(),
            apic: ApicMode::default(),
            plant: Plant::default(),
        }
    }
}

/// The keys, and what each takes, as the message about a bad word lists them.
pub const KEYS: &[(&str, &str)] = &[
    ("suite", "quick, full, groups or rows, separated by commas"),
    ("cpus", "1 to 512"),
    ("policy", "the name of a scheduling policy"),
    ("seed", "a number, decimal or 0x…"),
    ("sched.tau", "1ms to 60s"),
    ("sched.hysteresis", "10us to 1s"),
    ("sched.penalty", "0ns to 10ms"),
    ("timer", "auto, deadline, oneshot"),
    ("apic", "auto, x2apic, xapic"),
    ("plant", "none, panic, fault, overflow, hang"),
];

impl Options {
    /// Reads a command line. `policies` are the names that `policy=` may take.
    ///
    /// # Errors
    /// At the first word that is not understood.
    pub fn parse(line: &str, policies: &[&str]) -> Result<Self, Mistake> {
        let mut options = Self::default();
        for word in words::words(line)? {
            let Some((key, value)) = word.split_once('=') else {
                return Err(mistake::no_value(&word));
            };
            options.set(key, value, policies)?;
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &str, policies: &[&str]) -> Result<(), Mistake> {
        match key {
            "suite" => self.suite = Selection::parse(value)?,
            "cpus" => self.cpus = Some(integer(key, value, 1..=512)? as usize),
            "policy" => self.policy = Some(value::one_of(key, value, policies)?.into()),
            "seed" => self.seed = integer(key, value, 0..=u64::MAX)?,
            "sched.tau" => self.sched.tau_ns = duration(key, value, 1_000_000..=60_000_000_000)?,
            "sched.hysteresis" => self.sched.hysteresis_ns = duration(key, value, 10_000..=1_000_000_000)?,
            "sched.penalty" => self.sched.penalty_ns = duration(key, value, 0..=10_000_000)?,
            "timer" => self.timer = Choice::parse(key, value)?,
            "apic" => self.apic = Choice::parse(key, value)?,
            "plant" => self.plant = Choice::parse(key, value)?,
            _ => return Err(mistake::no_such_key(key, value)),
        }
        Ok(())
    }
}

/// The command line that gives these options, every key that differs from nothing spelled out.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "suite={}", self.suite)?;
        if let Some(cpus) = self.cpus {
            write!(f, " cpus={cpus}")?;
        }
        if let Some(policy) = &self.policy {
            write!(f, " policy={policy}")?;
        }
        let Fair { tau_ns, hysteresis_ns, penalty_ns } = self.sched;
        write!(f, " seed={} sched.tau={tau_ns}ns sched.hysteresis={hysteresis_ns}ns", self.seed)?;
        write!(f, " sched.penalty={penalty_ns}ns timer={} apic={}", self.timer.name(), self.apic.name())?;
        write!(f, " plant={}", self.plant.name())
    }
}

#[cfg(test)]
mod tests;
