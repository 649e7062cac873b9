//! Real-time tasks across CPUs: none waits on one CPU while another runs something of lower rank.

use super::explore;
use super::machine::Host;
use super::scene::{NOW, Scene, start, start_as};
use super::threads;
use crate::affinity::Affinity;
use crate::class::{Class, Priority};
use crate::cpu::Reason;
use crate::id::CpuId;

const HIGH: Class = Class::Fifo(Priority::HIGHEST);
const LOW: Class = Class::Fifo(Priority::LOWEST);

/// CPU 0 has a task of the highest priority, which is bound to it, and one of the lowest, which comes to wait there just as
/// the real-time task of CPU 1 blocks and leaves a fair one running. In the end CPU 1 runs the one that waited.
fn nothing_real_time_waits_while_another_cpu_runs_a_fair_task(arrivals: fn(&mut Host<'_>)) {
    explore(1, move || {
        let scene = Scene::new(2, 4);
        let one = Affinity::one(CpuId(1));
        let other = scene.spawn_after(
            1,
            move |_, host| {
                start(host, 2, one);
                start_as(host, 3, HIGH, one);
            },
            |_, host| match host.cpu.current_slot() {
                3 => host.step(Reason::Block),
                5 => host.machine.finish(),
                _ => host.wait(),
            },
        );
        let mut host = Host::new(&scene.machine, 0, NOW);
        arrivals(&mut host);
        host.serve(Host::wait);
        other.join().unwrap();
    });
}

/// Catches: no fence in `come_to` (stale set: CPU 1 overlooks CPU 0), `come_to` asking before it shows what it runs,
/// `relieve_outranked` not called for a kick.
#[test]
fn a_real_time_task_that_arrives_is_taken_over() {
    nothing_real_time_waits_while_another_cpu_runs_a_fair_task(|host| {
        start_as(host, 4, HIGH, Affinity::one(CpuId(0)));
        threads::yield_now();
        start_as(host, 5, LOW, Affinity::ANY);
    });
}

/// Catches: no fence in `offer` (stale attention: each overlooks the other).
#[test]
fn a_real_time_task_that_is_preempted_is_taken_over() {
    nothing_real_time_waits_while_another_cpu_runs_a_fair_task(|host| {
        start_as(host, 5, LOW, Affinity::ANY);
        start_as(host, 4, HIGH, Affinity::one(CpuId(0)));
    });
}

/// CPU 1 runs a real-time task that blocks, beside a fair loop; a second fair loop is posted there, which needs no kick
/// while the real-time one runs. In the end CPU 1 knows of it.
///
/// Catches: `attend` that doesn't lower what the CPU says of itself, or does so after its last look.
#[test]
fn what_comes_unannounced_is_seen_once_the_real_time_task_is_gone() {
    explore(2, || {
        let scene = Scene::new(2, 4);
        let one = Affinity::one(CpuId(1));
        let other = scene.spawn_after(
            1,
            move |_, host| {
                start(host, 2, one);
                start(host, 3, one);
                start_as(host, 4, HIGH, one);
            },
            |_, host| match (host.cpu.current_slot(), host.cpu.waiting()) {
                (4, _) => host.step(Reason::Block),
                (_, 2) => host.machine.finish(),
                _ => host.wait(),
            },
        );
        let mut host = Host::new(&scene.machine, 0, NOW);
        threads::yield_now();
        start(&mut host, 5, one);
        host.serve(Host::wait);
        other.join().unwrap();
    });
}
