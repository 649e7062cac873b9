//! Controls: another affinity for a task, whatever it does just then, and whoever else has a wish.

use core::sync::atomic::{AtomicU32 as Unseen, Ordering::SeqCst};
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use super::explore;
use super::machine::Host;
use super::scene::{NOW, Scene, start};
use super::threads;
use crate::affinity::Affinity;
use crate::cpu::Reason;
use crate::id::{CpuId, TaskId};
use crate::task::NORMAL_WEIGHT;

fn only(cpu: u32) -> Affinity {
    Affinity::one(CpuId(cpu))
}

/// Sends a task to `cpu`.
fn bind(host: &mut Host<'_>, task: TaskId, cpu: u32) {
    let outcome = host.cpu.set_affinity(task, only(cpu), NOW);
    host.follow(outcome);
}

/// A task that waits to be sent to CPU 1, where it ends.
fn until_there(host: &mut Host<'_>) {
    if host.cpu.id() == CpuId(1) {
        host.machine.finish();
    } else {
        host.wait();
    }
}

/// CPU 1 binds a task that parks or runs on CPU 0 to itself, and wakes it in case it parks.
///
/// Catches: `want` that doesn't mark. Meant to catch: `choose` that doesn't look at the terms, `take_in` that keeps
/// whatever comes, `part` that forgets a task that moves, `enforce` that ignores a running task (all: parked for ever).
#[test]
fn a_task_that_is_bound_elsewhere_gets_there() {
    explore(2, || {
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
        let bind = move |scene: &Scene, host: &mut Host<'_>| {
            bind(host, task, 1);
            scene.conditions[0].set(1);
            host.wake(task);
        };
        let binder = scene.spawn_after(1, bind, run);
        host.serve(|host| run(&scene, host));
        binder.join().unwrap();
    });
}

/// A task is parked on CPU 0, which wakes it, while CPU 1 binds it to itself.
///
/// Catches: `want` that doesn't mark (the task runs on CPU 0 for ever).
#[test]
fn a_task_that_is_bound_while_it_is_woken_gets_there() {
    explore(3, || {
        let scene = Scene::new(2, 1);
        let mut host = Host::new(&scene.machine, 0, NOW);
        let task = start(&mut host, 2, only(0));
        host.step(Reason::Block);
        let binder = scene.spawn_after(1, move |_, host| bind(host, task, 1), |_, host| until_there(host));
        // The news may come while the task is blocked, when there's nothing to do about it yet.
        host.open();
        host.wake(task);
        host.serve(until_there);
        binder.join().unwrap();
    });
}

/// CPU 1 has run dry and is given a task by CPU 0, which binds it to itself at the same time: it's on its way, or
/// there already.
///
/// Catches: no fence in `pursue` or in `welcome` (stale: the task stays on CPU 1).
#[test]
fn a_task_that_is_bound_while_it_moves_comes_back() {
    explore(3, || {
        let scene = Scene::new(2, 1);
        let mut host = Host::new(&scene.machine, 0, NOW);
        let task = start(&mut host, 2, only(1));
        let run = |scene: &Scene, host: &mut Host<'_>| {
            if host.cpu.id() == CpuId(0) { scene.machine.finish() } else { host.wait() }
        };
        let guest = scene.spawn(1, run);
        bind(&mut host, task, 0);
        host.serve(|host| run(&scene, host));
        guest.join().unwrap();
    });
}

/// CPU 1 binds a task to CPU 0, makes it twice as heavy, and binds it to itself: the last wish of each kind counts.
///
/// Meant to catch: `post_news` that doesn't post although the news on its way was taken, `take_news` that clears the flag
/// after it pursued (race: the later wish is overlooked), `renew` that reads the wish before it clears the mark.
#[test]
fn of_two_wishes_the_last_one_holds() {
    explore(2, || {
        let scene = Scene::new(2, 1);
        let mut host = Host::new(&scene.machine, 0, NOW);
        let task = start(&mut host, 2, only(0));
        let binder = scene.spawn_after(
            1,
            move |scene: &Scene, host: &mut Host<'_>| {
                bind(host, task, 0);
                let outcome = host.cpu.set_weight(task, 2 * NORMAL_WEIGHT, NOW);
                host.follow(outcome);
                bind(host, task, 1);
                scene.conditions[0].set(1);
            },
            |_, host| until_there(host),
        );
        host.serve(until_there);
        binder.join().unwrap();
        assert_eq!(scene.machine.shared.task(2).weight(), 2 * NORMAL_WEIGHT);
    });
}

