//! Every row of the report: its name, its group, and what it needs.
//!
//! The table below is the one place that lists them. Adding a row is a file in `workload/`, a variant of
//! [`Workload`], and a line here.

mod run;
mod selection;

#[cfg(test)]
pub(crate) use run::run_with;
pub use run::{Outcome, run};
pub use selection::Selection;

use core::fmt;

use crate::os::Attention::{Busy, Halted, Polling};
use crate::workload::{Place, Tickless, What, Workload};

/// Rows that answer one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What an operation costs.
    Cost,
    /// How CPU time is divided.
    Share,
    /// How evenly CPUs are loaded.
    Balance,
    /// What goes before what.
    Rt,
    /// Who interrupts whom when there is nothing to decide.
    Tickless,
    /// What becomes of threads that talk to each other.
    Talk,
}

impl Group {
    /// All groups, in the order of the report.
    pub const ALL: [Self; 6] = [Self::Cost, Self::Share, Self::Balance, Self::Rt, Self::Tickless, Self::Talk];

    /// The name that `suite=` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Share => "share",
            Self::Balance => "balance",
            Self::Rt => "rt",
            Self::Tickless => "tickless",
            Self::Talk => "talk",
        }
    }

    /// What the section's title says beside the name.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Cost => "what an operation costs",
            Self::Share => "how CPU time is divided",
            Self::Balance => "elapsed over accounted CPU time",
            Self::Rt => "what real-time threads go before, and what they leave",
            Self::Tickless => "interrupts with nothing to decide",
            Self::Talk => "threads that talk to each other",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A row of the report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The name that records carry and `suite=` takes.
    pub name: &'static str,
    /// Its group.
    pub group: Group,
    /// Whether the quick suite has it.
    pub quick: bool,
    /// The CPUs that it needs.
    pub cpus: usize,
    /// What to run.
    pub workload: Workload,
}

const fn row(name: &'static str, group: Group, cpus: usize, workload: Workload) -> Row {
    Row { name, group, quick: true, cpus, workload }
}

const fn full_only(row: Row) -> Row {
    Row { quick: false, ..row }
}

/// The rows, in the order in which they run.
pub static ROWS: [Row; 54] = [
    row("clock", Group::Cost, 1, Workload::Clock),
    row("mutex/free", Group::Cost, 1, Workload::MutexFree),
    row("mutex/contended", Group::Cost, 2, Workload::MutexContended),
    row("rcu/read", Group::Cost, 1, Workload::RcuRead),
    row("yield", Group::Cost, 1, Workload::Yield),
    row("handover/colocated", Group::Cost, 1, Workload::Handover(Place::Colocated)),
    row("handover/apart", Group::Cost, 2, Workload::Handover(Place::Apart)),
    row("handover/free", Group::Cost, 1, Workload::Handover(Place::Free)),
    row("park/colocated", Group::Cost, 1, Workload::Park(Place::Colocated)),
    row("park/apart", Group::Cost, 2, Workload::Park(Place::Apart)),
    row("wake/polling", Group::Cost, 2, Workload::Wake(Polling)),
    row("wake/halted", Group::Cost, 2, Workload::Wake(Halted)),
    row("wake/busy", Group::Cost, 2, Workload::Wake(Busy)),
    row("wake-call", Group::Cost, 2, Workload::WakeCall),
    row("ipi", Group::Cost, 2, Workload::Ipi),
    row("timer", Group::Cost, 1, Workload::Timer { load: false }),
    row("timer/load", Group::Cost, 1, Workload::Timer { load: true }),
    row("spawn", Group::Cost, 1, Workload::Spawn),
    row("reschedule/10", Group::Cost, 1, Workload::Reschedule { runnable: 10 }),
    row("reschedule/100", Group::Cost, 1, Workload::Reschedule { runnable: 100 }),
    full_only(row("reschedule/1000", Group::Cost, 1, Workload::Reschedule { runnable: 1_000 })),
    full_only(row("reschedule/10000", Group::Cost, 1, Workload::Reschedule { runnable: 10_000 })),
    row("timers/10", Group::Cost, 1, Workload::Timers { set: 10 }),
    full_only(row("timers/100000", Group::Cost, 1, Workload::Timers { set: 100_000 })),
    full_only(row("threads/alive", Group::Cost, 1, Workload::Alive)),
    full_only(row("threads/storm", Group::Cost, 1, Workload::Storm)),
    row("share/equal", Group::Share, 1, Workload::Equal),
    row("share/weighted", Group::Share, 1, Workload::Weighted),
    row("share/reweighted", Group::Share, 1, Workload::Reweighted),
    row("share/intermittent", Group::Share, 1, Workload::Intermittent),
    row("interactive", Group::Share, 1, Workload::Interactive),
    row("timeslice", Group::Share, 1, Workload::Timeslice),
    row("balance/2on2", Group::Balance, 2, Workload::Balance { weights: &[1, 1], naps: false }),
    row("balance/4on2", Group::Balance, 2, Workload::Balance { weights: &[1, 1, 1, 1], naps: false }),
    row("balance/3on2", Group::Balance, 2, Workload::Balance { weights: &[1, 1, 1], naps: false }),
    full_only(row(
        "balance/weighted3on2",
        Group::Balance,
        2,
        Workload::Balance { weights: &[2, 1, 1], naps: false },
    )),
    full_only(row("balance/2+1", Group::Balance, 2, Workload::Balance { weights: &[1, 1], naps: true })),
    full_only(row(
        "balance/4+1",
        Group::Balance,
        2,
        Workload::Balance { weights: &[1, 1, 1, 1], naps: true },
    )),
    row("balance/pinned", Group::Balance, 2, Workload::Pinned),
    row("placement", Group::Balance, 2, Workload::Placement),
    row("conserve", Group::Balance, 2, Workload::Conserve),
    row("rt/fifo", Group::Rt, 2, Workload::Fifo),
    row("rt/rr", Group::Rt, 2, Workload::TakeTurns),
    row("rt/throttle", Group::Rt, 2, Workload::Throttle),
    row("rt/inversion", Group::Rt, 1, Workload::Inversion(1)),
    row("rt/inversion-chain", Group::Rt, 1, Workload::Inversion(2)),
    row("tickless/idle", Group::Tickless, 1, Workload::Tickless(Tickless::Idle)),
    row("tickless/single", Group::Tickless, 1, Workload::Tickless(Tickless::Single)),
    row("tickless/pair", Group::Tickless, 1, Workload::Tickless(Tickless::Pair)),
    row("messaging", Group::Talk, 1, Workload::Messaging),
    row("schbench/wakeup", Group::Talk, 1, Workload::Schbench(What::Wakeup)),
    row("schbench/request", Group::Talk, 1, Workload::Schbench(What::Request)),
    row("vectors", Group::Talk, 1, Workload::Vectors),
    row("examples", Group::Talk, 1, Workload::Examples),
];
