//! Plans of balance: where a task may go, what a move may do to the loads, and that moving ends.
//!
//! A move is for one of three reasons (see `cpu/balance.rs`): the target had nothing to run; it stays lighter
//! than the giver was; or the task is owed time there, and then the two trade loads, unless it's owed more than
//! two slices. Each move is judged by what the target had published, as the giver's decision was.

use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::machine::{Idle, MS, Machine, Move};
use crate::affinity::Affinity;
use crate::config::Config;
use crate::cpu::Reason;
use crate::id::CpuId;
use crate::policy::PolicyKind;
use crate::shared::Shared;
use crate::task::{NORMAL_WEIGHT, Spec};
use crate::time::Nanos;

const CPUS: u32 = 5;
const SLICE: u64 = 10 * MS;

/// A task to start: when, on which CPU, its weight, where it may run.
type Plan = (u64, usize, Spec);

fn affinity(cpus: u32) -> impl Strategy<Value = Affinity> {
    let some = (0..cpus, 0..cpus).prop_map(|(one, other)| {
        Affinity::range(one.min(other), one.max(other) + 1).expect("one CPU at least")
    });
    prop_oneof![2 => Just(Affinity::ANY), 1 => some]
}

fn plans(cpus: u32, weights: Vec<u32>, tasks: usize) -> impl Strategy<Value = Vec<Plan>> {
    let spec = (prop::sample::select(weights), affinity(cpus)).prop_map(|(weight, affinity)| Spec {
        weight: weight * NORMAL_WEIGHT,
        affinity,
        ..Spec::default()
    });
    prop::collection::vec((0..3 * SLICE, 0..cpus as usize, spec), 1..tasks)
}

/// Starts the tasks at their times.
fn start(machine: &mut Machine<'_>, mut plans: Vec<Plan>) {
    plans.sort_by_key(|&(at, ..)| at);
    for (at, on, spec) in plans {
        machine.run_until(at);
        machine.start(on, spec);
        machine.settle();
    }
}

/// Whether a move was for a good reason.
fn is_justified(machine: &Machine<'_>, moved: &Move) -> bool {
    let task = machine.shared.task(moved.slot as usize);
    let (weight, hint) = (u64::from(task.weight()), moved.hint);
    let before = moved.weight_left + weight;
    let slice = SLICE.min(task.weighted(SLICE));
    let owed = hint.progress.saturating_sub(moved.virtual_time);
    let trades = hint.weight + weight <= before;
    hint.idle || hint.weight + weight < before || owed > if trades { slice } else { slice * 2 }
}

/// What a task does when it's its turn to do something.
fn act(machine: &mut Machine<'_>, cpu: usize, what: u8, span: u64) {
    if machine.cpus[cpu].is_idle() {
        return;
    }
    match what {
        0 => machine.look(cpu, Reason::Yield),
        1 => machine.look(cpu, Reason::Exit),
        _ => machine.sleep(cpu, span),
    }
}

