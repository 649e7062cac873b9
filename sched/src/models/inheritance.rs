//! Priority inheritance: who holds a mutex has the rank of whoever waits for it, and keeps nothing of it afterwards.

use super::crowd::{Member, SOON, Session};
use super::explore;
use super::threads;
use crate::class::{Class, Priority, Rank};
use crate::primitives::{Condvar, Kernel, Mutex};
use crate::task::Task;
use crate::time::Nanos;

const HIGH: Class = Class::Fifo(Priority::HIGHEST);

/// Two mutexes, and something that may change under the second.
struct Locks {
    outer: Mutex,
    inner: Mutex,
    changed: Condvar,
}

impl Locks {
    fn new() -> Self {
        Self { outer: Mutex::new(), inner: Mutex::new(), changed: Condvar::new() }
    }

    /// Locks the inner mutex and unlocks it again.
    fn pass(&self, me: Member<'_>) {
        self.inner.lock(me);
        self.inner.unlock(me);
    }
}

/// A session of three, the last of which is real-time.
fn three() -> std::sync::Arc<Session<Locks>> {
    let session = Session::new(3, Locks::new());
    assert!(session.crowd.task(3).terms.want_class(session.crowd.id(3).generation, HIGH));
    session
}

fn rank(me: Member<'_>) -> Rank {
    me.current().1.terms.coming_rank()
}

/// Blocks until the thread, which holds a mutex, has the highest rank.
fn await_rank(me: Member<'_>) {
    while rank(me) != HIGH.rank() {
        me.park();
    }
}

fn nobody_keeps_a_rank(session: &Session<Locks>) {
    for slot in 1..=2 {
        assert_eq!(session.crowd.task(slot).terms.coming_rank(), Rank::FAIR, "{slot} keeps what it was lent");
    }
}

/// A holder waits until it's lent a rank, which it has until it unlocks.
///
/// Catches: `lock_slowly` that lends nothing, or tells nobody (parked for ever); `hand_over` that returns nothing.
#[test]
fn a_holder_has_the_rank_of_who_waits() {
    explore(2, || {
        let session = three();
        let me = session.enter(1);
        session.shared.inner.lock(me);
        let waiter = session.spawn(3, |me, locks: &Locks| locks.pass(me));
        await_rank(me);
        session.shared.inner.unlock(me);
        assert_eq!(rank(me), Rank::FAIR, "it's returned with the lock");
        waiter.join().unwrap();
        nobody_keeps_a_rank(&session);
    });
}

/// A holder waits for another mutex when it's lent a rank, or is about to.
///
/// Catches: `look_again` that lends nothing, or isn't called; `lend_other` that doesn't wake (the first holder waits for
/// ever).
#[test]
fn a_rank_is_passed_on() {
    explore(1, || {
        let session = three();
        let me = session.enter(1);
        session.shared.outer.lock(me);
        session.shared.inner.lock(session.crowd.member(2));
        let between = session.spawn(2, |me, locks: &Locks| {
            locks.outer.lock(me);
            locks.outer.unlock(me);
            locks.inner.unlock(me);
        });
        let waiter = session.spawn(3, |me, locks: &Locks| locks.pass(me));
        await_rank(me);
        session.shared.outer.unlock(me);
        between.join().unwrap();
        waiter.join().unwrap();
        nobody_keeps_a_rank(&session);
    });
}

