//! The scheduler of a few CPUs, driven by hand: one decision at a time, as the kernel would.

use std::vec::Vec;

use super::*;
use crate::affinity::Affinity;
use crate::attention::Notice;
use crate::config::Config;

mod outranked;
mod ranked;
mod reschedule;

const MS: u64 = 1_000_000;

pub(super) fn spec(affinity: Affinity) -> Spec {
    Spec { affinity, ..Spec::default() }
}

/// Starts `count` tasks on the CPU, which may run where `affinity` says, and lets it look once.
pub(super) fn start(cpu: &mut Cpu<'_>, count: usize, affinity: Affinity) -> Vec<TaskId> {
    let shared = cpu.shared();
    let tasks: Vec<TaskId> = (0..count)
        .map(|number| {
            let task = shared.create(shared.cpus() + number, spec(affinity), cpu.id());
            let _ = cpu.start(task, Nanos(0));
            task
        })
        .collect();
    let _ = run(cpu, 0, Reason::Preempt);
    tasks
}

/// One decision and, if it's a switch, its completion.
pub(super) fn run(cpu: &mut Cpu<'_>, now: u64, reason: Reason) -> (Decision, After) {
    let decision = cpu.reschedule(Nanos(now), reason);
    let after = if decision.next == Next::Stay { After::Run } else { cpu.switched() };
    (decision, after)
}

/// Both CPUs of a machine that has two, or more.
pub(super) fn two_cpus(shared: &Shared) -> [Cpu<'_>; 2] {
    [0, 1].map(|id| Cpu::new(shared, CpuId(id), Nanos(0)))
}

fn one_cpu() -> Shared {
    Shared::new(1, 8, Config::default())
}

#[test]
fn two_equal_loops_take_slices_of_twice_the_hysteresis() {
    let shared = one_cpu();
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    start(&mut cpu, 2, Affinity::one(CpuId(0)));
    let mut switches = Vec::new();
    while switches.len() < 5 {
        let now = cpu.armed().0;
        cpu.timer_fired();
        let (decision, _) = run(&mut cpu, now, Reason::Preempt);
        assert_ne!(decision.next, Next::Stay, "the timer is armed for when the next one is due");
        switches.push(now);
    }
    let slices: Vec<u64> = switches.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(slices.iter().all(|slice| slice.abs_diff(10 * MS) < MS / 100), "{slices:?}");
}

#[test]
fn one_loop_needs_no_timer() {
    let shared = one_cpu();
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    start(&mut cpu, 1, Affinity::ANY);
    assert_eq!(cpu.armed(), Nanos::NEVER);
    let (decision, _) = run(&mut cpu, 50 * MS, Reason::Preempt);
    assert_eq!((decision.next, decision.arm), (Next::Stay, Arm::Keep));
}

#[test]
fn who_runs_is_told_with_its_task() {
    let shared = one_cpu();
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let running = start(&mut cpu, 1, Affinity::ANY)[0];
    let (slot, task) = cpu.running_task();
    assert_eq!(slot, running.slot);
    assert!(core::ptr::eq(task, shared.task(running.index())));
}

/// Catches: an idle CPU's later questions to one that has nothing left to give.
#[test]
fn who_gave_its_last_task_away_has_no_surplus() {
    let shared = Shared::new(2, 4, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    start(&mut here, 2, Affinity::ANY);
    assert!(shared.overloaded.contains(CpuId(0)));
    there.enter_idle(Nanos(0));
    let _ = run(&mut here, 1, Reason::Preempt);
    assert_eq!(shared.mailbox(CpuId(1)).posted(shared.tasks()).count(), 1);
    assert!(!shared.overloaded.contains(CpuId(0)));
}

#[test]
fn a_task_woken_beside_a_lone_runner_gets_a_timer() {
    let shared = one_cpu();
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, 2, Affinity::ANY);
    let sleeper = cpu.current();
    let _ = run(&mut cpu, 10, Reason::Block);
    cpu.timer_fired();
    let _ = run(&mut cpu, MS, Reason::Preempt);
    assert_eq!(cpu.armed(), Nanos::NEVER, "the other runs alone");
    assert!(tasks.contains(&sleeper));
    let rest = cpu.wake(sleeper).expect_err("this CPU is busy");
    let outcome = cpu.wake_rest(sleeper, rest, Nanos(2 * MS));
    assert_eq!(outcome, WakeOutcome::Local { preempt: true }, "nothing else would look again");
    let _ = run(&mut cpu, 2 * MS, Reason::Preempt);
    assert!(cpu.armed() < Nanos::NEVER || cpu.current() == sleeper);
}

