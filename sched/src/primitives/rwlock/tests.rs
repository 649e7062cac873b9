//! Who has the lock, and who waits for it.

use super::*;
use crate::primitives::still::{Still, blocks};

fn read_waits(lock: &RwLock, still: &Still, slot: u32) -> bool {
    blocks(|| _ = lock.read_until(still.thread(slot), Nanos::NEVER))
}

fn write_waits(lock: &RwLock, still: &Still, slot: u32) -> bool {
    blocks(|| _ = lock.write_until(still.thread(slot), Nanos::NEVER))
}

#[test]
fn readers_share_it_and_a_writer_is_alone() {
    let (lock, still) = (RwLock::new(), Still::new(2));
    let me = still.thread(1);
    assert!(lock.try_read() && lock.read_until(me, Nanos::ZERO) && !lock.try_write());
    lock.unlock_read(me);
    assert!(!lock.write_until(me, Nanos::ZERO), "one still reads");
    lock.unlock_read(me);
    assert!(lock.write_until(me, Nanos::ZERO) && !lock.try_read() && !lock.try_write());
    assert!(!lock.read_until(me, Nanos::ZERO));
    lock.unlock_write(me);
    assert!(lock.try_read(), "who gave up waits no more");
}

/// Catches: readers that overtake a writer, or a writer that overtakes readers; readers that have it one by one.
#[test]
fn it_is_had_in_the_order_of_arrival() {
    let (lock, still) = (RwLock::new(), Still::new(7));
    let me = still.thread(1);
    assert!(lock.try_read());
    assert!(write_waits(&lock, &still, 2));
    assert!(!lock.try_read(), "a writer waits");
    assert!([3, 4].iter().all(|&slot| read_waits(&lock, &still, slot)));
    assert!(write_waits(&lock, &still, 5));
    lock.unlock_read(me);
    assert_eq!(*still.woken.borrow(), [2]);
    lock.unlock_write(still.thread(2));
    assert_eq!(*still.woken.borrow(), [2, 3, 4]);
    lock.unlock_read(still.thread(3));
    assert_eq!(still.woken.borrow().len(), 3, "one still reads");
    lock.unlock_read(still.thread(4));
    assert_eq!(*still.woken.borrow(), [2, 3, 4, 5]);
    lock.unlock_write(still.thread(5));
    assert!(lock.try_write());
}

#[test]
fn who_writes_no_more_but_reads_lets_readers_in_and_no_writer() {
    let (lock, still) = (RwLock::new(), Still::new(5));
    assert!(lock.try_write());
    lock.downgrade(still.thread(1));
    assert!(lock.try_read() && !lock.try_write());
    lock.unlock_read(still.thread(1));
    lock.unlock_read(still.thread(1));
    assert!(lock.try_write());
    assert!(read_waits(&lock, &still, 2) && write_waits(&lock, &still, 3) && read_waits(&lock, &still, 4));
    lock.downgrade(still.thread(1));
    assert_eq!(*still.woken.borrow(), [2]);
}

/// It was given back between the look at the word and that at the list.
#[test]
fn who_finds_it_free_in_the_end_takes_it() {
    let (lock, still) = (RwLock::new(), Still::new(2));
    let me = still.thread(1);
    assert!(lock.wait(me, READ, Nanos::ZERO) && lock.try_read() && !lock.try_write());
    lock.unlock_read(me);
    lock.unlock_read(me);
    assert!(lock.wait(me, WRITE, Nanos::ZERO) && !lock.try_read());
    lock.unlock_write(me);
    assert!(lock.try_write());
}
