//! Whole CPUs: the scheduler as the kernel calls it, on two or three CPUs.

use std::sync::Arc;
use std::vec::Vec;

use loom::thread;

use super::explore;
use super::machine::{Host, Machine};
use crate::affinity::Affinity;
use crate::cpu::Reason;
use crate::id::{CpuId, TaskId};
use crate::sync::Owned;
use crate::task::Spec;
use crate::time::Nanos;

const NOW: Nanos = Nanos::from_micros(500);

/// A machine and the conditions that one of its tasks parks for.
struct Scene {
    machine: Machine,
    conditions: Vec<Owned>,
}

impl Scene {
    fn new(cpus: usize, tasks: usize) -> Arc<Self> {
        let conditions = (1..cpus).map(|_| Owned::new(0)).collect();
        Arc::new(Self { machine: Machine::new(cpus, tasks), conditions })
    }

    /// What the parker does whenever it has a CPU: it ends the scenario once every condition holds.
    fn park(&self, host: &mut Host<'_>) {
        if self.conditions.iter().all(|condition| condition.get() != 0) {
            host.machine.finish();
        } else {
            host.step(Reason::Block);
        }
    }

    /// How many tasks are in a CPU's inboxes.
    fn unseen(&self, cpu: CpuId) -> usize {
        let shared = &self.machine.shared;
        shared.mailbox(cpu).posted(shared.tasks()).count()
    }
}

/// Starts a task on `host`'s CPU, where it then runs.
fn start(host: &mut Host<'_>, slot: usize, affinity: Affinity) -> TaskId {
    let spec = Spec { affinity, ..Spec::default() };
    let task = host.machine.shared.create(slot, spec, host.cpu.id());
    let outcome = host.cpu.start(task, host.now);
    host.follow(outcome);
    task
}

