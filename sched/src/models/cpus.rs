//! Whole CPUs: no wake is lost, whatever the CPU that should see it does just then.

use std::sync::Arc;
use std::vec::Vec;

use super::explore;
use super::machine::Host;
use super::scene::{NOW, Scene, start};
use super::threads;
use crate::affinity::Affinity;
use crate::cpu::Reason;
use crate::id::CpuId;
use crate::time::Nanos;

/// CPU 0 runs a task that parks until each other CPU has made its condition true and woken it.
fn a_parker_ends(cpus: u32, affinity: Affinity, preemptions: usize) {
    explore(preemptions, move || {
        let scene = Scene::new(cpus, 1);
        let mut host = Host::new(&scene.machine, 0, NOW);
        let parker = start(&mut host, cpus as usize, affinity);
        let wakers = (1..cpus).map(|cpu| {
            let wake = move |scene: &Scene, host: &mut Host<'_>| {
                scene.conditions[cpu as usize - 1].set(1);
                host.wake(parker);
            };
            scene.spawn_after(cpu, wake, Scene::park)
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
        let waker = threads::spawn(move || {
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
        let waker = threads::spawn(move || {
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

/// CPU 0 runs a loop, for which it needs no timer; CPU 1 wakes a task there.
///
/// Catches: `kick_unless_noticed` that takes a busy CPU without a timer for one that will look (the task waits in the
/// inbox for ever).
#[test]
fn a_busy_cpu_without_a_timer_learns_of_a_wake() {
    explore(4, || {
        let scene = Scene::new(2, 2);
        let here = Affinity::one(CpuId(0));
        let mut host = Host::new(&scene.machine, 0, NOW);
        let sleeper = start(&mut host, 2, here);
        host.step(Reason::Block);
        let theirs = Arc::clone(&scene);
        let waker = threads::spawn(move || Host::new(&theirs.machine, 1, NOW).wake(sleeper));
        start(&mut host, 3, here);
        // The loop's CPU looks when it's told to, and not before.
        while scene.machine.shared.task(2).is_blocked() || scene.unseen(CpuId(0)) > 0 {
            host.wait();
        }
        waker.join().unwrap();
    });
}

/// A task of CPU 0 ends, and the next tenant of its slot parks; CPU 1 wakes the first one, twice.
///
/// Catches: `wake_rest` or `Cpu::wake` by slot alone (the next tenant is awake).
#[test]
fn a_late_wake_leaves_the_next_tenant_alone() {
    explore(3, || {
        let scene = Scene::new(2, 1);
        let here = Affinity::one(CpuId(0));
        let mut host = Host::new(&scene.machine, 0, NOW);
        let first = start(&mut host, 2, here);
        let theirs = Arc::clone(&scene);
        let waker = threads::spawn(move || {
            let mut host = Host::new(&theirs.machine, 1, NOW);
            host.wake(first);
            host.wake(first);
        });
        host.step(Reason::Exit);
        let second = start(&mut host, 2, here);
        assert_eq!((second.slot, second.generation), (2, 1));
        host.step(Reason::Block);
        assert!(host.cpu.is_idle(), "the next tenant found the last one's permit");
        waker.join().unwrap();
        host.open();
        assert!(scene.machine.shared.task(2).is_blocked() && scene.unseen(CpuId(0)) == 0);
    });
}
