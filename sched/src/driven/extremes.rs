//! The ends of what settings, weights and clocks may be: nothing overflows, is lost, or gets far out of line.
//!
//! Tests are built with overflow checks, so that an overflow is a failure by itself.

use std::vec;

use proptest::prelude::*;

use super::machine::{Idle, Machine};
use crate::affinity::Affinity;
use crate::config::Config;
use crate::cpu::Reason;
use crate::id::TaskId;
use crate::policy::PolicyKind;
use crate::shared::Shared;
use crate::task::{MAX_WEIGHT, NORMAL_WEIGHT, Spec};
use crate::time::Nanos;

const CPUS: usize = 3;
/// How far clocks may differ.
const SKEW: u64 = 10_000;
/// A clock counts nanoseconds in 63 bits; this is an hour before the end.
const NEAR_THE_END: u64 = (1 << 63) - 3_600_000_000_000;

fn config() -> impl Strategy<Value = Config> {
    let settings = (
        prop::sample::select(PolicyKind::ALL.to_vec()),
        prop::sample::select(vec![1_000, 1_234, 200_000, 10_000_000]),
        prop::sample::select(vec![10, 5_000, 1_000_000]),
        prop::sample::select(vec![0, 10, 10_000]),
    );
    settings.prop_map(|(policy, tau, hysteresis, penalty)| Config {
        policy,
        tau: Nanos::from_micros(tau),
        hysteresis: Nanos::from_micros(hysteresis),
        penalty: Nanos::from_micros(penalty),
        ..Config::default()
    })
}

fn specs() -> impl Strategy<Value = vec::Vec<Spec>> {
    let weight = prop::sample::select(vec![0, 1, 2, NORMAL_WEIGHT, MAX_WEIGHT - 1, MAX_WEIGHT, u32::MAX]);
    let affinity = prop_oneof![3 => Just(Affinity::ANY), 1 => Just(Affinity::range(0, 2).expect("two CPUs"))];
    prop::collection::vec(
        (weight, affinity).prop_map(|(weight, affinity)| Spec { weight, affinity, ..Spec::default() }),
        1..8,
    )
}

/// No tasks of a queue are further apart than their starts may be, each behind another, which may have left since: by a
/// slice of its own, what it has had lately, or the lag that a migration carries. No timer comes later than
/// clocks are set forward.
fn is_in_line(machine: &Machine<'_>, cpu: usize, tasks: &[TaskId]) -> Result<(), TestCaseError> {
    let (scheduler, config) = (&machine.cpus[cpu], machine.shared.config());
    if scheduler.is_idle() || config.policy != PolicyKind::Fair {
        return Ok(());
    }
    let slots = scheduler.waiting_slots().map(|slot| slot as usize).chain([scheduler.current_slot()]);
    let virtual_times: vec::Vec<u64> =
        slots.map(|slot| machine.shared.task(slot).virtual_time.get()).collect();
    let apart = virtual_times.iter().max().unwrap() - virtual_times.iter().min().unwrap();
    let span = config.slice().0 + config.tau.0 + config.penalty.0 + 2 * SKEW;
    let starts = tasks.iter().map(|task| machine.shared.task(task.index()).weighted(span));
    let limit: u64 = starts.map(|start| start + config.tau.0 + config.slice().0).sum();
    prop_assert!(apart <= limit, "{apart} apart, and not {limit}, on CPU {cpu}");
    Ok(())
}

proptest! {
    #![proptest_config(super::cases(128))]

    /// Any settings, weights and times; clocks that differ by microseconds, and now and then step back by as much.
    #[test]
    fn nothing_overflows_or_is_lost(
        config in config(),
        specs in specs(),
        start in prop::sample::select(vec![0, 1, 1 << 40, 1 << 62, NEAR_THE_END]),
        acts in prop::collection::vec((0..CPUS, 0_u8..8, 0_u32..30, 0..SKEW), 1..80),
    ) {
        prop_assert_eq!(config.check(), Ok(()));
        let shared = Shared::new(CPUS, 8, config);
        let mut machine = Machine::starting_at(&shared, CPUS, Idle::Halts, start);
        let tasks: vec::Vec<TaskId> = specs.into_iter().map(|spec| machine.start(0, spec)).collect();
        machine.settle();
        for (cpu, what, bits, skew) in acts {
            act(&mut machine, cpu, what, &tasks, 1 << bits, skew);
            machine.settle();
            prop_assert_eq!(machine.check(), Ok(()));
            for cpu in 0..CPUS {
                is_in_line(&machine, cpu, &tasks)?;
            }
            for task in &tasks {
                let used = shared.cpu_time(*task, Nanos(machine.now)).expect("none exits").0;
                prop_assert!(used <= machine.now - start + 1_000_000, "used {used} ns");
            }
        }
    }
}

/// One thing happens on a CPU.
fn act(machine: &mut Machine<'_>, cpu: usize, what: u8, tasks: &[TaskId], span: u64, skew: u64) {
    let idle = machine.cpus[cpu].is_idle();
    match what {
        0 | 1 => run(machine, span),
        // The clock is set, forward or back.
        2 => machine.skews[cpu] = skew,
        3 => _ = machine.wake(cpu, tasks[skew as usize % tasks.len()]),
        4 if !idle => machine.sleep(cpu, span),
        5 if !idle => machine.look(cpu, Reason::Block),
        6 if !idle => machine.look(cpu, Reason::Yield),
        _ => machine.look(cpu, Reason::Preempt),
    }
}

/// Time passes. Slices of the lightest tasks may be nanoseconds: after so many timers it's enough.
fn run(machine: &mut Machine<'_>, span: u64) {
    let end = machine.now + span;
    if (0..100).all(|_| machine.fire(end)) {
        return;
    }
    machine.now = machine.now.max(end);
}
