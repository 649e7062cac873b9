//! The state word: a wake is never lost, a task runs in one place, a stale id does nothing.

use std::sync::Arc;
use std::vec::Vec;

use super::explore;
use super::stack::Stack;
use super::threads;
use crate::config::Config;
use crate::id::{CpuId, TaskId};
use crate::shared::Shared;
use crate::state::{State, Woken};
use crate::sync::Owned;
use crate::task::{NORMAL_WEIGHT, Spec};
use crate::time::Nanos;

/// A task that parks until each of its conditions holds, and then ends.
struct Parker {
    state: State,
    stack: Stack,
    conditions: Vec<Owned>,
}

impl Parker {
    fn new(conditions: usize) -> Self {
        let conditions = (0..conditions).map(|_| Owned::new(0)).collect();
        let parker = Self { state: State::new(), stack: Stack::new(), conditions };
        parker.state.create();
        parker
    }

    /// `cpu` runs the task, which it owns. Whether the task ended; if not, it's blocked.
    fn run(&self, cpu: u32) -> bool {
        self.stack.enter(cpu);
        while self.conditions.iter().any(|condition| condition.get() == 0) {
            if self.state.begin_block() {
                self.stack.leave(cpu);
                if self.state.finish_block() {
                    return false;
                }
                self.stack.enter(cpu);
            }
        }
        self.stack.leave(cpu);
        true
    }

    /// `cpu` makes a condition true and wakes the task, which it runs if it got it. Whether the task ended here.
    fn satisfy(&self, cpu: u32, condition: usize) -> bool {
        self.conditions[condition].set(1);
        self.state.wake(0) == Woken::Claimed && self.run(cpu)
    }
}

fn a_parker_ends_once(wakers: u32, preemptions: usize) {
    explore(preemptions, move || {
        let parker = Arc::new(Parker::new(wakers as usize));
        let wakers = (1..=wakers).map(|cpu| {
            let parker = Arc::clone(&parker);
            threads::spawn(move || parker.satisfy(cpu, cpu as usize - 1))
        });
        let wakers: Vec<_> = wakers.collect();
        let mut ends = usize::from(parker.run(0));
        for waker in wakers {
            ends += usize::from(waker.join().unwrap());
        }
        assert_eq!(ends, 1, "the task parks for ever, or ran twice");
    });
}

/// Catches: `finish_block` or the claim with Relaxed (an old context); a wake that claims a task that is still
/// Blocking (two CPUs on one stack); a permit set with Relaxed, or taken with Relaxed by `begin_block` or
/// `finish_block` (stale condition: parked for ever); `finish_block` that doesn't look at the permit.
#[test]
fn a_wake_is_never_lost() {
    a_parker_ends_once(1, 5);
}

/// Catches: the same; `finish_block` storing instead of swapping, and a wake that leaves a set permit alone
/// (the second waker's condition is stale).
#[test]
fn of_two_wakes_none_is_lost() {
    a_parker_ends_once(2, 3);
}

/// Catches: `wake` or `claim` without a look at the generation, `release` that doesn't advance it, `exit` by a
/// load and a store.
#[test]
fn a_stale_id_never_reaches_the_next_tenant() {
    explore(5, || {
        let state = Arc::new(State::new());
        state.create();
        let wakers = [State::wake, |state: &State, generation| match state.claim(generation) {
            Ok(()) => Woken::Claimed,
            Err(_) => Woken::Gone,
        }]
        .map(|wake| {
            let state = Arc::clone(&state);
            threads::spawn(move || assert_ne!(wake(&state, 0), Woken::Claimed))
        });
        state.exit();
        state.release();
        state.create();
        assert!(state.begin_block() && state.finish_block(), "the next tenant got the last one's wake");
        for waker in wakers {
            waker.join().unwrap();
        }
        assert_eq!(state.wake(1), Woken::Claimed);
    });
}

/// Who finds the tenant alive sees what it was made as.
///
/// The reader is the spawned thread, which loom runs second: it remembers one access to a word, so that a
/// writer that loads before it stores would hide an earlier load from it.
///
/// Catches: `create` or `is_alive` with Relaxed (stale weight, or what `Task::create` writes behind its own fence).
#[test]
fn a_tenant_that_is_alive_is_whole() {
    explore(5, || {
        let shared = Arc::new(Shared::new(1, 1, Config::default()));
        let second = TaskId { slot: 1, generation: 1 };
        let theirs = Arc::clone(&shared);
        let reader = threads::spawn(move || {
            if theirs.is_alive(second) {
                assert_eq!((theirs.task(1).weight(), theirs.task(1).switches.get()), (2 * NORMAL_WEIGHT, 0));
            }
        });
        let first = shared.create(1, Spec::default(), CpuId(0));
        shared.task(1).switches.set(1);
        shared.task(1).state.exit();
        shared.release(first);
        let spec = Spec { weight: 2 * NORMAL_WEIGHT, ..Spec::default() };
        assert_eq!(shared.create(1, spec, CpuId(0)), second);
        reader.join().unwrap();
    });
}

/// A wake and the task's end: whichever comes first, the waker owes nothing.
///
/// Catches: `exit` by a load and a store (race: a permit put in between is overwritten, or revives the task),
/// `exit` that leaves the task Active.
#[test]
fn a_wake_of_a_task_that_ends_owes_nothing() {
    explore(5, || {
        let state = Arc::new(State::new());
        state.create();
        let theirs = Arc::clone(&state);
        let waker = threads::spawn(move || [theirs.wake(0), theirs.wake(0)]);
        state.exit();
        let woken = waker.join().unwrap();
        assert!(woken.iter().all(|&outcome| outcome != Woken::Claimed));
        assert_ne!(woken, [Woken::Gone, Woken::Noticed]);
        assert!(!state.is_alive(0));
        state.release();
        assert_eq!(state.generation(), 1);
    });
}

/// Who asks for a task's CPU time gets that task's, or none, though the slot may have its next tenant meanwhile.
///
/// Catches: no fence in `cpu_time` or in `Task::create` (stale: the next tenant's time under the last one's name).
#[test]
fn a_cpu_time_is_never_the_next_tenants() {
    explore(5, || {
        let shared = Arc::new(Shared::new(1, 1, Config::default()));
        let first = shared.create(1, Spec::default(), CpuId(0));
        shared.task(1).meter.start(Nanos(100));
        shared.task(1).meter.stop(Nanos(150));
        let theirs = Arc::clone(&shared);
        let reader = threads::spawn(move || theirs.cpu_time(first, Nanos(200)));
        shared.task(1).state.exit();
        shared.release(first);
        shared.create(1, Spec::default(), CpuId(0));
        let time = reader.join().unwrap();
        assert!(time.is_none_or(|time| time == Nanos(50)), "{time:?}");
    });
}
