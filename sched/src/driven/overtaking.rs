//! Time until overtaken: the moment for which a CPU arms its timer, against looking in small steps.

use std::vec;

use proptest::prelude::*;

use super::machine::{Idle, MS, Machine};
use crate::affinity::Affinity;
use crate::config::Config;
use crate::cpu::Reason;
use crate::id::CpuId;
use crate::policy::PolicyKind;
use crate::shared::Shared;
use crate::task::{MAX_WEIGHT, NORMAL_WEIGHT, Spec};
use crate::time::Nanos;

/// For so long it's seen that a CPU doesn't switch.
const LONG: u64 = 100 * MS;

/// A CPU that looks may switch so much before the moment: `SLACK` of the decision.
const EARLY: u64 = 1_000;

fn weight() -> impl Strategy<Value = u32> {
    prop_oneof![
        prop::sample::select(vec![1, 2, NORMAL_WEIGHT - 1, NORMAL_WEIGHT, MAX_WEIGHT - 1, MAX_WEIGHT]),
        (0_u32..24, any::<u32>()).prop_map(|(bits, any)| (1 << bits) + any % (1 << bits)),
    ]
}

/// Loops of these weights on one CPU, after so many slices.
fn loops<'a>(shared: &'a Shared, weights: &[u32], slices: u32) -> Machine<'a> {
    let mut machine = Machine::new(shared, 1, Idle::Halts);
    for &weight in weights {
        machine.start(0, Spec { weight, affinity: Affinity::one(CpuId(0)), ..Spec::default() });
    }
    (0..slices).for_each(|_| _ = machine.fire(u64::MAX));
    machine
}

/// The policies that say when a task is overtaken. Under EEVDF a timer ends a request, after which the same task may go on:
/// `eevdf.rs` compares its choices with the definition.
fn policies() -> Vec<PolicyKind> {
    PolicyKind::ALL.into_iter().filter(|&policy| policy != PolicyKind::Eevdf).collect()
}

/// Whether the CPU switches if it looks at `at`.
fn switches(machine: &mut Machine<'_>, at: u64) -> bool {
    let before = machine.cpus[0].current();
    machine.now = at;
    machine.look(0, Reason::Preempt);
    machine.cpus[0].current() != before
}

proptest! {
    /// Whatever ran before: a CPU that looks in small steps switches when its timer would have fired, and at no step
    /// before.
    #[test]
    fn comes_when_stepping_says_so(
        policy in prop::sample::select(policies()),
        weights in prop::collection::vec(weight(), 2..6),
        slices in 0_u32..12,
        hysteresis in 10_u64..50_000,
        steps in 1_u64..50,
    ) {
        let config = Config { policy, hysteresis: Nanos::from_micros(hysteresis), ..Config::default() };
        let shared = Shared::new(1, weights.len(), config);
        let mut machine = loops(&shared, &weights, slices);
        // Armed anew, so for the moment and not for an earlier one of another task's.
        machine.cpus[0].timer_fired();
        machine.look(0, Reason::Preempt);
        let (from, due) = (machine.now, machine.cpus[0].armed().0);
        let end = if due == u64::MAX { from + LONG } else { due };
        let weight = u64::from(shared.task(machine.cpus[0].current().index()).weight());
        let step = ((end - from) / steps).max(1);
        // The last step but one ends just before.
        let before = end.saturating_sub(EARLY + (end - from) / 10_000 + 1);
        let looks = (from + step..before).step_by(step as usize);
        let looks = looks.chain([before].into_iter().filter(|&at| at >= from && end - at > EARLY));
        let mut lost = 0;
        for at in looks {
            prop_assert!(!switches(&mut machine, at), "at {at}, {} ns before it's due", end - at);
            lost += weight;
        }
        // Virtual time counts whole nanoseconds, so each look may lose one: of a heavy task's CPU time it's more.
        let lost = (lost + weight) / u64::from(NORMAL_WEIGHT);
        prop_assert_eq!(switches(&mut machine, end + lost), due != u64::MAX, "{} ns after {}", lost, end);
    }

    /// The moment is the one at which the running task's virtual time, by floating point, is ahead of the first one's
    /// that waits by the hysteresis: within a microsecond, or four millionths of a long run.
    #[test]
    fn is_where_virtual_times_cross(
        weights in prop::collection::vec(weight(), 2..6),
        slices in 0_u32..12,
    ) {
        let shared = Shared::new(1, weights.len(), Config::default());
        let mut machine = loops(&shared, &weights, slices);
        machine.cpus[0].timer_fired();
        machine.look(0, Reason::Preempt);
        let virtual_time = |slot: usize| shared.task(slot).virtual_time.get();
        let running = machine.cpus[0].current().index();
        let least = machine.cpus[0].waiting_slots().map(|slot| virtual_time(slot as usize)).min().unwrap();
        let ahead = virtual_time(running) as f64 - least as f64;
        let weight = f64::from(shared.task(running).weight());
        let left = (shared.config().hysteresis.0 as f64 - ahead) * weight / f64::from(NORMAL_WEIGHT);
        let armed = machine.cpus[0].armed().0 - machine.now;
        prop_assert!((armed as f64 - left).abs() <= 1_000.0 + left * 4e-6, "{armed} ns, not {left}");
    }
}
