//! What the models of whole CPUs have in common: a machine, and tasks that wait for something.

use std::sync::Arc;
use std::vec::Vec;

use super::machine::{Host, Machine};
use super::threads::{self, Sent};
use crate::affinity::Affinity;
use crate::class::Class;
use crate::cpu::Reason;
use crate::id::{CpuId, TaskId};
use crate::sync::Owned;
use crate::task::Spec;
use crate::time::Nanos;
use crate::topology::Topology;

/// When scenarios begin.
pub const NOW: Nanos = Nanos::from_micros(500);

/// A machine and the conditions that one of its tasks parks for.
pub struct Scene {
    /// The CPUs.
    pub machine: Machine,
    /// One for each CPU but the first.
    pub conditions: Vec<Owned>,
}

impl Scene {
    /// A machine with `cpus` CPUs, room for `tasks` tasks, and no condition true.
    pub fn new(cpus: u32, tasks: usize) -> Arc<Self> {
        Self::of(cpus, Machine::new(cpus as usize, tasks))
    }

    /// The same on a machine of such CPUs.
    pub fn on(topology: Topology, tasks: usize) -> Arc<Self> {
        Self::of(topology.seats().len() as u32, Machine::on(topology, tasks))
    }

    fn of(cpus: u32, machine: Machine) -> Arc<Self> {
        let conditions = (1..cpus).map(|_| Owned::new(0)).collect();
        Arc::new(Self { machine, conditions })
    }

    /// What the parker does whenever it has a CPU: it ends the scenario once every condition holds.
    pub fn park(&self, host: &mut Host<'_>) {
        if self.conditions.iter().all(|condition| condition.get() != 0) {
            host.machine.finish();
        } else {
            host.step(Reason::Block);
        }
    }

    /// Lets `cpu` run tasks by `run`, and idle in between, on a thread of its own.
    pub fn spawn(
        self: &Arc<Self>,
        cpu: u32,
        run: impl Fn(&Self, &mut Host<'_>) + Sent + 'static,
    ) -> threads::JoinHandle<()> {
        self.spawn_after(cpu, |_, _| {}, run)
    }

    /// The same after `first`, which the idle task does.
    pub fn spawn_after(
        self: &Arc<Self>,
        cpu: u32,
        first: impl FnOnce(&Self, &mut Host<'_>) + Sent + 'static,
        run: impl Fn(&Self, &mut Host<'_>) + Sent + 'static,
    ) -> threads::JoinHandle<()> {
        let scene = Arc::clone(self);
        threads::spawn(move || {
            let mut host = Host::new(&scene.machine, cpu, NOW);
            first(&scene, &mut host);
            host.serve(|host| run(&scene, host));
        })
    }

    /// How many tasks are in a CPU's inboxes.
    pub fn unseen(&self, cpu: CpuId) -> usize {
        let shared = &self.machine.shared;
        shared.mailbox(cpu).posted(shared.tasks()).count()
    }
}

/// Starts a task on `host`'s CPU, where it then runs.
pub fn start(host: &mut Host<'_>, slot: usize, affinity: Affinity) -> TaskId {
    start_as(host, slot, Class::Fair, affinity)
}

/// The same of a class.
pub fn start_as(host: &mut Host<'_>, slot: usize, class: Class, affinity: Affinity) -> TaskId {
    let spec = Spec { class, affinity, ..Spec::default() };
    // As the kernel does: who may not run here is another CPU's from the beginning.
    let here = host.cpu.id();
    let first = if affinity.allows(here) { here } else { affinity.first() };
    let task = host.machine.shared.create(slot, spec, first);
    let outcome = host.cpu.start(task, host.now);
    host.follow(outcome);
    task
}
