//! The workloads, one file each: scenario, expected value, and how to read a miss stand before the code.
//!
//! A workload measures on [`Os`] and hands what it found, with its judgement, to the [`Report`]. Two rules keep the
//! numbers honest: memory for samples is there before the clock is first read, and nothing prints inside a window.

mod balance;
mod clock;
mod conserve;
mod controlled;
mod equal;
mod examples;
mod handover;
mod interactive;
mod intermittent;
mod inversion;
mod ipi;
mod limits;
mod loops;
mod messaging;
mod mutex;
mod park;
mod placement;
mod rcu;
mod realtime;
mod reschedule;
mod schbench;
mod spawn;
mod threads;
mod tickless;
mod timer;
mod timers;
mod timeslice;
mod timing;
mod vectors;
mod wake;
mod weighted;
mod yielding;

use alloc::format;
use alloc::string::String;

use sched::Config;
use sched::policy::Promise;

use crate::os::{Attention, Os, SpawnError, Spec};
use crate::report::Report;
use crate::units::Time;
use crate::verdict::Judgement;

pub use limits::Limits;
pub use loops::{ThreadWindow, Window};
pub use schbench::What;
pub use timing::Timed;

/// What a row runs.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is explained by the file of its name")]
pub enum Workload {
    Clock,
    MutexFree,
    MutexContended,
    RcuRead,
    Yield,
    Handover(Place),
    Park(Place),
    /// What the target's CPU is doing when it is woken.
    Wake(Attention),
    WakeCall,
    Ipi,
    Timer {
        /// Whether a loop wants the CPU meanwhile.
        load: bool,
    },
    Spawn,
    Reschedule {
        /// How many threads.
        runnable: usize,
    },
    Timers {
        /// How many are set.
        set: usize,
    },
    Alive,
    Storm,
    Equal,
    Weighted,
    Intermittent,
    Interactive,
    Timeslice,
    Balance {
        /// The loops.
        weights: &'static [u32],
        /// Whether a thread that runs 1 ms and sleeps 10 ms joins them.
        naps: bool,
    },
    Reweighted,
    Pinned,
    Placement,
    Conserve,
    Fifo,
    TakeTurns,
    Throttle,
    /// So many holders wait for each other.
    Inversion(usize),
    Tickless(Tickless),
    Messaging,
    Schbench(What),
    Vectors,
    Examples,
}

/// Where the two threads of a ping-pong run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Both on CPU 0.
    Colocated,
    /// On CPUs 0 and 1.
    Apart,
    /// Wherever the kernel puts them.
    Free,
}

impl Place {
    /// The two threads' specs.
    fn specs(self) -> [Spec<'static>; 2] {
        let (first, second) = (Spec::new("ping"), Spec::new("pong"));
        match self {
            Self::Colocated => [first.pinned(0), second.pinned(0)],
            Self::Apart => [first.pinned(0), second.pinned(1)],
            Self::Free => [first, second],
        }
    }

    /// On one CPU a ping-pong is the scheduler's work alone, and has a limit. Elsewhere its switches have: to block and to
    /// be switched to again; twice that if one is woken before it can go on.
    fn judge(self, lab: &Lab, timed: &mut Timed, limit: u64) -> Judgement {
        let informs = match self {
            Self::Colocated => return timing::ping_pong(lab, timed, limit),
            _ if lab.icount => "under -icount CPUs run in turns, so a ping-pong's time is no measure",
            Self::Apart => "its time is a figure of the machine: how fast its idle CPUs answer",
            Self::Free => "its time is a figure of the machine and of where the threads landed",
        };
        let switches = timed.per_op().switches;
        Judgement::without_limit(informs).at_most("switches an operation", switches, 2.5, "")
    }
}

/// What runs while interrupts are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tickless {
    /// Nothing.
    Idle,
    /// One loop a CPU.
    Single,
    /// Two loops a CPU.
    Pair,
}

