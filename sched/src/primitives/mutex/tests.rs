//! Who has the lock, and who is woken for it, in scenes where no thread gets to run.

use super::*;
use crate::class::{Class, Priority};
use crate::primitives::still::Still;

/// Thread 1 holds the mutex, for which the others wait in turn.
fn scene(mutex: &Mutex, waiters: u32) -> Still {
    let still = Still::new(2 + waiters as usize);
    mutex.lock(still.thread(1));
    (2..2 + waiters).for_each(|slot| mutex.queue(still.thread(slot)));
    still
}

fn look(mutex: &Mutex, still: &Still, slot: u32) -> bool {
    mutex.look_again(still.thread(slot), Waiter::is_moved);
    mutex.is_mine(still.thread(slot))
}

fn give_up(mutex: &Mutex, still: &Still, slot: u32) {
    let kernel = still.thread(slot);
    let waiting = mutex.list.open(&kernel);
    waiting.remove(slot, &still.tasks[slot as usize]);
    let followup = mutex.give_up(&waiting);
    drop(waiting);
    followup.act(kernel);
}

/// Otherwise two threads that lock often would switch at each unlock.
#[test]
fn the_last_holder_may_lock_again_until_the_next_one_comes() {
    let mutex = Mutex::new();
    let still = scene(&mutex, 2);
    for _ in 0..3 {
        mutex.unlock(still.thread(1));
        mutex.lock(still.thread(1));
    }
    assert_eq!(*still.woken.borrow(), [2], "who comes already isn't woken again");
    mutex.unlock(still.thread(1));
    assert!(look(&mutex, &still, 2));
}

#[test]
fn nobody_is_overtaken_twice() {
    let mutex = Mutex::new();
    let still = scene(&mutex, 2);
    mutex.unlock(still.thread(1));
    mutex.lock(still.thread(1));
    assert!(!look(&mutex, &still, 2));
    mutex.unlock(still.thread(1));
    assert!(mutex.is_mine(still.thread(2)), "granted");
    mutex.unlock(still.thread(2));
    assert!(!mutex.is_mine(still.thread(3)), "offered: it's another's turn");
    assert!(look(&mutex, &still, 3));
}

/// The background thread that the lock was offered to may take its time.
#[test]
fn who_comes_before_the_first_is_woken_though_that_comes_already() {
    let mutex = Mutex::new();
    let still = Still::new(4);
    assert!(still.tasks[2].terms.want_class(0, Class::Background));
    mutex.lock(still.thread(1));
    mutex.queue(still.thread(2));
    still.woken.borrow_mut().clear();
    mutex.unlock(still.thread(1));
    mutex.lock(still.thread(1));
    mutex.queue(still.thread(3));
    mutex.unlock(still.thread(1));
    assert_eq!(*still.woken.borrow(), [2, 3]);
}

#[test]
fn who_gives_up_takes_no_claim_of_another_along() {
    let mutex = Mutex::new();
    let still = scene(&mutex, 2);
    mutex.unlock(still.thread(1));
    mutex.lock(still.thread(1));
    assert!(!look(&mutex, &still, 2));
    give_up(&mutex, &still, 3);
    mutex.unlock(still.thread(1));
    assert!(mutex.is_mine(still.thread(2)), "it came in vain once");
}

#[test]
fn a_lock_that_is_offered_is_not_tried() {
    let mutex = Mutex::new();
    let still = scene(&mutex, 1);
    mutex.unlock(still.thread(1));
    assert!(!mutex.try_lock(still.thread(1)));
}

#[test]
fn nobody_overtakes_a_thread_of_higher_rank() {
    for (holder, waiter) in [
        (Class::Background, Class::Fair),
        (Class::Fair, Class::Fifo(Priority::LOWEST)),
        (Class::Fifo(Priority::HIGHEST), Class::Fifo(Priority::LOWEST)),
    ] {
        let mutex = Mutex::new();
        let still = Still::new(3);
        assert!(still.tasks[1].terms.want_class(0, holder) && still.tasks[2].terms.want_class(0, waiter));
        mutex.lock(still.thread(1));
        mutex.queue(still.thread(2));
        mutex.unlock(still.thread(1));
        assert!(mutex.is_mine(still.thread(2)), "{waiter:?} after {holder:?}");
    }
}

#[test]
fn who_gives_up_passes_an_offer_on() {
    let mutex = Mutex::new();
    let still = scene(&mutex, 2);
    mutex.unlock(still.thread(1));
    for (slot, woken) in [(2, &[2, 3][..]), (3, &[2, 3])] {
        give_up(&mutex, &still, slot);
        assert_eq!(*still.woken.borrow(), woken);
    }
    assert!(mutex.try_lock(still.thread(1)), "nobody waits any more");
}
