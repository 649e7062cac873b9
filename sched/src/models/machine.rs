//! A machine of a few CPUs that carries out what the scheduler decides, as the kernel does.
//!
//! Each CPU is a thread of the model. A context switch leaves one [`Stack`] and enters another; a kick is a flag that the
//! target looks at where the kernel would have interrupts on, and that ends a halt. A kick that never comes
//! where one is needed shows as a deadlock.

use core::sync::atomic::{AtomicBool as Unseen, Ordering::SeqCst};
use std::sync::OnceLock;
use std::vec::Vec;

use super::stack::Stack;
use super::threads;
use crate::config::Config;
use crate::cpu::{After, Cpu, Next, Reason, WakeOutcome};
use crate::id::{CpuId, TaskId};
use crate::shared::Shared;
use crate::sync::{AtomicU32, Ordering};
use crate::time::Nanos;
use crate::topology::Topology;

/// One CPU's interrupt line, and what its thread waits for while it's halted.
struct Line {
    kicked: AtomicU32,
    thread: OnceLock<threads::Thread>,
    halted: Unseen,
    busy: Unseen,
}

impl Line {
    fn new() -> Self {
        let (halted, busy) = (Unseen::new(false), Unseen::new(false));
        Self { kicked: AtomicU32::new(0), thread: OnceLock::new(), halted, busy }
    }

    /// Whether a kick is all that the target may wait for. Loom does nothing between the target's last look and its halt, as
    /// with `sti; hlt`; the host may, but a thread that is resumed before it parks doesn't.
    fn must_be_resumed(&self) -> bool {
        self.halted.load(SeqCst) || cfg!(not(loom)) && self.thread.get().is_some()
    }
}

/// What the CPUs share.
pub struct Machine {
    /// The scheduler's part.
    pub shared: Shared,
    stacks: Vec<Stack>,
    lines: Vec<Line>,
    over: Unseen,
}

impl Machine {
    /// A machine with `cpus` CPUs, none of which runs, and room for `tasks` tasks.
    pub fn new(cpus: usize, tasks: usize) -> Self {
        Self::on(Topology::flat(cpus), tasks)
    }

    /// A machine of such CPUs.
    pub fn on(topology: Topology, tasks: usize) -> Self {
        let cpus = topology.seats().len();
        Self {
            shared: Shared::on(topology, tasks, Config::default()),
            stacks: (0..cpus + tasks).map(|_| Stack::new()).collect(),
            lines: (0..cpus).map(|_| Line::new()).collect(),
            over: Unseen::new(false),
        }
    }

    /// Sends a kick. It's ordered by nothing but the fence between the post and the look at the attention.
    pub fn kick(&self, cpu: CpuId) {
        let line = &self.lines[cpu.index()];
        // A swap: loom has no order between a store and the swap of the target that came before.
        line.kicked.swap(1, Ordering::Relaxed);
        if line.must_be_resumed() {
            line.thread.get().expect("a CPU that halts has started").unpark();
        }
    }

    /// Ends the scenario: every CPU stops.
    pub fn finish(&self) {
        self.over.store(true, SeqCst);
        (0..self.lines.len()).for_each(|cpu| self.kick(CpuId(cpu as u32)));
    }

    /// Whether no CPU is idle.
    pub fn is_busy(&self) -> bool {
        self.lines.iter().all(|line| line.busy.load(SeqCst))
    }
}

/// One CPU at work, on its own thread.
pub struct Host<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The scheduler's part.
    pub cpu: Cpu<'a>,
    /// The time, which stands still unless a scenario moves it.
    pub now: Nanos,
}

impl<'a> Host<'a> {
    /// Starts a CPU in its idle task.
    pub fn new(machine: &'a Machine, id: u32, now: Nanos) -> Self {
        let set = machine.lines[id as usize].thread.set(threads::current());
        assert!(set.is_ok(), "a CPU starts once");
        machine.stacks[id as usize].enter(id);
        Self { machine, cpu: Cpu::new(&machine.shared, CpuId(id), now), now }
    }

    /// The running task says what it does; whatever runs then has the CPU when this returns.
    pub fn step(&mut self, reason: Reason) {
        let (me, prev) = (self.cpu.id(), self.cpu.current_slot());
        let decision = self.cpu.reschedule(self.now, reason);
        let mut after = After::Run;
        if let Next::Switch(next) = decision.next {
            self.machine.stacks[prev].leave(me.0);
            self.machine.stacks[next].enter(me.0);
            after = self.cpu.switched();
        }
        self.machine.lines[me.index()].busy.store(!self.cpu.is_idle(), SeqCst);
        self.send_kicks();
        match after {
            After::Run => {}
            After::Reschedule => self.step(Reason::Preempt),
            After::Reap(gone) => self.machine.shared.release(gone),
        }
    }

    fn send_kicks(&mut self) {
        while let Some(target) = self.cpu.take_kick() {
            self.machine.kick(target);
        }
    }

    /// Does what a wake or a start asks for.
    pub fn follow(&mut self, outcome: WakeOutcome) {
        match outcome {
            WakeOutcome::Kick(target) => self.machine.kick(target),
            WakeOutcome::Local { preempt: true } => self.step(Reason::Preempt),
            _ => {}
        }
    }

    /// Wakes a task the way the kernel does.
    pub fn wake(&mut self, task: TaskId) {
        let outcome = self.cpu.wake_at_once(task, self.now);
        self.follow(outcome);
    }

    /// Whether the scenario has ended.
    fn is_over(&self) -> bool {
        self.machine.over.load(SeqCst)
    }

    /// Whether a kick came since the last call.
    fn kicked(&self) -> bool {
        // Acquire pairs with the fence in `Attention::read`: an interrupt shows what was written before it was sent.
        self.machine.lines[self.cpu.id().index()].kicked.swap(0, Ordering::Acquire) != 0
    }

    /// Interrupts are on: a kick that has come is handled.
    pub fn open(&mut self) {
        if self.kicked() {
            self.interrupt();
        }
    }

    /// Waits for a kick and handles it.
    pub fn wait(&mut self) {
        while !self.is_over() && !self.kicked() {
            let halted = &self.machine.lines[self.cpu.id().index()].halted;
            halted.store(true, SeqCst);
            threads::park();
            halted.store(false, SeqCst);
        }
        if !self.is_over() {
            self.interrupt();
        }
    }

    fn interrupt(&mut self) {
        if self.cpu.is_idle() {
            self.cpu.end_poll();
        }
        self.step(Reason::Preempt);
    }

    /// Runs tasks by `run`, which gives the CPU away or ends the scenario, and idles in between, until the end.
    pub fn serve(&mut self, run: impl Fn(&mut Self)) {
        while !self.is_over() {
            if self.cpu.is_idle() { self.idle() } else { run(self) }
        }
    }

    /// Says that there's nothing to run here, and asks for something.
    pub fn rest(&mut self) {
        self.cpu.enter_idle(self.now);
        self.send_kicks();
    }

    /// One round of the idle task, which polls once.
    pub fn idle(&mut self) {
        self.step(Reason::Preempt);
        if !self.cpu.is_idle() {
            return;
        }
        self.rest();
        self.open();
        if self.cpu.is_idle() && self.cpu.may_halt(self.now) {
            self.wait();
            self.cpu.end_halt(self.now);
        }
    }
}
