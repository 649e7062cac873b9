//! Semaphore, reentrant lock, barrier, one-time initialisation, wait queue, channel: nobody has what another one
//! has, nobody waits for ever, nobody reads what is old.

use super::crowd::{Member, SOON, Session};
use super::explore;
use crate::primitives::{Barrier, Channel, Failure, Once, ReentrantLock, Semaphore, WaitQueue};
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, Owned};
use crate::time::Nanos;

/// Something, and a number that it guards.
struct With<T> {
    it: T,
    value: Owned,
}

impl<T> With<T> {
    fn new(it: T) -> Self {
        Self { it, value: Owned::new(0) }
    }
}

impl With<Semaphore> {
    /// Adds one, under all the permits that there are.
    fn add(&self, me: Member<'_>, permits: u32) {
        self.it.acquire_until(me, permits, Nanos::NEVER).unwrap();
        self.value.add(1);
        self.it.release(me, permits);
    }
}

/// Threads want both of two permits, and one brings the second late.
///
/// Catches: `serve` that gives more than there is, or leaves QUEUED, or takes it away too early; `release` or `try_acquire`
/// with Relaxed; `release_slowly` that forgets its permits (parked for ever).
#[test]
fn permits_are_not_given_twice() {
    explore(1, || {
        let session = Session::new(3, With::new(Semaphore::new(1)));
        let others = [2, 3].map(|slot| session.spawn(slot, |me, shared: &With<Semaphore>| shared.add(me, 2)));
        let me = session.enter(1);
        session.shared.it.release(me, 1);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(session.shared.value.get(), 2);
        assert_eq!(session.shared.it.try_acquire(2), Ok(()));
    });
}

/// Someone wants more than there'll be, and gives up; who stood behind needs less.
///
/// Catches: `wait` that gives up without a look at who stood behind (parked for ever).
#[test]
fn who_wants_too_much_is_in_nobodys_way() {
    explore(1, || {
        let session = Session::new(3, Semaphore::new(0));
        let me = session.enter(1);
        let sleeper = session.crowd.id(2);
        let greedy = session.spawn(2, |me, all: &Semaphore| all.acquire_until(me, 2, SOON));
        let modest = session.spawn(3, |me, all: &Semaphore| all.acquire_until(me, 1, Nanos::NEVER));
        session.shared.release(me, 1);
        me.expire(sleeper);
        assert_eq!(modest.join().unwrap(), Ok(()));
        assert!(greedy.join().unwrap().is_err());
        assert_eq!(session.shared.available(), 0);
    });
}

/// The same, and the permit comes later still.
///
/// Catches: `serve` that says nobody waits while someone does (parked for ever).
#[test]
fn who_gave_up_was_not_the_last_one() {
    explore(1, || {
        let session = Session::new(3, Semaphore::new(0));
        let me = session.enter(1);
        let sleeper = session.crowd.id(2);
        let greedy = session.spawn(2, |me, all: &Semaphore| all.acquire_until(me, 2, SOON));
        let modest = session.spawn(3, |me, all: &Semaphore| all.acquire_until(me, 1, Nanos::NEVER));
        me.expire(sleeper);
        assert!(greedy.join().unwrap().is_err());
        session.shared.release(me, 1);
        assert_eq!(modest.join().unwrap(), Ok(()));
    });
}

/// Whoever waited has gone when the permit comes to the list, and another thread takes one meanwhile.
///
/// Catches: `release_slowly` that serves nobody as if nobody else could change the word (a permit too many).
#[test]
fn a_permit_that_comes_when_all_have_gone_is_counted_once() {
    explore(2, || {
        let session = Session::new(3, Semaphore::new(1));
        let me = session.enter(1);
        let sleeper = session.crowd.id(2);
        let greedy = session.spawn(2, |me, all: &Semaphore| all.acquire_until(me, 3, SOON));
        let passer = session.spawn(3, |_, all: &Semaphore| all.try_acquire(1));
        me.expire(sleeper);
        session.shared.release(me, 1);
        assert!(greedy.join().unwrap().is_err());
        let taken = u32::from(passer.join().unwrap().is_ok());
        assert_eq!(session.shared.available() + taken, 2);
    });
}

/// Catches: `close` that leaves QUEUED, or calls nobody (parked for ever).
#[test]
fn a_closed_semaphore_sends_everyone_away() {
    explore(3, || {
        let session = Session::new(2, Semaphore::new(0));
        let waiter = session.spawn(2, |me, all: &Semaphore| all.acquire_until(me, 1, Nanos::NEVER));
        let me = session.enter(1);
        session.shared.close(me);
        assert!(waiter.join().unwrap().is_err());
        session.shared.release(me, 1);
        assert_eq!(session.shared.try_acquire(1), Ok(()));
    });
}

