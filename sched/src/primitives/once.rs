//! Something that is done once, by whoever needs it first; the others wait for it.

use super::Kernel;
use super::list::WaitList;
use super::waiter::Call;
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, const_new};
use crate::time::Nanos;

/// Nobody has begun.
const UNTOUCHED: u32 = 0;
/// Someone is at it.
const RUNNING: u32 = 1;
/// Done.
const DONE: u32 = 2;

/// One-time initialisation.
#[derive(Debug)]
pub struct Once {
    /// How far it is, written with the list open.
    state: AtomicU32,
    list: WaitList,
}

impl Once {
    const_new! {
        /// Not done yet.
        pub fn new() -> Self {
            Self { state: AtomicU32::new(UNTOUCHED), list: WaitList::new() }
        }
    }

    /// Whether it's done: then what was done is seen.
    #[inline]
    pub fn is_completed(&self) -> bool {
        // Acquire pairs with the Release in `finish`.
        self.state.load(Ordering::Acquire) == DONE
    }

    /// Does it by `work` if nobody has, or blocks until the one who's at it is done. A `work` that comes back here
    /// waits for itself for ever.
    #[inline]
    pub fn call_once(&self, kernel: impl Kernel, work: impl FnOnce()) {
        if !self.is_completed() {
            self.call_slowly(kernel, work);
        }
    }

    #[cold]
    fn call_slowly(&self, kernel: impl Kernel, work: impl FnOnce()) {
        let waiting = self.list.open(&kernel);
        match self.state.load(Ordering::Relaxed) {
            UNTOUCHED => self.state.store(RUNNING, Ordering::Relaxed),
            RUNNING => {
                let _ = waiting.wait(0, Nanos::NEVER);
                return;
            }
            // The list's gate passed on what was done.
            _ => return,
        }
        drop(waiting);
        work();
        self.finish(kernel);
    }

    fn finish(&self, kernel: impl Kernel) {
        let waiting = self.list.open(&kernel);
        // Release pairs with the Acquire in `is_completed`.
        self.state.store(DONE, Ordering::Release);
        waiting.call_all(Call::Granted);
    }
}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::primitives::still::{Still, blocks};

    /// Catches: a thread that goes on while another one is at it, or does it again.
    #[test]
    fn who_comes_while_another_is_at_it_waits() {
        let (once, still) = (Once::new(), Still::new(4));
        once.call_once(still.thread(1), || {
            assert!(!once.is_completed());
            assert!(blocks(|| once.call_once(still.thread(2), || panic!("it's being done"))));
        });
        assert!(once.is_completed());
        assert_eq!(*still.woken.borrow(), [2]);
        once.call_once(still.thread(3), || panic!("it's done"));
    }
}
