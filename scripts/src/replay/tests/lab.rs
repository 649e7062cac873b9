//! A few CPUs that do by chance whatever a kernel may ask of the scheduler, each on its tape: on threads of their own,
//! where they truly race, or in turns, where every run is the same.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fastrand::Rng;
use taped::cpu::{Reason, WakeOutcome};
use taped::tape::file::{Recording, Run, Writer};
use taped::tape::{Deck, Recorded};
use taped::{Affinity, After, Config, CpuId, Nanos, Next, Seat, Shared, Spec, TaskId, Topology};

use super::super::witness::numbered;

/// Task slots of each CPU's own.
const SLOTS: usize = 6;

/// A tape's size where none is meant to run full.
const ROOM: usize = 1 << 20;

/// Two CPUs to a cache.
fn paired(cpus: usize) -> Topology {
    let seat = |core: u32| Seat { package: 0, cache: core / 2, core };
    Topology::new(&(0..cpus as u32).map(seat).collect::<Vec<_>>())
}

/// What the CPUs share.
pub struct Lab {
    shared: Shared,
    places: u32,
    decks: Vec<Deck>,
    kicked: Vec<AtomicBool>,
    clock: AtomicU64,
    /// The last tenant of each slot, for those who wake and control.
    tasks: Mutex<Vec<TaskId>>,
}

impl Lab {
    /// `cpus` CPUs that nothing has happened on.
    pub fn new(cpus: usize, config: Config) -> Self {
        let (shared, places) = numbered(|| Shared::on(paired(cpus), cpus * SLOTS, config));
        Self {
            shared,
            places,
            decks: (0..cpus).map(|_| Deck::new(None)).collect(),
            kicked: (0..cpus).map(|_| AtomicBool::new(false)).collect(),
            clock: AtomicU64::new(1_000),
            tasks: Mutex::new(Vec::new()),
        }
    }

    /// Every CPU takes `steps` steps, on a thread of its own.
    pub fn race(&self, steps: usize, seed: u64) {
        std::thread::scope(|scope| {
            for cpu in 0..self.decks.len() {
                scope.spawn(move || {
                    let mut host = Host::new(self, cpu, seed, ROOM);
                    (0..steps).for_each(|_| host.step());
                });
            }
        });
    }

    /// The same in turns, with tapes of `room` bytes.
    pub fn take_turns(&self, steps: usize, seed: u64, room: usize) {
        let mut hosts: Vec<_> = (0..self.decks.len()).map(|cpu| Host::new(self, cpu, seed, room)).collect();
        let mut chance = Rng::with_seed(seed);
        for _ in 0..steps * hosts.len() {
            let turn = chance.usize(..hosts.len());
            hosts[turn].step();
        }
    }

    /// Ends the recording: the file that the kernel would have saved.
    pub fn save(&self) -> Vec<u8> {
        let run = Run {
            commit: "here".into(),
            cpus: self.shared.cpus() as u32,
            seats: self.shared.topology().seats().into(),
            tasks: (self.shared.slots() - self.shared.cpus()) as u32,
            places: self.places,
            config: *self.shared.config(),
        };
        let mut bytes = Vec::new();
        let mut file = Writer::new(&run, |piece: &[u8]| bytes.extend_from_slice(piece));
        for (cpu, deck) in self.decks.iter().enumerate() {
            file.tape(cpu as u32, &deck.take().expect("no CPU is in a call any more"));
        }
        file.end();
        bytes
    }

    /// The same, read.
    pub fn recording(&self) -> Recording {
        Recording::read(&self.save()).expect("what was written can be read")
    }
}

/// One CPU at work.
struct Host<'a> {
    lab: &'a Lab,
    cpu: Recorded<'a>,
    free: Vec<usize>,
    chance: Rng,
}

impl<'a> Host<'a> {
    fn new(lab: &'a Lab, cpu: usize, seed: u64, room: usize) -> Self {
        let id = CpuId(cpu as u32);
        let first = lab.shared.cpus() + cpu * SLOTS;
        Self {
            lab,
            cpu: Recorded::new(&lab.shared, id, Nanos(0), &lab.decks[cpu], room),
            free: (first..first + SLOTS).collect(),
            chance: Rng::with_seed(seed ^ (cpu as u64 + 1) << 32),
        }
    }

    fn now(&mut self) -> Nanos {
        let passed = 1 << self.chance.u32(4..18);
        Nanos(self.lab.clock.fetch_add(passed, Ordering::Relaxed))
    }

