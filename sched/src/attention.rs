//! How a CPU tells the others whether it will notice new work by itself.
//!
//! One word a CPU: Polling (it looks at its bitmap all the time), Halted (it doesn't look at all), Busy
//! until a stated time, at which its timer makes it look, or Ranked: it runs a task that isn't a fair one. A CPU that becomes *less* attentive stores the
//! word, fences, and only then looks for work once more; a CPU with work for it makes the work visible,
//! fences, and only then reads the word. Of two such sequences at least one sees the other's store, so work
//! is never left unseen; a stale word can only cause a kick too many.

use crate::class::Rank;
use crate::sync::{AtomicU64, Ordering, fence};
use crate::time::Nanos;

const TAG: u64 = 0b11;
const POLLING: u64 = 0;
const HALTED: u64 = 1;
const BUSY: u64 = 2;
const RANKED: u64 = 3;
/// Beside a rank: fair tasks needn't be announced.
const BIDES: u64 = 1 << 8;

/// What a CPU said of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Idle, and looking all the time.
    Polling,
    /// Idle, and asleep until an interrupt.
    Halted,
    /// Running a fair task, and due to look again at this time ([`Nanos::NEVER`] if no timer is armed).
    Busy(Nanos),
    /// Running a task of another class, and due to look again when that one blocks, yields or is throttled.
    Ranked {
        /// The task's rank.
        rank: Rank,
        /// Whether fair tasks may come unannounced: the CPU will look before they've waited too long.
        bides: bool,
    },
}

/// The published word.
#[derive(Debug)]
pub struct Attention(AtomicU64);

impl Attention {
    /// Starts as halted: whoever posts work to a CPU that isn't up yet kicks it.
    pub fn new() -> Self {
        Self(AtomicU64::new(HALTED))
    }

    /// Publishes a notice that is *more* attentive than the last, or as attentive. The owner only.
    #[inline]
    pub fn raise(&self, notice: Notice) {
        self.0.store(encode(notice), Ordering::Relaxed);
    }

    /// Publishes a notice that is *less* attentive than the last. The owner only; it must look for work
    /// afterwards.
    #[inline]
    pub fn lower(&self, notice: Notice) {
        self.raise(notice);
        // Pairs with the fence in `read`: the store above is ordered before the owner's next look.
        fence(Ordering::SeqCst);
    }

    /// Reads the word after work was made visible. Any CPU.
    #[inline]
    pub fn read(&self) -> Notice {
        // Pairs with the fence in `lower`: the caller's post is ordered before this load.
        fence(Ordering::SeqCst);
        self.peek()
    }

    /// Reads the word with no order at all, for reports.
    pub fn peek(&self) -> Notice {
        decode(self.0.load(Ordering::Relaxed))
    }
}

impl Notice {
    /// Whether the CPU has something to do before it looks at what came unannounced.
    #[inline]
    pub fn bides(self) -> bool {
        matches!(self, Self::Ranked { bides: true, .. })
    }

    /// The rank of what the CPU runs.
    pub fn rank(self) -> Rank {
        match self {
            Self::Polling | Self::Halted => Rank::IDLE,
            Self::Busy(_) => Rank::FAIR,
            Self::Ranked { rank, .. } => rank,
        }
    }
}

impl Default for Attention {
    fn default() -> Self {
        Self::new()
    }
}

#[inline]
const fn encode(notice: Notice) -> u64 {
    match notice {
        Notice::Polling => POLLING,
        Notice::Halted => HALTED,
        // Rounded up to 4 ns: a CPU never claims to look earlier than it does.
        Notice::Busy(until) => until.0.saturating_add(TAG) & !TAG | BUSY,
        Notice::Ranked { rank, bides } => (rank.0 as u64) << 2 | if bides { BIDES << 2 } else { 0 } | RANKED,
    }
}

#[inline]
const fn decode(word: u64) -> Notice {
    match word & TAG {
        POLLING => Notice::Polling,
        HALTED => Notice::Halted,
        RANKED => Notice::Ranked { rank: Rank((word >> 2) as u8), bides: word >> 2 & BIDES != 0 },
        _ => Notice::Busy(Nanos(word & !TAG)),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_busy_cpu_never_claims_to_look_early() {
        for time in [0, 1, 5, 1_000_003, u64::MAX - 3] {
            let Notice::Busy(until) = decode(encode(Notice::Busy(Nanos(time)))) else { panic!() };
            assert!(until.0 >= time && until.0 - time < 4);
        }
        let Notice::Busy(until) = decode(encode(Notice::Busy(Nanos::NEVER))) else { panic!() };
        assert!(until.0 >= u64::MAX - 3);
        assert_eq!(decode(encode(Notice::Halted)), Notice::Halted);
        assert_eq!(decode(encode(Notice::Polling)), Notice::Polling);
        for bides in [false, true] {
            let ranked = Notice::Ranked { rank: Rank(102), bides };
            assert_eq!(decode(encode(ranked)), ranked);
        }
    }
}
