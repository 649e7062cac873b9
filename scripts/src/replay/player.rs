//! One CPU's tape, played: the same calls of the same scheduler, and the first one that answers otherwise.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, Result, ensure};
use taped::cpu::{Arm, Decision};
use taped::tape::file::{Label, Run};
use taped::tape::reader::{Entries, Entry};
use taped::tape::{Call, Outcome};
use taped::{Config, Cpu, CpuId, Nanos, Next, Shared, Topology};

use super::witness::{Likeness, Memory, Stray, numbered, recite};

/// How many calls before a difference are kept for its report.
const KEPT: usize = 10;

thread_local! {
    /// The call that is being replayed, for whoever has to say where the scheduler gave up.
    static AT: Cell<(u32, u64)> = const { Cell::new((0, 0)) };
}

/// The CPU and the number of the call that this thread is replaying.
pub fn at() -> (u32, u64) {
    AT.get()
}

/// A tape, and the settings to play it with.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The run that it's of.
    pub run: &'a Run,
    /// Whose it is.
    pub label: Label,
    /// What is on it.
    pub bytes: &'a [u8],
    /// The settings, which need not be the run's.
    pub config: Config,
}

/// What came of playing a tape.
#[derive(Debug, Default)]
pub struct Played {
    /// Calls that had the same outcome.
    pub calls: u64,
    /// Those among them that have one at all: who runs, where a woken task goes, when the timer is due.
    pub decisions: u64,
    /// Decisions that differ in nothing but the timer, with other settings than the run's.
    pub rearmed: u64,
    /// The first call that had another outcome, if one had.
    pub difference: Option<Box<Difference>>,
}

/// A call that came out otherwise.
#[derive(Debug)]
pub struct Difference {
    /// The call as recorded.
    pub entry: Entry,
    /// In what it differs.
    pub what: What,
    /// The scheduler before the call.
    pub before: State,
    /// The calls before it.
    pub history: VecDeque<Entry>,
}

/// In what a call differs.
#[derive(Debug, PartialEq)]
pub enum What {
    /// The outcome is this.
    Outcome(Outcome),
    /// It reads other memory, and then comes to this.
    Reads(Stray, Outcome),
    /// By now, a CPU should have been sent an interrupt that the kernel didn't send.
    Kick(CpuId),
    /// The scheduler gave up.
    Panic(String),
}

/// A CPU's scheduler between two calls.
#[derive(Debug, Default)]
pub struct State {
    /// The slot that runs; `None`: the idle task's.
    pub running: Option<usize>,
    /// When the timer is due.
    pub armed: Nanos,
    /// What waits: slots and their keys, in the order in which they would run.
    pub queue: Vec<(u32, u64)>,
}

impl State {
    fn of(cpu: &Cpu<'_>) -> Self {
        let mut queue: Vec<(u32, u64)> = cpu.queue().keys().collect();
        queue.sort_by_key(|&(_, key)| key);
        Self { running: (!cpu.is_idle()).then(|| cpu.current_slot()), armed: cpu.armed(), queue }
    }
}

impl Part<'_> {
    /// Shared memory as the kernel made it, of this scheduler.
    ///
    /// # Errors
    /// The kernel's scheduler had other memory than this one.
    pub fn shared(&self) -> Result<Shared> {
        let Run { tasks, places, .. } = *self.run;
        let (shared, here) =
            numbered(|| Shared::on(Topology::new(&self.run.seats), tasks as usize, self.config));
        ensure!(
            here == places,
            "the kernel's scheduler had {places} atomics and this program's has {here}: replay with the program \
             that belongs to the kernel ({})",
            self.run.commit
        );
        Ok(shared)
    }

    /// Plays the tape up to the first difference.
    ///
    /// # Errors
    /// The tape makes no sense, or belongs to another scheduler.
    pub fn play(&self) -> Result<Played> {
        let shared = self.shared()?;
        let likeness = if self.config == self.run.config { Likeness::Same } else { Likeness::Other };
        let mut player = Player::new(&shared, self.label, likeness);
        for entry in Entries::new(self.bytes, self.label.born) {
            let entry = entry.with_context(|| format!("the tape makes no sense after call {}", at().1))?;
            if let Err(difference) = player.step(entry) {
                player.played.difference = Some(difference);
                break;
            }
        }
        let Played { calls, difference, .. } = &player.played;
        let expected = self.label.calls;
        ensure!(
            *calls == expected || difference.is_some(),
            "the tape holds {calls} calls and should hold {expected}"
        );
        Ok(player.played)
    }
}

struct Player<'a> {
    cpu: Cpu<'a>,
    memory: Memory,
    likeness: Likeness,
    /// Whether the kernel has sent all interrupts that the calls so far asked for.
    settled: bool,
    played: Played,
    history: VecDeque<Entry>,
}

impl<'a> Player<'a> {
    fn new(shared: &'a Shared, label: Label, likeness: Likeness) -> Self {
        AT.set((label.cpu, 0));
        Self {
            cpu: Cpu::new(shared, CpuId(label.cpu), label.born),
            memory: Memory::new(likeness),
            likeness,
            settled: false,
            played: Played::default(),
            history: VecDeque::new(),
        }
    }

    /// Makes the next call.
    fn step(&mut self, entry: Entry) -> Result<(), Box<Difference>> {
        AT.set((self.cpu.id().0, entry.number));
        let before = State::of(&self.cpu);
        if let Err(what) = self.make(&entry) {
            let history = std::mem::take(&mut self.history);
            return Err(Box::new(Difference { entry, what, before, history }));
        }
        self.played.calls += 1;
        self.played.decisions += u64::from(entry.outcome != Outcome::Nothing);
        self.settled = settles(&entry);
        if self.history.len() == KEPT {
            self.history.pop_front();
        }
        self.history.push_back(entry);
        Ok(())
    }

    fn make(&mut self, entry: &Entry) -> Result<(), What> {
        if self.settled
            && entry.call != Call::TakeKick
            && let Some(target) = self.cpu.take_kick()
        {
            return Err(What::Kick(target));
        }
        let (cpu, memory) = (&mut self.cpu, &mut self.memory);
        // Where panics unwind; where they abort, the command's hook has the last word.
        let made = catch_unwind(AssertUnwindSafe(|| recite(memory, entry, || entry.call.perform(cpu))));
        let (outcome, stray) = made.map_err(|panic| What::Panic(said(&*panic)))?;
        if let Some(stray) = stray {
            return Err(What::Reads(stray, outcome));
        }
        self.compare(entry.outcome, outcome)
    }

    fn compare(&mut self, kernel: Outcome, here: Outcome) -> Result<(), What> {
        if here == kernel {
            return Ok(());
        }
        if self.likeness == Likeness::Same || but_for_timer(here) != but_for_timer(kernel) {
            return Err(What::Outcome(here));
        }
        self.played.rearmed += 1;
        Ok(())
    }
}

/// Whether the kernel has no interrupt left to send after this call: it takes all at once then.
fn settles(entry: &Entry) -> bool {
    match entry.call {
        Call::Switched | Call::EnterIdle { .. } | Call::TakeKick => true,
        _ => matches!(entry.outcome, Outcome::Decision(Decision { next: Next::Stay, .. })),
    }
}

/// An outcome without what it says of the timer.
fn but_for_timer(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Decision(decision) => Outcome::Decision(Decision { arm: Arm::Keep, ..decision }),
        Outcome::Arm(_) => Outcome::Arm(Arm::Keep),
        other => other,
    }
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".into())
}
