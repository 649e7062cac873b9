//! The lock of a list of waiting threads: nobody is behind it twice, nobody waits for ever, nobody reads what is old.

use std::vec::Vec;

use super::crowd::{Member, Session};
use super::explore;
use crate::primitives::Gate;
use crate::sync::Owned;

/// A gate, and a number behind it.
struct Gated {
    gate: Gate,
    value: Owned,
}

impl Gated {
    /// Adds one by a load and a store.
    fn add(&self, me: Member<'_>) {
        self.gate.lock(me);
        self.value.add(1);
        self.gate.unlock(me);
    }
}

/// Each of `threads` threads adds one to the number `rounds` times.
fn a_sum_is_right(threads: u32, rounds: u64, preemptions: usize) {
    explore(preemptions, move || {
        let session = Session::new(threads, Gated { gate: Gate::new(), value: Owned::new(0) });
        let work = move |me: Member<'_>, shared: &Gated| (0..rounds).for_each(|_| shared.add(me));
        let others: Vec<_> = (2..=threads).map(|slot| session.spawn(slot, work)).collect();
        work(session.enter(1), &session.shared);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(session.shared.value.get(), u64::from(threads) * rounds);
        assert!(session.shared.gate.try_lock(), "the gate is open in the end");
    });
}

/// Catches: `try_lock` or `join` without Acquire, `try_unlock`, `let_in` or `wait` with Relaxed (stale: a sum too small);
/// `try_unlock` by a store (race: a waiter sleeps for ever); `hand_over` that opens the gate besides, or doesn't clear
/// QUEUED (two are in; or the gate is never open again).
#[test]
fn two_threads_take_turns_at_a_gate() {
    a_sum_is_right(2, 2, 4);
}

/// Catches: the same; `join` without Release or `take_list` without Acquire (stale link: a waiter is forgotten);
/// `take_list` that keeps the last one only, or doesn't set QUEUED.
#[test]
fn three_threads_take_turns_at_a_gate() {
    a_sum_is_right(3, 1, 3);
}
