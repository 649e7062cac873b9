//! Questions of idle CPUs: who can't answer one passes it on, so that it reaches whoever can.
//!
//! Who is asked here is prepared before the race, and looks once it's over: what the scenario is about is
//! whether it's told to.

use std::sync::Arc;

use super::explore;
use super::machine::{Host, Machine};
use super::scene::{NOW, Scene, start};
use super::threads;
use crate::affinity::Affinity;
use crate::cpu::Reason;
use crate::cpuset::CpuSet;
use crate::id::CpuId;
use crate::reach::{Question, Reach};
use crate::time::Nanos;
use crate::topology::{Seat, Topology};

fn among(first: u32, end: u32) -> Affinity {
    Affinity::range(first, end).expect("a range of CPUs")
}

/// As if a CPU had much to run: nobody sends it a task for its load.
fn looks_busy(machine: &Machine, cpu: u32) {
    machine.shared.mailbox(CpuId(cpu)).load.publish(1 << 20, 0, NOW);
}

/// A CPU with a loop of its own, in `slot`, and another that waits in the next slot and may run where `affinity` says.
fn overloaded(scene: &Scene, cpu: u32, slot: usize, affinity: Affinity) -> Host<'_> {
    let mut host = Host::new(&scene.machine, cpu, NOW);
    start(&mut host, slot, Affinity::one(CpuId(cpu)));
    start(&mut host, slot + 1, affinity);
    looks_busy(&scene.machine, cpu);
    assert_eq!((host.cpu.current_slot(), host.cpu.waiting()), (slot, 1));
    host
}

/// Lets a CPU run dry, on a thread of its own.
fn run_dry(scene: &Arc<Scene>, cpu: u32) -> threads::JoinHandle<()> {
    let scene = Arc::clone(scene);
    threads::spawn(move || Host::new(&scene.machine, cpu, NOW).rest())
}

/// An overloaded CPU finds that it has nothing to give any more, while CPU 1 runs dry and may ask it.
fn find_nothing_left(scene: &Arc<Scene>, asked: &mut Host<'_>) {
    // The other one runs now, and nothing waits; but loads are looked at once a slice.
    asked.step(Reason::Exit);
    asked.now = NOW + Nanos::from_millis(100);
    let dry = run_dry(scene, 1);
    asked.step(Reason::Preempt);
    dry.join().unwrap();
    asked.open();
}

/// CPU 0 finds that it has nothing to give any more; CPU 1 runs dry and may still ask it, but only CPU 2 has a task.
///
/// Catches: `Mailbox::ask` that leaves no bit, `hear_question` that isn't called, or drops the question (race: CPU 1 asks
/// CPU 0, which withdraws before it's asked, and never looks).
#[test]
fn a_question_that_meets_a_withdrawal_is_passed_on() {
    explore(3, || {
        let scene = Scene::new(3, 4);
        looks_busy(&scene.machine, 1);
        let mut helper = overloaded(&scene, 2, 3, among(1, 3));
        let mut asked = overloaded(&scene, 0, 5, among(0, 2));
        find_nothing_left(&scene, &mut asked);
        helper.open();
        assert_eq!(scene.unseen(CpuId(1)), 1, "CPU 1 idles, and CPU 2 doesn't know");
    });
}

/// CPU 2 gets a task that only itself and CPU 1, which isn't up, may run, and finds that out by the idle CPU 0; CPU 3
/// runs dry and may ask it before it has said so, but only CPU 4 has a task for it.
///
/// Catches: `feed_hungry` that forgets a question which its narrower reach doesn't touch (race: CPU 3 idles).
#[test]
fn a_question_that_meets_a_narrower_reach_is_passed_on() {
    explore(3, || {
        let scene = Scene::new(5, 4);
        looks_busy(&scene.machine, 3);
        Host::new(&scene.machine, 0, NOW).rest();
        let mut helper = overloaded(&scene, 4, 5, among(3, 5));
        let mut asked = Host::new(&scene.machine, 2, NOW);
        start(&mut asked, 7, Affinity::one(CpuId(2)));
        looks_busy(&scene.machine, 2);
        let dry = run_dry(&scene, 3);
        start(&mut asked, 8, among(1, 3));
        dry.join().unwrap();
        asked.open();
        helper.open();
        assert_eq!(scene.unseen(CpuId(3)), 1, "CPU 3 idles, and CPU 4 doesn't know");
    });
}

/// CPU 1 runs dry and asks CPU 2 first, which shares its cache, and may just find that it has nothing to give; only CPU 0
/// has a task, farther off and of a lower number.
///
/// Catches: a question that isn't put afresh to those of lower numbers (race: CPU 2 passes it on to nobody).
#[test]
fn a_question_that_a_near_cpu_cannot_answer_begins_afresh() {
    explore(3, || {
        let seat = |cpu: u32| Seat { package: 0, cache: cpu.min(1), core: cpu };
        let scene = Scene::on(Topology::new(&[0, 1, 2].map(seat)), 4);
        looks_busy(&scene.machine, 1);
        let mut helper = overloaded(&scene, 0, 3, among(0, 2));
        let mut asked = overloaded(&scene, 2, 5, among(1, 3));
        find_nothing_left(&scene, &mut asked);
        helper.open();
        assert_eq!(scene.unseen(CpuId(1)), 1, "CPU 1 idles, and CPU 0 doesn't know");
    });
}

/// A CPU puts a question for one that it found idle, as `narrow_reach` does: who sees the question sees the idle CPU.
///
/// Catches: `ask` or `take_question` with Relaxed (stale set). What it would cost is in `ask`.
#[test]
fn who_sees_a_question_sees_the_idle_cpu() {
    explore(4, || {
        let shared = Arc::new((CpuSet::new(64), Reach::new(64)));
        let parts = [0, 1].map(|part| {
            let shared = Arc::clone(&shared);
            threads::spawn(move || {
                if part == 0 {
                    shared.0.insert(CpuId(3));
                } else if shared.0.find(|_| true).is_some() {
                    shared.1.ask(Question { end: 64, afresh: false });
                }
            })
        });
        if shared.1.take_question().is_some() {
            assert!(shared.0.find(|_| true).is_some(), "the question is taken, and nobody is helped");
        }
        for part in parts {
            part.join().unwrap();
        }
    });
}
