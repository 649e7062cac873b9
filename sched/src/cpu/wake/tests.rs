//! Where a woken task goes, and who is told.

use super::*;
use crate::class::{Class, Priority};
use crate::cpu::tests::{run, spec, start, two_cpus};
use crate::{Affinity, Config, Reason, Shared, Spec};

/// A task that blocked on CPU 0, which runs another one since.
fn sleeper_beside_another(here: &mut Cpu<'_>, affinity: Affinity) -> TaskId {
    let sleeper = start(here, 1, affinity)[0];
    let _ = run(here, 10, Reason::Block);
    let other = here.shared().create(7, spec(Affinity::one(CpuId(0))), CpuId(0));
    let _ = here.start(other, Nanos(10));
    let _ = run(here, 10, Reason::Preempt);
    sleeper
}

/// Catches: `take_claimed` that claims the idle CPU and leaves the task to `wake_rest`, which claims another.
#[test]
fn a_woken_task_goes_to_the_idle_cpu_and_not_behind_a_busy_one() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    let sleeper = sleeper_beside_another(&mut here, Affinity::ANY);
    there.enter_idle(Nanos(20));
    assert_eq!(here.wake_at_once(sleeper, Nanos(30)), WakeOutcome::Noticed);
    assert_eq!((here.waiting(), there.has_work()), (0, true));
}

/// Catches: a handler that wakes as a thread does. On its own idle CPU that would charge the idle task, or post the task
/// to itself, where no CPU looks.
#[test]
fn an_interrupt_wakes_a_task_of_the_idle_cpu_that_it_comes_upon() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut here, _] = two_cpus(&shared);
    let sleeper = start(&mut here, 1, Affinity::one(CpuId(0)))[0];
    let _ = run(&mut here, 10, Reason::Block);
    here.enter_idle(Nanos(20));
    assert!(here.may_halt(Nanos(30)));
    here.end_halt(Nanos(40));
    assert_eq!(here.wake_by_interrupt(sleeper, Nanos(40)), WakeOutcome::Local { preempt: true });
    let _ = run(&mut here, 50, Reason::Preempt);
    assert_eq!((here.current(), shared.cpu_time(sleeper, Nanos(50))), (sleeper, Some(Nanos(10))));
    assert_eq!(here.wake_by_interrupt(sleeper, Nanos(60)), WakeOutcome::Already);
}

/// Catches: `keep` that doesn't look at where a task may run.
#[test]
fn a_sleeper_that_was_sent_away_wakes_up_there() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    let sleeper = start(&mut here, 1, Affinity::ANY)[0];
    here.set_timer(Nanos(1_000));
    let _ = run(&mut here, 10, Reason::Block);
    let _ = there.set_affinity(sleeper, Affinity::one(CpuId(1)), Nanos(20));
    here.timer_fired();
    let _ = run(&mut here, 1_000, Reason::Preempt);
    let _ = run(&mut there, 1_000, Reason::Preempt);
    assert!(here.is_idle());
    assert_eq!(there.current(), sleeper);
}

/// Catches: a short way that's never gone; one for a task that an idle CPU is there for, or that belongs to another CPU.
#[test]
fn a_claimed_task_stays_where_it_ran_unless_it_might_be_better_off() {
    let (pinned, may_move) = (Affinity::one(CpuId(0)), Affinity::ANY);
    for (affinity, idles, stays) in [(pinned, true, true), (may_move, false, true), (may_move, true, false)] {
        let shared = Shared::new(2, 8, Config::default());
        let [mut here, mut there] = two_cpus(&shared);
        let sleeper = sleeper_beside_another(&mut here, affinity);
        if idles {
            there.enter_idle(Nanos(20));
        }
        assert_eq!(here.wake(sleeper), Err(Rest::Claimed));
        assert_eq!(here.take_claimed(sleeper, Nanos(30)).is_some(), stays, "{affinity:?}, {idles}");
    }
}

#[test]
fn a_claimed_task_of_another_cpu_is_left_to_the_long_way() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    let sleeper = sleeper_beside_another(&mut here, Affinity::ANY);
    let busy = shared.create(5, spec(Affinity::one(CpuId(1))), CpuId(1));
    let _ = there.start(busy, Nanos(20));
    let _ = run(&mut there, 20, Reason::Preempt);
    assert_eq!(there.wake(sleeper), Err(Rest::Claimed));
    assert_eq!(there.take_claimed(sleeper, Nanos(30)), None);
}