/// Who waits needs one of two permits that come at once; another one takes the second as it passes.
///
/// Catches: `serve` that leaves the rest with Relaxed (stale: who takes it overlooks what was done before).
#[test]
fn what_is_left_of_permits_brings_what_was_done_before() {
    explore(2, || {
        let session = Session::new(3, With::new(Semaphore::new(0)));
        let me = session.enter(1);
        let waiter = session.spawn(2, |me, shared: &With<Semaphore>| {
            shared.it.acquire_until(me, 1, Nanos::NEVER).unwrap();
        });
        let passer = session.spawn(3, |_, shared: &With<Semaphore>| {
            shared.it.try_acquire(1).is_err() || shared.value.get() == 1
        });
        session.shared.value.set(1);
        session.shared.it.release(me, 2);
        waiter.join().unwrap();
        assert!(passer.join().unwrap(), "a permit came without what was done before");
    });
}

/// Catches: `lock_until` that counts before it holds the lock; `unlock` that frees it early.
#[test]
fn a_lock_is_held_to_the_last_guard() {
    explore(3, || {
        let session = Session::new(2, With::new(ReentrantLock::new()));
        let work = |me: Member<'_>, shared: &With<ReentrantLock>| {
            assert!(shared.it.lock_until(me, Nanos::NEVER));
            assert!(shared.it.try_lock(me));
            shared.it.unlock(me);
            shared.value.add(1);
            shared.it.unlock(me);
        };
        let other = session.spawn(2, work);
        work(session.enter(1), &session.shared);
        other.join().unwrap();
        assert_eq!(session.shared.value.get(), 2);
    });
}

/// Two rounds, and each thread sees what the other did in the first.
///
/// Catches: `wait` that doesn't begin a new round (one passes alone), or calls nobody.
#[test]
fn all_pass_a_barrier_together() {
    explore(1, || {
        let session = Session::new(2, (Barrier::new(2), [Owned::new(0), Owned::new(0)]));
        let work = |me: Member<'_>, (barrier, marks): &(Barrier, [Owned; 2]), i: usize| {
            let mut led = 0;
            for round in 1..=2 {
                marks[i].set(round);
                led += u32::from(barrier.wait(me));
                assert!(marks[1 - i].get() >= round);
            }
            led
        };
        let other = session.spawn(2, move |me, shared| work(me, shared, 1));
        let led = work(session.enter(1), &session.shared, 0);
        assert_eq!(led + other.join().unwrap(), 2, "one thread leads a round");
    });
}

/// Catches: `call_slowly` that runs twice; `finish` or `is_completed` with Relaxed (stale); one that waits for ever.
#[test]
fn what_is_done_once_is_seen_by_all() {
    explore(1, || {
        let session = Session::new(3, With::new(Once::new()));
        let work = |me: Member<'_>, shared: &With<Once>| {
            shared.it.call_once(me, || shared.value.add(7));
            assert_eq!(shared.value.get(), 7);
        };
        let others = [2, 3].map(|slot| session.spawn(slot, work));
        work(session.enter(1), &session.shared);
        for other in others {
            other.join().unwrap();
        }
    });
}

/// A condition that nobody guards.
type Flagged = (WaitQueue, AtomicU32);

fn wait_for_flag(me: Member<'_>, (queue, flag): &Flagged) -> bool {
    queue.wait_until(me, Nanos::NEVER, || flag.load(Ordering::Relaxed) == 1)
}

/// Catches: either fence removed, or `wait_once` that looks before it's in the queue (parked for ever).
#[test]
fn a_change_is_seen_or_its_wake() {
    explore(3, || {
        let session = Session::new(2, (WaitQueue::new(), AtomicU32::new(0)));
        let waiter = session.spawn(2, wait_for_flag);
        let me = session.enter(1);
        session.shared.1.store(1, Ordering::Relaxed);
        session.shared.0.wake_one(me);
        assert!(waiter.join().unwrap());
    });
}

/// Two wait, each is meant by one wake, and may need it no more by then.
///
/// Catches: `wait_once` that looks before it's in the queue (parked for ever).
#[test]
fn each_wake_reaches_someone_who_waits() {
    explore(1, || {
        let session = Session::new(3, (WaitQueue::new(), AtomicU32::new(0)));
        let others = [2, 3].map(|slot| session.spawn(slot, wait_for_flag));
        let me = session.enter(1);
        session.shared.1.store(1, Ordering::Relaxed);
        session.shared.0.wake_one(me);
        session.shared.0.wake_one(me);
        for other in others {
            assert!(other.join().unwrap());
        }
    });
}