/// CPU 1 has news about one task that waits on CPU 0, and then about another; CPU 2 has some about the first one.
///
/// Catches: `post_news` with Relaxed or `take_news` with Relaxed (stale link: the first task's, of when it was alone,
/// hides that the other one is behind it).
#[test]
fn news_of_two_cpus_about_one_task_hides_none() {
    explore(2, || {
        let scene = Scene::new(3, 3);
        let mut host = Host::new(&scene.machine, 0, NOW);
        let [_, one, other] = [3, 4, 5].map(|slot| start(&mut host, slot, only(0)));
        let controller = |cpu: u32, tasks: Vec<TaskId>| {
            let scene = Arc::clone(&scene);
            threads::spawn(move || {
                let mut host = Host::new(&scene.machine, cpu, NOW);
                for task in tasks {
                    let outcome = host.cpu.set_weight(task, 2 * NORMAL_WEIGHT, NOW);
                    host.follow(outcome);
                }
            })
        };
        let controllers = [controller(1, vec![one, other]), controller(2, vec![one])];
        host.wait();
        for controller in controllers {
            controller.join().unwrap();
        }
        host.step(Reason::Preempt);
        for task in [one, other] {
            assert_eq!(scene.machine.shared.task(task.index()).weight(), 2 * NORMAL_WEIGHT);
        }
    });
}

/// CPUs 1 and 2 each bind a task of CPU 0 to themselves: whose wish is the last one gets it in the end.
///
/// Catches: `take_news` that doesn't clear the flag, or does so after it pursued; `pursue` that doesn't send the news
/// after the task (all: the last wish is overlooked, and the task stays).
#[test]
fn of_two_cpus_that_want_a_task_one_gets_it() {
    explore(1, || {
        let scene = Scene::new(3, 1);
        let mut host = Host::new(&scene.machine, 0, NOW);
        let task = start(&mut host, 3, only(0));
        // Loom needn't know: a CPU that reads too little would wait for a kick that nobody owes it.
        let wishes = Arc::new(Unseen::new(0));
        let run = move |wishes: &Unseen, host: &mut Host<'_>| {
            let is_settled = host.machine.shared.task(task.index()).terms.admit(host.cpu.id());
            if wishes.load(SeqCst) == 2 && is_settled {
                host.machine.finish();
            } else {
                host.wait();
            }
        };
        let binders = [1, 2].map(|cpu| {
            let (counted, wishes) = (Arc::clone(&wishes), Arc::clone(&wishes));
            let wish = move |_: &Scene, host: &mut Host<'_>| {
                counted.fetch_add(1, SeqCst);
                bind(host, task, cpu);
            };
            scene.spawn_after(cpu, wish, move |_, host| run(&wishes, host))
        });
        host.serve(|host| run(&wishes, host));
        for binder in binders {
            binder.join().unwrap();
        }
    });
}

/// A task of CPU 0 ends, and its slot gets another tenant, while CPU 1 sends the first one to itself.
///
/// Meant to catch: `want` that doesn't look at the generation, or writes by a load and a store (the next tenant moves).
#[test]
fn a_late_wish_leaves_the_next_tenant_alone() {
    explore(3, || {
        let scene = Scene::new(2, 1);
        let mut host = Host::new(&scene.machine, 0, NOW);
        let first = start(&mut host, 2, only(0));
        let theirs = Arc::clone(&scene);
        let binder = threads::spawn(move || bind(&mut Host::new(&theirs.machine, 1, NOW), first, 1));
        host.step(Reason::Exit);
        start(&mut host, 2, only(0));
        host.open();
        binder.join().unwrap();
        host.open();
        host.step(Reason::Preempt);
        assert_eq!((host.cpu.current_slot(), scene.unseen(CpuId(1))), (2, 0), "the next tenant was moved");
    });
}