proptest! {
    #![proptest_config(super::cases(128))]

    /// Tasks that come, go, sleep and give way: each is where it may run, none is lost, every move is justified, and
    /// no CPU idles beside a task that waits and may run there.
    #[test]
    fn moves_are_allowed_and_justified(
        plans in plans(CPUS, vec![1, 1, 2, 4, 8], 16),
        policy in prop::sample::select(PolicyKind::ALL.to_vec()),
        acts in prop::collection::vec((0..CPUS as usize, 0_u8..4, 1_000..3 * SLICE), 0..60),
    ) {
        let shared = Shared::new(CPUS as usize, 16, Config { policy, ..Config::default() });
        let mut machine = Machine::new(&shared, CPUS as usize, Idle::Halts);
        start(&mut machine, plans);
        for (cpu, what, span) in acts {
            act(&mut machine, cpu, what, span);
            machine.settle();
            prop_assert_eq!(machine.check(), Ok(()));
            prop_assert_eq!(machine.wasted(), None, "idles");
            machine.run_until(machine.now + span / 4);
            prop_assert_eq!(machine.check(), Ok(()));
        }
        for moved in &machine.moves {
            prop_assert!(is_justified(&machine, moved), "{moved:?}");
        }
    }

    /// Where nothing is owed, since the policy has no virtual time, every move of loops makes the pair of loads more
    /// equal, and so there's an end to them.
    #[test]
    fn moves_by_weight_make_loads_more_equal_and_end(
        plans in plans(CPUS, vec![1, 2, 3, 5, 8, 13], 20),
        policy in prop::sample::select(vec![PolicyKind::RoundRobin, PolicyKind::Priority]),
    ) {
        let shared = Shared::new(CPUS as usize, 20, Config { policy, ..Config::default() });
        let mut machine = Machine::new(&shared, CPUS as usize, Idle::Halts);
        let tasks = plans.len();
        start(&mut machine, plans);
        // Starts are published within two slices.
        (0..2).for_each(|_| look_at_all(&mut machine));
        machine.moves.clear();
        for _ in 0..tasks * 4 {
            look_at_all(&mut machine);
        }
        for moved in &machine.moves {
            let weight = u64::from(shared.task(moved.slot as usize).weight());
            let before = moved.weight_left + weight;
            prop_assert!(moved.target_weight + weight < before, "{moved:?}");
            prop_assert_eq!(moved.target_weight, moved.hint.weight, "what moved in isn't published");
        }
        let moves = machine.moves.len();
        prop_assert!(moves <= tasks * 2, "{moves} moves of {tasks} loops");
        for _ in 0..20 {
            look_at_all(&mut machine);
        }
        prop_assert_eq!(machine.moves.len(), moves, "they never end");
    }

    /// Fairness takes turns by lag, but no more often than once a slice on each CPU; and not at all where loops of one
    /// weight, free to run anywhere, are as many on each CPU.
    #[test]
    fn turns_by_lag_are_rare_and_end_where_loads_are_equal(
        plans in plans(CPUS, vec![1, 2, 4], 16),
        each in 1..4_usize,
        starts in prop::collection::vec((0..3 * SLICE, 0..CPUS as usize), 16),
    ) {
        let shared = Shared::new(CPUS as usize, 16, Config::default());
        let mut machine = Machine::new(&shared, CPUS as usize, Idle::Halts);
        start(&mut machine, plans);
        let (from, before) = (machine.now, machine.moves.len());
        machine.run_until(from + 60 * SLICE);
        let mut last = BTreeMap::new();
        for moved in &machine.moves[before..] {
            let gap = moved.at - last.insert(moved.from, moved.at).unwrap_or(0);
            prop_assert!(gap >= SLICE, "CPUs {} and {}: again after {gap} ns", moved.from, moved.to);
        }

        let shared = Shared::new(CPUS as usize, 16, Config::default());
        let mut machine = Machine::new(&shared, CPUS as usize, Idle::Halts);
        let equal = starts.into_iter().take(each * CPUS as usize).map(|(at, on)| (at, on, Spec::default()));
        start(&mut machine, equal.collect());
        machine.run_until(machine.now + 60 * SLICE);
        let settled = machine.moves.len();
        machine.run_until(machine.now + 60 * SLICE);
        prop_assert_eq!(machine.moves.len(), settled, "{} loops on each CPU", each);
    }
}

/// A slice passes, and every CPU looks, whether its timer says so or not.
fn look_at_all(machine: &mut Machine<'_>) {
    machine.run_until(machine.now + SLICE + 1);
    for cpu in 0..machine.cpus.len() {
        machine.look(cpu, Reason::Preempt);
        machine.settle();
    }
}

/// What the properties say is nothing if no move is ever made.
#[test]
fn there_are_moves_for_each_reason() {
    let shared = Shared::new(2, 8, Config::default());
    let mut machine = Machine::new(&shared, 2, Idle::Halts);
    let reasons = |machine: &Machine<'_>| {
        let by_weight = |moved: &&Move| moved.hint.weight < moved.weight_left && !moved.hint.idle;
        let idle = machine.moves.iter().filter(|moved| moved.hint.idle).count();
        let by_weight = machine.moves.iter().filter(by_weight).count();
        (idle, by_weight, machine.moves.len() - idle - by_weight)
    };
    // Pinned, so that the loops of any affinity gather on CPU 0 until these two are gone.
    let pinned =
        [0, 1].map(|_| machine.start(1, Spec { affinity: Affinity::one(CpuId(1)), ..Spec::default() }));
    machine.settle();
    (0..3).for_each(|_| _ = machine.start(0, Spec::default()));
    machine.run_until(SLICE);
    let _ = pinned.map(|_| machine.look(1, Reason::Exit));
    machine.run_until(20 * SLICE);
    let (idle, by_weight, turns) = reasons(&machine);
    assert!(idle > 0 && turns > 0, "{idle} to idle CPUs, {by_weight} by weight, {turns} turns");
    (0..4).for_each(|_| _ = machine.start(0, Spec::default()));
    machine.run_until(40 * SLICE);
    assert!(reasons(&machine).1 > by_weight, "none by weight");
    assert_eq!(shared.config().slice(), Nanos(SLICE));
}
