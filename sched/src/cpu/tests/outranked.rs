//! Real-time tasks across CPUs: where they go, and who learns of one that waits.

use super::ranked::{fifo, start};
use super::{MS, run, two_cpus};
use crate::attention::Notice;
use crate::class::Class;
use crate::{Affinity, Config, Cpu, CpuId, Nanos, Reason, Shared, Spec, TaskId, WakeOutcome};

/// CPU 0 runs a task of priority 9, and a fair loop runs on CPU 1.
fn busy(shared: &Shared) -> ([Cpu<'_>; 2], TaskId) {
    let [mut zero, mut one] = two_cpus(shared);
    let high = start(&mut zero, &[fifo(9)], Affinity::one(CpuId(0)), 2)[0];
    let _ = start(&mut one, &[Class::Fair], Affinity::one(CpuId(1)), 3);
    let _ = (run(&mut zero, 0, Reason::Preempt), run(&mut one, 0, Reason::Preempt));
    ([zero, one], high)
}

#[test]
fn a_real_time_task_that_wakes_goes_to_the_cpu_that_runs_the_lowest() {
    let shared = Shared::new(2, 8, Config::default());
    let ([mut zero, mut one], _) = busy(&shared);
    let task = shared.create(5, Spec { class: fifo(3), ..Spec::default() }, CpuId(0));
    assert_eq!(zero.start(task, Nanos(MS)), WakeOutcome::Kick(CpuId(1)));
    let _ = run(&mut one, MS, Reason::Preempt);
    assert_eq!(one.current(), task);
}

#[test]
fn a_preempted_real_time_task_moves_to_where_something_lower_runs() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut zero, mut one] = two_cpus(&shared);
    let low = start(&mut zero, &[fifo(3)], Affinity::ANY, 2)[0];
    let _ = run(&mut zero, 0, Reason::Preempt);
    let _ = start(&mut one, &[Class::Fair], Affinity::one(CpuId(1)), 3);
    let _ = run(&mut one, 0, Reason::Preempt);
    let high = start(&mut zero, &[fifo(9)], Affinity::one(CpuId(0)), 4)[0];
    let _ = run(&mut zero, MS, Reason::Preempt);
    assert_eq!((zero.current(), zero.take_kick()), (high, Some(CpuId(1))));
    let _ = run(&mut one, MS, Reason::Preempt);
    assert_eq!(one.current(), low);
}

/// Catches: a CPU that comes to run something lower and doesn't ask.
#[test]
fn who_comes_to_run_something_lower_takes_over_what_waits_elsewhere() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut zero, mut one] = two_cpus(&shared);
    let _ = start(&mut zero, &[fifo(9)], Affinity::one(CpuId(0)), 2);
    let other = start(&mut one, &[fifo(9), Class::Fair], Affinity::one(CpuId(1)), 3);
    let _ = (run(&mut zero, 0, Reason::Preempt), run(&mut one, 0, Reason::Preempt));
    let task = start(&mut zero, &[fifo(3)], Affinity::ANY, 6)[0];
    let _ = run(&mut zero, MS, Reason::Preempt);
    assert_eq!((zero.waiting(), zero.take_kick()), (1, None), "no CPU runs anything lower");
    let _ = run(&mut one, 2 * MS, Reason::Block);
    assert_eq!((one.current(), one.take_kick()), (other[1], Some(CpuId(0))));
    let _ = run(&mut zero, 2 * MS, Reason::Preempt);
    assert_eq!(zero.take_kick(), Some(CpuId(1)));
    let _ = run(&mut one, 2 * MS, Reason::Preempt);
    assert_eq!(one.current(), task);
}

