//! What a CPU was doing: left by its NMI handler for whoever asked with an NMI.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};

/// Callers that are kept.
pub const CALLERS: usize = 10;
/// The longest thread name that is kept.
const NAME: usize = 32;

/// What a CPU was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The next instruction.
    pub rip: u64,
    /// The flags; bit 9 says whether interrupts were on.
    pub rflags: u64,
    /// How often preemption was turned off.
    pub preempt_count: u32,
    /// Where the functions were called that it was in, innermost first; 0 after the last.
    pub callers: [u64; CALLERS],
    name: [u8; NAME],
    name_len: usize,
}

impl Facts {
    /// What is known without looking: registers, and the name of the running thread.
    pub(crate) fn new(rip: u64, rflags: u64, preempt_count: u32, thread: &str) -> Self {
        let name_len = thread.floor_char_boundary(NAME);
        let mut name = [0; NAME];
        name[..name_len].copy_from_slice(&thread.as_bytes()[..name_len]);
        Self { rip, rflags, preempt_count, callers: [0; CALLERS], name, name_len }
    }

    /// The running thread's name.
    pub fn thread(&self) -> &str {
        core::str::from_utf8(&self.name[..self.name_len]).unwrap_or_default()
    }

    /// Whether interrupts were on.
    pub fn interrupts_on(&self) -> bool {
        self.rflags & 1 << 9 != 0
    }
}

/// Nobody asked yet, or the answer was given.
const QUIET: u32 = 0;
const ASKED: u32 = 1;
const ANSWERED: u32 = 2;

/// One CPU's place for its answer. One CPU asks at a time; who does is agreed on elsewhere.
pub(crate) struct State {
    progress: AtomicU32,
    facts: UnsafeCell<Facts>,
}

// SAFETY: the owner writes `facts` only while it is asked, others read only once it has answered.
unsafe impl Sync for State {}

impl State {
    pub(crate) const fn new() -> Self {
        let nothing = Facts {
            rip: 0,
            rflags: 0,
            preempt_count: 0,
            callers: [0; CALLERS],
            name: [0; NAME],
            name_len: 0,
        };
        Self { progress: AtomicU32::new(QUIET), facts: UnsafeCell::new(nothing) }
    }

    /// Asks. An NMI has to follow.
    pub(crate) fn ask(&self) {
        // Release: pairs with the Acquire in `is_asked`, so that what was read of the last answer was read before.
        self.progress.store(ASKED, Ordering::Release);
    }

    /// Whether this CPU, the owner, is to answer.
    pub(crate) fn is_asked(&self) -> bool {
        // Acquire: pairs with the Release in `ask`.
        self.progress.load(Ordering::Acquire) == ASKED
    }

    /// The owner's answer, while it is asked; otherwise nothing happens.
    pub(crate) fn answer(&self, facts: Facts) {
        if self.is_asked() {
            // SAFETY: asked, so nobody reads, and only the owner writes.
            unsafe { *self.facts.get() = facts };
            // Release: pairs with the Acquire in `answered`.
            self.progress.store(ANSWERED, Ordering::Release);
        }
    }

    /// The answer to the last question, once it is there.
    pub(crate) fn answered(&self) -> Option<Facts> {
        // Acquire: pairs with the Release in `answer`.
        let there = self.progress.load(Ordering::Acquire) == ANSWERED;
        // SAFETY: answered, so the owner does not write before it is asked again, by who reads now.
        there.then(|| unsafe { *self.facts.get() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_question_is_answered() {
        let state = State::new();
        state.answer(Facts::new(1, 0x200, 0, "early"));
        assert_eq!(state.answered(), None);
        state.ask();
        assert!(state.is_asked() && state.answered().is_none());
        state.answer(Facts::new(2, 0x200, 3, "loop"));
        let facts = state.answered().unwrap();
        assert_eq!((facts.rip, facts.preempt_count, facts.thread()), (2, 3, "loop"));
        assert!(facts.interrupts_on());
        state.ask();
        assert_eq!(state.answered(), None);
    }

    #[test]
    fn a_long_name_is_cut_between_letters() {
        let name = "ä".repeat(40);
        let facts = Facts::new(0, 0, 0, &name[..33 * 2]);
        assert_eq!(facts.thread(), "ä".repeat(16));
        assert!(!facts.interrupts_on());
    }
}
