//! Real-time and background tasks, mostly on one CPU.

use std::vec::Vec;

use super::{MS, run};
use crate::class::{Class, Priority};
use crate::policy::PolicyKind;
use crate::{Affinity, Config, Cpu, CpuId, Nanos, Next, Reason, Shared, Spec, TaskId, WakeOutcome};

pub(super) fn fifo(number: u8) -> Class {
    Class::Fifo(Priority::new(number).unwrap())
}

fn turns(number: u8) -> Class {
    Class::RoundRobin(Priority::new(number).unwrap())
}

/// Starts a task of each class on CPU 0, pinned or not, without a look.
pub(super) fn start(cpu: &mut Cpu<'_>, classes: &[Class], affinity: Affinity, from: usize) -> Vec<TaskId> {
    let shared = cpu.shared();
    let create = |(number, &class): (usize, &Class)| {
        shared.create(from + number, Spec { class, affinity, ..Spec::default() }, cpu.id())
    };
    let tasks: Vec<TaskId> = classes.iter().enumerate().map(create).collect();
    for &task in &tasks {
        let _ = cpu.start(task, Nanos(0));
    }
    tasks
}

fn one(config: Config) -> Shared {
    Shared::new(1, 8, config)
}

/// Who runs until `end`, by the timer, and for how long in all: by task, in nanoseconds.
fn run_until(cpu: &mut Cpu<'_>, tasks: &[TaskId], end: u64) -> Vec<u64> {
    while cpu.armed().0 <= end {
        let now = cpu.armed().0;
        cpu.timer_fired();
        let _ = run(cpu, now, Reason::Preempt);
        assert!(cpu.armed().0 > now, "armed for {now} at {now}");
    }
    let used = |&task: &TaskId| cpu.shared().cpu_time(task, Nanos(end)).unwrap().0;
    tasks.iter().map(used).collect()
}

