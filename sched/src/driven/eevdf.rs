//! EEVDF's pick against the definition: whatever came and went, who runs is eligible, and of those the first to be due.
//!
//! The definition is worked out anew each time, from nothing but the runnable tasks' weights, virtual times and deadlines.

use std::vec::Vec;

use proptest::prelude::*;

use super::machine::{Idle, MS, Machine};
use crate::affinity::Affinity;
use crate::config::Config;
use crate::cpu::Reason;
use crate::id::{CpuId, TaskId};
use crate::policy::PolicyKind;
use crate::shared::Shared;
use crate::task::{NORMAL_WEIGHT, Spec};

const TASKS: usize = 12;

/// A runnable task: its weight, virtual time and deadline.
#[derive(Clone, Copy, Debug)]
struct Runnable {
    weight: u128,
    virtual_time: u64,
    deadline: u64,
}

/// The one that runs, then those that wait.
fn runnable(machine: &Machine<'_>) -> Vec<Runnable> {
    let scheduler = &machine.cpus[0];
    let slots =
        [scheduler.current_slot()].into_iter().chain(scheduler.waiting_slots().map(|slot| slot as usize));
    let of = |slot: usize| {
        let task = machine.shared.task(slot);
        let (virtual_time, deadline) = (task.virtual_time.get(), task.own[0].get());
        Runnable { weight: task.weight().into(), virtual_time, deadline }
    };
    slots.map(of).collect()
}

/// Whether the first of `tasks` has had no more than its share, and of those the first to be due.
fn is_right(tasks: &[Runnable], gave_way: bool) -> Result<(), TestCaseError> {
    let (weight, sum) = tasks.iter().fold((0, 0), |(weight, sum), task| {
        (weight + task.weight, sum + task.weight * u128::from(task.virtual_time))
    });
    let eligible = |task: &&Runnable| u128::from(task.virtual_time) * weight <= sum;
    prop_assert!(eligible(&&tasks[0]), "not eligible: {tasks:?}");
    let earliest = tasks.iter().filter(eligible).map(|task| task.deadline).min().unwrap();
    // What who gives way forfeits may make others eligible besides.
    prop_assert!(gave_way || tasks[0].deadline == earliest, "due at {earliest}: {tasks:?}");
    Ok(())
}

/// One thing happens on the CPU; whether the running task gave way.
fn act(machine: &mut Machine<'_>, what: u8, tasks: &[TaskId], span: u64) -> bool {
    let idle = machine.cpus[0].is_idle();
    let task = tasks[span as usize % tasks.len()];
    match what {
        0 | 1 => machine.now += span,
        2 => _ = machine.wake(0, task),
        3 if !idle => machine.sleep(0, span),
        4 if !idle => machine.look(0, Reason::Block),
        5 if !idle => machine.look(0, Reason::Yield),
        6 => {
            let now = machine.local(0);
            let _ = machine.cpus[0].set_weight(task, NORMAL_WEIGHT >> 3 << (span % 7), now);
            machine.look(0, Reason::Preempt);
        }
        _ => _ = machine.fire(u64::MAX),
    }
    what == 5
}

proptest! {
    #![proptest_config(super::cases(256))]

    #[test]
    fn who_is_switched_to_is_the_eligible_one_with_the_earliest_deadline(
        weights in prop::collection::vec(64_u32..=8_192, 2..TASKS),
        acts in prop::collection::vec((0_u8..8, 1_000..20 * MS), 1..120),
    ) {
        let config = Config { policy: PolicyKind::Eevdf, ..Config::default() };
        let shared = Shared::new(1, TASKS, config);
        let mut machine = Machine::new(&shared, 1, Idle::Halts);
        let spec = |weight| Spec { weight, affinity: Affinity::one(CpuId(0)), ..Spec::default() };
        let tasks: Vec<TaskId> = weights.into_iter().map(|weight| machine.start(0, spec(weight))).collect();
        for (what, span) in acts {
            let before = machine.cpus[0].current();
            let gave_way = act(&mut machine, what, &tasks, span);
            machine.settle();
            if machine.cpus[0].current() != before && !machine.cpus[0].is_idle() {
                is_right(&runnable(&machine), gave_way)?;
            }
        }
    }
}