    fn step(&mut self) {
        let now = self.now();
        if self.cpu.armed() <= now {
            self.cpu.timer_fired();
            self.look(Reason::Preempt);
        } else if self.lab.kicked[self.cpu.id().index()].swap(false, Ordering::Relaxed) {
            self.look(Reason::Preempt);
        } else if self.cpu.is_idle() {
            self.idle();
        } else {
            self.run();
        }
    }

    fn idle(&mut self) {
        self.look(Reason::Preempt);
        if !self.cpu.is_idle() {
            return;
        }
        let now = self.now();
        if self.chance.bool() {
            return self.start();
        }
        self.cpu.enter_idle(now);
        self.send_kicks();
        let rests = if self.chance.bool() { self.cpu.may_halt(now) } else { self.cpu.may_doze(now) };
        if rests {
            std::thread::yield_now();
            let now = self.now();
            self.cpu.end_halt(now);
        }
    }

    /// The running task does something.
    fn run(&mut self) {
        let now = self.now();
        match self.chance.u32(..16) {
            0..4 => self.look(Reason::Yield),
            4 => self.look(Reason::Block),
            5 => {
                self.cpu.set_timer(Nanos(now.0 + (1 << self.chance.u32(10..24))));
                self.look(Reason::Block);
            }
            6 => self.cpu.cancel_timer(),
            7 => self.look(Reason::Exit),
            8 | 9 => self.start(),
            10 => self.control(now),
            _ => self.wake(now),
        }
    }

    fn start(&mut self) {
        let Some(slot) = self.free.pop() else { return };
        let affinity = if self.chance.u32(..4) == 0 { self.affinity() } else { Affinity::ANY };
        let here = self.cpu.id();
        let first = if affinity.allows(here) { here } else { affinity.first() };
        let spec = Spec { weight: 1 << self.chance.u32(8..13), affinity, ..Spec::default() };
        let task = self.lab.shared.create(slot, spec, first);
        self.lab.tasks.lock().unwrap().push(task);
        let now = self.now();
        let outcome = self.cpu.start(task, now);
        self.follow(outcome);
    }

    fn affinity(&mut self) -> Affinity {
        let cpus = self.lab.shared.cpus() as u32;
        let first = self.chance.u32(..cpus);
        Affinity::range(first, self.chance.u32(first + 1..=cpus)).expect("it isn't empty")
    }

    fn someone(&mut self) -> TaskId {
        let tasks = self.lab.tasks.lock().unwrap();
        // Mostly one of the last, who may still be there.
        let last = tasks.len().min(2 * SLOTS);
        tasks[tasks.len() - 1 - self.chance.usize(..last)]
    }

    fn wake(&mut self, now: Nanos) {
        let task = self.someone();
        let outcome = match self.cpu.wake(task) {
            Ok(outcome) => outcome,
            Err(rest) => self.cpu.wake_rest(task, rest, now),
        };
        self.follow(outcome);
    }

    fn control(&mut self, now: Nanos) {
        let (task, affinity) = (self.someone(), self.affinity());
        let outcome = if self.chance.bool() {
            self.cpu.set_affinity(task, affinity, now)
        } else {
            self.cpu.set_weight(task, 1 << self.chance.u32(8..13), now)
        };
        self.follow(outcome);
    }

    fn follow(&mut self, outcome: WakeOutcome) {
        match outcome {
            WakeOutcome::Kick(target) => self.kick(target),
            WakeOutcome::Local { preempt: true } => self.look(Reason::Preempt),
            _ => {}
        }
    }

    /// One decision, and what follows from it.
    fn look(&mut self, reason: Reason) {
        let now = self.now();
        let decision = self.cpu.reschedule(now, reason);
        let after = if decision.next == Next::Stay { After::Run } else { self.cpu.switched() };
        self.send_kicks();
        match after {
            After::Run => {}
            After::Reschedule => self.look(Reason::Preempt),
            After::Reap(gone) => {
                self.lab.shared.release(gone);
                self.free.push(gone.index());
            }
        }
    }

    fn send_kicks(&mut self) {
        while let Some(target) = self.cpu.take_kick() {
            self.kick(target);
        }
    }

    fn kick(&self, target: CpuId) {
        self.lab.kicked[target.index()].store(true, Ordering::Relaxed);
    }
}
