//! Grace periods: when all that could still be reading what was unlinked have stopped.
//!
//! A reader keeps preemption off and does nothing else. So a CPU that has preemption on is in no reader's section, and one that
//! says so after it has seen a question answers that all its readers from before are done, and that those which come later see
//! what the asker had done before it asked. A question is a number; a CPU answers all up to the latest that it has seen.
//!
//! A switch that came without having seen the question proves nothing: the next reader's load may overtake the store of a
//! counter, and a fence in each switch would cost more than an interrupt a grace period does. So the asker has each CPU
//! interrupted: a tick-less CPU may have one thread that never switches, anyway. A handler that finds preemption on answers;
//! if it's off, the CPU answers when it's turned on.

use crossbeam_utils::CachePadded;

use crate::sync::Ordering;
use crate::sync::untaped::AtomicU64;

/// The questions, and the answers of up to `N` CPUs.
#[derive(Debug)]
pub struct Grace<const N: usize> {
    asked: AtomicU64,
    /// The latest question that each CPU has answered.
    answered: [CachePadded<AtomicU64>; N],
}

/// A question: have all that read before it was asked stopped?
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[must_use = "a question that nobody waits for has no point"]
pub struct Question(u64);

impl<const N: usize> Grace<N> {
    #[cfg(not(loom))]
    /// Nobody has asked yet.
    pub const fn new() -> Self {
        Self { asked: AtomicU64::new(0), answered: [const { CachePadded::new(AtomicU64::new(0)) }; N] }
    }

    #[cfg(loom)]
    /// Nobody has asked yet.
    pub fn new() -> Self {
        let answered = core::array::from_fn(|_| CachePadded::new(AtomicU64::new(0)));
        Self { asked: AtomicU64::new(0), answered }
    }

    /// Asks, after something was unlinked. The caller then sees to it that each CPU comes to [`Grace::answer`].
    pub fn ask(&self) -> Question {
        // Release pairs with the Acquire in `answer`: readers that come after the answer see what was done before the
        // question. A read-modify-write, so that a later asker's number passes on what this one released.
        Question(self.asked.fetch_add(1, Ordering::Release) + 1)
    }

    /// Answers all questions that `cpu` has seen. On that CPU, while it's in no reader's section, and comes into none meanwhile.
    pub fn answer(&self, cpu: usize) {
        // Acquire pairs with the Release in `ask`.
        let asked = self.asked.load(Ordering::Acquire);
        // Release pairs with the Acquire in `has_answered`: what this CPU's readers read, they have read.
        self.answered[cpu].store(asked, Ordering::Release);
    }

    /// Whether no reader of `cpu` may still have what was unlinked before the question.
    pub fn has_answered(&self, cpu: usize, question: Question) -> bool {
        // Acquire pairs with the Release in `answer`.
        self.answered[cpu].load(Ordering::Acquire) >= question.0
    }
}

impl<const N: usize> Default for Grace<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_by_each_cpu_for_itself_and_later_ones_are_not() {
        let grace = Grace::<2>::new();
        let (first, second) = (grace.ask(), grace.ask());
        let answered = |question| [0, 1].map(|cpu| grace.has_answered(cpu, question));
        assert_eq!([first, second].map(answered), [[false; 2]; 2]);
        grace.answer(0);
        assert_eq!([first, second].map(answered), [[true, false]; 2], "all that were asked before");
        assert_eq!(answered(grace.ask()), [false; 2]);
    }
}
