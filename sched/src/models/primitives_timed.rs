//! Waits with a limit: whoever gives up is out of the list, has not taken what it was given, and leaves nobody behind.

use super::crowd::{Member, SOON, Session};
use super::explore;
use super::primitives::Guarded;
use super::threads;
use crate::time::Nanos;

/// Adds one, unless the lock takes too long; returns how much it added.
fn add_in_time(me: Member<'_>, shared: &Guarded) -> u64 {
    if !shared.mutex.lock_until(me, SOON) {
        return 0;
    }
    shared.value.add(1);
    shared.mutex.unlock(me);
    1
}

/// A thread gives up while the lock comes to it.
///
/// Catches: `wait_until` that gives up though it was taken out (nobody unlocks any more: parked for ever); `give_up`
/// that leaves QUEUED (the lock is never free again); `hand_over` that frees the lock with Relaxed (stale: a sum too
/// small).
#[test]
fn a_lock_is_had_or_not() {
    explore(3, || {
        let session = Session::new(2, Guarded::new());
        let me = session.enter(1);
        session.shared.mutex.lock(me);
        let sleeper = session.crowd.id(2);
        let waiter = session.spawn(2, |me, shared: &Guarded| {
            let added = add_in_time(me, shared);
            shared.add(me);
            added + 1
        });
        me.expire(sleeper);
        session.shared.value.add(1);
        session.shared.mutex.unlock(me);
        let added = waiter.join().unwrap();
        assert_eq!(session.shared.value.get(), added + 1);
        assert!(session.shared.mutex.try_lock(me), "the lock is free in the end");
    });
}

/// A thread gives up before, between or after others that wait.
///
/// Catches: `remove` that forgets the one before or the one after; QUEUED cleared while someone waits.
#[test]
fn who_gives_up_leaves_the_others_in_line() {
    explore(1, || {
        let session = Session::new(3, Guarded::new());
        let me = session.enter(1);
        session.shared.mutex.lock(me);
        let sleeper = session.crowd.id(2);
        let waiter = session.spawn(2, add_in_time);
        let patient = session.spawn(3, |me, shared: &Guarded| shared.add(me));
        me.expire(sleeper);
        assert_eq!(waiter.join().unwrap(), 0, "the lock was held all the time");
        session.shared.mutex.unlock(me);
        patient.join().unwrap();
        assert_eq!(session.shared.value.get(), 1);
        assert!(session.shared.mutex.try_lock(me), "the lock is free in the end");
    });
}

/// A notified thread whose time is up, on this CPU or another: it's told of one of the two, and holds the lock.
fn notified_or_late(slot: u32) {
    explore(2, move || {
        let session = Session::new(3, Guarded::new());
        let sleeper = session.crowd.id(slot);
        let waiter = session.spawn(slot, |me, shared: &Guarded| {
            shared.mutex.lock(me);
            let told = shared.value.get() == 1 || shared.changed.wait_until(me, &shared.mutex, SOON, |_| ());
            let seen = shared.value.get();
            shared.value.add(1);
            shared.mutex.unlock(me);
            assert!(seen == 1 || !told, "a notification comes after what it's about");
        });
        let timer = session.spawn(5 - slot, move |me, _| me.expire(sleeper));
        let me = session.enter(1);
        session.shared.tell(me, Guarded::notify_one);
        waiter.join().unwrap();
        timer.join().unwrap();
        assert_eq!(session.shared.value.get(), 2);
        assert!(session.shared.mutex.try_lock(me), "the lock is free in the end");
    });
}

/// Catches: `morph` that doesn't say that the waiter was taken (it takes itself out of the mutex's list as if it were
/// in the other).
#[test]
fn a_far_waiter_is_notified_or_late() {
    notified_or_late(2);
}

/// Catches: `wait_until` that returns without the lock.
#[test]
fn a_near_waiter_is_notified_or_late() {
    notified_or_late(3);
}

/// Catches: `wait_until` that says that it's late, and never is.
#[test]
fn who_has_no_limit_is_notified() {
    explore(2, || {
        let session = Session::new(2, Guarded::new());
        let waiter = session.spawn(2, |me, shared: &Guarded| {
            shared.mutex.lock(me);
            while shared.value.get() == 0 {
                assert!(shared.changed.wait_until(me, &shared.mutex, Nanos::NEVER, |_| ()));
            }
            shared.mutex.unlock(me);
        });
        let me = session.enter(1);
        while !session.shared.changed.is_awaited() {
            threads::yield_now();
        }
        session.shared.tell(me, Guarded::notify_one);
        waiter.join().unwrap();
    });
}

/// Two bring a token each and tell one; of the two that wait one may give up.
///
/// Catches: `remove` of the first that leaves it first, of the last that leaves it last (a notification for someone gone).
#[test]
fn a_notification_is_not_for_one_who_gave_up() {
    explore(1, || {
        let session = Session::new(3, Guarded::new());
        let sleeper = session.crowd.id(2);
        let hasty = session.spawn(2, |me, shared: &Guarded| {
            shared.mutex.lock(me);
            let _ = shared.changed.wait_until(me, &shared.mutex, SOON, |_| ());
            shared.mutex.unlock(me);
        });
        let patient = session.spawn(3, |me, shared: &Guarded| shared.wait_for(me, 1));
        let me = session.enter(1);
        me.expire(sleeper);
        session.shared.tell(me, Guarded::notify_one);
        session.shared.notify_one(me);
        patient.join().unwrap();
        hasty.join().unwrap();
    });
}