/// Catches: a CPU that leaves idleness for something lower before it has entered it, and so never asks.
#[test]
fn who_was_to_idle_and_finds_something_lower_at_once_asks_too() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut zero, mut one] = two_cpus(&shared);
    let _ = start(&mut zero, &[fifo(9)], Affinity::one(CpuId(0)), 2);
    let _ = start(&mut one, &[fifo(9)], Affinity::one(CpuId(1)), 3);
    let _ = (run(&mut zero, 0, Reason::Preempt), run(&mut one, 0, Reason::Preempt));
    let task = start(&mut zero, &[fifo(3)], Affinity::ANY, 6)[0];
    let _ = (run(&mut zero, MS, Reason::Preempt), zero.take_kick());
    let _ = run(&mut one, 2 * MS, Reason::Block);
    assert_eq!((one.is_idle(), one.take_kick()), (true, None));
    let fair = start(&mut one, &[Class::Fair], Affinity::one(CpuId(1)), 7)[0];
    let _ = run(&mut one, 2 * MS, Reason::Preempt);
    assert_eq!((one.current(), one.take_kick()), (fair, Some(CpuId(0))));
    let _ = run(&mut zero, 2 * MS, Reason::Preempt);
    let _ = run(&mut one, 2 * MS, Reason::Preempt);
    assert_eq!(one.current(), task);
}

/// A pinned task of lower rank is posted without an interrupt, and seen when the real-time one blocks.
#[test]
fn what_would_not_run_is_not_announced() {
    let shared = Shared::new(2, 8, Config { rt_runtime: Nanos(1_000 * MS), ..Config::default() });
    let ([mut zero, mut one], high) = busy(&shared);
    let pinned = Spec { affinity: Affinity::one(CpuId(0)), ..Spec::default() };
    let fair = shared.create(5, pinned, CpuId(0));
    assert_eq!(one.start(fair, Nanos(MS)), WakeOutcome::Noticed);
    assert_eq!(shared.mailbox(CpuId(1)).stats.kicks_outranked.get(), 1);
    assert_eq!(zero.current(), high);
    let _ = run(&mut zero, 2 * MS, Reason::Block);
    assert_eq!(zero.current(), fair);
    let higher = shared.create(6, Spec { class: fifo(10), ..pinned }, CpuId(0));
    assert_eq!(one.start(higher, Nanos(3 * MS)), WakeOutcome::Kick(CpuId(0)));
}

/// What comes unannounced after the look that begins a decision, while the CPU still says that it needn't be told, is taken
/// in by the second look, which follows once it says so no more.
///
/// Catches: `attend` of a busy CPU that leaves its notice as it is, or doesn't look again.
#[test]
fn what_comes_unannounced_in_the_midst_of_a_decision_is_seen_by_it() {
    let shared = Shared::new(2, 8, Config { rt_runtime: Nanos(1_000 * MS), ..Config::default() });
    let ([mut zero, mut one], _) = busy(&shared);
    let rank = fifo(9).rank();
    let notice = || shared.mailbox(CpuId(0)).attention.peek();
    assert_eq!(notice(), Notice::Ranked { rank, bides: true });
    let pinned = Spec { affinity: Affinity::one(CpuId(0)), ..Spec::default() };
    assert_eq!(one.start(shared.create(5, pinned, CpuId(0)), Nanos(MS)), WakeOutcome::Noticed);
    assert!(zero.attend(Nanos(MS)));
    assert_eq!((zero.waiting(), notice()), (1, Notice::Ranked { rank, bides: false }));
}

/// With a throttle the first fair task must be known, or nothing would hold the runaway.
#[test]
fn the_first_fair_task_beside_a_throttled_one_is_announced_and_the_next_is_not() {
    let shared = Shared::new(2, 8, Config::default());
    let ([mut zero, mut one], _) = busy(&shared);
    let pinned = Spec { affinity: Affinity::one(CpuId(0)), ..Spec::default() };
    assert_eq!(one.start(shared.create(5, pinned, CpuId(0)), Nanos(MS)), WakeOutcome::Kick(CpuId(0)));
    let _ = run(&mut zero, MS, Reason::Preempt);
    assert_eq!(zero.armed(), Nanos(950 * MS));
    assert_eq!(one.start(shared.create(6, pinned, CpuId(0)), Nanos(MS)), WakeOutcome::Noticed);
}

