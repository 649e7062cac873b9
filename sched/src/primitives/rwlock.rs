//! A readers-writer lock in the order of arrival: readers that come after a waiting writer wait behind it, and a writer
//! waits for those readers only that came before. So neither starves the other.

use super::Kernel;
use super::list::{WaitList, Waiting};
use super::waiter::Call;
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, const_new};
use crate::time::Nanos;

/// A writer holds the lock.
const WRITER: u32 = 0b01;
/// Someone waits: then nobody gets the lock but from the list.
const QUEUED: u32 = 0b10;
/// One reader that holds the lock.
const READER: u32 = 0b100;

/// What those who wait wish.
const READ: u32 = 0;
const WRITE: u32 = 1;

/// A lock for many readers or one writer.
#[derive(Debug)]
pub struct RwLock {
    word: AtomicU32,
    list: WaitList,
}

impl RwLock {
    const_new! {
        /// A free lock.
        pub fn new() -> Self {
            Self { word: AtomicU32::new(0), list: WaitList::new() }
        }
    }

    /// Takes the lock for reading, unless a writer holds it or someone waits.
    #[inline]
    #[must_use]
    pub fn try_read(&self) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & (WRITER | QUEUED) == 0 {
            // Acquire pairs with the Release of `unlock_write`.
            match self.word.compare_exchange(word, word + READER, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes the lock for writing if it's free.
    #[inline]
    #[must_use]
    pub fn try_write(&self) -> bool {
        // Acquire pairs with the Release of `unlock_write` and `unlock_read`.
        self.word.compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Blocks until the lock is the caller's for reading, or the clock shows `deadline`: then answers `false`.
    #[inline]
    #[must_use]
    pub fn read_until(&self, kernel: impl Kernel, deadline: Nanos) -> bool {
        self.try_read() || self.wait(kernel, READ, deadline)
    }

    /// Blocks until the lock is the caller's for writing, or the clock shows `deadline`: then answers `false`.
    #[inline]
    #[must_use]
    pub fn write_until(&self, kernel: impl Kernel, deadline: Nanos) -> bool {
        self.try_write() || self.wait(kernel, WRITE, deadline)
    }

    #[cold]
    fn wait(&self, kernel: impl Kernel, wish: u32, deadline: Nanos) -> bool {
        let waiting = self.list.open(&kernel);
        // Says first that someone waits, so that nobody takes the lock from now on but from the list. Acquire as in
        // `try_write`.
        let word = self.word.fetch_or(QUEUED, Ordering::Acquire);
        if waiting.is_empty() && Self::may_have(word, wish) {
            self.grant(wish);
            self.word.fetch_and(!QUEUED, Ordering::Relaxed);
            return true;
        }
        let Err(waiting) = waiting.wait(wish, deadline) else { return true };
        // Readers that stood behind this writer may go on.
        self.serve(&waiting);
        false
    }

    /// Whether the lock may be had for `wish` by who is first in line.
    fn may_have(word: u32, wish: u32) -> bool {
        word & WRITER == 0 && (wish == READ || word < READER)
    }

    /// Notes that somebody has the lock for `wish`.
    fn grant(&self, wish: u32) {
        let more = if wish == READ { READER } else { WRITER };
        self.word.fetch_add(more, Ordering::Relaxed);
    }

    /// Gives the lock back that was taken for reading.
    #[inline]
    pub fn unlock_read(&self, kernel: impl Kernel) {
        // Release pairs with the Acquire of the next writer.
        if self.word.fetch_sub(READER, Ordering::Release) == READER | QUEUED {
            self.hand_over(kernel);
        }
    }

    /// Gives the lock back that was taken for writing.
    #[inline]
    pub fn unlock_write(&self, kernel: impl Kernel) {
        // Release pairs with the Acquire of the next who has the lock.
        if self.word.fetch_sub(WRITER, Ordering::Release) != WRITER {
            self.hand_over(kernel);
        }
    }

    /// Keeps the lock that was taken for writing, for reading: no other writer comes in between.
    pub fn downgrade(&self, kernel: impl Kernel) {
        // Release as in `unlock_write`.
        if self.word.fetch_add(READER - WRITER, Ordering::Release) != WRITER {
            self.hand_over(kernel);
        }
    }

    #[cold]
    fn hand_over(&self, kernel: impl Kernel) {
        self.serve(&self.list.open(&kernel));
    }

    /// Gives the lock to the first in line, and to the readers right behind a reader.
    fn serve(&self, waiting: &Waiting<'_, impl Kernel>) {
        while let Some((_, wish)) = waiting.front() {
            // Acquire pairs with the Release of those who gave the lock back; the call passes it on.
            if !Self::may_have(self.word.load(Ordering::Acquire), wish) {
                return;
            }
            self.grant(wish);
            waiting.call_front(Call::Granted);
        }
        self.word.fetch_and(!QUEUED, Ordering::Relaxed);
    }
}

impl Default for RwLock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