/// How much work a result is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Samples of a latency row.
    pub samples: usize,
    /// Operations before the first sample.
    pub warmup: usize,
    /// A latency row ends after this many ns, with the samples that it has.
    pub budget_ns: u64,
    /// Before a share window opens.
    pub settle_ns: u64,
    /// A share window.
    pub share_ns: u64,
    /// A window for weights.
    pub weighted_ns: u64,
    /// A balance window.
    pub balance_ns: u64,
    /// A window in which interrupts are counted, or slices timed.
    pub second_ns: u64,
    /// The most threads at a time.
    pub crowd: usize,
    /// Whether every case of a row is taken.
    pub all_cases: bool,
}

const MS: u64 = 1_000_000;

impl Effort {
    /// The quick suite's: with all its rows under a minute.
    pub const QUICK: Self = Self {
        samples: 1_000,
        warmup: 50,
        budget_ns: 400 * MS,
        settle_ns: 500 * MS,
        share_ns: 4_000 * MS,
        weighted_ns: 5_000 * MS,
        balance_ns: 2_000 * MS,
        second_ns: 1_000 * MS,
        crowd: 10_000,
        all_cases: false,
    };
    /// Everything else's.
    pub const THOROUGH: Self = Self {
        samples: 10_000,
        warmup: 200,
        budget_ns: 5_000 * MS,
        balance_ns: 4_000 * MS,
        all_cases: true,
        ..Self::QUICK
    };
}

/// What a workload must know beside the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Lab {
    /// How much work a result is worth.
    pub effort: Effort,
    /// Whether a virtual ns is an instruction, so that times gate.
    pub icount: bool,
    /// Whether timers fire when they are due, not when a loaded host finds the time: of one CPU. Of several see
    /// [`Self::was_punctual`].
    pub punctual: bool,
    /// What the policy promises, if it's one of this kernel's.
    pub promise: Option<Promise>,
    /// The scheduler's settings.
    pub sched: Config,
}

/// Why times inform where a ns is none of the guest's doing.
pub const NO_ICOUNT: &str = "times are the host's without -icount";
/// Why what hangs on timers informs where they fire late.
const LATE: &str = "timers may fire late without -icount";
/// Why shares inform while timers fire too late, and what is told of it while they don't.
const BUSY_HOST: &str = "timers fired late, by the host's or QEMU's doing";
/// Why shares inform under policies that promise others, or none.
const UNFAIR: &str = "this policy promises no shares by weight";

/// Why a sleeper's share informs under policies that forget.
const FORGETS: &str = "this policy promises sleepers nothing";

impl Lab {
    /// How long one of two equal loops should run before the other takes over.
    pub fn slice_ns(&self) -> u64 {
        self.sched.slice().0
    }

    /// Whether the policy promises shares by weight.
    pub fn is_fair(&self) -> bool {
        self.promise.is_some_and(Promise::is_shares)
    }

    /// Whether it also promises that one that slept gets what it missed lately.
    pub fn remembers(&self) -> bool {
        self.promise.is_some_and(Promise::remembers)
    }

    /// The limits of shares in a window.
    pub fn limits(&self, window: &Window) -> Limits {
        if self.was_punctual(window) { Limits::PUNCTUAL } else { Limits::LATE }
    }

    /// Whether timers fired when they were due. Under `-icount` those of several busy CPUs don't: QEMU lets one CPU after the
    /// other run, for ms each.
    fn was_punctual(&self, window: &Window) -> bool {
        self.punctual && window.lateness() <= self.slice_ns() / Limits::PUNCTUAL_PART
    }

    /// Lets what is known of a window's shares gate only if the policy promises any, and the host let it keep them.
    fn judge_shares(&self, judgement: Judgement, window: &Window) -> Judgement {
        let judgement = judgement.all_gating_if(self.is_fair(), UNFAIR);
        if self.was_punctual(window) {
            return judgement;
        }
        let (bearable, text) = self.bears(window);
        judgement.all_gating_if(bearable, BUSY_HOST).check(true, text).informing(BUSY_HOST)
    }

