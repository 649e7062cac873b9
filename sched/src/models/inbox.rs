//! Inbox, pending bitmap and mailbox: what is posted comes out once, whole, and in order.

use std::sync::Arc;
use std::vec::Vec;

use super::explore;
use super::threads;
use crate::config::Config;
use crate::id::CpuId;
use crate::inbox::{Inbox, TASKS};
use crate::mailbox::Mail;
use crate::outbox::Outbox;
use crate::shared::Shared;
use crate::task::Task;

/// What is written into a task before it's posted.
fn mark(slot: u32) -> u64 {
    u64::from(slot) + 100
}

fn tasks(count: u32) -> Vec<Task> {
    (0..count).map(|_| Task::new()).collect()
}

fn push(inbox: &Inbox, tasks: &[Task], slot: u32) {
    tasks[slot as usize].virtual_time.set(mark(slot));
    _ = inbox.push(&tasks[slot as usize], slot);
}

fn take(inbox: &Inbox, tasks: &[Task], taken: &mut Vec<u32>) {
    for slot in inbox.take(tasks) {
        assert_eq!(tasks[slot as usize].virtual_time.get(), mark(slot), "the task comes with its fields");
        taken.push(slot);
    }
}

/// Catches: `push` with Relaxed, `take` with Relaxed (stale fields and links); the head stored instead of
/// compared and swapped (race: posts lost); the list not reversed.
#[test]
fn posts_come_out_once_whole_and_in_order() {
    explore(4, || {
        let shared = Arc::new((Inbox::<TASKS>::new(), tasks(3)));
        let theirs = Arc::clone(&shared);
        let producer = threads::spawn(move || (0..3).for_each(|slot| push(&theirs.0, &theirs.1, slot)));
        let mut taken = Vec::new();
        take(&shared.0, &shared.1, &mut taken);
        take(&shared.0, &shared.1, &mut taken);
        producer.join().unwrap();
        take(&shared.0, &shared.1, &mut taken);
        assert_eq!(taken, [0, 1, 2]);
    });
}

/// A CPU that passes tasks on reuses their links while it still goes through the list.
///
/// Catches: `Taken` reading a task's link when the next one is asked for (race: the third CPU has changed it).
#[test]
fn a_task_can_be_passed_on_while_the_rest_is_taken() {
    explore(3, || {
        let shared = Arc::new((Inbox::<TASKS>::new(), Inbox::<TASKS>::new(), tasks(2)));
        let theirs = Arc::clone(&shared);
        push(&shared.0, &shared.2, 0);
        push(&shared.0, &shared.2, 1);
        let relay = threads::spawn(move || {
            for slot in theirs.0.take(&theirs.2) {
                push(&theirs.1, &theirs.2, slot);
            }
        });
        let mut taken = Vec::new();
        take(&shared.1, &shared.2, &mut taken);
        take(&shared.1, &shared.2, &mut taken);
        relay.join().unwrap();
        take(&shared.1, &shared.2, &mut taken);
        assert_eq!(taken, [0, 1]);
    });
}

/// The owner looks only where a bit is set, so a bit without a task is harmless, and a task without a bit lost.
///
/// Catches: `Outbox::post` setting the bit before it pushes, `Mailbox::take` emptying the inboxes before it
/// clears the bits (race: a task without a bit).
#[test]
fn of_two_senders_no_task_is_left_behind() {
    explore(3, || {
        let shared = Arc::new(Shared::new(3, 3, Config::default()));
        let senders = [(1, [3].as_slice()), (2, [4, 5].as_slice())].map(|(from, slots)| {
            let shared = Arc::clone(&shared);
            threads::spawn(move || {
                let outbox = Outbox::new(&shared, CpuId(from), CpuId(0));
                for &slot in slots {
                    let _ = outbox.post(shared.task(slot as usize), slot);
                }
            })
        });
        let mut taken = Vec::new();
        let mut look = || {
            let mailbox = shared.mailbox(CpuId(0));
            if mailbox.pending.any() {
                mailbox.take(CpuId(0), shared.tasks(), |mail| match mail {
                    Mail::Task(slot) => taken.push(slot),
                    Mail::News => unreachable!("nobody posts any"),
                });
            }
        };
        look();
        for sender in senders {
            sender.join().unwrap();
        }
        look();
        assert!(taken.iter().position(|&slot| slot == 4) < taken.iter().position(|&slot| slot == 5));
        taken.sort_unstable();
        assert_eq!(taken, [3, 4, 5]);
    });
}