/// The same where the one between waits for a condition, and was sent to wait for the mutex.
///
/// Catches: `Condvar::wait` that doesn't follow its rank; `admit` that doesn't say that the thread has moved.
#[test]
fn a_rank_is_passed_on_by_one_that_was_notified() {
    explore(1, || {
        let session = three();
        let me = session.enter(1);
        session.shared.inner.lock(session.crowd.member(2));
        let between = session.spawn(2, |me, locks: &Locks| {
            locks.outer.lock(me);
            locks.changed.wait(me, &locks.outer, |_| ());
            locks.outer.unlock(me);
            locks.inner.unlock(me);
        });
        let waiter = session.spawn(3, |me, locks: &Locks| locks.pass(me));
        session.shared.outer.lock(me);
        while !session.shared.changed.is_awaited() {
            session.shared.outer.unlock(me);
            threads::yield_now();
            session.shared.outer.lock(me);
        }
        session.shared.changed.notify_one(me, || &session.shared.outer);
        await_rank(me);
        session.shared.outer.unlock(me);
        between.join().unwrap();
        waiter.join().unwrap();
        nobody_keeps_a_rank(&session);
    });
}

/// Who lent its rank gives up, while the holder unlocks and another one waits.
///
/// Catches: `give_up` that takes nothing back; `hand_over` that lends the next holder what the last one was lent.
#[test]
fn who_gives_up_takes_its_rank_back() {
    explore(1, || {
        let session = three();
        let me = session.enter(1);
        session.shared.inner.lock(me);
        let sleeper = session.crowd.id(3);
        let waiter = session.spawn(3, |me, locks: &Locks| {
            if locks.inner.lock_until(me, SOON) {
                locks.inner.unlock(me);
            }
        });
        let patient = session.spawn(2, |me, locks: &Locks| locks.pass(me));
        me.expire(sleeper);
        session.shared.inner.unlock(me);
        waiter.join().unwrap();
        patient.join().unwrap();
        nobody_keeps_a_rank(&session);
        assert!(session.shared.inner.lock_until(me, Nanos::NEVER), "the lock is free in the end");
    });
}

/// A rank is lent while the owner takes over what was wished for before.
///
/// Catches: `lend` that marks the terms before it changes them, or with Relaxed; `take_wanted` that takes the mark away
/// last, or with Relaxed (stale: the rank is never taken over).
#[test]
fn a_rank_that_is_lent_is_taken_over() {
    explore(3, || {
        let task = std::sync::Arc::new(Task::new());
        assert!(task.terms.want_weight(0, 5));
        let lender = {
            let task = std::sync::Arc::clone(&task);
            threads::spawn(move || assert_eq!(task.terms.lend(Rank::IDLE, HIGH.rank()), Ok(true)))
        };
        task.terms.renew();
        lender.join().unwrap();
        if task.terms.are_changed() {
            task.terms.renew();
        }
        assert_eq!(task.rank(), HIGH.rank());
    });
}

/// Who lent its rank gives up while the holder unlocks, and nobody else waits.
///
/// Catches: `give_up` that lets the holder go before it takes back what it lent (race).
#[test]
fn the_only_one_that_waits_takes_its_rank_back() {
    explore(2, || {
        let session = three();
        let me = session.enter(1);
        session.shared.inner.lock(me);
        let sleeper = session.crowd.id(3);
        let waiter = session.spawn(3, |me, locks: &Locks| {
            if locks.inner.lock_until(me, SOON) {
                locks.inner.unlock(me);
            }
        });
        await_rank(me);
        me.expire(sleeper);
        session.shared.inner.unlock(me);
        waiter.join().unwrap();
        nobody_keeps_a_rank(&session);
    });
}

/// One returns what it was lent while another one lends as much.
///
/// Catches: `lend` that compares what others changed meanwhile, too: that the rank falls is told, that it rises again isn't.
#[test]
fn a_rank_that_falls_and_rises_is_told_twice_or_never() {
    explore(2, || {
        let task = std::sync::Arc::new(Task::new());
        assert_eq!(task.terms.lend(Rank::IDLE, HIGH.rank()), Ok(true));
        let lender = {
            let task = std::sync::Arc::clone(&task);
            threads::spawn(move || task.terms.lend(Rank::IDLE, HIGH.rank()))
        };
        let returned = task.terms.lend(HIGH.rank(), Rank::IDLE);
        assert_eq!(lender.join().unwrap(), returned);
        assert_eq!(task.terms.coming_rank(), HIGH.rank());
    });
}
