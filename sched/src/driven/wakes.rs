//! Where a task goes that is woken or sent away, how long that may be put off, and what it takes along.

use super::machine::{Idle, MS, Machine};
use crate::affinity::Affinity;
use crate::config::Config;
use crate::cpu::{Arm, Reason, WakeOutcome};
use crate::id::CpuId;
use crate::shared::Shared;
use crate::task::{NORMAL_WEIGHT, Spec};
use crate::time::Nanos;

const US: u64 = 1_000;

/// Catches: a preemption that is put off for longer than the lock's holder was promised, or for ever.
#[test]
fn a_preemption_is_put_off_for_20_us_at_most() {
    let shared = Shared::new(1, 4, Config::default());
    let mut machine = Machine::new(&shared, 1, Idle::Halts);
    machine.start(0, Spec::default());
    machine.settle();
    let (now, cpu) = (machine.local(0), &mut machine.cpus[0]);
    assert_eq!(cpu.armed(), Nanos::NEVER, "it runs alone");
    let soon = Nanos(now.0 + 20 * US);
    assert_eq!((cpu.put_off(now), cpu.armed()), (Arm::At(soon), soon));
    assert_eq!(cpu.put_off(Nanos(now.0 + US)), Arm::Keep, "the first promise holds");
}

/// Catches: a task that is sent to the busiest CPU, or to one that isn't allowed.
#[test]
fn a_task_that_may_not_run_here_is_sent_to_the_least_loaded() {
    for (loads, lightest) in [([0, 100, 3, 2, 9], 3), ([0, 1, 3, 9, 8], 2), ([0, 1, 8, 9, 7], 4)] {
        let shared = Shared::new(5, 4, Config::default());
        let mut machine = Machine::new(&shared, 1, Idle::Halts);
        machine.start(0, Spec { affinity: Affinity::one(CpuId(0)), ..Spec::default() });
        machine.settle();
        for (cpu, weight) in (0..).zip(loads) {
            shared.mailbox(CpuId(cpu)).load.publish(weight, 0, Nanos(0));
        }
        let affinity = Affinity::range(2, 5).unwrap();
        machine.start(0, Spec { affinity, ..Spec::default() });
        let posted = |cpu| shared.mailbox(CpuId(cpu)).posted(shared.tasks()).count();
        assert_eq!(
            [1, 2, 3, 4].map(posted),
            [1, 2, 3, 4].map(|cpu| usize::from(cpu == lightest)),
            "{loads:?}"
        );
    }
}

/// Catches: an arrival that leaves the task marked, so that its lag of long ago counts again once it has slept.
#[test]
fn a_task_that_was_given_away_has_arrived_once() {
    let shared = Shared::new(2, 4, Config::default());
    let mut machine = Machine::new(&shared, 2, Idle::Halts);
    // CPU 1 is busy until both of the others are on CPU 0.
    let busy = machine.start(1, Spec { affinity: Affinity::one(CpuId(1)), ..Spec::default() });
    machine.settle();
    let tasks = [0, 1].map(|_| machine.start(0, Spec::default()));
    machine.settle();
    machine.look(1, Reason::Exit);
    machine.settle();
    assert!(!shared.is_alive(busy) && machine.moves.len() == 1, "{:?}", machine.moves);
    assert!(tasks.iter().all(|&task| machine.runs_on(task).is_some()));
    assert!(tasks.iter().all(|task| !shared.task(task.index()).is_in_transit()));
}

/// Catches: a waiting task that becomes heavier and stays as far ahead in virtual time, which is now more CPU time.
#[test]
fn what_a_task_is_ahead_stays_the_same_time_when_its_weight_changes() {
    let shared = Shared::new(1, 4, Config::default());
    let mut machine = Machine::new(&shared, 1, Idle::Halts);
    let tasks = [0, 1].map(|_| machine.start(0, Spec::default()));
    let virtual_time = |slot: u32| shared.task(slot as usize).virtual_time.get();
    let (mut waiting, mut lead) = (tasks[0], 0);
    while lead < 2 * MS {
        machine.run_until(machine.now + MS);
        machine.look(0, Reason::Preempt);
        let running = machine.cpus[0].current();
        waiting = tasks[usize::from(running == tasks[0])];
        lead = virtual_time(waiting.slot).saturating_sub(virtual_time(running.slot));
    }
    let now = machine.local(0);
    let _ = machine.cpus[0].set_weight(waiting, 4 * NORMAL_WEIGHT, now);
    let running = machine.cpus[0].current();
    assert_eq!(shared.task(waiting.index()).weight(), 4 * NORMAL_WEIGHT);
    assert_eq!(virtual_time(waiting.slot) - virtual_time(running.slot), lead / 4);
}

/// CPU 2 tells CPU 0 of a wish for a task that waits there; before CPU 0 looks the task has gone on to CPU 1, and CPU 2 has
/// another wish, for which the first news must do.
///
/// Catches: `take_news` that acts on what is here and doesn't send the news after the task.
#[test]
fn news_of_an_earlier_wish_follows_the_task_for_a_later_one() {
    let only = |cpu| Affinity::one(CpuId(cpu));
    let shared = Shared::new(3, 4, Config::default());
    let mut machine = Machine::new(&shared, 3, Idle::Halts);
    for cpu in [0, 1] {
        machine.start(cpu as usize, Spec { affinity: only(cpu), ..Spec::default() });
    }
    machine.settle();
    let task = machine.start(0, Spec { affinity: Affinity::range(0, 2).unwrap(), ..Spec::default() });
    machine.settle();
    assert_eq!(machine.cpus[0].waiting(), 1);
    let now = machine.local(0);
    assert_eq!(machine.cpus[2].set_affinity(task, only(0), now), WakeOutcome::Kick(CpuId(0)));
    // The kick is late.
    assert_eq!(machine.cpus[0].set_affinity(task, only(1), now), WakeOutcome::Kick(CpuId(1)));
    machine.look(1, Reason::Preempt);
    assert_eq!(shared.task(task.index()).cpu(), CpuId(1));
    assert_eq!(machine.cpus[2].set_affinity(task, only(2), now), WakeOutcome::Noticed, "news is on its way");
    machine.look(0, Reason::Preempt);
    machine.settle();
    assert_eq!(machine.runs_on(task), Some(2), "it waits where it may not run");
}