    /// Whether timers' lateness let the wide limits be held in a window, and why.
    fn bears(&self, window: &Window) -> (bool, String) {
        let (late, limit, part) = (window.lateness(), self.slice_ns(), window.late_part() * 100.0);
        let (average, limit_shown) = (Time(late), Time(limit));
        if late <= limit {
            (true, format!("timers {average} late on average ≤ {limit_shown}"))
        } else if part <= Limits::RARELY_LATE {
            (true, format!("timers {average} late on average, but few: {part:.2}% of the time"))
        } else {
            (false, format!("timers {average} late on average > {limit_shown}"))
        }
    }
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Not measurable here, which is nobody's fault.
    Skipped(String),
    /// It should have been measurable.
    Failed(String),
}

impl From<SpawnError> for Trouble {
    fn from(error: SpawnError) -> Self {
        Self::Failed(format!("could not create a thread: {error}"))
    }
}

impl Workload {
    /// Runs the row `name` and reports its results.
    ///
    /// # Errors
    /// When there is nothing to report, or no more.
    pub fn run<O: Os>(self, name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
        match self {
            Self::Clock => clock::run::<O>(name, lab, report),
            Self::MutexFree => mutex::free::<O>(name, lab, report),
            Self::MutexContended => mutex::contended::<O>(name, lab, report),
            Self::RcuRead => rcu::read::<O>(name, lab, report),
            Self::Yield => yielding::run::<O>(name, lab, report),
            Self::Handover(place) => handover::run::<O>(name, place, lab, report),
            Self::Park(place) => park::run::<O>(name, place, lab, report),
            Self::Wake(state) => wake::run::<O>(name, state, lab, report),
            Self::WakeCall => wake::call::<O>(name, lab, report),
            Self::Ipi => ipi::run::<O>(name, lab, report),
            Self::Timer { load } => timer::run::<O>(name, load, lab, report),
            Self::Spawn => spawn::run::<O>(name, lab, report),
            Self::Reschedule { runnable } => reschedule::run::<O>(name, runnable, lab, report),
            Self::Timers { set } => timers::run::<O>(name, set, lab, report),
            Self::Alive => threads::alive::<O>(name, lab, report),
            Self::Storm => threads::storm::<O>(name, lab, report),
            Self::Equal => equal::run::<O>(name, lab, report),
            Self::Weighted => weighted::run::<O>(name, lab, report),
            Self::Intermittent => intermittent::run::<O>(name, lab, report),
            Self::Interactive => interactive::run::<O>(name, lab, report),
            Self::Timeslice => timeslice::run::<O>(name, lab, report),
            Self::Balance { weights, naps } => balance::run::<O>(name, weights, naps, lab, report),
            Self::Reweighted => controlled::reweighted::<O>(name, lab, report),
            Self::Pinned => controlled::pinned::<O>(name, lab, report),
            Self::Placement => placement::run::<O>(name, lab, report),
            Self::Conserve => conserve::run::<O>(name, lab, report),
            Self::Fifo => realtime::fifo::<O>(name, lab, report),
            Self::TakeTurns => realtime::rr::<O>(name, lab, report),
            Self::Throttle => realtime::throttle::<O>(name, lab, report),
            Self::Inversion(holders) => inversion::run::<O>(name, holders, lab, report),
            Self::Tickless(what) => tickless::run::<O>(name, what, lab, report),
            Self::Messaging => messaging::run::<O>(name, lab, report),
            Self::Schbench(what) => schbench::run::<O>(name, what, lab, report),
            Self::Vectors => vectors::run::<O>(name, lab, report),
            Self::Examples => examples::run::<O>(name, report),
        }
    }
}

#[cfg(test)]
mod tests;
