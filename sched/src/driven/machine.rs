//! A machine without delays: a kick is handled as soon as its sender is done, and a timer on time.

use std::collections::VecDeque;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use crate::attention::Notice;
use crate::cpu::{After, Cpu, Next, Reason, WakeOutcome};
use crate::id::{CpuId, TaskId};
use crate::shared::Shared;
use crate::task::Spec;
use crate::time::Nanos;

pub const MS: u64 = 1_000_000;

/// A CPU that looks so often at one instant, or CPUs that kick each other so often, never stop.
const ENDLESS: u32 = 10_000;

/// What an idle CPU does until work comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Idle {
    /// It looks all the time.
    Polls,
    /// It halts at once.
    Halts,
}

/// What a CPU said of its load just before another one moved a task there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hint {
    pub idle: bool,
    pub weight: u64,
    pub progress: u64,
}

/// A task that a CPU gave away while it waited.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    pub slot: u32,
    pub from: usize,
    pub to: usize,
    pub at: u64,
    /// How much it has had when it left.
    pub virtual_time: u64,
    /// What the giver's runnable tasks weigh without it.
    pub weight_left: u64,
    /// What the target's weigh, as far as it has seen.
    pub target_weight: u64,
    /// What the target had published.
    pub hint: Hint,
}

pub struct Machine<'a> {
    pub shared: &'a Shared,
    pub cpus: Vec<Cpu<'a>>,
    /// True time.
    pub now: u64,
    /// How far each CPU's clock is ahead of it.
    pub skews: Vec<u64>,
    /// Kicks sent so far.
    pub kicks: u64,
    /// Every move so far.
    pub moves: Vec<Move>,
    idle: Idle,
    sent: VecDeque<CpuId>,
    free: Vec<usize>,
    tasks: Vec<TaskId>,
}

impl<'a> Machine<'a> {
    /// A machine whose first `up` CPUs are up and idle.
    pub fn new(shared: &'a Shared, up: usize, idle: Idle) -> Self {
        Self::starting_at(shared, up, idle, 0)
    }

    /// The same at a later time.
    pub fn starting_at(shared: &'a Shared, up: usize, idle: Idle, now: u64) -> Self {
        let mut machine = Self {
            shared,
            cpus: Vec::new(),
            now,
            skews: vec![0; shared.cpus()],
            kicks: 0,
            moves: Vec::new(),
            idle,
            sent: VecDeque::new(),
            free: (shared.cpus()..shared.slots()).rev().collect(),
            tasks: Vec::new(),
        };
        (0..up).for_each(|_| machine.bring_up());
        machine
    }

    /// The next CPU comes up and looks for work.
    pub fn bring_up(&mut self) {
        let id = self.cpus.len();
        self.cpus.push(Cpu::new(self.shared, CpuId(id as u32), self.local(id)));
        self.look(id, Reason::Preempt);
        self.settle();
    }

    /// A CPU's own time.
    pub fn local(&self, cpu: usize) -> Nanos {
        Nanos(self.now + self.skews[cpu])
    }

    /// One CPU looks until nothing asks it to look again, and idles if it found nothing.
    pub fn look(&mut self, cpu: usize, reason: Reason) {
        let mut after = self.step(cpu, reason);
        for _ in 0..ENDLESS {
            if after != After::Reschedule {
                return self.rest(cpu);
            }
            after = self.step(cpu, Reason::Preempt);
        }
        panic!("CPU {cpu} looks for ever");
    }

    /// One decision and its completion.
    fn step(&mut self, cpu: usize, reason: Reason) -> After {
        let (hints, had) = (self.hints(cpu), self.in_transit(cpu));
        let now = self.local(cpu);
        let scheduler = &mut self.cpus[cpu];
        let decision = scheduler.reschedule(now, reason);
        let after = if decision.next == Next::Stay { After::Run } else { scheduler.switched() };
        if let After::Reap(task) = after {
            self.shared.release(task);
            self.tasks.retain(|&other| other != task);
            self.free.push(task.index());
        }
        self.note_moves(cpu, &hints, &had);
        self.take_kicks(cpu);
        after
    }

