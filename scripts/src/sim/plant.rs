//! Faults planted on purpose into the simulated kernel: they prove that each invariant can fail.

use serde::{Deserialize, Serialize};

/// What the simulated kernel or machine gets wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Plant {
    /// Some interrupts to other CPUs aren't sent.
    DropKick,
    /// A CPU that asks for work doesn't send its question.
    DropQuestion,
    /// The timer isn't written though the scheduler says so.
    ForgetTimer,
    /// The timer fires long after it's due.
    LateTimer,
    /// The timer is set though the scheduler doesn't say so.
    NeedlessTimer,
    /// A preemption that a wake asks for doesn't happen.
    LosePreemption,
    /// A task is started on two CPUs.
    StartTwice,
    /// After a switch nobody sees to the task that was left.
    SkipSwitched,
    /// A clock jumps.
    ClockJump,
    /// A change of affinity or weight isn't passed on.
    ForgetControl,
}