/// CPU 0 runs a task that parks until each other CPU has made its condition true and woken it.
fn a_parker_ends(cpus: u32, affinity: Affinity, preemptions: usize) {
    explore(preemptions, move || {
        let scene = Scene::new(cpus as usize, 1);
        let mut host = Host::new(&scene.machine, 0, NOW);
        let parker = start(&mut host, cpus as usize, affinity);
        let wakers = (1..cpus).map(|cpu| {
            let scene = Arc::clone(&scene);
            thread::spawn(move || {
                let mut host = Host::new(&scene.machine, cpu, NOW);
                scene.conditions[cpu as usize - 1].set(1);
                host.wake(parker);
                host.serve(|host| scene.park(host));
            })
        });
        let wakers: Vec<_> = wakers.collect();
        host.serve(|host| scene.park(host));
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}

/// Catches: `may_halt` that looks before it lowers, raises instead, says nothing or ignores what it sees; a wake
/// that takes Halted for Polling; a `reschedule` that doesn't drain; `part` that forgets a task woken while it
/// was Blocking (all: parked for ever).
#[test]
fn a_parker_that_is_pinned_ends() {
    a_parker_ends(2, Affinity::one(CpuId(0)), 3);
}

/// Catches: the same; and a wake that claims a task that is still Blocking, or a block that is finished by
/// `reschedule`, so that the waker's CPU runs the task on the stack that CPU 0 is still on.
#[test]
fn a_parker_that_moves_ends_and_runs_in_one_place() {
    a_parker_ends(2, Affinity::ANY, 3);
}

/// Catches: the same, where one of the wakers may find the task already awake.
#[test]
fn a_parker_with_two_wakers_ends() {
    a_parker_ends(3, Affinity::ANY, 1);
}

/// CPU 0 has two loops, CPU 1 runs dry: in the end each has one.
///
/// Catches: no fence in `announce_surplus` or in `enter_idle` (stale set: each overlooks the other), `enter_idle`
/// looking before it enters its set, an idle CPU that doesn't ask, an overloaded one that ignores a kick.
#[test]
fn no_cpu_idles_while_a_task_waits_elsewhere() {
    explore(3, || {
        let scene = Scene::new(2, 2);
        // As if CPU 1 had been busy so far: or else plain balance would send it a task.
        scene.machine.shared.mailbox(CpuId(1)).load.publish(1 << 20, 0, NOW);
        let run = |host: &mut Host<'_>| {
            if host.machine.is_busy() {
                host.machine.finish();
            } else {
                host.wait();
            }
        };
        let theirs = Arc::clone(&scene);
        let dry = thread::spawn(move || Host::new(&theirs.machine, 1, NOW).serve(run));
        let mut host = Host::new(&scene.machine, 0, NOW);
        start(&mut host, 2, Affinity::one(CpuId(0)));
        start(&mut host, 3, Affinity::ANY);
        host.serve(run);
        dry.join().unwrap();
    });
}

/// CPU 0 runs one of two loops, and its timer fires; just before, CPU 1 wakes a task there, and doesn't kick if
/// it reads that the timer is about to fire.
///
/// Catches: `timer_fired` that raises instead of lowers or doesn't publish at all, `reschedule` that looks at
/// timers only (the task waits in the inbox for ever).
#[test]
fn a_wake_that_trusts_a_timer_is_seen_by_it() {
    explore(4, || {
        let scene = Scene::new(2, 3);
        let here = Affinity::one(CpuId(0));
        let mut host = Host::new(&scene.machine, 0, NOW);
        let sleeper = start(&mut host, 2, here);
        host.step(Reason::Block);
        start(&mut host, 3, here);
        start(&mut host, 4, here);
        let deadline = host.cpu.armed();
        assert_ne!(deadline, Nanos::NEVER, "two loops need a timer");
        let theirs = Arc::clone(&scene);
        let waker = thread::spawn(move || {
            let mut host = Host::new(&theirs.machine, 1, Nanos(deadline.0 - 1_000));
            host.wake(sleeper);
        });
        host.now = deadline;
        host.cpu.timer_fired();
        host.step(Reason::Preempt);
        waker.join().unwrap();
        host.open();
        assert_eq!(scene.unseen(CpuId(0)), 0, "nobody will look at the inbox again");
    });
}

/// CPU 0 polls; CPU 1 posts it two tasks that don't need a kick, and sends one for some other reason in between.
///
/// Catches: `end_poll` that does nothing (the interrupt takes the first task and runs it, while CPU 1 still reads
/// that CPU 0 polls).
#[test]
fn an_interrupt_of_a_polling_cpu_leaves_no_task_behind() {
    explore(3, || {
        let scene = Scene::new(2, 2);
        let mut host = Host::new(&scene.machine, 0, NOW);
        let sleepers = [2, 3].map(|slot| {
            let task = start(&mut host, slot, Affinity::one(CpuId(0)));
            host.step(Reason::Block);
            task
        });
        let theirs = Arc::clone(&scene);
        let waker = thread::spawn(move || {
            let mut host = Host::new(&theirs.machine, 1, NOW);
            host.wake(sleepers[0]);
            theirs.machine.kick(CpuId(0));
            host.wake(sleepers[1]);
        });
        while host.cpu.is_idle() {
            host.idle();
        }
        waker.join().unwrap();
        host.open();
        assert!(scene.unseen(CpuId(0)) == 0 || host.cpu.is_idle(), "nobody will look at the inbox again");
    });
}

/// CPU 1 binds a task that parks or runs on CPU 0 to itself, and wakes it.
///
/// Catches: `reschedule` that doesn't look at the affinity, `drain` that keeps whatever comes, `part` that forgets a
/// task that moves (all: parked for ever); a task posted on by `reschedule`, before its context is saved.
#[test]
fn a_task_that_is_bound_elsewhere_gets_there() {
    explore(3, || {
        let scene = Scene::new(2, 1);
        let mut host = Host::new(&scene.machine, 0, NOW);
        let task = start(&mut host, 2, Affinity::ANY);
        let run = |scene: &Scene, host: &mut Host<'_>| {
            if host.cpu.id() == CpuId(1) || scene.conditions[0].get() == 0 {
                scene.park(host);
            } else {
                host.wait();
            }
        };
        let theirs = Arc::clone(&scene);
        let binder = thread::spawn(move || {
            let mut host = Host::new(&theirs.machine, 1, NOW);
            let outcome = host.cpu.set_affinity(task, Affinity::one(CpuId(1)), NOW);
            host.follow(outcome);
            theirs.conditions[0].set(1);
            host.wake(task);
            host.serve(|host| run(&theirs, host));
        });
        host.serve(|host| run(&scene, host));
        binder.join().unwrap();
    });
}