    /// An idle CPU polls or halts.
    fn rest(&mut self, cpu: usize) {
        let now = self.local(cpu);
        if !self.cpus[cpu].is_idle() {
            return;
        }
        self.cpus[cpu].enter_idle(now);
        self.take_kicks(cpu);
        if self.idle == Idle::Halts && !self.cpus[cpu].may_halt(now) {
            self.look(cpu, Reason::Preempt);
        }
    }

    fn take_kicks(&mut self, cpu: usize) {
        while let Some(target) = self.cpus[cpu].take_kick() {
            self.kick(target);
        }
    }

    /// Sends a kick. One to a CPU that isn't up is lost, as on a real machine.
    pub fn kick(&mut self, target: CpuId) {
        self.kicks += 1;
        if target.index() < self.cpus.len() {
            self.sent.push_back(target);
        }
    }

    /// Everything that was sent arrives, and so does what that sends.
    pub fn settle(&mut self) {
        for _ in 0..ENDLESS {
            let polling = (0..self.cpus.len()).find(|&cpu| {
                self.cpus[cpu].mailbox().attention.peek() == Notice::Polling && self.cpus[cpu].has_work()
            });
            match self.sent.pop_front().map(CpuId::index).or(polling) {
                Some(cpu) => self.look(cpu, Reason::Preempt),
                None => return,
            }
        }
        panic!("CPUs keep kicking each other");
    }

    /// A new task of `spec`, started on a CPU.
    pub fn start(&mut self, on: usize, spec: Spec) -> TaskId {
        let slot = self.free.pop().expect("a test has slots for its tasks");
        let task = self.shared.create(slot, spec, CpuId(on as u32));
        self.tasks.push(task);
        let now = self.local(on);
        let outcome = self.cpus[on].start(task, now);
        self.follow(on, outcome);
        task
    }

    /// A CPU wakes a task.
    pub fn wake(&mut self, on: usize, task: TaskId) -> WakeOutcome {
        let now = self.local(on);
        let scheduler = &mut self.cpus[on];
        let outcome = scheduler.wake(task).unwrap_or_else(|rest| scheduler.wake_rest(task, rest, now));
        self.follow(on, outcome);
        outcome
    }

    fn follow(&mut self, cpu: usize, outcome: WakeOutcome) {
        match outcome {
            WakeOutcome::Kick(target) => self.kick(target),
            WakeOutcome::Local { preempt: true } => self.look(cpu, Reason::Preempt),
            _ => {}
        }
    }

    /// The task that runs on a CPU sleeps for a time.
    pub fn sleep(&mut self, cpu: usize, span: u64) {
        let until = self.local(cpu) + Nanos(span);
        self.cpus[cpu].set_timer(until);
        self.look(cpu, Reason::Block);
    }

    /// When the next timer fires, and on which CPU, in true time.
    pub fn next_timer(&self) -> Option<(u64, usize)> {
        let armed = self.cpus.iter().enumerate().filter(|(_, cpu)| cpu.armed() != Nanos::NEVER);
        armed.map(|(index, cpu)| (cpu.armed().0.saturating_sub(self.skews[index]), index)).min()
    }

    /// The next timer fires, if that's due by `end`; whether one did.
    pub fn fire(&mut self, end: u64) -> bool {
        let Some((due, cpu)) = self.next_timer().filter(|&(due, _)| due <= end) else { return false };
        self.now = self.now.max(due);
        self.cpus[cpu].timer_fired();
        self.look(cpu, Reason::Preempt);
        self.settle();
        true
    }

    /// Time passes.
    pub fn run_until(&mut self, end: u64) {
        while self.fire(end) {}
        self.now = self.now.max(end);
    }

    /// The CPU on which a task runs, if it does.
    pub fn runs_on(&self, task: TaskId) -> Option<usize> {
        self.cpus.iter().position(|cpu| cpu.current() == task)
    }

