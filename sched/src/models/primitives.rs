//! Mutex, condition variable and completion: nobody is in twice, nobody waits for ever, nobody reads what is old.

use std::vec::Vec;

use super::crowd::{Member, Session};
use super::explore;
use super::threads;
use crate::primitives::{Completion, Condvar, Kernel, Mutex};
use crate::sync::Owned;

/// A mutex, a condition variable, and a number under the mutex.
pub(super) struct Guarded {
    pub(super) mutex: Mutex,
    pub(super) changed: Condvar,
    pub(super) value: Owned,
}

impl Guarded {
    pub(super) fn new() -> Self {
        Self { mutex: Mutex::new(), changed: Condvar::new(), value: Owned::new(0) }
    }

    /// Adds one by a load and a store.
    pub(super) fn add(&self, me: Member<'_>) {
        self.mutex.lock(me);
        self.value.add(1);
        self.mutex.unlock(me);
    }

    /// The same, and tells.
    pub(super) fn tell(&self, me: Member<'_>, tell: impl Fn(&Self, Member<'_>)) {
        self.add(me);
        tell(self, me);
    }

    /// Adds one, and tells one before it unlocks.
    fn tell_inside(&self, me: Member<'_>) {
        self.mutex.lock(me);
        self.value.add(1);
        self.notify_one(me);
        self.mutex.unlock(me);
    }

    pub(super) fn notify_one(&self, me: Member<'_>) {
        self.changed.notify_one(me, || &self.mutex);
    }

    pub(super) fn notify_all(&self, me: Member<'_>) {
        self.changed.notify_all(me, || &self.mutex);
    }

    /// Waits until the number is `least` or more.
    pub(super) fn wait_for(&self, me: Member<'_>, least: u64) {
        self.mutex.lock(me);
        while self.value.get() < least {
            self.changed.wait(me, &self.mutex, |_| ());
        }
        self.mutex.unlock(me);
    }
}

/// Each of `threads` threads adds one to the number `rounds` times.
fn a_sum_is_right(threads: u32, rounds: u64, preemptions: usize) {
    explore(preemptions, move || {
        let session = Session::new(threads, Guarded::new());
        let work = move |me: Member<'_>, shared: &Guarded| (0..rounds).for_each(|_| shared.add(me));
        let others: Vec<_> = (2..=threads).map(|slot| session.spawn(slot, work)).collect();
        let me = session.enter(1);
        work(me, &session.shared);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(session.shared.value.get(), u64::from(threads) * rounds);
        assert!(session.shared.mutex.try_lock(me), "the lock is free in the end");
    });
}

/// Catches: `try_lock` without Acquire, `give_back` with Relaxed (stale: a sum too small); `give_back` by a store (race: a
/// waiter sleeps for ever).
#[test]
fn two_threads_take_turns_under_a_mutex() {
    a_sum_is_right(2, 2, 2);
}

/// Catches: the same; `hand_over` that forgets that more wait.
#[test]
fn three_threads_take_turns_under_a_mutex() {
    a_sum_is_right(3, 1, 2);
}

/// Someone wakes a thread that waits for the lock.
///
/// Catches: `Waiter::wait` that parks once, whatever woke it (two are in).
#[test]
fn a_wake_for_another_reason_gives_nobody_the_lock() {
    explore(3, || {
        let session = Session::new(3, Guarded::new());
        let first = session.crowd.id(1);
        let rival = session.spawn(2, |me, shared| shared.add(me));
        let stray = session.spawn(3, move |me, _| me.wake(first));
        session.shared.add(session.enter(1));
        rival.join().unwrap();
        stray.join().unwrap();
        assert_eq!(session.shared.value.get(), 2);
    });
}

/// A thread that was handed the lock may be gone, and its slot another's, before the old holder wakes it.
///
/// Catches: `call` that reads the generation after its store (the next tenant is woken).
#[test]
fn a_late_wake_for_a_lock_reaches_nobody_else() {
    explore(4, || {
        let session = Session::new(2, Guarded::new());
        let me = session.enter(1);
        session.shared.mutex.lock(me);
        let waiter = session.spawn(2, |me, shared: &Guarded| {
            shared.add(me);
            me.reincarnate();
        });
        session.shared.mutex.unlock(me);
        waiter.join().unwrap();
        assert!(session.crowd.is_undisturbed(2), "the next tenant has the last one's permit");
    });
}