/// Catches: a migration that's counted for one that stays, or not for one that comes.
#[test]
fn who_wakes_where_it_slept_has_not_migrated() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    let sleeper = sleeper_beside_another(&mut here, Affinity::ANY);
    let task = shared.task(sleeper.index());
    let rest = here.wake(sleeper).expect_err("the CPU is busy");
    assert!(matches!(here.wake_rest(sleeper, rest, Nanos(30)), WakeOutcome::Local { .. }));
    assert_eq!((task.migrations.get(), task.cpu()), (0, CpuId(0)));
    let _ = run(&mut here, 31, Reason::Yield);
    let _ = run(&mut here, 40, Reason::Block);
    there.enter_idle(Nanos(50));
    assert_eq!(there.wake_by_interrupt(sleeper, Nanos(60)), WakeOutcome::Local { preempt: true });
    assert_eq!((task.migrations.get(), task.cpu()), (1, CpuId(1)));
}

#[test]
fn who_is_posted_waits_unnoticed_only_where_it_would_wait_anyway() {
    let shared = Shared::new(2, 8, Config::default());
    let rank = Class::Fifo(Priority::LOWEST).rank();
    let task = |slot, class, affinity| {
        shared.create(slot, Spec { class, affinity, ..Spec::default() }, CpuId(0));
        is_patient(shared.task(slot), CpuId(0), rank)
    };
    let here = Affinity::one(CpuId(0));
    assert!(task(3, Class::Fair, here));
    assert!(!is_patient(shared.task(3), CpuId(1), rank), "news of it would go elsewhere");
    assert!(!task(4, Class::Fair, Affinity::ANY), "an idle CPU may look for it");
    assert!(!task(5, Class::Fifo(Priority::LOWEST), here), "it may be its turn");
}

/// CPU 0 runs a real-time task beside which fair ones wait, so that it needn't be told of more.
fn busy_with(here: &mut Cpu<'_>, number: u8) {
    for (slot, class) in [(8, Class::Fair), (9, Class::Fifo(Priority::new(number).unwrap()))] {
        let spec = Spec { class, affinity: Affinity::one(CpuId(0)), ..Spec::default() };
        let task = here.shared().create(slot, spec, CpuId(0));
        let _ = here.start(task, Nanos(0));
    }
    let _ = run(here, 20, Reason::Preempt);
}

/// Catches: a post that is taken for announced because an earlier one is there, which was not.
#[test]
fn an_urgent_post_is_announced_though_one_that_waits_unnoticed_came_before() {
    let shared = Shared::new(2, 10, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    busy_with(&mut here, 50);
    let mut post = |slot, class| {
        let spec = Spec { class, affinity: Affinity::one(CpuId(0)), ..Spec::default() };
        let task = shared.create(slot, spec, CpuId(0));
        (task, there.start(task, Nanos(30)))
    };
    assert_eq!(post(3, Class::Fair).1, WakeOutcome::Noticed);
    assert_eq!(post(4, Class::Fair).1, WakeOutcome::Noticed);
    let (urgent, outcome) = post(5, Class::Fifo(Priority::HIGHEST));
    assert_eq!(outcome, WakeOutcome::Kick(CpuId(0)));
    let _ = run(&mut here, 40, Reason::Preempt);
    assert_eq!(here.current(), urgent);
}

/// Catches: a task that is judged by terms it no longer has, or that news of other terms wouldn't find.
#[test]
fn a_post_is_announced_if_the_terms_may_be_others_by_now() {
    type Change = fn(&mut Cpu<'_>, TaskId) -> WakeOutcome;
    let here_only = Affinity::one(CpuId(0));
    let changes: [(Change, WakeOutcome); 3] = [
        (|_, _| WakeOutcome::Gone, WakeOutcome::Noticed),
        (
            |there, task| there.set_class(task, Class::Fifo(Priority::HIGHEST), Nanos(30)),
            WakeOutcome::Kick(CpuId(0)),
        ),
        (
            |there, task| there.set_affinity(task, Affinity::one(CpuId(1)), Nanos(30)),
            WakeOutcome::Kick(CpuId(0)),
        ),
    ];
    for (change, outcome) in changes {
        let shared = Shared::new(2, 10, Config::default());
        let [mut here, mut there] = two_cpus(&shared);
        let sleeper = start(&mut here, 1, here_only)[0];
        let _ = run(&mut here, 10, Reason::Block);
        busy_with(&mut here, 50);
        let _ = change(&mut there, sleeper);
        // News of it is in vain: it sleeps.
        let _ = run(&mut here, 35, Reason::Preempt);
        assert_eq!(there.wake_at_once(sleeper, Nanos(40)), outcome);
    }
}
