//! The simulated machine and its kernel's memory.

use std::collections::{BTreeSet, VecDeque};

use fastrand::Rng;
use sched::{CpuId, Nanos, Shared, TaskId};

use super::case::Case;
use super::check::Checker;
use super::events::{Events, What};
use super::machine::{Machine, until_random};
use super::plant::Plant;
use super::program::Plan;
use super::trace::Trace;

/// CPUs boot at a time that's no round number of anything.
pub const BOOT: u64 = 1_234_567_891;

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
    /// The thread that a switch is just leaving.
    pub left: Option<usize>,
    /// Since when that thread has made progress, in true time.
    pub since: u64,
    /// When the timer is due, in the CPU's own time, and under which number.
    pub timer: Option<(u64, u64)>,
    /// The number of an armed timer that the scheduler was told had fired.
    pub leftover: Option<u64>,
    /// The last turn for which a post's notice is foreseen.
    pub noticed: u64,
    /// Interrupts that wait for the switch to end.
    pub pending: Vec<What>,
    /// Kicks on their way.
    pub kicks: u32,
    /// How far its clock is ahead.
    pub skew: u64,
    /// Interrupts taken.
    pub interrupts: u64,
    /// Times that a thread blocked here.
    pub blocks: u64,
    /// Until when it's stalled.
    pub stalled_until: u64,
    /// Posts of its own that needed no interrupt, as far as they were seen to.
    pub posts: u64,
    /// What the machine does to it.
    pub rng: Rng,
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
    /// Times that it blocked.
    pub blocks: u64,
    /// Whether a wake came while it wasn't parked.
    pub permit: bool,
    /// Whether it's on its way to sleep: a wake now ends that, and leaves nothing for the next time.
    pub leaving: bool,
    /// Its own chance, so that its fate hangs on no other thread's draws.
    pub rng: Rng,
}

/// A channel: messages, and who waits for one.
#[derive(Clone, Default, Debug)]
pub struct Channel {
    /// Messages that nobody took yet.
    pub messages: u64,
    /// Threads that wait, longest first.
    pub waiting: VecDeque<usize>,
}

/// Everything there is.
pub struct World<'a> {
    /// What the CPUs share.
    pub shared: &'a Shared,
    /// The CPUs.
    pub cpus: Vec<VirtualCpu<'a>>,
    /// Which of them poll.
    pub polling: BTreeSet<usize>,
    /// All threads there ever were.
    pub threads: Vec<Thread>,
    /// Which thread is a slot's tenant.
    pub tenants: Vec<Option<usize>>,
    /// Slots to hand out.
    pub free: Vec<usize>,
    /// The channels, made when first used.
    pub channels: Vec<Channel>,
    /// True time.
    pub now: u64,
    /// How the machine behaves.
    pub machine: Machine,
    /// What it does wrong on purpose.
    pub plant: Option<Plant>,
    /// How often the planted fault had its chance.
    pub chances: u64,
    /// What is to come.
    pub events: Events,
    /// How often a timer was armed: the last one's number.
    pub armings: u64,
    /// Events handled.
    pub events_handled: u64,
    /// CPU time that threads used which are gone.
    pub gone: u64,
    /// What must hold.
    pub checker: Checker,
    /// The last decisions, for the report of a failure.
    pub trace: Trace,
}

impl<'a> World<'a> {
    /// A machine that has just booted, every CPU idle, with the case's threads about to start.
    pub fn new(shared: &'a Shared, case: &Case) -> Self {
        let cpus = (0..shared.cpus()).map(|cpu| VirtualCpu::new(shared, cpu, case)).collect();
        let mut world = Self {
            shared,
            cpus,
            polling: BTreeSet::new(),
            threads: Vec::new(),
            tenants: vec![None; shared.slots()],
            free: (shared.cpus()..shared.slots()).rev().collect(),
            channels: Vec::new(),
            now: BOOT,
            machine: case.machine.clone(),
            plant: case.plant,
            chances: 0,
            events: Events::default(),
            armings: 0,
            events_handled: 0,
            gone: 0,
            checker: Checker::new(shared, case),
            trace: Trace::default(),
        };
        world.boot();
        for (number, plan) in case.threads.iter().enumerate() {
            let rng = Rng::with_seed(mixed(case.seed, number as u64));
            world.add(plan.clone(), rng);
        }
        world
    }

    fn boot(&mut self) {
        for cpu in 0..self.cpus.len() {
            self.foresee_random(cpu, What::Spurious, self.machine.spurious_every);
            self.foresee_random(cpu, What::Stall, self.machine.stall_every);
            self.idle(cpu);
        }
    }

    /// Foresees a random event that comes every `mean`, if it comes at all.
    pub fn foresee_random(&mut self, cpu: usize, what: What, mean: u64) {
        if mean > 0 {
            let at = self.now + until_random(&mut self.cpus[cpu].rng, mean);
            self.events.add(at, cpu, what);
        }
    }

    /// A CPU's own time.
    pub fn local(&self, cpu: usize) -> Nanos {
        Nanos(self.now + self.cpus[cpu].skew)
    }

    /// Adds a thread that the CPU 0 starts at its time.
    fn add(&mut self, plan: Plan, rng: Rng) {
        let at = self.now + plan.start;
        let number = self.admit(plan, rng);
        self.events.add(at, 0, What::Start(number));
    }

    /// Gives a plan a slot and a number. The thread must then be started.
    ///
    /// # Panics
    /// If there's no free slot.
    pub fn admit(&mut self, plan: Plan, rng: Rng) -> usize {
        let slot = self.free.pop().expect("a case has slots for its threads");
        let affinity = plan.cpus.affinity(self.cpus.len());
        let spec = sched::Spec { weight: plan.weight, class: plan.class.into(), affinity };
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
            blocks: 0,
            permit: false,
            leaving: false,
            rng,
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

    /// Whether the planted fault is this one, and strikes now: every seventh time, so that things go well at first.
    pub fn goes_wrong(&mut self, plant: Plant) -> bool {
        if self.plant != Some(plant) {
            return false;
        }
        self.chances += 1;
        self.chances.is_multiple_of(7)
    }
}

/// A seed for the `number`th of many streams that follow from one.
pub const fn mixed(seed: u64, number: u64) -> u64 {
    // Odd constants of splitmix64; fastrand mixes the rest.
    (seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

impl<'a> VirtualCpu<'a> {
    fn new(shared: &'a Shared, cpu: usize, case: &Case) -> Self {
        let mut rng = Rng::with_seed(mixed(!case.seed, cpu as u64));
        let skew = case.machine.skew.draw(&mut rng);
        Self {
            sched: sched::Cpu::new(shared, CpuId(cpu as u32), Nanos(BOOT + skew)),
            phase: Phase::Halted,
            turn: 0,
            thread: None,
            left: None,
            since: 0,
            timer: None,
            leftover: None,
            posts: 0,
            noticed: 0,
            pending: Vec::new(),
            kicks: 0,
            skew,
            interrupts: 0,
            blocks: 0,
            stalled_until: 0,
            rng,
        }
    }
}
