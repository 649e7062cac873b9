//! A CPU's scheduler that keeps a tape of what it's asked.

use alloc::boxed::Box;
use core::ops::Deref;

use crossbeam_utils::atomic::AtomicCell;

use super::call::{Call, Outcome};
use super::recorder::Tape;
use super::witness;
use crate::affinity::Affinity;
use crate::class::Class;
use crate::cpu::{After, Arm, Cpu, Decision, Reason, Rest, WakeOutcome};
use crate::id::{CpuId, TaskId};
use crate::shared::Shared;
use crate::time::Nanos;

/// Where a CPU's tape lies between calls. Whoever takes it out has it to himself: the CPU during a call, and at the
/// end, from any CPU, the one that saves it. A CPU that finds no tape records nothing, and waits for nobody.
pub type Deck = AtomicCell<Option<Box<Tape>>>;

macro_rules! answer {
    ($outcome:expr, $kind:ident) => {{
        let Outcome::$kind(answer) = $outcome else { unreachable!("each call has its own kind of outcome") };
        answer
    }};
}

/// [`Cpu`], recorded: the same methods.
pub struct Recorded<'a> {
    cpu: Cpu<'a>,
    deck: &'a Deck,
}

/// What only looks is not recorded.
impl<'a> Deref for Recorded<'a> {
    type Target = Cpu<'a>;

    #[inline]
    fn deref(&self) -> &Cpu<'a> {
        &self.cpu
    }
}

#[allow(missing_docs, clippy::missing_errors_doc, reason = "see `Cpu`")]
impl<'a> Recorded<'a> {
    /// [`Cpu::new`], with a tape of `room` bytes on `deck`.
    pub fn new(shared: &'a Shared, id: CpuId, now: Nanos, deck: &'a Deck, room: usize) -> Self {
        deck.store(Some(Box::new(Tape::new(room, now))));
        Self { cpu: Cpu::new(shared, id, now), deck }
    }

    pub fn reschedule(&mut self, now: Nanos, reason: Reason) -> Decision {
        answer!(self.record(Call::Reschedule { now, reason }), Decision)
    }

    pub fn switched(&mut self) -> After {
        answer!(self.record(Call::Switched), After)
    }

    pub fn timer_fired(&mut self) {
        self.record(Call::TimerFired);
    }

    pub fn wake(&mut self, task: TaskId) -> Result<WakeOutcome, Rest> {
        answer!(self.record(Call::Wake(task)), Short)
    }

    pub fn take_claimed(&mut self, task: TaskId, now: Nanos) -> Option<bool> {
        answer!(self.record(Call::TakeClaimed { now, task }), Stays)
    }

    pub fn wake_rest(&mut self, task: TaskId, rest: Rest, now: Nanos) -> WakeOutcome {
        answer!(self.record(Call::WakeRest { now, task, rest }), Wake)
    }

    pub fn wake_by_interrupt(&mut self, task: TaskId, now: Nanos) -> WakeOutcome {
        answer!(self.record(Call::WakeByInterrupt { now, task }), Wake)
    }

    pub fn put_off(&mut self, now: Nanos) -> Arm {
        answer!(self.record(Call::PutOff { now }), Arm)
    }

    pub fn start(&mut self, task: TaskId, now: Nanos) -> WakeOutcome {
        answer!(self.record(Call::Start { now, task }), Wake)
    }

    /// Mostly there is none, and nothing is recorded: replay knows that all were taken.
    #[inline]
    pub fn take_kick(&mut self) -> Option<CpuId> {
        let kick = self.cpu.take_kick()?;
        self.tape(Call::TakeKick, |_| Outcome::Kick(Some(kick)));
        Some(kick)
    }

    pub fn set_timer(&mut self, deadline: Nanos) {
        self.record(Call::SetTimer(deadline));
    }

    pub fn cancel_timer(&mut self) {
        self.record(Call::CancelTimer);
    }

    pub fn set_affinity(&mut self, task: TaskId, affinity: Affinity, now: Nanos) -> WakeOutcome {
        answer!(self.record(Call::SetAffinity { now, task, affinity }), Wake)
    }

    pub fn set_weight(&mut self, task: TaskId, weight: u32, now: Nanos) -> WakeOutcome {
        answer!(self.record(Call::SetWeight { now, task, weight }), Wake)
    }

    pub fn set_class(&mut self, task: TaskId, class: Class, now: Nanos) -> WakeOutcome {
        answer!(self.record(Call::SetClass { now, task, class }), Wake)
    }

    pub fn reconsider(&mut self, task: TaskId, now: Nanos) -> WakeOutcome {
        answer!(self.record(Call::Reconsider { now, task }), Wake)
    }

    pub fn enter_idle(&mut self, now: Nanos) {
        self.record(Call::EnterIdle { now });
    }

    pub fn end_poll(&mut self) {
        self.record(Call::EndPoll);
    }

    pub fn may_halt(&mut self, now: Nanos) -> bool {
        answer!(self.record(Call::MayHalt { now }), Halt)
    }

    pub fn hold(&mut self) {
        self.record(Call::Hold);
    }

    pub fn let_go(&mut self) -> bool {
        answer!(self.record(Call::LetGo), Leaves)
    }

    pub fn may_doze(&mut self, now: Nanos) -> bool {
        answer!(self.record(Call::MayDoze { now }), Halt)
    }

    pub fn end_halt(&mut self, now: Nanos) {
        self.record(Call::EndHalt { now });
    }

    #[inline]
    fn record(&mut self, call: Call) -> Outcome {
        self.tape(call, |cpu| call.perform(cpu))
    }

    /// Makes a call by `perform` and puts it onto the tape, as long as there is one with room.
    fn tape(&mut self, call: Call, perform: impl FnOnce(&mut Cpu<'a>) -> Outcome) -> Outcome {
        let (Some(mut tape), Some(witness)) = (self.deck.take(), witness()) else {
            return perform(&mut self.cpu);
        };
        if tape.is_full() {
            self.deck.store(Some(tape));
            return perform(&mut self.cpu);
        }
        tape.begin(call);
        witness.listen(tape);
        let outcome = perform(&mut self.cpu);
        if let Some(mut tape) = witness.hush() {
            tape.end(outcome);
            self.deck.store(Some(tape));
        }
        outcome
    }
}