/// Catches: one that leaves its idle CPU for an idle CPU.
#[test]
fn a_real_time_task_wakes_on_its_idle_cpu() {
    let shared = Shared::new(3, 8, Config::default());
    let [mut zero, mut one, mut two] = [0, 1, 2].map(|id| Cpu::new(&shared, CpuId(id), Nanos(0)));
    let task = start(&mut one, &[fifo(3)], Affinity::ANY, 4)[0];
    let _ = run(&mut one, 0, Reason::Preempt);
    let _ = run(&mut one, 1, Reason::Block);
    zero.enter_idle(Nanos(2));
    one.enter_idle(Nanos(2));
    assert_eq!(two.wake_by_interrupt(task, Nanos(3)), WakeOutcome::Noticed);
    assert_eq!((zero.has_work(), one.has_work()), (false, true));
}

/// CPU 0 runs a task of priority 9, CPU 1 one of priority 3.
fn both_real_time(shared: &Shared) -> [Cpu<'_>; 2] {
    let [mut zero, mut one] = two_cpus(shared);
    let _ = start(&mut zero, &[fifo(9)], Affinity::one(CpuId(0)), 2);
    let _ = start(&mut one, &[fifo(3)], Affinity::one(CpuId(1)), 3);
    let _ = (run(&mut zero, 0, Reason::Preempt), run(&mut one, 0, Reason::Preempt));
    [zero, one]
}

/// Catches: one that goes, or is sent, to wait behind its equal.
#[test]
fn a_real_time_task_is_not_better_off_behind_its_equal() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut zero, one] = both_real_time(&shared);
    let _ = start(&mut zero, &[fifo(3)], Affinity::ANY, 5);
    let _ = run(&mut zero, MS, Reason::Preempt);
    assert_eq!((zero.waiting(), zero.take_kick(), one.has_work()), (1, None, false));
}

/// Catches: a CPU that is asked for ever for what it once had, or for what isn't worth asking.
#[test]
fn who_has_nothing_left_that_could_go_is_asked_no_more() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut zero, mut one] = both_real_time(&shared);
    let _ = start(&mut zero, &[Class::Background], Affinity::ANY, 5);
    assert!(!shared.outranked.contains(CpuId(0)), "it would wait anywhere");
    let _ = start(&mut zero, &[fifo(2)], Affinity::ANY, 6);
    let _ = run(&mut zero, MS, Reason::Preempt);
    assert!(shared.outranked.contains(CpuId(0)));
    let _ = run(&mut one, MS, Reason::Block);
    one.enter_idle(Nanos(MS));
    assert_eq!(one.take_kick(), Some(CpuId(0)));
    let _ = run(&mut zero, 2 * MS, Reason::Preempt);
    assert!(one.has_work());
    assert!(!shared.outranked.contains(CpuId(0)));
    assert_eq!(shared.mailbox(CpuId(0)).waiting_rank.get(), 0);
}

/// CPU 0 runs `first`, and then what `second` says, while CPU 1 says that something of priority 50 waits there.
fn asks_after(first: Class, second: Option<Class>) -> Option<CpuId> {
    let shared = Shared::new(2, 8, Config::default());
    let [mut zero, _] = two_cpus(&shared);
    let _ = start(&mut zero, &[first], Affinity::one(CpuId(0)), 2);
    let _ = second.map(|class| start(&mut zero, &[class], Affinity::one(CpuId(0)), 3));
    let _ = run(&mut zero, 0, Reason::Preempt);
    shared.mailbox(CpuId(1)).waiting_rank.set(fifo(50).rank().0.into());
    shared.mailbox(CpuId(1)).waiting_reach.widen(Affinity::ANY);
    shared.outranked.insert(CpuId(1));
    let _ = run(&mut zero, MS, Reason::Block);
    assert_eq!(zero.shown, zero.running_rank());
    zero.take_kick()
}

/// Who runs nothing asks when it has said so. Catches: one that asks again where nothing is lower than before; an idle CPU that
/// shows another rank.
#[test]
fn who_comes_to_run_something_lower_asks_and_nobody_else() {
    assert_eq!(asks_after(fifo(3), Some(fifo(2))), Some(CpuId(1)));
    assert_eq!(asks_after(fifo(3), Some(fifo(3))), None);
    assert_eq!(asks_after(fifo(3), None), None);
}
