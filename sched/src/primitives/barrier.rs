//! A barrier: threads wait until all of them are there.

use super::Kernel;
use super::list::WaitList;
use super::waiter::Call;
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, const_new};
use crate::time::Nanos;

/// A point that so many threads pass together, any number of times.
#[derive(Debug)]
pub struct Barrier {
    threads: u32,
    /// How many are there and wait, written with the list open.
    arrived: AtomicU32,
    list: WaitList,
}

impl Barrier {
    const_new! {
        /// A barrier for so many threads; 0 counts as 1.
        pub fn new(threads: u32) -> Self {
            Self { threads, arrived: AtomicU32::new(0), list: WaitList::new() }
        }
    }

    /// Blocks until all threads are there; answers `true` to the last one that came. What any of them did before, all see.
    pub fn wait(&self, kernel: impl Kernel) -> bool {
        let waiting = self.list.open(&kernel);
        let arrived = self.arrived.load(Ordering::Relaxed) + 1;
        if arrived >= self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            waiting.call_all(Call::Granted);
            return true;
        }
        self.arrived.store(arrived, Ordering::Relaxed);
        let _ = waiting.wait(0, Nanos::NEVER);
        false
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::primitives::still::{Still, blocks};

    #[test]
    fn the_last_one_lets_all_pass_round_after_round() {
        let (barrier, still) = (Barrier::new(3), Still::new(4));
        for round in 1..=2 {
            for slot in [1, 2] {
                assert!(blocks(|| _ = barrier.wait(still.thread(slot))));
            }
            assert!(barrier.wait(still.thread(3)));
            assert_eq!(*still.woken.borrow(), [1, 2].repeat(round));
        }
    }

    #[test]
    fn who_is_all_there_are_passes() {
        let still = Still::new(2);
        assert!([0, 1].into_iter().all(|threads| Barrier::new(threads).wait(still.thread(1))));
    }
}
