//! The part of a CPU that others may touch: its inboxes, its attention, its load.

use alloc::boxed::Box;

use crossbeam_utils::CachePadded;

use crate::attention::Attention;
use crate::bitmap::Bitmap;
use crate::id::CpuId;
use crate::inbox::{Inbox, NEWS};
use crate::reach::{Question, Reach};
use crate::stats::Stats;
use crate::sync::Owned;
use crate::task::Task;
use crate::time::Nanos;

/// One CPU's shared face.
#[derive(Debug)]
pub struct Mailbox {
    /// Whether this CPU will notice new work by itself.
    pub attention: CachePadded<Attention>,
    /// Which of the inboxes below may hold something.
    pub pending: CachePadded<Bitmap>,
    /// One inbox for each sending CPU.
    inboxes: Box<[CachePadded<Inbox>]>,
    /// News about tasks, from any CPU.
    news: CachePadded<Inbox<NEWS>>,
    /// What balance and placement read.
    pub load: CachePadded<Load>,
    /// Where what waits here may run, while this CPU is overloaded.
    pub reach: CachePadded<Reach>,
    /// The highest rank of the real-time tasks that wait here and could elsewhere, while this CPU is in the set of
    /// outranked ones. A hint.
    pub waiting_rank: CachePadded<Owned>,
    /// Where those may run. A hint, too.
    pub waiting_reach: CachePadded<Reach>,
    /// What reports read.
    pub stats: CachePadded<Stats>,
}

impl Mailbox {
    /// The face of a CPU among `cpus`.
    pub fn new(cpus: usize) -> Self {
        Self {
            attention: CachePadded::default(),
            pending: CachePadded::new(Bitmap::new(cpus)),
            inboxes: (0..cpus).map(|_| CachePadded::default()).collect(),
            news: CachePadded::default(),
            load: CachePadded::default(),
            reach: CachePadded::new(Reach::new(cpus)),
            waiting_rank: CachePadded::new(Owned::new(0)),
            waiting_reach: CachePadded::new(Reach::new(cpus)),
            stats: CachePadded::default(),
        }
    }

    /// Where the CPU `from` posts tasks; see [`crate::outbox::Outbox`].
    pub fn inbox(&self, from: CpuId) -> &Inbox {
        &self.inboxes[from.index()]
    }

    /// Where any CPU posts news about a task; see [`crate::outbox::Outbox`].
    pub fn news(&self) -> &Inbox<NEWS> {
        &self.news
    }

    /// Puts an idle CPU's question to the owner, `own`, as [`Reach::ask`] does, so that it hears of it at its next look. Any
    /// CPU; it must then kick this one.
    pub fn ask(&self, own: CpuId, question: Question) {
        self.reach.ask(question);
        // After the question: whoever takes the bit finds it.
        self.pending.insert(own);
    }

    /// The slots that are posted here, in no order. For invariants, while no CPU is at work.
    pub fn posted<'a>(&'a self, tasks: &'a [Task]) -> impl Iterator<Item = u32> + 'a {
        self.inboxes.iter().flat_map(|inbox| inbox.peek(tasks))
    }

    /// Takes every task that was posted, by sender, oldest first, and says when there is news or a question. Only the owner,
    /// `own`.
    #[inline(always)]
    pub fn take(&self, own: CpuId, tasks: &[Task], mut visit: impl FnMut(Mail)) {
        self.pending.take(|from| {
            if from == own {
                return visit(Mail::News);
            }
            for slot in self.inboxes[from.index()].take(tasks) {
                visit(Mail::Task(slot));
            }
        });
    }
}

/// What a CPU finds in its mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mail {
    /// A task, now its own.
    Task(u32),
    /// News about tasks, in [`Mailbox::news`], or a question, in [`Mailbox::reach`].
    News,
}

/// The weight of a CPU that isn't up yet: more than any sum, and with room above.
const ABSENT: u64 = u64::MAX / 2;

/// What a CPU publishes of its queue. Hints: written whole by the owner, read at any time, possibly stale.
#[derive(Debug)]
pub struct Load {
    /// Weights of the runnable tasks, summed; 0 when idle.
    weight: Owned,
    /// The CPU's virtual time when it was published.
    progress: Owned,
    /// When it was published.
    at: Owned,
}

impl Default for Load {
    /// Of a CPU that isn't up: too much for anything to be sent there that may run elsewhere.
    fn default() -> Self {
        Self { weight: Owned::new(ABSENT), progress: Owned::new(0), at: Owned::new(0) }
    }
}

impl Load {
    /// Publishes. The owner only.
    #[inline]
    pub fn publish(&self, weight: u64, progress: u64, now: Nanos) {
        self.weight.set(weight);
        self.progress.set(progress);
        self.at.set(now.0);
    }

    /// Weights of the runnable tasks, summed.
    #[inline]
    pub fn weight(&self) -> u64 {
        self.weight.get()
    }

    /// The CPU's virtual time at `now`: it advances by time over the weight of all that's runnable, and stands
    /// still where nothing is.
    pub fn progress_at(&self, now: Nanos) -> u64 {
        let weight = self.weight.get();
        if weight == 0 {
            return self.progress.get();
        }
        let elapsed = now.since(Nanos(self.at.get())).0;
        let advance = u128::from(elapsed) * u128::from(crate::task::NORMAL_WEIGHT) / u128::from(weight);
        self.progress.get().saturating_add(advance as u64)
    }
}