/// Catches: `wait_until` that says that the condition holds when it was woken, or that stays in the queue.
#[test]
fn a_condition_is_waited_for_no_longer_than_told() {
    explore(3, || {
        let session = Session::new(2, (WaitQueue::new(), AtomicU32::new(0)));
        let sleeper = session.crowd.id(2);
        let waiter = session.spawn(2, |me, (queue, flag): &Flagged| {
            queue.wait_until(me, SOON, || flag.load(Ordering::Relaxed) == 1)
        });
        let me = session.enter(1);
        me.expire(sleeper);
        session.shared.0.wake_all(me);
        assert!(!waiter.join().unwrap(), "nobody made it true");
        session.shared.0.wake_all(me);
    });
}

/// A channel, and a place for each message, which is sent as a one.
struct Pipe {
    channel: Channel,
    sent: AtomicU32,
}

impl Pipe {
    fn new(places: u32) -> Self {
        Self { channel: Channel::bounded(places), sent: AtomicU32::new(0) }
    }

    fn send(&self, me: Member<'_>) -> Result<(), Failure> {
        self.channel.send_until(me, Nanos::NEVER, || {
            self.sent.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn take(&self) -> u32 {
        self.sent.fetch_sub(1, Ordering::Relaxed)
    }

    fn receive_until(&self, me: Member<'_>, deadline: Nanos) -> Result<u32, Failure> {
        self.channel.receive_until(me, deadline, || self.take())
    }
}

/// Messages through a channel of one place.
///
/// Catches: `receive_until` that gives no place back (parked for ever), or takes before there's a message.
#[test]
fn messages_arrive() {
    explore(1, || {
        let session = Session::new(2, Pipe::new(1));
        let sender = session.spawn(2, |me, pipe: &Pipe| [pipe.send(me), pipe.send(me)]);
        let (me, pipe) = (session.enter(1), &session.shared);
        for _ in 0..2 {
            assert_eq!(pipe.receive_until(me, Nanos::NEVER), Ok(1));
        }
        assert_eq!(sender.join().unwrap(), [Ok(()); 2]);
    });
}

/// One message through a channel of `places`, and then the sender is gone.
fn a_message_arrives_and_no_more(places: u32) {
    explore(1, move || {
        let session = Session::new(2, Pipe::new(places));
        let sender = session.spawn(2, |me, pipe: &Pipe| {
            assert_eq!(pipe.send(me), Ok(()));
            pipe.channel.drop_sender(me);
        });
        let (me, pipe) = (session.enter(1), &session.shared);
        assert_eq!(pipe.receive_until(me, Nanos::NEVER), Ok(1));
        assert_eq!(pipe.receive_until(me, Nanos::NEVER), Err(Failure::Disconnected));
        sender.join().unwrap();
    });
}

/// Catches: `drop_sender` that closes nothing (parked for ever), `close` that forgets a message.
#[test]
fn a_message_is_left_by_who_is_gone() {
    a_message_arrives_and_no_more(1);
}

/// Catches: `meet` that offers no place (parked for ever).
#[test]
fn a_message_is_handed_from_thread_to_thread() {
    a_message_arrives_and_no_more(0);
}

/// The receiver gives up in the middle of a rendezvous.
///
/// Catches: `meet` that leaves its offer standing (a message is sent to nobody), or forgets a message that is on its way.
#[test]
fn a_rendezvous_takes_place_or_not() {
    explore(1, || {
        let session = Session::new(2, Pipe::new(0));
        let me = session.enter(1);
        let receiver = session.crowd.id(2);
        let receiving = session.spawn(2, |me, pipe: &Pipe| {
            let first = pipe.receive_until(me, SOON);
            pipe.channel.drop_receiver(me);
            first
        });
        me.expire(receiver);
        let sent = session.shared.send(me);
        assert_eq!(sent.is_ok(), receiving.join().unwrap().is_ok());
    });
}

/// Catches: `drop_receiver` that leaves places, or a sender that waits for one (parked for ever).
#[test]
fn who_sends_to_nobody_is_told() {
    explore(3, || {
        let session = Session::new(2, Pipe::new(1));
        let sender = session.spawn(2, |me, pipe: &Pipe| [pipe.send(me), pipe.send(me)]);
        let me = session.enter(1);
        session.shared.channel.drop_receiver(me);
        let sent = sender.join().unwrap();
        assert_eq!(sent[1], Err(Failure::Disconnected));
        assert_eq!(session.shared.channel.try_send(me, || ()), Err(Failure::Disconnected));
    });
}