/// Whose number changes under the mutex, and who is told afterwards.
fn waiters_go_on(waiters: u32, preemptions: usize, tell: fn(&Guarded, Member<'_>)) {
    explore(preemptions, move || {
        let session = Session::new(waiters + 1, Guarded::new());
        let others: Vec<_> = (2..=waiters + 1)
            .map(|slot| session.spawn(slot, move |me, shared| shared.wait_for(me, 1)))
            .collect();
        session.shared.tell(session.enter(1), tell);
        for other in others {
            other.join().unwrap();
        }
    });
}

/// The waiter is on another CPU, and goes to the mutex's list. The mutex is free, and offered to it.
///
/// Catches: `wait` that unlocks the mutex before it's in the list, `notify` that calls nobody or wakes without a call
/// (parked for ever); `wait` that doesn't lock again.
#[test]
fn a_notification_is_not_lost() {
    waiters_go_on(1, 4, Guarded::notify_one);
}

/// The same while the mutex is held, by a thread that wants it again.
///
/// Catches: `admit` that doesn't queue (parked for ever, or in twice).
#[test]
fn a_notification_under_the_lock_is_not_lost() {
    explore(3, || {
        let session = Session::new(2, Guarded::new());
        let waiter = session.spawn(2, |me, shared: &Guarded| {
            shared.wait_for(me, 1);
            shared.add(me);
        });
        let me = session.enter(1);
        session.shared.tell_inside(me);
        session.shared.add(me);
        waiter.join().unwrap();
        assert_eq!(session.shared.value.get(), 3);
        assert!(session.shared.mutex.try_lock(me), "the lock is free in the end");
    });
}

/// Who notifies isn't who changed the condition, and has never had the mutex.
///
/// Catches: `pass_to` with Relaxed (stale: a sum too small).
#[test]
fn who_is_notified_sees_what_the_last_holder_did() {
    explore(2, || {
        let session = Session::new(3, Guarded::new());
        let waiter = session.spawn(2, |me, shared: &Guarded| {
            shared.mutex.lock(me);
            shared.changed.wait(me, &shared.mutex, |_| ());
            shared.value.add(1);
            shared.mutex.unlock(me);
        });
        let worker = session.spawn(3, |me, shared: &Guarded| shared.add(me));
        let me = session.enter(1);
        while !session.shared.changed.is_awaited() {
            threads::yield_now();
        }
        session.shared.notify_one(me);
        waiter.join().unwrap();
        worker.join().unwrap();
        assert_eq!(session.shared.value.get(), 2);
    });
}

/// A thread comes while the lock is offered to another, or before. It may overtake that one, but not share the lock with it.
///
/// Catches: `unlock` that frees the lock before it opens the list (both have it).
#[test]
fn an_offered_lock_is_had_by_one() {
    explore(3, || {
        let session = Session::new(3, Guarded::new());
        let (me, next) = (session.enter(1), session.enter(3));
        let shared = &session.shared;
        shared.mutex.lock(me);
        shared.mutex.queue(next);
        let rival = session.spawn(2, |me, shared: &Guarded| shared.add(me));
        shared.mutex.unlock(me);
        shared.mutex.wait_queued(next);
        shared.value.add(1);
        shared.mutex.unlock(next);
        rival.join().unwrap();
        assert_eq!(shared.value.get(), 2);
    });
}

/// The waiter is on this CPU, and is woken.
///
/// Catches: `wait` of one who is dismissed that doesn't lock.
#[test]
fn a_notification_of_a_neighbour_is_not_lost() {
    explore(2, || {
        let session = Session::new(3, Guarded::new());
        let waiter = session.spawn(3, |me, shared: &Guarded| {
            shared.wait_for(me, 1);
            shared.add(me);
        });
        let me = session.enter(1);
        session.shared.tell(me, Guarded::notify_one);
        session.shared.add(me);
        waiter.join().unwrap();
        assert_eq!(session.shared.value.get(), 3);
    });
}

/// Catches: the same; `unlink` that forgets the next one, or leaves `last`; `notify_all` that tells one.
#[test]
fn a_notification_for_all_reaches_all() {
    waiters_go_on(2, 2, Guarded::notify_all);
}

/// Two wait for a token each, two bring one each and tell one.
///
/// Catches: `push` that overwrites `first`, or doesn't link (a waiter is forgotten).
#[test]
fn each_token_reaches_someone_who_waits() {
    explore(1, || {
        let session = Session::new(3, Guarded::new());
        let others: Vec<_> = (2..=3)
            .map(|slot| {
                session.spawn(slot, |me, shared: &Guarded| {
                    shared.mutex.lock(me);
                    while shared.value.get() == 0 {
                        shared.changed.wait(me, &shared.mutex, |_| ());
                    }
                    shared.value.set(shared.value.get() - 1);
                    shared.mutex.unlock(me);
                })
            })
            .collect();
        let me = session.enter(1);
        session.shared.tell(me, Guarded::notify_one);
        session.shared.tell(me, Guarded::notify_one);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(session.shared.value.get(), 0);
    });
}

/// One is notified in vain while another comes to wait, and may have to wait for the list's lock first.
///
/// Catches: a `wait` that prepares its waiter before it has that lock (it goes on at once, is in the list twice, and
/// someone is parked for ever).
#[test]
fn a_waiter_may_come_while_another_is_notified() {
    explore(1, || {
        let session = Session::new(3, Guarded::new());
        let others = [2, 3].map(|slot| session.spawn(slot, |me, shared: &Guarded| shared.wait_for(me, 1)));
        let me = session.enter(1);
        session.shared.notify_one(me);
        session.shared.tell(me, Guarded::notify_all);
        for other in others {
            other.join().unwrap();
        }
    });
}

/// Someone wakes a thread that waits for a condition: it may look, but stays in the list until it's notified.
///
/// Catches: `Waiter::wait` that parks once (its waiter is used for the mutex while it's still in the list: a thread is
/// parked for ever, or in twice).
#[test]
fn a_wake_for_another_reason_leaves_the_list_whole() {
    explore(1, || {
        let session = Session::new(3, Guarded::new());
        let first = session.crowd.id(1);
        let teller = session.spawn(2, |me, shared: &Guarded| {
            shared.tell(me, Guarded::notify_one);
        });
        let stray = session.spawn(3, move |me, shared: &Guarded| {
            me.wake(first);
            shared.add(me);
        });
        let me = session.enter(1);
        session.shared.wait_for(me, 1);
        teller.join().unwrap();
        stray.join().unwrap();
        assert_eq!(session.shared.value.get(), 2);
    });
}

/// A thread's result, and its end.
struct Ending {
    completion: Completion,
    result: Owned,
}

/// Catches: `finish` without Release, `is_done` with Relaxed (stale result); `finish` by a load and a store, `wait`
/// that stores, or that parks before it says who waits (parked for ever).
#[test]
fn a_joiner_sees_the_result() {
    explore(5, || {
        let ending = Ending { completion: Completion::new(), result: Owned::new(0) };
        let session = Session::new(2, ending);
        let worker = session.spawn(2, |me, shared: &Ending| {
            shared.result.set(7);
            shared.completion.finish(me);
        });
        session.shared.completion.wait(session.enter(1));
        assert_eq!(session.shared.result.get(), 7);
        worker.join().unwrap();
    });
}

/// Catches: `wait` that parks once, whatever woke it (stale result).
#[test]
fn a_wake_for_another_reason_ends_no_join() {
    explore(2, || {
        let ending = Ending { completion: Completion::new(), result: Owned::new(0) };
        let session = Session::new(3, ending);
        let first = session.crowd.id(1);
        let worker = session.spawn(2, |me, shared: &Ending| {
            shared.result.set(7);
            shared.completion.finish(me);
        });
        let stray = session.spawn(3, move |me, _| me.wake(first));
        session.shared.completion.wait(session.enter(1));
        assert_eq!(session.shared.result.get(), 7);
        worker.join().unwrap();
        stray.join().unwrap();
    });
}

/// The joiner may be gone, and its slot another's, before the wake reaches it.
///
/// Catches: an id without its generation (the next tenant is woken).
#[test]
fn a_late_wake_for_a_joiner_reaches_nobody_else() {
    explore(5, || {
        let session = Session::new(2, Completion::new());
        let worker = session.spawn(2, |me, end: &Completion| end.finish(me));
        let me = session.enter(1);
        session.shared.wait(me);
        me.reincarnate();
        worker.join().unwrap();
        assert!(session.crowd.is_undisturbed(1), "the next tenant has the last one's permit");
    });
}
