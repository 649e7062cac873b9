//! Where the waiting tasks of a CPU may run: a set of CPUs, a bit each.
//!
//! An overloaded CPU publishes it, so that an idle one asks a CPU that can help it, and disturbs no other. It holds every
//! CPU where a waiting task may run, and perhaps some where one could that has gone since; a question that was in vain
//! makes it exact.

use alloc::boxed::Box;

use crate::affinity::Affinity;
use crate::cpuset::CpuSet;
use crate::id::CpuId;
use crate::sync::{AtomicU64, Ordering, Owned};

/// What the owner of a reach remembers of it, to pass over what changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// Nothing waits that may run elsewhere.
    Nowhere,
    /// On some CPUs.
    Somewhere,
    /// On every CPU.
    Everywhere,
}

/// What a CPU publishes of it; it counts while the CPU is in the set of overloaded ones.
#[derive(Debug)]
pub struct Reach {
    /// The CPUs 0 to 63.
    first: Owned,
    /// The others, 64 by 64.
    rest: Box<[Owned]>,
    /// Since this CPU looked last an idle one has asked, or another passed its question on: a [`Question`] as its word; 0
    /// if none was put.
    asked: AtomicU64,
}

/// A question of an idle CPU for work: to whom it's to be passed on by one that can't help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Question {
    /// To CPUs below this one.
    pub end: u32,
    /// To those of any number, since this one was asked first only for being near; else to those of higher ones.
    pub afresh: bool,
}

/// In a question's word: [`Question::afresh`]. Above the end, so that of two such words the greater asks whomever the other
/// does: what's asked afresh is asked of all.
const AFRESH: u64 = 1 << 32;

impl Question {
    const fn to_word(self) -> u64 {
        self.end as u64 | if self.afresh { AFRESH } else { 0 }
    }

    const fn from_word(word: u64) -> Self {
        Self { end: word as u32, afresh: word & AFRESH != 0 }
    }
}

impl Reach {
    /// Nowhere, among `cpus` CPUs.
    pub fn new(cpus: usize) -> Self {
        let rest = (1..cpus.div_ceil(64)).map(|_| Owned::new(0)).collect();
        Self { first: Owned::new(0), rest, asked: AtomicU64::new(0) }
    }

    /// Whether a task may wait there that can run on `cpu`.
    pub fn includes(&self, cpu: CpuId) -> bool {
        let word = if cpu.0 < 64 { &self.first } else { &self.rest[cpu.index() / 64 - 1] };
        word.get() >> (cpu.0 % 64) & 1 != 0
    }

    /// Whether a task may wait there that can run on one of `cpus`.
    pub fn meets(&self, cpus: &CpuSet) -> bool {
        self.words().enumerate().any(|(index, word)| word.get() & cpus.members(index) != 0)
    }

    /// Adds the CPUs of an affinity, and tells whether it lacked any. The owner only; a fence must follow if it did.
    pub fn widen(&self, affinity: Affinity) -> bool {
        let mut lacked = false;
        for (index, word) in self.words().enumerate() {
            let (before, more) = (word.get(), allowed(affinity, index));
            if more & !before != 0 {
                word.set(before | more);
                lacked = true;
            }
        }
        lacked
    }

    /// Leaves only the CPUs of the affinities that `all` goes through, each of which it has, and tells whether that's any.
    /// The owner only.
    pub fn narrow<All: Iterator<Item = Affinity>>(&self, all: impl Fn() -> All) -> bool {
        let mut left = 0;
        for (index, word) in self.words().enumerate() {
            // No fence is needed: every bit that is set after was set before.
            let exact = all().fold(0, |sum, affinity| sum | allowed(affinity, index));
            debug_assert_eq!(exact & !word.get(), 0, "a task waits that wasn't noted");
            word.set(exact);
            left |= exact;
        }
        left != 0
    }

    fn words(&self) -> impl Iterator<Item = &Owned> {
        core::iter::once(&self.first).chain(&self.rest)
    }

    /// Puts a question to the CPU. Any CPU; it must then kick this one.
    pub fn ask(&self, question: Question) {
        // Release pairs with the Acquire in `take_question`: who sees the question sees the idle CPU. No fence is between
        // the two where a question is passed on by one that had narrowed its reach. Relaxed, who takes it might see
        // another idle CPU only, can't help that one either, and pass the question on for that one's sake; when the
        // kick comes it finds the question taken, and the CPU that asked idles beside one that could have helped.
        self.asked.fetch_max(question.to_word(), Ordering::Release);
    }