#[test]
fn a_wake_that_comes_while_blocking_is_not_lost() {
    let shared = one_cpu();
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    start(&mut cpu, 1, Affinity::ANY);
    let task = cpu.current();
    let decision = cpu.reschedule(Nanos(10), Reason::Block);
    assert_eq!(decision.next, Next::Switch(0), "nothing else runs: the idle task does");
    // Still on its stack: a wake from anywhere only leaves a note.
    let state = &shared.task(task.index()).state;
    assert_eq!(state.wake(task.generation), crate::state::Woken::Noticed);
    assert_eq!(cpu.switched(), After::Reschedule);
    let (decision, _) = run(&mut cpu, 20, Reason::Preempt);
    assert_eq!(decision.next, Next::Switch(task.index()));
}

#[test]
fn an_exited_task_is_given_up_once_its_stack_is_left() {
    let shared = one_cpu();
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    start(&mut cpu, 1, Affinity::ANY);
    let task = cpu.current();
    let (_, after) = run(&mut cpu, 10, Reason::Exit);
    assert_eq!(after, After::Reap(task));
    shared.release(task);
    assert!(!shared.is_alive(task));
    let rest = cpu.wake(task).expect_err("nobody is there");
    assert_eq!(cpu.wake_rest(task, rest, Nanos(20)), WakeOutcome::Gone);
}

#[test]
fn a_wake_of_a_halted_cpu_kicks_it_and_of_a_polling_one_does_not() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    start(&mut here, 1, Affinity::one(CpuId(0)));
    let task = shared.create(4, spec(Affinity::one(CpuId(1))), CpuId(1));
    assert_eq!(here.start(task, Nanos(0)), WakeOutcome::Kick(CpuId(1)), "it has not said that it polls");
    let _ = run(&mut there, 1, Reason::Preempt);
    assert_eq!(there.current(), task);
    let _ = run(&mut there, 2, Reason::Block);
    there.enter_idle(Nanos(3));
    assert_eq!(here.wake(task), Ok(WakeOutcome::Noticed));
    there.end_poll();
    let _ = run(&mut there, 4, Reason::Preempt);
    let _ = run(&mut there, 5, Reason::Block);
    there.enter_idle(Nanos(6));
    assert!(there.may_halt(Nanos(7)));
    assert_eq!(shared.mailbox(CpuId(1)).attention.peek(), Notice::Halted);
    assert_eq!(here.wake(task), Ok(WakeOutcome::Kick(CpuId(1))));
}

#[test]
fn an_idle_cpu_asks_and_the_overloaded_one_gives() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    let busy = shared.create(7, spec(Affinity::one(CpuId(1))), CpuId(1));
    let _ = there.start(busy, Nanos(0));
    let _ = run(&mut there, 0, Reason::Preempt);
    start(&mut here, 2, Affinity::ANY);
    assert_eq!(here.waiting(), 1, "a move would make nothing more equal");
    let _ = run(&mut there, 1, Reason::Block);
    there.enter_idle(Nanos(1));
    assert_eq!(there.take_kick(), Some(CpuId(0)), "it asks the overloaded one");
    let _ = run(&mut here, 2, Reason::Preempt);
    assert_eq!(here.waiting(), 0, "the waiting task was given away");
    assert!(there.has_work());
    there.end_poll();
    let _ = run(&mut there, 3, Reason::Preempt);
    assert!(!there.is_idle());
}

#[test]
fn a_pinned_task_is_never_given_away() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    start(&mut here, 2, Affinity::one(CpuId(0)));
    there.enter_idle(Nanos(1));
    assert_eq!(there.take_kick(), None, "nobody says that it has too much");
    let _ = run(&mut here, 2, Reason::Preempt);
    assert_eq!((here.waiting(), there.has_work()), (1, false));
}

