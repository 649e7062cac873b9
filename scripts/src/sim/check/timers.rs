//! A timer is armed whenever one is needed, and for nothing else.
//!
//! Two things need one: a thread that sleeps, on the CPU where it set its timer; and a thread that waits, if the policy ends the
//! running one's turn by time. A timer whose cause is gone may fire once: it's not taken back, since the write
//! would cost more than the interrupt. But it's never armed without a cause, so nothing fires twice for nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use sched::Nanos;
use sched::policy::Promise;

use super::place::Place;
use super::{Invariant, Violation};
use crate::sim::world::{Doing, Phase, World};

/// What threads asked each CPU for.
pub struct Timers {
    /// By CPU: when threads want to be woken, soonest first; those that are awake already are dropped at the top.
    sleepers: Vec<BinaryHeap<Reverse<(u64, usize)>>>,
    /// By CPU: every time that was asked for and hasn't come, and how often.
    set: Vec<BTreeMap<u64, u32>>,
    /// By thread: the CPU that was asked last, the only one that counts.
    asked: Vec<usize>,
}

impl Timers {
    pub fn new(cpus: usize) -> Self {
        Self {
            sleepers: (0..cpus).map(|_| BinaryHeap::new()).collect(),
            set: (0..cpus).map(|_| BTreeMap::new()).collect(),
            asked: Vec::new(),
        }
    }

    pub fn set(&mut self, cpu: usize, thread: usize, until: u64) {
        self.sleepers[cpu].push(Reverse((until, thread)));
        *self.set[cpu].entry(until).or_default() += 1;
        if thread >= self.asked.len() {
            self.asked.resize(thread + 1, cpu);
        }
        self.asked[thread] = cpu;
    }

    pub fn is_set(&self, cpu: usize, until: u64) -> bool {
        self.set[cpu].contains_key(&until)
    }

    fn forget_past(&mut self, cpu: usize, now: u64) {
        while self.set[cpu].first_key_value().is_some_and(|(&until, _)| until <= now) {
            self.set[cpu].pop_first();
        }
    }
}

impl World<'_> {
    /// What should have happened before the event that is about to be handled.
    pub fn check_before(&mut self, cpu: usize) {
        let sleeper = self.first_sleeper(cpu);
        if let Err(overdue) = self.check_overdue(cpu, sleeper) {
            self.checker.found.get_or_insert(overdue);
        }
    }

    pub(super) fn check_timers(&mut self, cpu: usize) -> Result<(), Violation> {
        let now = self.local(cpu).0;
        self.checker.timers.forget_past(cpu, now);
        let sleeper = self.first_sleeper(cpu);
        let state = &self.cpus[cpu];
        self.checker.done += 2;
        if !state.pending.is_empty() {
            // An interrupt waits for the switch's end: it will look.
            return Ok(());
        }
        let armed = state.timer.map_or(Nanos::NEVER, |(due, _)| Nanos(due));
        let violated = |found: String| Err(Invariant::TimerArmed.violated(found));
        if state.sched.armed() != armed {
            return violated(format!(
                "cpu {cpu} believes its timer armed for {:?}, not {armed:?}",
                state.sched.armed()
            ));
        }
        if let Some((until, thread)) = sleeper.filter(|&(until, _)| armed.0 > until) {
            return violated(format!(
                "thread {thread} sleeps until {until}, cpu {cpu}'s timer is armed for {armed:?}"
            ));
        }
        // One that isn't fair takes turns with equals only, which is checked by who waits for how long.
        let fair = self.shared.task(state.sched.current_slot()).class() == sched::Class::Fair;
        let waits = fair && !state.sched.queue().is_empty();
        let needs = state.phase == Phase::Running && waits && self.takes_turns();
        if needs && armed == Nanos::NEVER {
            return violated(format!("cpu {cpu} has a task waiting and no timer armed"));
        }
        self.check_overdue(cpu, sleeper)
    }

    /// A sleeper is runnable soon after its time.
    pub(super) fn check_overdue(&self, cpu: usize, sleeper: Option<(u64, usize)>) -> Result<(), Violation> {
        let late = sleeper.map_or(0, |(until, _)| self.local(cpu).0.saturating_sub(until));
        match sleeper {
            Some((until, thread)) if late > self.checker.bounds.overdue => Err(Invariant::TimerArmed
                .violated(format!(
                    "thread {thread} sleeps on {late} ns after {until}, cpu {cpu} should have woken it"
                ))),
            _ => Ok(()),
        }
    }

    /// Who must be woken next by `cpu`'s timer, and when.
    pub(super) fn first_sleeper(&mut self, cpu: usize) -> Option<(u64, usize)> {
        loop {
            let &Reverse((until, thread)) = self.checker.timers.sleepers[cpu].peek()?;
            if self.checker.timers.asked[thread] == cpu && self.sleeps(thread, until) {
                return Some((until, thread));
            }
            self.checker.timers.sleepers[cpu].pop();
        }
    }

    /// Whether a thread still sleeps until then. One that was woken and hasn't run yet doesn't.
    fn sleeps(&self, thread: usize, until: u64) -> bool {
        let thread = &self.threads[thread];
        let slot = thread.task.index();
        thread.doing == Doing::Sleeping(until)
            && self.checker.places.of(slot) == Place::Nowhere
            && self.shared.task(slot).is_blocked()
    }

    /// Whether the policy ends a task's run by time, whoever waits.
    fn takes_turns(&self) -> bool {
        !matches!(self.promise(), Promise::Precedence)
    }
}
