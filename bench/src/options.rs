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

use core::fmt;

pub use mistake::Mistake;
pub(crate) use mistake::{nearest, no_such_name};

use sched::policy::PolicyKind;
use sched::{Config, Nanos};

use crate::suite::Selection;
pub use value::Choice;
use value::{duration, integer};

/// Everything that the command line can set; `Options::default()` is an empty line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What to run: `suite=`.
    pub suite: Selection,
    /// How many CPUs take part: `cpus=`; `None`: all that answer.
    pub cpus: Option<usize>,
    /// The seed of everything random: `seed=`.
    pub seed: u64,
    /// The scheduler's policy and constants, valid together: `policy=` and `sched.*`.
    pub sched: Config,
    /// Which timer to use: `timer=`.
    pub timer: TimerMode,
    /// Which local APIC mode to use: `apic=`.
    pub apic: ApicMode,
    /// How an idle CPU waits: `idle=`.
    pub idle: IdleMode,
    /// How long to soak instead of running the suite, in ns: `soak=`.
    pub soak: Option<u64>,
    /// How often CPUs look after each other, in ns: `watchdog=`; `None`: never.
    pub watchdog: Option<u64>,
    /// Whether the serial port takes commands: `console=`.
    pub console: Switch,
    /// What boot shows of the legacy controllers: `legacy=`.
    pub legacy: Legacy,
    /// A fault to plant, for the boot tests: `plant=`.
    pub plant: Plant,
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

/// `idle=`: how a CPU waits that has polled in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdleMode {
    /// Halted, for an interrupt.
    #[default]
    Halt,
    /// By MWAIT, for a store or an interrupt; or no boot.
    Mwait,
}

/// `legacy=`: what boot does with the 8259s beside turning them off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Legacy {
    /// Nothing.
    #[default]
    Off,
    /// It shows that they work, and that they're off afterwards; or no boot.
    Show,
}

/// On or off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// Off.
    #[default]
    Off,
    /// On.
    On,
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
    /// A page fault that can't be delivered.
    DoubleFault,
    /// A machine check's vector.
    MachineCheck,
    /// A panic while its own report is written, and so on.
    PanicTwice,
    /// A panic while all other CPUs print.
    PanicNoisy,
    /// A heap without room for a thread, for a while.
    Heap,
    /// A CPU that never comes back, beside others that do.
    Stuck,
    /// Interrupts between CPUs that never come, for a while.
    LostKicks,
    /// Interrupts that nobody expects, by the thousands.
    Spurious,
    /// An error that the local APIC reports.
    ApicError,
    /// A clock that jumps, forwards and back.
    Clock,
    /// CPUs whose TSCs aren't the first one's.
    Skew,
    /// A page that is both writable and executable.
    WritableCode,
    /// A write to code.
    WriteCode,
    /// A jump to data.
    RunData,
}

impl Choice for PolicyKind {
    const NAMES: &'static [(&'static str, Self)] = &Self::NAMES;
}

impl Choice for TimerMode {
    const NAMES: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("deadline", Self::Deadline), ("oneshot", Self::Oneshot)];
}

impl Choice for ApicMode {
    const NAMES: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("x2apic", Self::X2apic), ("xapic", Self::Xapic)];
}

impl Choice for IdleMode {
    const NAMES: &'static [(&'static str, Self)] = &[("halt", Self::Halt), ("mwait", Self::Mwait)];
}

impl Choice for Legacy {
    const NAMES: &'static [(&'static str, Self)] = &[("off", Self::Off), ("show", Self::Show)];
}

impl Choice for Switch {
    const NAMES: &'static [(&'static str, Self)] = &[("off", Self::Off), ("on", Self::On)];
}

impl Choice for Plant {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("panic", Self::Panic),
        ("fault", Self::Fault),
        ("overflow", Self::Overflow),
        ("hang", Self::Hang),
        ("double-fault", Self::DoubleFault),
        ("machine-check", Self::MachineCheck),
        ("panic-twice", Self::PanicTwice),
        ("panic-noisy", Self::PanicNoisy),
        ("heap", Self::Heap),
        ("stuck", Self::Stuck),
        ("lost-kicks", Self::LostKicks),
        ("spurious", Self::Spurious),
        ("apic-error", Self::ApicError),
        ("clock", Self::Clock),
        ("skew", Self::Skew),
        ("writable-code", Self::WritableCode),
        ("write-code", Self::WriteCode),
        ("run-data", Self::RunData),
    ];
}

impl Default for Options {
    fn default() -> Self {
        Self {
            suite: Selection::quick(),
            cpus: None,
            seed: 1,
            sched: Config::default(),
            timer: TimerMode::default(),
            apic: ApicMode::default(),
            idle: IdleMode::default(),
            soak: None,
            watchdog: None,
            console: Switch::default(),
            legacy: Legacy::default(),
            plant: Plant::default(),
        }
    }
}

