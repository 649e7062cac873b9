//! A counting semaphore: permits, and threads that wait for some.
//!
//! The word holds the free permits and two flags. While someone waits, the word is changed with the list open only, and
//! nobody overtakes: a thread that wants many isn't starved by those that want few. A closed semaphore sends
//! those who wait away.

use super::Kernel;
use super::list::{WaitList, Waiting};
use super::waiter::Call;
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, const_new};
use crate::time::Nanos;

/// Someone waits.
const QUEUED: u32 = 0b01;
/// Nobody shall wait any more.
const CLOSED: u32 = 0b10;
/// One permit.
const PERMIT: u32 = 0b100;

/// The most permits that there can be.
pub const MAX_PERMITS: u32 = u32::MAX / PERMIT;

/// Permits to do something, so many at a time.
#[derive(Debug)]
pub struct Semaphore {
    word: AtomicU32,
    /// Who waits. Their wishes are how many permits they want.
    list: WaitList,
}

/// Why there are no permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There aren't enough, or others wait for them: now, or until the time was up.
    TooFew,
    /// There aren't enough, and the semaphore is closed.
    Closed,
}

impl Semaphore {
    const_new! {
        /// A semaphore with so many permits.
        ///
        /// # Panics
        /// If that's more than [`MAX_PERMITS`].
        pub fn new(permits: u32) -> Self {
            assert!(permits <= MAX_PERMITS, "too many permits");
            Self { word: AtomicU32::new(permits * PERMIT), list: WaitList::new() }
        }
    }

    /// How many permits are free right now.
    pub fn available(&self) -> u32 {
        self.word.load(Ordering::Relaxed) / PERMIT
    }

    /// Takes `count` permits if so many are free and nobody waits.
    ///
    /// # Errors
    /// [`Refusal`] says why not.
    #[inline]
    pub fn try_acquire(&self, count: u32) -> Result<(), Refusal> {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & QUEUED == 0 && word / PERMIT >= count {
            let rest = word - count * PERMIT;
            // Acquire pairs with `release`: what was done under the permits before is seen.
            match self.word.compare_exchange(word, rest, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => word = now,
            }
        }
        Err(if word & CLOSED == 0 { Refusal::TooFew } else { Refusal::Closed })
    }

    /// Blocks until `count` permits are the caller's. [`Nanos::NEVER`] is no limit.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] if the clock shows `deadline` before, [`Refusal::Closed`] if the semaphore is closed before.
    #[inline]
    pub fn acquire_until(&self, kernel: impl Kernel, count: u32, deadline: Nanos) -> Result<(), Refusal> {
        if self.try_acquire(count).is_ok() { Ok(()) } else { self.wait(kernel, count, deadline) }
    }

    #[cold]
    fn wait(&self, kernel: impl Kernel, count: u32, deadline: Nanos) -> Result<(), Refusal> {
        let waiting = self.list.open(&kernel);
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let enough = word & QUEUED == 0 && word / PERMIT >= count;
            if !enough && word & CLOSED != 0 {
                return Err(Refusal::Closed);
            }
            let next = if enough { word - count * PERMIT } else { word | QUEUED };
            // Acquire as in `try_acquire`.
            match self.word.compare_exchange(word, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) if enough => return Ok(()),
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        match waiting.wait(count, deadline) {
            Ok(Call::Granted) => Ok(()),
            Ok(Call::Dismissed) => Err(Refusal::Closed),
            Err(waiting) => {
                // Whoever stood behind this thread may want less.
                self.serve(&waiting, 0);
                Err(Refusal::TooFew)
            }
        }
    }

    /// Gives `count` permits back, or new ones out; from any thread.
    ///
    /// # Panics
    /// If there were more than [`MAX_PERMITS`] then.
    #[inline]
    pub fn release(&self, kernel: impl Kernel, count: u32) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & QUEUED == 0 {
            let more = with_permits(word, count);
            // Release pairs with the Acquire of who takes the permits.
            match self.word.compare_exchange(word, more, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.release_slowly(kernel, count);
    }

    #[cold]
    fn release_slowly(&self, kernel: impl Kernel, count: u32) {
        let waiting = self.list.open(&kernel);
        if self.word.load(Ordering::Relaxed) & QUEUED != 0 {
            return self.serve(&waiting, count);
        }
        // Whoever waited has gone. Nobody can come to wait while the list is open.
        drop(waiting);
        self.release(kernel, count);
    }

    /// Adds `count` permits and calls who can have theirs. The list is open and someone waited, so that the word is the
    /// caller's until QUEUED goes.
    fn serve(&self, waiting: &Waiting<'_, impl Kernel>, count: u32) {
        let mut word = with_permits(self.word.load(Ordering::Relaxed), count);
        while let Some((_, wish)) = waiting.front()
            && wish <= word / PERMIT
        {
            word -= wish * PERMIT;
            waiting.call_front(Call::Granted);
        }
        if waiting.is_empty() {
            word &= !QUEUED;
        }
        // Release as in `release`. What others did under permits that they released is known to those who were called:
        // they looked at the word when they came to wait, and who released any since did that behind the list's gate.
        self.word.swap(word, Ordering::Release);
    }

    /// Sends everyone away who waits, and whoever comes to wait from now on. Free permits can still be had.
    pub fn close(&self, kernel: impl Kernel) {
        let waiting = self.list.open(&kernel);
        waiting.call_all(Call::Dismissed);
        let mut word = self.word.load(Ordering::Relaxed);
        while let Err(now) =
            self.word.compare_exchange(word, (word | CLOSED) & !QUEUED, Ordering::Relaxed, Ordering::Relaxed)
        {
            word = now;
        }
    }

    /// [`Semaphore::close`], and takes all free permits.
    pub fn shut(&self, kernel: impl Kernel) {
        self.close(kernel);
        self.word.swap(CLOSED, Ordering::Relaxed);
    }
}

/// The word with `count` permits more.
#[inline]
fn with_permits(word: u32, count: u32) -> u32 {
    assert!(count <= MAX_PERMITS - word / PERMIT, "too many permits");
    word + count * PERMIT
}

#[cfg(all(test, not(loom)))]
mod tests;
