//! Real-time tasks across CPUs: none waits on one CPU while another runs something of lower rank.

use loom::thread;

use super::explore;
use super::machine::Host;
use super::scene::{NOW, Scene, start, start_as};
use crate::affinity::Affinity;
use crate::class::{Class, Priority};
use crate::cpu::Reason;
use crate::id::CpuId;

const HIGH: Class = Class::Fifo(Priority::HIGHEST);
const LOW: Class = Class::Fifo(Priority::LOWEST);

/// CPU 0 runs the highest priority; the lowest comes to wait there just as the real-time task of CPU 1 blocks, which
/// leaves a fair one running there. In the end CPU 1 runs the one that waited.
///
/// Catches: no fence in `offer` or in `come_to` (stale set or attention: each overlooks the other), `come_to` asking
/// before it shows what it runs, `relieve_outranked` not called for a kick.
#[test]
fn no_real_time_task_waits_while_another_cpu_runs_a_fair_one() {
    explore(1, || {
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
        start_as(&mut host, 4, HIGH, Affinity::one(CpuId(0)));
        thread::yield_now();
        start_as(&mut host, 5, LOW, Affinity::ANY);
        host.serve(|host| host.wait());
        other.join().unwrap();
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
        thread::yield_now();
        start(&mut host, 5, one);
        host.serve(|host| host.wait());
        other.join().unwrap();
    });
}
