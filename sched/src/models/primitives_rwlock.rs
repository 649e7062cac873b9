//! Readers-writer lock: a writer is alone, and who comes after it sees what it did.

use super::crowd::{Member, SOON, Session};
use super::explore;
use super::threads::Cell;
use crate::primitives::RwLock;
use crate::sync::Owned;
use crate::time::Nanos;

/// A lock, and what it guards.
struct Shared {
    it: RwLock,
    value: Owned,
    /// Loom panics where a read of it and a write aren't ordered, which a stale value needn't show.
    place: Cell<u32>,
}

impl Shared {
    fn new() -> Self {
        Self { it: RwLock::new(), value: Owned::new(0), place: Cell::new(0) }
    }
}

impl Shared {
    fn read(&self, me: Member<'_>) -> u64 {
        assert!(self.it.read_until(me, Nanos::NEVER));
        let value = self.value.get();
        self.place.with(|_| ());
        self.it.unlock_read(me);
        value
    }

    fn add(&self, me: Member<'_>, deadline: Nanos) -> u64 {
        if !self.it.write_until(me, deadline) {
            return 0;
        }
        self.value.add(1);
        self.place.with_mut(|_| ());
        self.it.unlock_write(me);
        1
    }
}

/// Catches: `may_have` that lets a writer in beside a writer; a word that is Relaxed (stale: a sum too small);
/// `unlock_read` that hands nothing over, or is Relaxed (the next writer writes what is still being read).
#[test]
fn writers_are_alone() {
    explore(1, || {
        let session = Session::new(3, Shared::new());
        let writer = session.spawn(2, |me, shared: &Shared| shared.add(me, Nanos::NEVER));
        let reader = session.spawn(3, |me, shared: &Shared| shared.read(me));
        let me = session.enter(1);
        session.shared.add(me, Nanos::NEVER);
        assert!(reader.join().unwrap() <= 2);
        writer.join().unwrap();
        assert_eq!(session.shared.read(me), 2);
        assert!(session.shared.it.try_write(), "the lock is free in the end");
    });
}

/// A reader waits behind a writer that gives up, while another one reads.
///
/// Catches: `wait` that gives up without a look at who stood behind (parked for ever); `may_have` that lets a writer in
/// beside a reader.
#[test]
fn a_writer_that_gives_up_lets_readers_by() {
    explore(1, || {
        let session = Session::new(3, Shared::new());
        let me = session.enter(1);
        assert!(session.shared.it.try_read());
        let sleeper = session.crowd.id(2);
        let writer = session.spawn(2, |me, shared: &Shared| shared.add(me, SOON));
        let reader = session.spawn(3, |me, shared: &Shared| shared.read(me));
        me.expire(sleeper);
        assert_eq!(reader.join().unwrap(), 0);
        assert_eq!(session.shared.value.get(), 0, "nobody writes while someone reads");
        session.shared.it.unlock_read(me);
        let added = writer.join().unwrap();
        assert_eq!(session.shared.value.get(), added);
        assert!(session.shared.it.try_write(), "the lock is free in the end");
    });
}

/// A writer that gives up lets a reader in, when another writer has just given the lock back.
///
/// Catches: `serve` that looks at the word with Relaxed (stale: the reader overlooks what the other writer did).
#[test]
fn what_a_writer_did_is_seen_by_who_is_let_in_by_another() {
    explore(2, || {
        let session = Session::new(3, Shared::new());
        let me = session.enter(1);
        assert!(session.shared.it.try_write());
        let sleeper = session.crowd.id(2);
        let writer = session.spawn(2, |me, shared: &Shared| shared.add(me, SOON));
        let reader = session.spawn(3, |me, shared: &Shared| shared.read(me));
        me.expire(sleeper);
        session.shared.value.add(1);
        session.shared.it.unlock_write(me);
        assert!(reader.join().unwrap() >= 1);
        writer.join().unwrap();
    });
}

/// Catches: `downgrade` that calls nobody (parked for ever), or lets a writer by.
#[test]
fn a_writer_that_goes_on_to_read_is_joined_by_readers() {
    explore(3, || {
        let session = Session::new(2, Shared::new());
        let me = session.enter(1);
        assert!(session.shared.it.try_write());
        let reader = session.spawn(2, |me, shared: &Shared| shared.read(me));
        session.shared.value.add(1);
        session.shared.it.downgrade(me);
        assert_eq!(reader.join().unwrap(), 1);
        session.shared.it.unlock_read(me);
        assert!(session.shared.it.try_write(), "the lock is free in the end");
    });
}