/// Runs one loop on `cpu` alone until `until`, and lets it block then: its virtual time is far ahead after that.
fn run_alone(cpu: &mut Cpu<'_>, slot: usize, until: u64) {
    let shared = cpu.shared();
    let _ = cpu.start(shared.create(slot, spec(Affinity::one(cpu.id())), cpu.id()), Nanos(0));
    let _ = run(cpu, 1, Reason::Preempt);
    let _ = run(cpu, until, Reason::Block);
    cpu.enter_idle(Nanos(until));
    cpu.end_poll();
}

#[test]
fn a_cpu_that_was_idle_takes_up_the_others_virtual_time() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    run_alone(&mut there, 7, 10_000 * MS);
    let _ = here.start(shared.create(2, Spec::default(), CpuId(0)), Nanos(10_005 * MS));
    let _ = run(&mut here, 10_005 * MS, Reason::Preempt);
    assert!(here.virtual_time().is_some_and(|time| time > 9_000 * MS), "{:?}", here.virtual_time());
}

#[test]
fn virtual_times_that_drifted_apart_are_brought_together_before_a_task_moves() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    let _ = there.start(shared.create(7, spec(Affinity::one(CpuId(1))), CpuId(1)), Nanos(0));
    let _ = run(&mut there, 0, Reason::Preempt);
    // Three loops here against one there, all pinned: after 10 s the virtual times are seconds apart.
    start(&mut here, 3, Affinity::one(CpuId(0)));
    let mut now = 0;
    while now < 10_000 * MS {
        now = here.armed().0;
        here.timer_fired();
        let _ = run(&mut here, now, Reason::Preempt);
    }
    let newcomer = shared.create(6, Spec::default(), CpuId(0));
    let _ = here.start(newcomer, Nanos(now));
    for _ in 0..4 {
        now = here.armed().0;
        here.timer_fired();
        let _ = run(&mut here, now, Reason::Preempt);
    }
    let theirs = shared.mailbox(CpuId(1)).load.progress_at(Nanos(now));
    let mine = here.virtual_time().expect("a loop runs here");
    assert!(theirs.saturating_sub(mine) < 1_000 * MS, "{} ms apart", (theirs - mine) / MS);
    let published = shared.mailbox(CpuId(0)).load.progress_at(Nanos(now));
    assert!(published.abs_diff(mine) < 20 * MS, "{mine} is published as {published}");
}

#[test]
fn by_priority_a_yield_goes_to_equals_only() {
    let config = Config { policy: crate::policy::PolicyKind::Priority, ..Config::default() };
    let shared = Shared::new(1, 8, config);
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    start(&mut cpu, 1, Affinity::ANY);
    let heavy = |slot| shared.create(slot, Spec { weight: 4096, ..Spec::default() }, CpuId(0));
    let (one, other) = (heavy(6), heavy(7));
    let _ = cpu.start(one, Nanos(1));
    let _ = run(&mut cpu, 1, Reason::Preempt);
    let _ = run(&mut cpu, 2, Reason::Yield);
    assert_eq!(cpu.current(), one, "the other one that waits is lighter");
    let _ = cpu.start(other, Nanos(3));
    let _ = run(&mut cpu, 4, Reason::Yield);
    assert_eq!(cpu.current(), other);
}

/// CPU 1 as others see it, with so much to run.
fn publish(shared: &Shared, weight: u64) {
    shared.mailbox(CpuId(1)).load.publish(weight, 0, Nanos(0));
}

/// Catches: a change that waits for the running task to block.
#[test]
fn a_waiting_task_that_is_raised_above_the_running_one_is_to_run_at_once() {
    let config = Config { policy: crate::policy::PolicyKind::Priority, ..Config::default() };
    let shared = Shared::new(1, 8, config);
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, 2, Affinity::ANY);
    let waits = tasks.into_iter().find(|&task| task != cpu.current()).unwrap();
    assert_eq!(cpu.set_weight(waits, 4096, Nanos(MS)), WakeOutcome::Local { preempt: true });
    let _ = run(&mut cpu, MS, Reason::Preempt);
    assert_eq!(cpu.current(), waits);
}

