//! What all CPUs share: the task table, the mailboxes, and the sets of idle and overloaded CPUs.

use alloc::boxed::Box;

use crossbeam_utils::CachePadded;

use crate::config::Config;
use crate::cpuset::CpuSet;
use crate::id::{CpuId, TaskId};
use crate::mailbox::Mailbox;
use crate::sync::{Ordering, fence};
use crate::task::{Spec, Task};
use crate::time::Nanos;
use crate::topology::Topology;

/// The scheduler's shared state, made once at boot.
///
/// The task table's first slots, one a CPU, are the idle tasks; the others are the kernel's to hand out.
#[derive(Debug)]
pub struct Shared {
    pub(crate) config: Config,
    pub(crate) topology: Topology,
    pub(crate) tasks: Box<[Task]>,
    pub(crate) mailboxes: Box<[Mailbox]>,
    /// CPUs that have nothing to run. Whoever removes one has promised it a task.
    pub(crate) idle: CachePadded<CpuSet>,
    /// CPUs that lately had a movable task waiting. May overstate; its owner clears it when asked in vain.
    pub(crate) overloaded: CachePadded<CpuSet>,
    /// CPUs where real-time tasks wait that may move. May overstate.
    pub(crate) outranked: CachePadded<CpuSet>,
}

impl Shared {
    /// State for `cpus` CPUs, each as near to any other, and up to `tasks` tasks beside the idle ones.
    pub fn new(cpus: usize, tasks: usize, config: Config) -> Self {
        Self::on(Topology::flat(cpus), tasks, config)
    }

    /// State for the CPUs of a machine and up to `tasks` tasks beside the idle ones.
    pub fn on(topology: Topology, tasks: usize, config: Config) -> Self {
        let cpus = topology.seats().len();
        Self {
            config,
            topology,
            tasks: (0..cpus + tasks).map(|_| Task::new()).collect(),
            mailboxes: (0..cpus).map(|_| Mailbox::new(cpus)).collect(),
            idle: CachePadded::new(CpuSet::new(cpus)),
            overloaded: CachePadded::new(CpuSet::new(cpus)),
            outranked: CachePadded::new(CpuSet::new(cpus)),
        }
    }

    /// How many CPUs there are.
    #[inline]
    pub fn cpus(&self) -> usize {
        self.mailboxes.len()
    }

    /// How many slots there are, those of the idle tasks included.
    pub fn slots(&self) -> usize {
        self.tasks.len()
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Which CPUs are near each other.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A CPU's shared face.
    #[inline]
    pub fn mailbox(&self, cpu: CpuId) -> &Mailbox {
        &self.mailboxes[cpu.index()]
    }

    /// Every slot, those of the idle tasks first.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// A task's slot, whoever its tenant is.
    #[inline]
    pub fn task(&self, slot: usize) -> &Task {
        &self.tasks[slot]
    }

    /// Fills a free slot, which the caller holds. The task must then be started by [`crate::Cpu::start`].
    ///
    /// # Panics
    /// If the slot is an idle task's or beyond the table.
    pub fn create(&self, slot: usize, spec: Spec, cpu: CpuId) -> TaskId {
        assert!(slot >= self.cpus(), "the first slots are the idle tasks'");
        self.tasks[slot].create(slot as u32, spec, cpu)
    }

    /// Frees the slot of a task that exited, once nothing of it is in use. The slot is the caller's again.
    pub fn release(&self, task: TaskId) {
        self.tasks[task.index()].state.release();
    }

    /// The task that has a slot now, if one does.
    pub fn tenant(&self, slot: usize) -> Option<TaskId> {
        let task = TaskId { slot: slot as u32, generation: self.tasks[slot].state.generation() };
        self.is_alive(task).then_some(task)
    }

    /// Whether the task exists still.
    pub fn is_alive(&self, task: TaskId) -> bool {
        self.tasks[task.index()].state.is_alive(task.generation)
    }

    /// The CPU time that a task has used by `now`, exact while it runs; `None` once it's gone.
    pub fn cpu_time(&self, task: TaskId, now: Nanos) -> Option<Nanos> {
        let slot = &self.tasks[task.index()];
        let used = slot.meter.read(now);
        // Acquire pairs with the Release in `Task::create`: if that was the next tenant's time, the task is gone.
        fence(Ordering::Acquire);
        slot.state.is_alive(task.generation).then_some(used)
    }

    /// The time that a CPU has been idle by `now`.
    pub fn idle_time(&self, cpu: CpuId, now: Nanos) -> Nanos {
        self.tasks[cpu.index()].meter.read(now)
    }

    /// Times that a task blocked on a CPU. Not counted, as [`Task::wakeups`] isn't: what switched there from a task for no
    /// other reason did for this one. Any CPU; while one switches, one more or less may be told.
    pub fn blocks(&self, cpu: CpuId) -> u64 {
        let (idle, stats) = (&self.tasks[cpu.index()], &self.mailboxes[cpu.index()].stats);
        let from_idle = idle.switches.get() + u64::from(!idle.meter.is_running());
        let others = from_idle + stats.preemptions.get() + stats.yields.get() + stats.exits.get();
        stats.switches.get().saturating_sub(others)
    }

    /// Claims an idle CPU that `suits` and where `task` may run: it's no longer in the idle set, and the caller must post
    /// a task to it.
    pub(crate) fn claim_idle(&self, task: &Task, suits: impl Fn(CpuId) -> bool) -> Option<CpuId> {
        let affinity = task.affinity();
        loop {
            let cpu = self.idle.find(|cpu| affinity.allows(cpu) && suits(cpu))?;
            if self.idle.remove(cpu) {
                return Some(cpu);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_a_tenant_until_that_exits_and_is_released() {
        let config = Config { tau: Nanos(7), ..Config::default() };
        let shared = Shared::new(2, 3, config);
        assert_eq!((shared.cpus(), shared.slots(), shared.config().tau), (2, 5, Nanos(7)));
        assert_eq!(shared.tenant(3), None);
        let task = shared.create(3, Spec::default(), CpuId(0));
        assert_eq!((shared.tenant(3), shared.is_alive(task)), (Some(task), true));
        shared.task(3).state.exit();
        shared.release(task);
        assert_eq!((shared.tenant(3), shared.is_alive(task)), (None, false));
        let next = shared.create(3, Spec::default(), CpuId(0));
        assert_eq!((shared.tenant(3), shared.is_alive(task)), (Some(next), false));
    }
}
