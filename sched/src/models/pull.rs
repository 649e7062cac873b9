//! Work conservation: no CPU idles while a task waits elsewhere that may move.

use super::explore;
use super::machine::Host;
use super::scene::{NOW, Scene, start};
use super::threads;
use crate::affinity::Affinity;
use crate::cpu::Reason;
use crate::id::CpuId;

/// As if the other CPUs had been busy so far: or else plain balance would send them a task.
fn busy_so_far(scene: &Scene) {
    for cpu in 1..=scene.conditions.len() as u32 {
        scene.machine.shared.mailbox(CpuId(cpu)).load.publish(1 << 20, 0, NOW);
    }
}

/// What a loop does: it looks when it's told to, and ends the scenario once every CPU has something to run.
fn run(_: &Scene, host: &mut Host<'_>) {
    if host.machine.is_busy() {
        host.machine.finish();
    } else {
        host.wait();
    }
}

/// CPU 0 has two loops, CPU 1 runs dry: in the end each has one.
///
/// Catches: no fence in `announce_surplus` or in `enter_idle` (stale set: each overlooks the other), `enter_idle`
/// looking before it enters its set, an idle CPU that doesn't ask, an overloaded one that ignores a kick. A second
/// preemption makes 123,434 executions of 10,463, which pass, too, and finds no other fault of the mutation gate.
#[test]
fn no_cpu_idles_while_a_task_waits_elsewhere() {
    explore(1, || {
        let scene = Scene::new(2, 2);
        busy_so_far(&scene);
        let dry = scene.spawn(1, run);
        let mut host = Host::new(&scene.machine, 0, NOW);
        start(&mut host, 2, Affinity::one(CpuId(0)));
        start(&mut host, 3, Affinity::ANY);
        host.serve(|host| run(&scene, host));
        dry.join().unwrap();
    });
}

/// CPU 0 has three loops, of which two may move, when two CPUs run dry: in the end each has one.
#[test]
fn neither_of_two_cpus_idles_while_tasks_wait_elsewhere() {
    explore(1, || {
        let scene = Scene::new(3, 3);
        busy_so_far(&scene);
        let mut host = Host::new(&scene.machine, 0, NOW);
        start(&mut host, 3, Affinity::one(CpuId(0)));
        start(&mut host, 4, Affinity::ANY);
        start(&mut host, 5, Affinity::ANY);
        let dry = [1, 2].map(|cpu| scene.spawn(cpu, run));
        host.serve(|host| run(&scene, host));
        for cpu in dry {
            cpu.join().unwrap();
        }
    });
}

/// CPU 0 runs a loop that may move, and that yields to one that may not, while CPU 1 has run dry.
///
/// Catches: `reschedule` that shares its surplus before it switches (CPU 1 runs the loop while CPU 0 is on its stack);
/// `switched` that doesn't share (CPU 1 idles for ever).
#[test]
fn a_loop_that_yields_is_given_away_once_it_is_saved() {
    explore(3, || {
        let scene = Scene::new(2, 2);
        busy_so_far(&scene);
        let mut host = Host::new(&scene.machine, 0, NOW);
        start(&mut host, 2, Affinity::ANY);
        let dry = scene.spawn(1, run);
        // Or else loom looks for conflicts with what CPU 0 does last, and never lets CPU 1 run dry before.
        threads::yield_now();
        start(&mut host, 3, Affinity::one(CpuId(0)));
        if host.cpu.current_slot() == 2 {
            host.step(Reason::Yield);
        }
        host.serve(|host| run(&scene, host));
        dry.join().unwrap();
    });
}

/// CPU 0 runs a loop and wakes a task that parked there and may move, while CPU 1 runs dry.
///
/// Catches: `take_claimed` that takes CPU 1 out of the idle set and then leaves the task to `wake_rest`, which finds
/// nobody idle (CPU 1 idles for ever); an `enter_idle` that looks before it enters its set.
#[test]
fn a_task_is_woken_where_nothing_runs() {
    explore(3, || {
        let scene = Scene::new(2, 3);
        busy_so_far(&scene);
        let mut host = Host::new(&scene.machine, 0, NOW);
        // With two that may move loads are compared, in vain; so they aren't again for a slice.
        start(&mut host, 2, Affinity::ANY);
        start(&mut host, 3, Affinity::ANY);
        host.step(Reason::Preempt);
        host.step(Reason::Exit);
        let sleeper = host.cpu.current();
        host.step(Reason::Block);
        start(&mut host, 4, Affinity::one(CpuId(0)));
        let dry = scene.spawn(1, run);
        // As above.
        threads::yield_now();
        host.wake(sleeper);
        host.serve(|host| run(&scene, host));
        dry.join().unwrap();
    });
}

/// CPU 0 has two tasks that end, CPU 1 asks it for one: both may run dry before either has the second.
///
/// Meant to catch: `feed_hungry` that claims a CPU and gives it nothing, `give` that leaves the task in the queue, too, or doesn't
/// send the kick that it needs (the second task never runs, or runs twice).
#[test]
fn a_victim_that_runs_dry_leaves_no_thief_waiting() {
    explore(3, || {
        let scene = Scene::new(2, 2);
        busy_so_far(&scene);
        let run = |scene: &Scene, host: &mut Host<'_>| {
            host.open();
            match host.cpu.current_slot() {
                2 => host.step(Reason::Exit),
                3 => {
                    assert_eq!(scene.conditions[0].get(), 0, "a task ends once");
                    scene.conditions[0].set(1);
                    host.machine.finish();
                }
                _ => {}
            }
        };
        let mut host = Host::new(&scene.machine, 0, NOW);
        start(&mut host, 2, Affinity::one(CpuId(0)));
        start(&mut host, 3, Affinity::ANY);
        // Loom doesn't see the end of a scenario: a CPU that only looks for that would be no thief in any execution.
        let dry = scene.spawn_after(1, |_, host| host.idle(), run);
        host.serve(|host| run(&scene, host));
        dry.join().unwrap();
    });
}