#[test]
fn the_highest_priority_runs_and_the_rest_in_order() {
    let shared = one(Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let classes = [Class::Background, Class::Fair, fifo(1), fifo(50), fifo(50)];
    let tasks = start(&mut cpu, &classes, Affinity::ANY, 1);
    let mut order = Vec::new();
    let mut reason = Reason::Preempt;
    while run(&mut cpu, 10, reason).0.next != Next::Stay && !cpu.is_idle() {
        order.push(cpu.current());
        reason = Reason::Exit;
    }
    assert_eq!(order, [tasks[3], tasks[4], tasks[2], tasks[1], tasks[0]]);
}

#[test]
fn a_preempted_task_is_the_first_of_its_priority_and_one_that_yields_the_last() {
    let shared = one(Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, &[fifo(5), fifo(5), fifo(9)], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    assert_eq!(cpu.current(), tasks[2]);
    let _ = run(&mut cpu, 10, Reason::Block);
    assert_eq!(cpu.current(), tasks[0]);
    assert_eq!(cpu.wake_at_once(tasks[2], Nanos(20)), WakeOutcome::Local { preempt: true });
    let _ = run(&mut cpu, 20, Reason::Preempt);
    assert_eq!(cpu.current(), tasks[2], "more goes first, at once");
    let _ = run(&mut cpu, 30, Reason::Block);
    assert_eq!(cpu.current(), tasks[0], "it goes on before its equal");
    let _ = run(&mut cpu, 40, Reason::Yield);
    assert_eq!(cpu.current(), tasks[1]);
    let _ = run(&mut cpu, 50, Reason::Yield);
    assert_eq!(cpu.current(), tasks[0]);
    assert_eq!(cpu.armed(), Nanos::NEVER, "first in, first out needs no timer");
}

#[test]
fn a_yield_never_gives_way_to_a_lower_rank() {
    for lower in [fifo(4), Class::Fair, Class::Background] {
        let shared = one(Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        let tasks = start(&mut cpu, &[fifo(5), lower], Affinity::ANY, 1);
        let _ = run(&mut cpu, 0, Reason::Preempt);
        let (decision, _) = run(&mut cpu, MS, Reason::Yield);
        assert_eq!((decision.next, cpu.current()), (Next::Stay, tasks[0]), "{lower:?}");
    }
}

#[test]
fn first_in_first_out_has_no_turns() {
    let shared = one(Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, &[fifo(5), fifo(5)], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let (decision, _) = run(&mut cpu, 500 * MS, Reason::Preempt);
    assert_eq!((decision.next, cpu.current()), (Next::Stay, tasks[0]));
}

#[test]
fn equals_in_turns_get_equal_slices() {
    let shared = one(Config { rr_slice: Nanos(10 * MS), ..Config::default() });
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, &[turns(5), turns(5), turns(5), turns(4)], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let used = run_until(&mut cpu, &tasks, 300 * MS);
    assert_eq!(used, [100 * MS, 100 * MS, 100 * MS, 0]);
}

/// A turn that a higher priority interrupts goes on where it was.
#[test]
fn a_turn_outlasts_a_preemption() {
    let shared = one(Config { rr_slice: Nanos(10 * MS), ..Config::default() });
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, &[turns(5), turns(5), fifo(9)], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let _ = run(&mut cpu, 0, Reason::Block);
    let _ = cpu.wake_at_once(tasks[2], Nanos(4 * MS));
    let _ = run(&mut cpu, 4 * MS, Reason::Preempt);
    let _ = run(&mut cpu, 6 * MS, Reason::Block);
    assert_eq!((cpu.current(), cpu.armed()), (tasks[0], Nanos(10 * MS)));
    let used = run_until(&mut cpu, &tasks, 11 * MS);
    assert_eq!((used[0], cpu.current()), (9 * MS, tasks[0]), "the early interrupt was of the armed timer");
    let used = run_until(&mut cpu, &tasks, 22 * MS - 1);
    assert_eq!((used[0], cpu.current()), (10 * MS, tasks[1]));
}

#[test]
fn a_runaway_leaves_a_twentieth_to_the_fair() {
    let shared = one(Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, &[fifo(99), Class::Fair, Class::Fair], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let used = run_until(&mut cpu, &tasks, 10_000 * MS);
    assert_eq!(used[0], 9_500 * MS);
    assert!(used[1].abs_diff(used[2]) <= 10 * MS, "{used:?}");
}

#[test]
fn a_runaway_that_nobody_waits_for_is_not_held() {
    let shared = one(Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, &[fifo(99), Class::Background], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    assert_eq!(cpu.armed(), Nanos::NEVER, "nothing to decide, no timer");
    let _ = run(&mut cpu, 5_000 * MS, Reason::Preempt);
    assert_eq!(cpu.current(), tasks[0]);
}

/// A fair task that comes when all is used up runs at once, and until the period ends.
#[test]
fn who_comes_late_in_a_period_runs_at_once() {
    let shared = one(Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, &[fifo(99), Class::Fair], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    assert_eq!((cpu.current(), cpu.armed()), (tasks[0], Nanos(950 * MS)));
    cpu.timer_fired();
    let _ = run(&mut cpu, 950 * MS, Reason::Preempt);
    assert_eq!((cpu.current(), cpu.armed()), (tasks[1], Nanos(1_000 * MS)));
    let class = fifo(98);
    let another = cpu.shared().create(3, Spec { class, ..Spec::default() }, CpuId(0));
    let _ = cpu.start(another, Nanos(980 * MS));
    let preemptions = &shared.mailbox(CpuId(0)).stats.preemptions;
    let before = preemptions.get();
    let _ = run(&mut cpu, 980 * MS, Reason::Preempt);
    assert_eq!(
        (cpu.current(), preemptions.get()),
        (tasks[1], before),
        "nor does another of them go before it"
    );
    cpu.timer_fired();
    let _ = run(&mut cpu, 1_000 * MS, Reason::Preempt);
    assert_eq!(cpu.current(), tasks[0]);
}

#[test]
fn background_tasks_run_only_where_nothing_else_would() {
    let shared = one(Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, &[Class::Background, Class::Background, Class::Fair], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let used = run_until(&mut cpu, &tasks, 100 * MS);
    assert_eq!((used, cpu.armed()), (std::vec![0, 0, 100 * MS], Nanos::NEVER));
    let _ = run(&mut cpu, 100 * MS, Reason::Block);
    let used = run_until(&mut cpu, &tasks, 200 * MS);
    assert_eq!(used, [50 * MS, 50 * MS, 100 * MS]);
    let outcome = cpu.wake_at_once(tasks[2], Nanos(200 * MS));
    assert_eq!(outcome, WakeOutcome::Local { preempt: true });
    let _ = run(&mut cpu, 200 * MS, Reason::Preempt);
    assert_eq!(cpu.current(), tasks[2]);
}

#[test]
fn the_class_changes_while_a_task_runs_waits_or_blocks() {
    let shared = one(Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, &[Class::Fair, Class::Fair], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let (running, waiting) = (cpu.current(), if cpu.current() == tasks[0] { tasks[1] } else { tasks[0] });
    assert_eq!(cpu.set_class(waiting, fifo(3), Nanos(MS)), WakeOutcome::Local { preempt: true });
    let _ = run(&mut cpu, MS, Reason::Preempt);
    assert_eq!(cpu.current(), waiting);
    let _ = cpu.set_class(running, fifo(4), Nanos(2 * MS));
    let _ = run(&mut cpu, 2 * MS, Reason::Preempt);
    assert_eq!(cpu.current(), running);
    let _ = cpu.set_class(running, Class::Fair, Nanos(3 * MS));
    let _ = run(&mut cpu, 3 * MS, Reason::Preempt);
    assert_eq!(cpu.current(), waiting);
    let _ = run(&mut cpu, 4 * MS, Reason::Block);
    let _ = cpu.set_class(waiting, Class::Background, Nanos(5 * MS));
    let _ = cpu.wake_at_once(waiting, Nanos(5 * MS));
    let _ = run(&mut cpu, 5 * MS, Reason::Preempt);
    assert_eq!(cpu.current(), running);
    let _ = cpu.set_class(waiting, Class::Fair, Nanos(6 * MS));
    let _ = run(&mut cpu, 6 * MS, Reason::Preempt);
    let before = run_until(&mut cpu, &tasks, 6 * MS);
    let after = run_until(&mut cpu, &tasks, 206 * MS);
    let got: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    assert!(got.iter().all(|&got| got.abs_diff(100 * MS) <= 10 * MS), "fair again, from now on: {got:?}");
}

/// Whoever is woken sees nothing of ranks, and the policy has its own view of when a running task is overtaken.
#[test]
fn a_fair_task_runs_before_background_ones_at_once_under_every_policy() {
    for policy in PolicyKind::ALL {
        let shared = one(Config { policy, ..Config::default() });
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        start(&mut cpu, &[Class::Background, Class::Background], Affinity::ANY, 1);
        let _ = run(&mut cpu, 0, Reason::Preempt);
        let fair = shared.create(3, Spec::default(), CpuId(0));
        assert_eq!(cpu.start(fair, Nanos(9 * MS)), WakeOutcome::Local { preempt: true }, "{policy:?}");
        let _ = run(&mut cpu, 9 * MS, Reason::Preempt);
        assert_eq!(cpu.current(), fair, "{policy:?}");
    }
}

/// The virtual time of a CPU is its fair tasks', whatever those had that are real-time now.
#[test]
fn a_policy_forgets_a_task_that_is_real_time_now() {
    let shared = one(Config { policy: PolicyKind::Eevdf, ..Config::default() });
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, &[Class::Fair, Class::Fair], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let (first, other) = if cpu.current() == tasks[0] { (0, 1) } else { (1, 0) };
    let _ = cpu.set_class(tasks[first], fifo(1), Nanos(MS));
    let _ = run(&mut cpu, MS, Reason::Preempt);
    let _ = run(&mut cpu, 2 * MS, Reason::Block);
    assert_eq!(cpu.current(), tasks[other]);
    let _ = run(&mut cpu, 7 * MS, Reason::Preempt);
    assert_eq!(cpu.frame(), shared.task(tasks[other].index()).virtual_time.get());
}

/// Catches: a turn that began when the task ran as a fair one.
#[test]
fn a_turn_begins_when_a_task_comes_to_take_turns() {
    for beside in [Class::Fair, Class::Background] {
        let shared = one(Config::default());
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        let task = start(&mut cpu, &[turns(1), beside], Affinity::ANY, 1)[0];
        let slice = shared.config.rr_slice.0;
        let _ = run(&mut cpu, 0, Reason::Preempt);
        let _ = cpu.set_class(task, Class::Fair, Nanos(3 * MS));
        let _ = run(&mut cpu, 3 * MS, Reason::Preempt);
        let _ = cpu.set_class(task, turns(1), Nanos(5 * MS));
        let _ = run(&mut cpu, 5 * MS, Reason::Preempt);
        let _ = cpu.set_class(task, fifo(1), Nanos(6 * MS));
        let _ = start(&mut cpu, &[turns(1)], Affinity::ANY, 5);
        let _ = cpu.set_class(task, turns(1), Nanos(7 * MS));
        cpu.timer_fired();
        let _ = run(&mut cpu, 7 * MS, Reason::Preempt);
        assert_eq!((cpu.current(), cpu.armed()), (task, Nanos(5 * MS + slice)), "beside {beside:?}");
    }
}

/// Catches: a task that the policy isn't told of, and that it takes out of its sums when it leaves.
#[test]
fn a_policy_learns_of_a_task_that_is_fair_now() {
    let shared = one(Config { policy: PolicyKind::Eevdf, ..Config::default() });
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, &[fifo(1), Class::Fair, Class::Background], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let _ = cpu.set_class(tasks[0], Class::Fair, Nanos(MS));
    let _ = run(&mut cpu, MS, Reason::Preempt);
    assert_eq!(cpu.current(), tasks[0], "it has as much as the other");
    let _ = run(&mut cpu, 2 * MS, Reason::Block);
    assert_eq!(cpu.current(), tasks[1]);
    assert_eq!(cpu.frame(), shared.task(tasks[1].index()).virtual_time.get());
}

/// Catches: a task that may not run here any more and stays for as long as it's real-time.
#[test]
fn a_real_time_task_leaves_a_cpu_that_is_forbidden_to_it() {
    let shared = Shared::new(2, 8, Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let task = start(&mut cpu, &[fifo(1)], Affinity::ANY, 2)[0];
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let _ = cpu.set_affinity(task, Affinity::one(CpuId(1)), Nanos(MS));
    let _ = run(&mut cpu, MS, Reason::Preempt);
    assert!(cpu.is_idle());
    assert_eq!(shared.mailbox(CpuId(1)).posted(shared.tasks()).collect::<Vec<_>>(), [task.slot]);
}

/// Catches: a throttle that makes equals of all real-time tasks where nobody gains by it.
#[test]
fn ranks_count_beyond_the_throttle_where_no_fair_task_is() {
    let shared = one(Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let _ = start(&mut cpu, &[fifo(1)], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let _ = run(&mut cpu, 5_970 * MS, Reason::Preempt);
    let high = start(&mut cpu, &[fifo(2)], Affinity::ANY, 2)[0];
    let _ = run(&mut cpu, 5_970 * MS, Reason::Preempt);
    assert_eq!(cpu.current(), high);
}

/// Catches: an arrival that's placed by what the real-time task had before it was one.
#[test]
fn who_arrives_beside_a_real_time_task_begins_where_the_fair_ones_are() {
    let shared = one(Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let _ = start(&mut cpu, &[Class::Fair], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let _ = run(&mut cpu, 500 * MS, Reason::Preempt);
    let high = start(&mut cpu, &[fifo(2)], Affinity::ANY, 2)[0];
    let _ = run(&mut cpu, 500 * MS, Reason::Preempt);
    assert_eq!(cpu.current(), high);
    assert!(cpu.frame() >= 500 * MS);
    assert_eq!(shared.task(high.index()).virtual_time.get(), cpu.frame());
}

/// Catches: a fair task that's taken for a real-time one, which any wake may preempt.
#[test]
fn a_fair_task_keeps_its_slice_where_others_are_not_fair() {
    let shared = one(Config::default());
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let _ = start(&mut cpu, &[Class::Fair, Class::Fair, Class::Background], Affinity::ANY, 1);
    let _ = run(&mut cpu, 0, Reason::Preempt);
    let task = cpu.current();
    for now in 1..5 {
        let _ = run(&mut cpu, now * MS, Reason::Preempt);
        assert_eq!(cpu.current(), task);
    }
}
