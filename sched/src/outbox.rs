//! One CPU's way to another: everything that a post touches, looked up once at boot.

use crate::attention::{Attention, Notice};
use crate::bitmap::Member;
use crate::id::CpuId;
use crate::inbox::{Inbox, NEWS};
use crate::shared::Shared;
use crate::task::Task;

/// Where a CPU posts tasks for one other CPU.
#[derive(Debug)]
pub struct Outbox<'a> {
    inbox: &'a Inbox,
    pending: Member<'a>,
    news: &'a Inbox<NEWS>,
    /// News is announced by the place that the CPU would have for posts to itself.
    pending_news: Member<'a>,
    attention: &'a Attention,
}

impl<'a> Outbox<'a> {
    /// The way from `from` to `to`.
    pub fn new(shared: &'a Shared, from: CpuId, to: CpuId) -> Self {
        let mailbox = shared.mailbox(to);
        Self {
            inbox: mailbox.inbox(from),
            pending: mailbox.pending.member(from),
            news: mailbox.news(),
            pending_news: mailbox.pending.member(to),
            attention: &mailbox.attention,
        }
    }

    /// Whether the other CPU lately said that it has nothing to run.
    #[inline]
    pub fn is_idle(&self) -> bool {
        matches!(self.attention.peek(), Notice::Polling | Notice::Halted)
    }

    /// Posts a task that the caller owns, and returns what the other CPU says of its attention since.
    ///
    /// While it has yet to take an earlier post, it's about to look, as if it polled: either it said so then, or it
    /// was kicked. So of a storm of wakeups one is announced. Unless it bides: then it may know nothing of the earlier one.
    #[inline]
    pub fn post(&self, task: &Task, slot: u32) -> Notice {
        // Relaxed will do for the look: it can't be older than what the earlier post read. If the other CPU no longer
        // bides, it takes this post along with the earlier one, which it hasn't taken since.
        if !self.inbox.push(task, slot) && !self.attention.peek().bides() {
            return Notice::Polling;
        }
        // After the push: whoever takes the bit finds the task.
        self.pending.insert();
        self.attention.read()
    }

    /// Posts news about a task whose second link the caller holds, and returns what the other CPU says of its
    /// attention since.
    pub fn post_news(&self, task: &Task, slot: u32) -> Notice {
        self.news.push(task, slot);
        self.pending_news.insert();
        self.attention.read()
    }
}
