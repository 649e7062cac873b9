//! The handshake between who posts and who becomes less attentive: at least one sees the other.

use std::sync::Arc;

use super::explore;
use super::threads;
use crate::attention::Notice;
use crate::config::Config;
use crate::id::CpuId;
use crate::mailbox::Mail;
use crate::outbox::Outbox;
use crate::shared::Shared;
use crate::time::Nanos;

/// The owner of CPU 0 goes from one notice to another and looks, while `posters` CPUs post a task each.
/// Whoever reads a notice for which `relies` holds doesn't kick, so that the owner must see the task.
fn no_post_goes_unseen(posters: u32, before: Notice, after: Notice, relies: fn(Notice) -> bool) {
    explore(4, move || {
        let cpus = posters + 1;
        let shared = Arc::new(Shared::new(cpus as usize, posters as usize, Config::default()));
        let mailbox = shared.mailbox(CpuId(0));
        mailbox.attention.raise(before);
        let posts = (1..cpus).map(|from| {
            let shared = Arc::clone(&shared);
            let slot = from + posters;
            threads::spawn(move || {
                Outbox::new(&shared, CpuId(from), CpuId(0)).post(shared.task(slot as usize), slot)
            })
        });
        let posts: std::vec::Vec<_> = posts.collect();
        mailbox.attention.lower(after);
        let mut seen = 0;
        if mailbox.pending.any() {
            mailbox.take(CpuId(0), shared.tasks(), |mail| match mail {
                Mail::Task(slot) => seen |= 1_u32 << slot,
                Mail::News => unreachable!("nobody posts any"),
            });
        }
        for (post, slot) in posts.into_iter().zip(cpus..) {
            let kicks = !relies(post.join().unwrap());
            // A later look finds it, if a kick makes the owner look.
            assert!(kicks || seen & 1 << slot != 0, "the owner doesn't look, and nobody tells it to");
        }
    });
}

/// Catches: no fence in `lower`, no fence in `read`, either one `AcqRel` (stale word or bit).
#[test]
fn a_cpu_that_halts_sees_the_task_or_is_kicked() {
    no_post_goes_unseen(1, Notice::Polling, Notice::Halted, |notice| notice == Notice::Polling);
}

/// Catches: the same, for a CPU whose timer has just fired, so that it doesn't look by itself any more.
#[test]
fn a_cpu_without_a_timer_sees_the_task_or_is_kicked() {
    let soon = |notice| matches!(notice, Notice::Busy(until) if until < Nanos(2_000));
    no_post_goes_unseen(1, Notice::Busy(Nanos(1_000)), Notice::Busy(Nanos::NEVER), soon);
}

/// Catches: the same.
#[test]
fn of_two_posts_none_goes_unseen() {
    no_post_goes_unseen(2, Notice::Polling, Notice::Halted, |notice| notice == Notice::Polling);
}

/// Of two posts by one CPU the second is announced only if the first was taken meanwhile.
///
/// Catches: `Inbox::push` answering by what it finds after its swap, `Outbox::post` leaving out the bit of a first
/// post (race: the owner halts over the second task).
#[test]
fn of_two_posts_by_one_cpu_none_goes_unseen() {
    explore(4, || {
        let shared = Arc::new(Shared::new(2, 2, Config::default()));
        let mailbox = shared.mailbox(CpuId(0));
        mailbox.attention.raise(Notice::Polling);
        let poster = {
            let shared = Arc::clone(&shared);
            threads::spawn(move || {
                let outbox = Outbox::new(&shared, CpuId(1), CpuId(0));
                [2, 3].map(|slot| outbox.post(shared.task(slot as usize), slot))
            })
        };
        mailbox.attention.lower(Notice::Halted);
        let mut seen = 0;
        if mailbox.pending.any() {
            mailbox.take(CpuId(0), shared.tasks(), |_| seen += 1);
        }
        let kicked = poster.join().unwrap().contains(&Notice::Halted);
        if kicked && mailbox.pending.any() {
            mailbox.take(CpuId(0), shared.tasks(), |_| seen += 1);
        }
        assert_eq!(seen, 2, "the owner doesn't look, and nobody tells it to");
    });
}
