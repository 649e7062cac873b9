//! A difference, and the calls before it, for people.

use std::fmt::Write;

use taped::cpu::{After, Arm, Decision, Reason, Rest, WakeOutcome};
use taped::tape::reader::Entry;
use taped::tape::{Call, Outcome};
use taped::{CpuId, Nanos, Next, Shared, TaskId};

use super::names;
use super::player::{Difference, State, What};

/// How much of a run queue is shown.
const SHOWN: usize = 8;

/// Everything there is to say about a difference.
pub fn difference(cpu: u32, difference: &Difference, shared: &Shared) -> String {
    let Difference { entry, what, before, history } = difference;
    let mut text = String::new();
    let mut line = |label: &str, content: &str| {
        let _ = writeln!(text, "  {label:<9} {content}");
    };
    line("where", &format!("CPU {cpu}, call {}, at {}", entry.number, time(entry.now)));
    line("call", &call(entry));
    let (kernel, here) = sides(entry, what, shared);
    line("kernel", &kernel);
    line("replay", &here);
    line("running", &running(before));
    line("queue", &queue(before));
    for read in &entry.reads {
        line("it read", &format!("{} = {}", names::name(shared, read.at), number(read.value)));
    }
    for (index, entry) in history.iter().enumerate() {
        let label = if index == 0 { "before it" } else { "" };
        let (call, outcome) = (call(entry), outcome(&entry.outcome));
        line(label, &format!("{:>7}  {:>14}  {call}{outcome}", entry.number, time(entry.now)));
    }
    text
}

/// What the kernel did, and what was done here.
fn sides(entry: &Entry, what: &What, shared: &Shared) -> (String, String) {
    let kernel = said(&entry.outcome);
    match what {
        What::Outcome(here) => (kernel, said(here)),
        What::Reads(stray, here) => {
            let read =
                format!("read {} (its read {})", names::name(shared, stray.kernel.at), stray.kernel.nth);
            let instead =
                stray.here.map_or("reads no more".into(), |at| format!("reads {}", names::name(shared, at)));
            (format!("{read}, and in the end {kernel}"), format!("{instead}, and in the end {}", said(here)))
        }
        What::Kick(CpuId(target)) => {
            ("sent no interrupt before this call".into(), format!("asks for one to CPU {target}"))
        }
        What::Panic(why) => (kernel, format!("gives up: {why}")),
    }
}

fn running(state: &State) -> String {
    let task = state.running.map_or("the idle task".into(), slot);
    match state.armed {
        Nanos::NEVER => format!("{task}, no timer armed"),
        armed => format!("{task}, timer armed for {}", time(armed)),
    }
}

fn queue(state: &State) -> String {
    if state.queue.is_empty() {
        return "empty".into();
    }
    let waiting = |&(task, key): &(u32, u64)| format!("{} at {key}", slot(task as usize));
    let first: Vec<String> = state.queue.iter().take(SHOWN).map(waiting).collect();
    let more = state.queue.len().saturating_sub(SHOWN);
    let rest = if more == 0 { String::new() } else { format!(", and {more} more") };
    first.join(", ") + &rest
}

fn call(entry: &Entry) -> String {
    match entry.call {
        Call::Reschedule { reason, .. } => format!("reschedule: {}", because(reason)),
        Call::Switched => "switched".into(),
        Call::TimerFired => "timer fired".into(),
        Call::Wake(id) => format!("wake {}", task(id)),
        Call::TakeClaimed { task: id, .. } => format!("take {}, claimed", task(id)),
        Call::WakeRest { task: id, rest: Rest::Claimed, .. } => format!("place {}, claimed", task(id)),
        Call::WakeRest { task: id, rest: Rest::Unclaimed, .. } => {
            format!("wake {}, which may not be blocked", task(id))
        }
        Call::WakeByInterrupt { task: id, .. } => format!("wake {}, by an interrupt", task(id)),
        Call::PutOff { .. } => "put off the preemption".into(),
        Call::Start { task: id, .. } => format!("start {}", task(id)),
        Call::TakeKick => "take a kick".into(),
        Call::SetTimer(deadline) => format!("set the running task's timer for {}", time(deadline)),
        Call::CancelTimer => "cancel the running task's timer".into(),
        Call::SetAffinity { task: id, affinity, .. } => {
            format!("let {} run on CPUs {}..{}", task(id), affinity.first().0, affinity.end())
        }
        Call::SetWeight { task: id, weight, .. } => format!("give {} the weight {weight}", task(id)),
        Call::Reconsider { task: id, .. } => format!("reconsider the rank of {}", task(id)),
        Call::SetClass { task: id, class, .. } => format!("make {} {class:?}", task(id)),
        Call::EnterIdle { .. } => "enter idle".into(),
        Call::EndPoll => "end polling".into(),
        Call::MayHalt { .. } => "ask whether to halt".into(),
        Call::Hold => "hold on to the CPU".into(),
        Call::LetGo => "let go of the CPU".into(),
        Call::MayDoze { .. } => "ask whether to doze".into(),
        Call::EndHalt { .. } => "end a halt".into(),
    }
}

fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::Preempt => "should it go on?",
        Reason::Yield => "it yields",
        Reason::Block => "it blocks",
        Reason::Exit => "it exits",
    }
}

/// An outcome after its call.
fn outcome(outcome: &Outcome) -> String {
    if *outcome == Outcome::Nothing { String::new() } else { format!(" -> {}", said(outcome)) }
}

fn said(outcome: &Outcome) -> String {
    match *outcome {
        Outcome::Nothing => "nothing to say".into(),
        Outcome::Decision(Decision { next, arm }) => format!("{}{}", goes_on(next), armed(arm)),
        Outcome::After(After::Run) => "run".into(),
        Outcome::After(After::Reschedule) => "reschedule".into(),
        Outcome::After(After::Reap(gone)) => format!("reap {}", task(gone)),
        Outcome::Short(Ok(outcome)) | Outcome::Wake(outcome) => woken(outcome),
        Outcome::Short(Err(Rest::Claimed)) => "claimed, the rest is to do".into(),
        Outcome::Short(Err(Rest::Unclaimed)) => "it isn't blocked".into(),
        Outcome::Stays(None) => "it goes elsewhere".into(),
        Outcome::Stays(Some(preempts)) => woken(WakeOutcome::Local { preempt: preempts }),
        Outcome::Arm(arm) => format!("put off{}", armed(arm)),
        Outcome::Kick(None) => "no kick".into(),
        Outcome::Kick(Some(CpuId(target))) => format!("kick CPU {target}"),
        Outcome::Halt(true) => "halt".into(),
        Outcome::Halt(false) => "don't halt".into(),
        Outcome::Leaves(true) => "leave".into(),
        Outcome::Leaves(false) => "stay".into(),
    }
}

fn goes_on(next: Next) -> String {
    match next {
        Next::Stay => "stay".into(),
        Next::Switch(to) => format!("switch to {}", slot(to)),
    }
}

fn armed(arm: Arm) -> String {
    match arm {
        Arm::Keep => String::new(),
        Arm::At(deadline) => format!(", arm the timer for {}", time(deadline)),
    }
}

fn woken(outcome: WakeOutcome) -> String {
    match outcome {
        WakeOutcome::Gone => "it's gone".into(),
        WakeOutcome::Already => "it wasn't blocked".into(),
        WakeOutcome::Local { preempt: true } => "it's queued here and preempts".into(),
        WakeOutcome::Local { preempt: false } => "it's queued here".into(),
        WakeOutcome::Kick(CpuId(target)) => format!("it's posted to CPU {target}, with a kick"),
        WakeOutcome::Noticed => "it's posted to a CPU that looks by itself".into(),
    }
}

fn task(id: TaskId) -> String {
    slot(id.index())
}

fn slot(slot: usize) -> String {
    format!("task {slot}")
}

/// Seconds since the kernel's clock began, to the nanosecond.
fn time(moment: Nanos) -> String {
    format!("{}.{:09} s", moment.0 / 1_000_000_000, moment.0 % 1_000_000_000)
}

/// Large numbers in hexadecimal: they are times no more, but words with bits.
fn number(value: u64) -> String {
    if value >> 48 == 0 { value.to_string() } else { format!("{value:#x}") }
}