    /// The slots of what runs or waits on a CPU.
    fn runnable(&self, cpu: usize) -> impl Iterator<Item = u32> + '_ {
        let scheduler = &self.cpus[cpu];
        let running = (!scheduler.is_idle()).then(|| scheduler.current().index() as u32);
        running.into_iter().chain(scheduler.waiting_slots())
    }

    /// The same and what was posted to it.
    fn places(&self, cpu: usize) -> impl Iterator<Item = u32> + '_ {
        self.runnable(cpu).chain(self.cpus[cpu].mailbox().posted(self.shared.tasks()))
    }

    /// What the tasks that run and wait on a CPU weigh.
    fn weight_seen(&self, cpu: usize) -> u64 {
        self.runnable(cpu).map(|slot| u64::from(self.shared.task(slot as usize).weight())).sum()
    }

    /// Every runnable task is in one place where it may be, and every blocked one in none.
    pub fn check(&self) -> Result<(), String> {
        let mut found = vec![0_u32; self.shared.slots()];
        for cpu in 0..self.cpus.len() {
            for slot in self.places(cpu) {
                found[slot as usize] += 1;
                if !self.shared.task(slot as usize).affinity().allows(CpuId(cpu as u32)) {
                    return Err(format!("slot {slot} is on CPU {cpu}, where it may not run"));
                }
            }
        }
        for task in &self.tasks {
            let blocked = self.shared.task(task.index()).is_blocked();
            if found[task.index()] != u32::from(!blocked) {
                return Err(format!("{task:?} (blocked: {blocked}) is in {} places", found[task.index()]));
            }
        }
        Ok(())
    }

    /// A CPU that idles while a task waits elsewhere that may run there, and that task's slot.
    pub fn wasted(&self) -> Option<(usize, u32)> {
        let idle = (0..self.cpus.len()).filter(|&cpu| self.cpus[cpu].is_idle());
        let waiting: Vec<u32> = self.cpus.iter().flat_map(Cpu::waiting_slots).collect();
        let allowed = |cpu, slot: u32| self.shared.task(slot as usize).affinity().allows(CpuId(cpu as u32));
        let mut pairs = idle.flat_map(|cpu| waiting.iter().map(move |&slot| (cpu, slot)));
        pairs.find(|&(cpu, slot)| allowed(cpu, slot))
    }

    fn hints(&self, cpu: usize) -> Vec<Hint> {
        let now = self.local(cpu);
        let hint = |cpu| {
            let mailbox = self.shared.mailbox(CpuId(cpu as u32));
            Hint {
                idle: !matches!(mailbox.attention.peek(), Notice::Busy(_)),
                weight: mailbox.load.weight(),
                progress: mailbox.load.progress_at(now),
            }
        };
        (0..self.shared.cpus()).map(hint).collect()
    }

    /// The tasks on their way from other CPUs' run queues to this one, or from this one's to others.
    fn in_transit(&self, cpu: usize) -> Vec<u32> {
        let here = self.shared.mailbox(CpuId(cpu as u32)).posted(self.shared.tasks());
        here.chain(self.posted_by(cpu).map(|(_, slot)| slot)).collect()
    }

    fn posted_by(&self, cpu: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        (0..self.shared.cpus()).flat_map(move |to| {
            let inbox = self.shared.mailbox(CpuId(to as u32)).inbox(CpuId(cpu as u32));
            inbox.peek(self.shared.tasks()).map(move |slot| (to, slot))
        })
    }

    fn note_moves(&mut self, from: usize, hints: &[Hint], had: &[u32]) {
        let moved: Vec<(usize, u32)> = self
            .posted_by(from)
            .filter(|&(_, slot)| self.shared.task(slot as usize).is_in_transit() && !had.contains(&slot))
            .collect();
        for (to, slot) in moved {
            let task = self.shared.task(slot as usize);
            self.moves.push(Move {
                slot,
                from,
                to,
                at: self.now,
                virtual_time: task.virtual_time.get(),
                weight_left: self.weight_seen(from),
                target_weight: self.weight_seen(to),
                hint: hints[to],
            });
        }
    }
}