/// The keys, and what each takes, as the message about a bad word lists them.
pub const KEYS: &[(&str, &str)] = &[
    ("suite", "quick, full, groups or rows, separated by commas"),
    ("cpus", "1 to 512"),
    ("policy", PolicyKind::LIST),
    ("seed", "a number, decimal or 0x…"),
    ("sched.tau", "a duration, such as 200ms"),
    ("sched.hysteresis", "a duration, such as 5ms"),
    ("sched.penalty", "a duration, such as 10us"),
    ("sched.poll", "a duration, such as 20us"),
    ("sched.rt-runtime", "a duration, such as 950ms; as much as sched.rt-period for no limit"),
    ("sched.rt-period", "a duration, such as 1s"),
    ("sched.rr-slice", "a duration, such as 10ms"),
    ("timer", "auto, deadline, oneshot"),
    ("apic", "auto, x2apic, xapic"),
    ("idle", "halt, mwait"),
    ("soak", "a duration, such as 1800s"),
    ("watchdog", "off, or a duration, such as 1s"),
    ("console", "off, on: with it no suite runs unless it's named"),
    ("legacy", "off, show"),
    (
        "plant",
        "none, panic, fault, overflow, hang, double-fault, machine-check, panic-twice, panic-noisy, heap, stuck, \
         lost-kicks, spurious, apic-error, clock, skew, writable-code, write-code, run-data",
    ),
];

impl Options {
    /// Reads a command line.
    ///
    /// # Errors
    /// At the first word that is not understood.
    pub fn parse(line: &str) -> Result<Self, Mistake> {
        let mut options = Self::default();
        let mut names_suite = false;
        for word in words::words(line)? {
            let Some((key, value)) = word.split_once('=') else {
                return Err(mistake::no_value(&word));
            };
            options.set(key, value)?;
            names_suite |= key == "suite";
        }
        if options.console == Switch::On && options.soak.is_some() {
            let valid = "soak, or console=on".into();
            return Err(mistake::bad_value("console", "on", "a soak takes no commands", valid));
        }
        if options.console == Switch::On && !names_suite {
            options.suite = Selection::none();
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Mistake> {
        match key {
            "suite" => self.suite = Selection::parse(value)?,
            "cpus" => self.cpus = Some(integer(key, value, 1..=512)? as usize),
            "policy" => self.sched.policy = Choice::parse(key, value)?,
            "seed" => self.seed = integer(key, value, 0..=u64::MAX)?,
            "timer" => self.timer = Choice::parse(key, value)?,
            "apic" => self.apic = Choice::parse(key, value)?,
            "idle" => self.idle = Choice::parse(key, value)?,
            "soak" => self.soak = Some(duration(key, value)?),
            "watchdog" => self.watchdog = watchdog(value)?,
            "console" => self.console = Choice::parse(key, value)?,
            "legacy" => self.legacy = Choice::parse(key, value)?,
            "plant" => self.plant = Choice::parse(key, value)?,
            _ => {
                let constant = self.constant(key, value)?;
                *constant = Nanos(duration(key, value)?);
            }
        }
        // The ranges are the scheduler's own, and its words name the constant.
        self.sched.check().map_err(|problem| mistake::bad_value(key, value, "out of range", problem.into()))
    }

    /// The scheduler's constant of that name.
    fn constant(&mut self, key: &str, value: &str) -> Result<&mut Nanos, Mistake> {
        match key {
            "sched.tau" => Ok(&mut self.sched.tau),
            "sched.hysteresis" => Ok(&mut self.sched.hysteresis),
            "sched.penalty" => Ok(&mut self.sched.penalty),
            "sched.poll" => Ok(&mut self.sched.poll),
            "sched.rt-runtime" => Ok(&mut self.sched.rt_runtime),
            "sched.rt-period" => Ok(&mut self.sched.rt_period),
            "sched.rr-slice" => Ok(&mut self.sched.rr_slice),
            _ => Err(mistake::no_such_key(key, value)),
        }
    }
}

/// The command line that gives these options, every key that differs from nothing spelled out.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "console={}", self.console.name())?;
        if !self.suite.is_empty() {
            write!(f, " suite={}", self.suite)?;
        }
        if let Some(cpus) = self.cpus {
            write!(f, " cpus={cpus}")?;
        }
        let Config { policy, tau, hysteresis, penalty, poll, rt_runtime, rt_period, rr_slice } = self.sched;
        write!(f, " policy={} seed={}", policy.name(), self.seed)?;
        write!(f, " sched.tau={}ns sched.hysteresis={}ns", tau.0, hysteresis.0)?;
        write!(f, " sched.penalty={}ns sched.poll={}ns", penalty.0, poll.0)?;
        // In this order any line that's valid stays so while it's read.
        write!(f, " sched.rt-runtime=100us sched.rt-period={}ns", rt_period.0)?;
        write!(f, " sched.rt-runtime={}ns sched.rr-slice={}ns", rt_runtime.0, rr_slice.0)?;
        write!(f, " timer={} apic={} idle={}", self.timer.name(), self.apic.name(), self.idle.name())?;
        write!(f, " legacy={} plant={}", self.legacy.name(), self.plant.name())?;
        for (key, value) in [("soak", self.soak), ("watchdog", self.watchdog)] {
            if let Some(ns) = value {
                write!(f, " {key}={ns}ns")?;
            }
        }
        Ok(())
    }
}

/// `watchdog=`: from 10 ms, so that it finds faults and not delays, to a minute.
fn watchdog(value: &str) -> Result<Option<u64>, Mistake> {
    if value == "off" {
        return Ok(None);
    }
    let ns = duration("watchdog", value)?;
    let valid = || "watchdog must be off or from 10ms to 60s".into();
    if (10_000_000..=60_000_000_000).contains(&ns) {
        Ok(Some(ns))
    } else {
        Err(mistake::bad_value("watchdog", value, "out of range", valid()))
    }
}

#[cfg(test)]
mod tests;