    /// The question that was put since the last call; of several the one that goes furthest. Only the owner, before it looks
    /// who's idle.
    pub fn take_question(&self) -> Option<Question> {
        if self.asked.load(Ordering::Relaxed) == 0 {
            return None;
        }
        // Acquire pairs with the Release in `ask`.
        Some(Question::from_word(self.asked.swap(0, Ordering::Acquire)))
    }
}

/// The CPUs of an affinity, of the 64 in the word `index`.
fn allowed(affinity: Affinity, index: usize) -> u64 {
    let base = index as u32 * 64;
    let first = affinity.first().0.clamp(base, base + 64) - base;
    let end = affinity.end().clamp(base, base + 64) - base;
    below(end) & !below(first)
}

/// The lowest `count` bits, up to 64.
fn below(count: u32) -> u64 {
    1_u64.checked_shl(count).map_or(u64::MAX, |bit| bit - 1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use core::iter;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn members(reach: &Reach, cpus: u32) -> Vec<u32> {
        (0..cpus).filter(|&cpu| reach.includes(CpuId(cpu))).collect()
    }

    fn among(affinities: &[Affinity], cpus: u32) -> Vec<u32> {
        (0..cpus).filter(|&cpu| affinities.iter().any(|affinity| affinity.allows(CpuId(cpu)))).collect()
    }

    proptest! {
        /// Against one CPU after the other, for every size that has another number of words.
        #[test]
        fn a_reach_holds_the_cpus_of_its_affinities_and_no_other(
            cpus in prop::sample::select(std::vec![1_u32, 2, 63, 64, 65, 128, 129, 256, 1_024, 4_096]),
            ranges in prop::collection::vec((any::<u32>(), any::<u32>()), 1..6),
            idle in any::<u32>(),
        ) {
            let range = |(first, last): (u32, u32)| {
                let (first, last) = (first % cpus, last % cpus);
                Affinity::range(first.min(last), first.max(last) + 1).unwrap()
            };
            let affinities: Vec<Affinity> = ranges.into_iter().map(range).collect();
            let reach = Reach::new(cpus as usize);
            for (count, &affinity) in affinities.iter().enumerate() {
                let before = members(&reach, cpus);
                let lacked = reach.widen(affinity);
                prop_assert_eq!(members(&reach, cpus), among(&affinities[..=count], cpus));
                prop_assert_eq!(lacked, before != members(&reach, cpus), "a fence for what changes nothing, or none");
            }
            let set = CpuSet::new(cpus as usize);
            prop_assert!(!reach.meets(&set));
            set.insert(CpuId(idle % cpus));
            prop_assert_eq!(reach.meets(&set), reach.includes(CpuId(idle % cpus)));
            let left = &affinities[..affinities.len() / 2];
            prop_assert_eq!(reach.narrow(|| left.iter().copied()), !left.is_empty());
            prop_assert_eq!(members(&reach, cpus), among(left, cpus));
        }
    }

    #[test]
    fn an_affinity_beyond_the_machine_reaches_nobody() {
        let reach = Reach::new(100);
        assert!(reach.widen(Affinity::ANY) && !reach.widen(Affinity::ANY));
        assert!(reach.narrow(|| iter::once(Affinity::ANY)) && reach.includes(CpuId(99)));
        assert!(!reach.narrow(|| iter::once(Affinity::one(CpuId(128)))));
    }

    #[test]
    fn of_several_questions_the_furthest_is_taken_once() {
        let reach = Reach::new(100);
        let question = |end, afresh| Question { end, afresh };
        for asked in [question(7, false), question(100, false), question(3, false)] {
            reach.ask(asked);
        }
        assert_eq!((reach.take_question(), reach.take_question()), (Some(question(100, false)), None));
        for asked in [question(99, false), question(64, true), question(7, false)] {
            reach.ask(asked);
        }
        assert_eq!(
            reach.take_question(),
            Some(question(64, true)),
            "all are asked: those of higher numbers, too"
        );
    }
}
