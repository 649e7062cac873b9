//! Classes of tasks: which go before which, whatever they used.
//!
//! A real-time task runs before all fair ones, those before background ones. What the policy decides, it decides among
//! fair tasks. Priorities are POSIX's: 1 to 99, more goes first; among equals first in, first out, or in turns.

/// What kind of claim to a CPU a task has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub enum Class {
    /// A share by its weight: what the policy is about.
    #[default]
    Fair,
    /// What nobody else wants: runs only on a CPU that would idle, in turns with others of this class.
    Background,
    /// Before all others but those of a higher priority, until it blocks or yields (POSIX's `SCHED_FIFO`).
    Fifo(Priority),
    /// The same, but in turns with others of its priority (`SCHED_RR`).
    RoundRobin(Priority),
}

/// A real-time priority: 1 to 99, more goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[cfg_attr(feature = "tape", derive(serde::Serialize, serde::Deserialize))]
pub struct Priority(u8);

impl Priority {
    /// The lowest.
    pub const LOWEST: Self = Self(1);
    /// The highest.
    pub const HIGHEST: Self = Self(99);

    /// The priority of that number; `None` unless it's from 1 to 99.
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= 99 { Some(Self(number)) } else { None }
    }

    /// From 1 to 99.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// A task's place among all: of two, the one of higher rank runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rank(pub(crate) u8);

impl Rank {
    /// A CPU that has nothing to run.
    pub const IDLE: Self = Self(0);
    /// Below all that was asked to run.
    pub const BACKGROUND: Self = Self(1);
    /// A real-time task that used up what is granted to real-time tasks, while fair ones wait.
    pub const THROTTLED: Self = Self(2);
    /// All fair tasks.
    pub const FAIR: Self = Self(3);
    /// Above all tasks: what a CPU says where no real-time task may run for now.
    pub const HIGHEST: Self = Self(u8::MAX);

    /// Whether it's a real-time task's.
    #[inline]
    pub const fn is_real_time(self) -> bool {
        self.0 > Self::FAIR.0
    }
}

/// In a class's word: it takes turns with its equals.
const TURNS: u32 = 1 << 8;

impl Class {
    /// The class's rank.
    #[inline]
    pub const fn rank(self) -> Rank {
        match self {
            Self::Fair => Rank::FAIR,
            Self::Background => Rank::BACKGROUND,
            Self::Fifo(priority) | Self::RoundRobin(priority) => Rank(Rank::FAIR.0 + priority.0),
        }
    }

    /// Whether tasks of the class take turns with those of the same rank.
    #[inline]
    pub const fn takes_turns(self) -> bool {
        matches!(self, Self::Background | Self::RoundRobin(_))
    }

    /// The class of a task that is lent a rank; its own if that is as high.
    pub(crate) const fn raised_to(self, rank: Rank) -> Self {
        if rank.0 <= self.rank().0 {
            self
        } else if rank.is_real_time() {
            Self::Fifo(Priority(rank.0 - Rank::FAIR.0))
        } else {
            Self::Fair
        }
    }

    #[inline]
    pub(crate) const fn to_word(self) -> u32 {
        match self {
            Self::Fair => Rank::FAIR.0 as u32,
            Self::Background => Rank::BACKGROUND.0 as u32 | TURNS,
            Self::Fifo(_) => self.rank().0 as u32,
            Self::RoundRobin(_) => self.rank().0 as u32 | TURNS,
        }
    }

    /// The rank of the class that has this word.
    #[inline]
    pub(crate) const fn rank_of_word(word: u32) -> Rank {
        Rank(word as u8)
    }

    pub(crate) const fn from_word(word: u32) -> Self {
        match (word as u8, word & TURNS != 0) {
            (rank, _) if rank == Rank::FAIR.0 => Self::Fair,
            (rank, true) if rank > Rank::FAIR.0 => Self::RoundRobin(Priority(rank - Rank::FAIR.0)),
            (rank, false) if rank > Rank::FAIR.0 => Self::Fifo(Priority(rank - Rank::FAIR.0)),
            _ => Self::Background,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_in_order_and_words_are_reversible() {
        let priorities = (1..=99).map(|number| Priority::new(number).unwrap());
        let mut classes = std::vec![Class::Background, Class::Fair];
        classes.extend(priorities.clone().map(Class::Fifo));
        assert!(classes.windows(2).all(|pair| pair[0].rank() < pair[1].rank()));
        classes.extend(priorities.map(Class::RoundRobin));
        assert!(classes.iter().all(|&class| Class::from_word(class.to_word()) == class));
        assert!(classes.iter().all(|&class| Class::rank_of_word(class.to_word()) == class.rank()));
        let fifty = Class::RoundRobin(Priority(50));
        assert_eq!(fifty.raised_to(Class::Fifo(Priority(50)).rank()), fifty);
        assert_eq!(fifty.raised_to(Rank(Rank::FAIR.0 + 51)), Class::Fifo(Priority(51)));
        assert_eq!(Class::Background.raised_to(Rank::FAIR), Class::Fair);
        assert!(Priority::new(0).is_none() && Priority::new(100).is_none());
        assert_eq!(fifty.rank(), Rank(Rank::FAIR.0 + Priority(50).number()));
    }
}
