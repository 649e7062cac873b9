//! What a decision counts, publishes and arms, and whom a yield is for.

use super::*;
use crate::policy::PolicyKind;

/// Catches: a preemption or a yield that's counted by the CPU or the task alone, or not at all.
#[test]
fn a_preemption_and_a_yield_are_counted_with_the_task() {
    let shared = one_cpu();
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    start(&mut cpu, 2, Affinity::ANY);
    let preempted = cpu.running_task().1;
    let _ = run(&mut cpu, 100 * MS, Reason::Preempt);
    let yielded = cpu.running_task().1;
    let _ = run(&mut cpu, 100 * MS + 1, Reason::Yield);
    let stats = &shared.mailbox(CpuId(0)).stats;
    assert_eq!((stats.preemptions.get(), stats.yields.get()), (1, 1));
    assert_eq!((preempted.preemptions.get(), preempted.yields.get()), (1, 0));
    assert_eq!((yielded.preemptions.get(), yielded.yields.get()), (0, 1));
}

/// Catches: a yield that's taken for a preemption, which nobody is due for, where the terms are looked at.
#[test]
fn a_task_whose_terms_changed_may_give_way() {
    let shared = one_cpu();
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    start(&mut cpu, 2, Affinity::ANY);
    let task = cpu.current();
    let _ = cpu.set_affinity(task, Affinity::one(CpuId(0)), Nanos(1));
    let _ = run(&mut cpu, 2, Reason::Yield);
    assert_ne!(cpu.current(), task);
}

/// Catches: a load that's published at each switch; one that's put off although no timer sees to it.
#[test]
fn a_load_is_published_now_and_then_and_before_the_cpu_is_left_to_itself() {
    let shared = one_cpu();
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let published = || shared.mailbox(CpuId(0)).load.weight();
    start(&mut cpu, 2, Affinity::ANY);
    assert_eq!(published(), 2048);
    let _ = run(&mut cpu, 1_000, Reason::Block);
    assert_eq!(published(), 2048, "the timer that is armed still looks soon");
    cpu.timer_fired();
    let _ = run(&mut cpu, 2_000, Reason::Preempt);
    assert_eq!(published(), 1024, "there's none left");
}

/// Catches: blocks that other switches are counted as, busy and idle; time on an idle CPU that's counted for its tasks.
#[test]
fn a_block_is_what_a_switch_is_for_otherwise() {
    let shared = one_cpu();
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let told = |now| (shared.blocks(CpuId(0)), shared.idle_time(CpuId(0), Nanos(now)));
    let _ = start(&mut cpu, 2, Affinity::ANY);
    let mut now = 0;
    for (reason, blocks) in [(Reason::Preempt, 0), (Reason::Yield, 0), (Reason::Block, 1), (Reason::Exit, 1)]
    {
        now += 100 * MS;
        let _ = run(&mut cpu, now, reason);
        assert_eq!(told(now), (blocks, Nanos(0)), "{reason:?}");
    }
    assert!(cpu.is_idle());
    assert_eq!(told(now + 7), (1, Nanos(7)));
    let _ = cpu.start(shared.create(5, Spec::default(), CpuId(0)), Nanos(now + 9));
    let _ = run(&mut cpu, now + 9, Reason::Preempt);
    assert_eq!(told(now + 10), (1, Nanos(9)));
    let _ = run(&mut cpu, now + 10, Reason::Block);
    assert_eq!(told(now + 10), (2, Nanos(9)));
}

/// Catches: wakeups that other switches are counted as, or that are told only once the task runs.
#[test]
fn a_wakeup_is_what_a_task_runs_for_otherwise() {
    let shared = one_cpu();
    let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
    let tasks = start(&mut cpu, 2, Affinity::ANY);
    let wakeups = || [0, 1].map(|task: usize| shared.task(tasks[task].index()).wakeups());
    let mut now = 0;
    for reason in [Reason::Preempt, Reason::Yield, Reason::Preempt] {
        assert_eq!(wakeups(), [0, 0], "before a {reason:?}");
        now += 100 * MS;
        let _ = run(&mut cpu, now, reason);
    }
    let (sleeper, number) = (cpu.current(), usize::from(cpu.current() == tasks[1]));
    let _ = run(&mut cpu, now + 1, Reason::Block);
    assert_eq!(wakeups(), [0, 0]);
    let _ = cpu.wake_at_once(sleeper, Nanos(now + 2));
    let mut woken = [0, 0];
    woken[number] = 1;
    assert_eq!(wakeups(), woken, "it waits");
    let _ = run(&mut cpu, now + 3, Reason::Yield);
    assert_eq!((cpu.current(), wakeups()), (sleeper, woken), "it runs");
}

/// Catches: a permit that's looked for twice where the terms changed, so that the wake that left it is lost.
#[test]
fn a_wake_is_not_lost_on_a_task_that_is_given_another_class() {
    let shared = Shared::new(2, 8, Config::default());
    let [mut here, mut there] = two_cpus(&shared);
    let task = start(&mut here, 1, Affinity::one(CpuId(0)))[0];
    let _ = there.set_class(task, super::ranked::fifo(1), Nanos(1));
    assert_eq!(there.wake_at_once(task, Nanos(1)), WakeOutcome::Already);
    let (decision, _) = run(&mut here, 2, Reason::Block);
    assert_eq!((decision.next, here.current()), (Next::Stay, task));
    let _ = run(&mut here, 3, Reason::Block);
    assert!(shared.task(task.index()).is_blocked(), "there was one wake");
}

/// Catches: a task that the policy is told of twice that it left, once as another class's and once as another CPU's.
#[test]
fn a_task_that_is_given_another_class_and_sent_away_leaves_once() {
    for policy in PolicyKind::ALL {
        let shared = Shared::new(2, 8, Config { policy, ..Config::default() });
        let [mut here, mut there] = two_cpus(&shared);
        let task = start(&mut here, 2, Affinity::one(CpuId(0)))[0];
        assert_eq!(here.current(), task);
        let _ = there.set_class(task, super::ranked::fifo(1), Nanos(1));
        let _ = there.set_affinity(task, Affinity::one(CpuId(1)), Nanos(1));
        let _ = run(&mut here, MS, Reason::Preempt);
        let _ = run(&mut there, MS, Reason::Preempt);
        assert_eq!((here.is_idle(), there.current()), (false, task), "{policy:?}");
        let other = here.current();
        assert_eq!(shared.task(other.index()).virtual_time.get(), here.frame(), "{policy:?}: it's alone");
    }
}