/// A machine on which the tasks run that wait, in this order, each for a slice.
fn order(machine: &mut Machine<'_>, slices: usize) -> Vec<TaskId> {
    (0..slices)
        .map(|_| {
            let runs = machine.cpus[0].current();
            machine.fire(u64::MAX);
            runs
        })
        .collect()
}

fn one_cpu(shared: &Shared) -> Machine<'_> {
    Machine::new(shared, 1, Idle::Halts)
}

fn shared() -> Shared {
    Shared::new(1, 8, Config { policy: PolicyKind::Eevdf, ..Config::default() })
}

#[test]
fn equals_take_turns_of_a_slice() {
    let shared = shared();
    let mut machine = one_cpu(&shared);
    let [one, two] = [0, 1].map(|_| machine.start(0, Spec::default()));
    assert_eq!(order(&mut machine, 5), [one, two, one, two, one]);
    assert!(machine.now.abs_diff(50 * MS) < 10_000, "{} ns", machine.now);
}

#[test]
fn one_that_has_had_too_much_waits_though_its_deadline_is_the_earliest() {
    let shared = shared();
    let mut machine = one_cpu(&shared);
    let heavy = machine.start(0, Spec { weight: 4 * NORMAL_WEIGHT, ..Spec::default() });
    let light = machine.start(0, Spec::default());
    // Due at 2.5, 5 and 10 ms of virtual time: by deadlines alone the heavy one would run four slices.
    assert_eq!(order(&mut machine, 2), [heavy, light]);
}

/// What a task is owed, in virtual time.
fn lag(machine: &Machine<'_>, task: TaskId) -> i64 {
    let tasks = runnable(machine);
    let sum: u128 = tasks.iter().map(|task| task.weight * u128::from(task.virtual_time)).sum();
    let average = sum / tasks.iter().map(|task| task.weight).sum::<u128>();
    average as i64 - machine.shared.task(task.index()).virtual_time.get() as i64
}

#[test]
fn what_a_sleeper_is_owed_is_kept() {
    let shared = shared();
    let mut machine = one_cpu(&shared);
    let [one, two] = [0, 1].map(|_| machine.start(0, Spec::default()));
    machine.now += 6 * MS;
    machine.look(0, Reason::Yield);
    assert_eq!((machine.cpus[0].current(), lag(&machine, two)), (two, 3_000_000));
    machine.look(0, Reason::Block);
    assert_eq!(machine.cpus[0].current(), one);
    machine.now += 50 * MS;
    machine.look(0, Reason::Preempt);
    let _ = machine.wake(0, two);
    assert!(lag(&machine, two).abs_diff(3_000_000) < 1_000, "{} ns", lag(&machine, two));
    assert_eq!(machine.cpus[0].current(), two, "who has had more waits");
}

#[test]
fn what_a_sleeper_had_too_much_is_forgiven_as_others_have_it_too() {
    for (slept, left) in [(1, -1_000_000), (50, 0)] {
        let shared = shared();
        let mut machine = one_cpu(&shared);
        let [one, two] = [0, 1].map(|_| machine.start(0, Spec::default()));
        machine.now += 4 * MS;
        machine.look(0, Reason::Block);
        assert_eq!(machine.cpus[0].current(), two);
        machine.now += slept * MS + MS;
        machine.look(0, Reason::Preempt);
        let _ = machine.wake(0, one);
        // It had 4 ms, the other one has had 2 since; or 51. The average is half way between them.
        assert!(lag(&machine, one).abs_diff(left) < 1_000, "{slept} ms: {} ns", lag(&machine, one));
        assert_eq!(machine.cpus[0].current(), two);
    }
}
