//! Who has permits, and who waits for some.

use super::*;
use crate::primitives::still::{Still, blocks};

fn waits(semaphore: &Semaphore, still: &Still, slot: u32, count: u32) -> bool {
    blocks(|| _ = semaphore.acquire_until(still.thread(slot), count, Nanos::NEVER))
}

#[test]
fn permits_are_had_as_long_as_there_are_enough() {
    let (semaphore, still) = (Semaphore::new(3), Still::new(2));
    assert_eq!((semaphore.try_acquire(2), semaphore.available()), (Ok(()), 1));
    assert_eq!((semaphore.try_acquire(2), semaphore.available()), (Err(Refusal::TooFew), 1));
    assert_eq!(semaphore.try_acquire(1), Ok(()));
    semaphore.release(still.thread(1), 5);
    assert_eq!(semaphore.available(), 5);
    assert_eq!(semaphore.acquire_until(still.thread(1), 5, Nanos::ZERO), Ok(()));
    assert_eq!(semaphore.acquire_until(still.thread(1), 1, Nanos::ZERO), Err(Refusal::TooFew));
    semaphore.release(still.thread(1), 1);
    assert_eq!(semaphore.try_acquire(1), Ok(()), "who gave up waits no more");
}

/// Catches: one that overtakes, permits that are lost or given twice.
#[test]
fn who_waits_is_served_in_turn_and_the_rest_is_kept() {
    let (semaphore, still) = (Semaphore::new(1), Still::new(5));
    assert!(waits(&semaphore, &still, 2, 3));
    assert!(waits(&semaphore, &still, 3, 1), "there's one, but it's not its turn");
    assert_eq!(semaphore.try_acquire(1), Err(Refusal::TooFew));
    semaphore.release(still.thread(1), 1);
    assert_eq!((still.woken.borrow().len(), semaphore.available()), (0, 2));
    semaphore.release(still.thread(1), 1);
    assert_eq!((*still.woken.borrow() == [2], semaphore.available()), (true, 0));
    semaphore.release(still.thread(1), 4);
    assert_eq!((*still.woken.borrow() == [2, 3], semaphore.available()), (true, 3));
    assert_eq!(semaphore.try_acquire(3), Ok(()), "nobody waits any more");
}

#[test]
fn a_closed_semaphore_gives_what_it_has_and_has_nobody_wait() {
    let (semaphore, still) = (Semaphore::new(1), Still::new(5));
    assert!(waits(&semaphore, &still, 2, 2) && waits(&semaphore, &still, 3, 2));
    semaphore.close(still.thread(1));
    semaphore.close(still.thread(1));
    assert_eq!(*still.woken.borrow(), [2, 3], "once");
    let acquire = |count| semaphore.acquire_until(still.thread(4), count, Nanos::NEVER);
    assert_eq!([acquire(2), acquire(1), acquire(1)], [Err(Refusal::Closed), Ok(()), Err(Refusal::Closed)]);
    assert_eq!(semaphore.try_acquire(1), Err(Refusal::Closed));
    semaphore.release(still.thread(1), 2);
    assert_eq!(semaphore.available(), 2);
    semaphore.shut(still.thread(1));
    assert_eq!((semaphore.available(), semaphore.try_acquire(1)), (0, Err(Refusal::Closed)));
}

#[test]
fn there_can_be_as_many_as_there_is_room_for() {
    let (semaphore, still) = (Semaphore::new(MAX_PERMITS - 1), Still::new(2));
    semaphore.release(still.thread(1), 1);
    assert_eq!(semaphore.available(), MAX_PERMITS);
    assert_eq!(semaphore.try_acquire(MAX_PERMITS), Ok(()));
}

#[test]
#[should_panic(expected = "too many permits")]
fn one_more_is_too_many() {
    let (semaphore, still) = (Semaphore::new(MAX_PERMITS), Still::new(2));
    semaphore.release(still.thread(1), 1);
}

#[test]
#[should_panic(expected = "too many permits")]
fn one_more_is_too_many_where_someone_waits() {
    let (semaphore, still) = (Semaphore::new(1), Still::new(3));
    assert!(waits(&semaphore, &still, 2, 2));
    semaphore.release(still.thread(1), MAX_PERMITS);
}

#[test]
#[should_panic(expected = "too many permits")]
fn nor_may_it_begin_with_more() {
    let _ = Semaphore::new(MAX_PERMITS + 1);
}

/// Permits came, or who waited went, between the look at the word and that at the list.
#[test]
fn who_comes_too_late_to_wait_or_to_serve_need_not() {
    let (semaphore, still) = (Semaphore::new(3), Still::new(2));
    let me = still.thread(1);
    assert_eq!((semaphore.wait(me, 2, Nanos::ZERO), semaphore.available()), (Ok(()), 1));
    semaphore.release_slowly(me, 4);
    assert_eq!((semaphore.available(), semaphore.try_acquire(5)), (5, Ok(())));
}