/// Catches: an idle CPU's first arrival that's before whatever comes until the CPU looks.
#[test]
fn the_higher_one_is_first_also_where_the_lower_came_to_an_idle_cpu() {
    let config = Config { policy: crate::policy::PolicyKind::Priority, ..Config::default() };
    let shared = Shared::new(1, 8, config);
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let [low, high] = [(1, 512), (2, 2048)]
        .map(|(slot, weight)| shared.create(slot, Spec { weight, ..Spec::default() }, CpuId(0)));
    for task in [low, high] {
        let _ = cpu.start(task, Nanos(0));
    }
    let _ = run(&mut cpu, 0, Reason::Preempt);
    assert_eq!(cpu.current(), high);
}

#[test]
fn of_a_surplus_one_that_may_move_goes_at_once_whoever_is_first() {
    let shared = Shared::new(2, 8, Config::default());
    let mut here = Cpu::new(&shared, CpuId(0), Nanos(0));
    publish(&shared, 1024);
    let pinned = (2..5).map(|slot| shared.create(slot, spec(Affinity::one(CpuId(0))), CpuId(0)));
    let movable = shared.create(5, Spec::default(), CpuId(0));
    for task in pinned.chain([movable]) {
        let _ = here.start(task, Nanos(0));
    }
    let _ = run(&mut here, 0, Reason::Preempt);
    let _ = run(&mut here, 0, Reason::Preempt);
    assert_eq!(shared.mailbox(CpuId(1)).posted(shared.tasks()).collect::<Vec<_>>(), [movable.slot]);
}

#[test]
fn a_cpu_gives_nothing_to_itself_by_a_load_that_it_published_before() {
    let shared = Shared::new(2, 8, Config::default());
    let mut here = Cpu::new(&shared, CpuId(0), Nanos(0));
    publish(&shared, 1 << 20);
    start(&mut here, 1, Affinity::ANY);
    shared.mailbox(CpuId(0)).load.publish(0, 0, Nanos(0));
    for slot in 4..7 {
        let _ = here.start(shared.create(slot, Spec::default(), CpuId(0)), Nanos(0));
    }
    here.balance(Nanos(1));
    assert_eq!((here.waiting(), shared.mailbox(CpuId(0)).posted(shared.tasks()).count()), (3, 0));
}

/// Catches: a hold that a wish overrides, or that a sleep ends; one of two that ends both; a last one that ends unnoticed.
#[test]
fn a_task_that_holds_on_to_its_cpu_stays_until_it_lets_go() {
    let shared = Shared::new(2, 2, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    there.enter_idle(Nanos(0));
    let task = start(&mut here, 1, Affinity::ANY)[0];
    here.hold();
    here.hold();
    assert!(!shared.task(task.index()).is_movable());
    let outcome = here.set_affinity(task, Affinity::one(CpuId(1)), Nanos(1));
    assert_eq!(outcome, WakeOutcome::Local { preempt: true });
    assert_eq!(run(&mut here, 2, Reason::Preempt).0.next, Next::Stay);
    let _ = run(&mut here, 3, Reason::Block);
    assert!(matches!(there.wake_at_once(task, Nanos(4)), WakeOutcome::Kick(CpuId(0)) | WakeOutcome::Noticed));
    let _ = run(&mut here, 5, Reason::Preempt);
    assert_eq!(here.current(), task);
    assert!(!here.let_go(), "it held twice");
    assert!(here.let_go());
    let _ = run(&mut here, 6, Reason::Yield);
    assert!(here.is_idle());
    assert_eq!(shared.mailbox(CpuId(1)).posted(shared.tasks()).count(), 1);
}

/// Catches: a slot whose next tenant still holds on to a CPU.
#[test]
fn the_next_tenant_holds_nothing() {
    let shared = Shared::new(1, 1, Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let task = start(&mut cpu, 1, Affinity::ANY)[0];
    cpu.hold();
    let _ = run(&mut cpu, 1, Reason::Exit);
    shared.release(task);
    start(&mut cpu, 1, Affinity::ANY);
    cpu.hold();
    assert!(!cpu.let_go());
    assert!(shared.task(task.index()).is_movable());
}
