//! Who is where in a list, and who is called.

use std::vec::Vec;

use super::*;
use crate::class::{Class, Priority};
use crate::primitives::still::{Still, Thread};

fn fifo(number: u8) -> Class {
    Class::Fifo(Priority::new(number).unwrap())
}

/// Threads of these classes from slot 1 on.
fn threads(classes: &[Class]) -> Still {
    let still = Still::new(1 + classes.len());
    for (task, &class) in still.tasks[1..].iter().zip(classes) {
        assert!(task.terms.want_class(0, class));
    }
    still
}

fn push(waiting: &Waiting<'_, Thread<'_>>, slots: impl IntoIterator<Item = u32>) {
    for slot in slots {
        let task = waiting.task(slot);
        task.waiter.prepare(slot * 10);
        waiting.push(slot, task);
    }
}

/// Takes all out; in what order they were.
fn drain(waiting: &Waiting<'_, Thread<'_>>) -> Vec<u32> {
    core::iter::from_fn(|| waiting.pop().map(|(slot, _)| slot)).collect()
}

#[test]
fn the_highest_rank_is_first_and_the_oldest_among_equals() {
    let still = threads(&[Class::Fair, fifo(5), Class::Background, fifo(5), Class::Fair, fifo(7)]);
    let (list, kernel) = (WaitList::new(), still.thread(1));
    let waiting = list.open(&kernel);
    push(&waiting, 1..=6);
    assert_eq!((waiting.front(), waiting.is_empty()), (Some((6, 60)), false));
    assert_eq!(drain(&waiting), [6, 2, 4, 1, 5, 3]);
    assert_eq!((waiting.front(), waiting.is_empty()), (None, true));
}

/// Catches: one that loses its place among equals though its rank is what it was, or doesn't come before lower ones.
#[test]
fn a_thread_is_placed_again_only_where_its_rank_puts_it_elsewhere() {
    for (slot, class, order) in [
        (2, Class::Fair, [1, 2, 3, 4]),
        (3, fifo(1), [3, 1, 2, 4]),
        (4, fifo(1), [4, 1, 2, 3]),
        (1, fifo(1), [1, 2, 3, 4]),
        (1, Class::Background, [2, 3, 4, 1]),
        (2, Class::Background, [1, 3, 4, 2]),
        (4, Class::Background, [1, 2, 3, 4]),
    ] {
        let still = threads(&[Class::Fair; 4]);
        let (list, kernel) = (WaitList::new(), still.thread(1));
        let waiting = list.open(&kernel);
        push(&waiting, 1..=4);
        let task = &still.tasks[slot as usize];
        assert!(task.terms.want_class(0, class));
        waiting.place_again(slot, task);
        assert_eq!(drain(&waiting), order, "{slot} is {class:?}");
    }
}

/// Or its own thread would take it out once more, if its time were up before it's called.
#[test]
fn who_was_taken_out_is_listed_no_more() {
    let still = threads(&[Class::Fair]);
    let (list, kernel) = (WaitList::new(), still.thread(1));
    let waiting = list.open(&kernel);
    push(&waiting, [1]);
    assert!(still.tasks[1].waiter.is_listed());
    assert!(waiting.pop().is_some() && !still.tasks[1].waiter.is_listed());
}

#[test]
fn whoever_leaves_the_others_keep_their_order() {
    for gone in 1..=3 {
        let still = threads(&[Class::Fair; 4]);
        let (list, kernel) = (WaitList::new(), still.thread(1));
        let waiting = list.open(&kernel);
        push(&waiting, 1..=3);
        waiting.remove(gone, waiting.task(gone));
        push(&waiting, [4]);
        let left: Vec<u32> = (1..=4).filter(|&slot| slot != gone).collect();
        assert_eq!(drain(&waiting), left);
    }
}

#[test]
fn all_are_called_in_order_and_told_how() {
    let still = threads(&[Class::Fair; 3]);
    let (list, kernel) = (WaitList::new(), still.thread(1));
    let waiting = list.open(&kernel);
    push(&waiting, [3, 1, 2]);
    waiting.call_front(Call::Granted);
    assert_eq!(*still.woken.borrow(), [3]);
    waiting.call_all(Call::Dismissed);
    assert_eq!(*still.woken.borrow(), [3, 1, 2]);
    let call_of = |slot: usize| still.tasks[slot].waiter.wait(still.thread(slot as u32), || ());
    assert_eq!([1, 2, 3].map(call_of), [Call::Dismissed, Call::Dismissed, Call::Granted]);
}

/// Catches: a list that stays open, or whose next one at the gate is forgotten; nobody told.
#[test]
fn who_closes_a_list_lets_in_who_waits_at_its_gate_and_tells() {
    let still = threads(&[Class::Fair; 3]);
    let (list, kernel) = (WaitList::new(), still.thread(1));
    let told = TaskId { slot: 3, generation: 0 };
    list.open(&kernel).close_and_notify(told);
    assert_eq!(*still.woken.borrow(), [3]);
    let waiting = list.open(&kernel);
    assert!(!list.gate.join(2, &still.tasks[2]));
    waiting.close_and_notify(told);
    assert_eq!(*still.woken.borrow(), [3, 2, 3]);
    assert!(!list.gate.try_lock(), "it's the second's");
}
