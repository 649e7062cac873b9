//! Calls as values: what a tape says was asked of a CPU's scheduler, and what it answered.
//!
//! The kernel's recorder and the replay both make a call by [`Call::perform`], so the two can't come apart.

use serde::{Deserialize, Serialize};

use crate::affinity::Affinity;
use crate::class::Class;
use crate::cpu::{After, Arm, Cpu, Decision, Reason, Rest, WakeOutcome};
use crate::id::{CpuId, TaskId};
use crate::time::Nanos;

/// A call of one of [`Cpu`]'s methods of the same name. Times are on the tape beside it, as differences.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "see the methods")]
pub enum Call {
    Reschedule {
        #[serde(skip)]
        now: Nanos,
        reason: Reason,
    },
    Switched,
    TimerFired,
    Wake(TaskId),
    TakeClaimed {
        #[serde(skip)]
        now: Nanos,
        task: TaskId,
    },
    WakeRest {
        #[serde(skip)]
        now: Nanos,
        task: TaskId,
        rest: Rest,
    },
    WakeByInterrupt {
        #[serde(skip)]
        now: Nanos,
        task: TaskId,
    },
    PutOff {
        #[serde(skip)]
        now: Nanos,
    },
    Start {
        #[serde(skip)]
        now: Nanos,
        task: TaskId,
    },
    /// Only those that brought a kick are on the tape.
    TakeKick,
    SetTimer(Nanos),
    CancelTimer,
    SetAffinity {
        #[serde(skip)]
        now: Nanos,
        task: TaskId,
        affinity: Affinity,
    },
    SetWeight {
        #[serde(skip)]
        now: Nanos,
        task: TaskId,
        weight: u32,
    },
    SetClass {
        #[serde(skip)]
        now: Nanos,
        task: TaskId,
        class: Class,
    },
    Reconsider {
        #[serde(skip)]
        now: Nanos,
        task: TaskId,
    },
    EnterIdle {
        #[serde(skip)]
        now: Nanos,
    },
    EndPoll,
    MayHalt {
        #[serde(skip)]
        now: Nanos,
    },
    EndHalt {
        #[serde(skip)]
        now: Nanos,
    },
    Hold,
    LetGo,
    MayDoze {
        #[serde(skip)]
        now: Nanos,
    },
}

/// What a call answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "see the methods")]
pub enum Outcome {
    Nothing,
    Decision(Decision),
    After(After),
    Short(Result<WakeOutcome, Rest>),
    Wake(WakeOutcome),
    Stays(Option<bool>),
    Arm(Arm),
    Kick(Option<CpuId>),
    Halt(bool),
    Leaves(bool),
}

impl Call {
    /// Makes the call.
    #[inline]
    #[allow(clippy::unit_arg, reason = "so that a call is a line, whatever it answers")]
    pub fn perform(self, cpu: &mut Cpu<'_>) -> Outcome {
        match self {
            Self::Reschedule { now, reason } => Outcome::Decision(cpu.reschedule(now, reason)),
            Self::Switched => Outcome::After(cpu.switched()),
            Self::TimerFired => nothing(cpu.timer_fired()),
            Self::Wake(task) => Outcome::Short(cpu.wake(task)),
            Self::TakeClaimed { now, task } => Outcome::Stays(cpu.take_claimed(task, now)),
            Self::WakeRest { now, task, rest } => Outcome::Wake(cpu.wake_rest(task, rest, now)),
            Self::WakeByInterrupt { now, task } => Outcome::Wake(cpu.wake_by_interrupt(task, now)),
            Self::PutOff { now } => Outcome::Arm(cpu.put_off(now)),
            Self::Start { now, task } => Outcome::Wake(cpu.start(task, now)),
            Self::TakeKick => Outcome::Kick(cpu.take_kick()),
            Self::SetTimer(deadline) => nothing(cpu.set_timer(deadline)),
            Self::CancelTimer => nothing(cpu.cancel_timer()),
            Self::SetAffinity { now, task, affinity } => Outcome::Wake(cpu.set_affinity(task, affinity, now)),
            Self::SetWeight { now, task, weight } => Outcome::Wake(cpu.set_weight(task, weight, now)),
            Self::SetClass { now, task, class } => Outcome::Wake(cpu.set_class(task, class, now)),
            Self::Reconsider { now, task } => Outcome::Wake(cpu.reconsider(task, now)),
            Self::EnterIdle { now } => nothing(cpu.enter_idle(now)),
            Self::EndPoll => nothing(cpu.end_poll()),
            Self::MayHalt { now } => Outcome::Halt(cpu.may_halt(now)),
            Self::EndHalt { now } => nothing(cpu.end_halt(now)),
            Self::Hold => nothing(cpu.hold()),
            Self::LetGo => Outcome::Leaves(cpu.let_go()),
            Self::MayDoze { now } => Outcome::Halt(cpu.may_doze(now)),
        }
    }

    /// When the call was made, where it says so.
    pub fn now(&mut self) -> Option<&mut Nanos> {
        match self {
            Self::Reschedule { now, .. }
            | Self::TakeClaimed { now, .. }
            | Self::WakeRest { now, .. }
            | Self::WakeByInterrupt { now, .. }
            | Self::PutOff { now }
            | Self::Start { now, .. }
            | Self::SetAffinity { now, .. }
            | Self::SetWeight { now, .. }
            | Self::SetClass { now, .. }
            | Self::Reconsider { now, .. }
            | Self::EnterIdle { now }
            | Self::MayHalt { now }
            | Self::EndHalt { now }
            | Self::MayDoze { now } => Some(now),
            _ => None,
        }
    }
}

#[inline]
fn nothing((): ()) -> Outcome {
    Outcome::Nothing
}
