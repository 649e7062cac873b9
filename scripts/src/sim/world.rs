//! The simulated machine and its kernel's memory.

use fastrand::Rng;
use sched::{CpuId, Nanos, Shared, TaskId};

use super::events::{Events, What};
use super::machine::{Machine, until_random};
use super::program::{Plan, Step};

/// What a CPU is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Its current thread runs.
    Running,
    /// The idle task looks for work.
    Polling,
    /// The idle task halted it.
    Halted,
    /// It switches: interrupts are off until it's done.
    Switching,
}

/// One CPU: the real scheduler of it, and what surrounds that on a real machine.
pub struct VirtualCpu<'a> {
    /// The scheduler.
    pub sched: sched::Cpu<'a>,
    /// What it's doing.
    pub phase: Phase,
    /// Raised whenever what it does changes: older `Done` events are void.
    pub turn: u64,
    /// The thread whose context is loaded.
    pub thread: Option<usize>,
    /// Since when that thread has made progress, in true time.
    pub since: u64,
    /// When the timer is due, in the CPU's own time, and under which number.
    pub timer: Option<(u64, u64)>,
    /// The last turn for which a post's notice is foreseen.
    pub noticed: u64,
    /// Interrupts that wait for the switch to end.
    pub pending: Vec<What>,
    /// Kicks on their way.
    pub kicks: u32,
    /// How far its clock is ahead.
    pub skew: u64,
    /// Until when it's stalled.
    pub stalled_until: u64,
    /// Since when it has been idle while a thread waited elsewhere that could have moved here.
    pub wasting_since: Option<u64>,
}

/// What a thread is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    /// It isn't started yet.
    New,
    /// It runs or wants to.
    Runnable,
    /// It waits for its timer, due at this time of the CPU that set it.
    Sleeping(u64),
    /// It waits for a wake.
    Parked,
    /// It's gone.
    Gone,
}

/// One thread.
pub struct Thread {
    /// What it is and does.
    pub plan: Plan,
    /// Its name in the scheduler.
    pub task: TaskId,
    /// What it's doing.
    pub doing: Doing,
    /// The next step.
    pub at: usize,
    /// What remains of the present step's CPU time.
    pub remaining: u64,
    /// CPU time that it made progress in: the work done.
    pub work: u64,
    /// CPU time as the scheduler accounted it when it exited.
    pub accounted: u64,
    /// Whether a wake came while it wasn't parked.
    pub permit: bool,
    /// Whether its affinity was changed since it last ran: that counts from its next dispatch on.
    pub repinned: bool,
}

/// What went on in all.
#[derive(Clone, Copy, Default, Debug)]
pub struct Totals {
    /// Events handled.
    pub events: u64,
    /// Kicks sent.
    pub kicks: u64,
    /// The longest that a CPU idled while a thread waited that could have moved there.
    pub longest_waste: u64,
    /// All such time.
    pub waste: u64,
}

/// Everything there is.
pub struct World<'a> {
    /// What the CPUs share.
    pub shared: &'a Shared,
    /// The CPUs.
    pub cpus: Vec<VirtualCpu<'a>>,
    /// All threads there ever were.
    pub threads: Vec<Thread>,
    /// Which thread is a slot's tenant.
    pub tenants: Vec<Option<usize>>,
    /// Slots to hand out.
    pub free: Vec<usize>,
    /// True time.
    pub now: u64,
    /// The one source of chance.
    pub rng: Rng,
    /// How the machine behaves.
    pub machine: Machine,
    /// What is to come.
    pub events: Events,
    /// How often a timer was armed: the last one's number.
    pub armings: u64,
    /// What went on.
    pub totals: Totals,
    /// The last decisions, for the report of a failure.
    pub trace: super::trace::Trace,
}

impl<'a> World<'a> {
    /// A machine that has just booted: every CPU idle, at time `start`.
    pub fn new(shared: &'a Shared, machine: Machine, seed: u64, start: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let cpus = (0..shared.cpus())
            .map(|index| {
                let skew = machine.skew.draw(&mut rng);
                VirtualCpu::new(sched::Cpu::new(shared, CpuId(index as u32), Nanos(start + skew)), skew)
            })
            .collect();
        let mut world = Self {
            shared,
            cpus,
            threads: Vec::new(),
            tenants: vec![None; shared.slots()],
            free: (shared.cpus()..shared.slots()).rev().collect(),
            now: start,
            rng,
            machine,
            events: Events::default(),
            armings: 0,
            totals: Totals::default(),
            trace: super::trace::Trace::default(),
        };
        world.boot();
        world
    }

    fn boot(&mut self) {
        for cpu in 0..self.cpus.len() {
            self.foresee_random(cpu, What::Spurious, self.machine.spurious);
            self.foresee_random(cpu, What::Stall, self.machine.stall_every);
            self.idle(cpu);
        }
    }

    /// Foresees a random event that comes every `mean`, if it comes at all.
    pub fn foresee_random(&mut self, cpu: usize, what: What, mean: u64) {
        if mean > 0 {
            let at = self.now + until_random(&mut self.rng, mean);
            self.events.add(at, cpu, what);
        }
    }

    /// A CPU's own time.
    pub fn local(&self, cpu: usize) -> Nanos {
        Nanos(self.now + self.cpus[cpu].skew)
    }

    /// Adds a thread that the CPU 0 starts at its time.
    pub fn add(&mut self, plan: Plan) -> usize {
        let at = self.now + plan.start;
        let number = self.admit(plan);
        self.events.add(at, 0, What::Start(number));
        number
    }

    /// Gives a plan a slot and a number. The thread must then be started.
    ///
    /// # Panics
    /// If there's no free slot.
    pub fn admit(&mut self, plan: Plan) -> usize {
        let slot = self.free.pop().expect("a scenario has slots for its threads");
        let spec = sched::Spec { weight: plan.weight, affinity: plan.affinity };
        let task = self.shared.create(slot, spec, CpuId(0));
        let number = self.threads.len();
        self.tenants[slot] = Some(number);
        self.threads.push(Thread {
            plan,
            task,
            doing: Doing::New,
            at: 0,
            remaining: 0,
            work: 0,
            accounted: 0,
            permit: false,
            repinned: false,
        });
        number
    }

    /// The CPU time that the scheduler accounts to a thread.
    pub fn accounted(&self, thread: usize) -> u64 {
        let thread = &self.threads[thread];
        let slot = self.shared.task(thread.task.index());
        let local = self.local(slot.cpu().index());
        self.shared.cpu_time(thread.task, local).map_or(thread.accounted, |time| time.0)
    }

    /// What the thread does next; moves on to the step after.
    pub fn take_step(&mut self, thread: usize) -> Step {
        let thread = &mut self.threads[thread];
        let (step, next) = thread.plan.step(thread.at);
        thread.at = next;
        step
    }
}

impl<'a> VirtualCpu<'a> {
    fn new(sched: sched::Cpu<'a>, skew: u64) -> Self {
        Self {
            sched,
            phase: Phase::Halted,
            turn: 0,
            thread: None,
            since: 0,
            timer: None,
            noticed: 0,
            pending: Vec::new(),
            kicks: 0,
            skew,
            stalled_until: 0,
            wasting_since: None,
        }
    }
}
