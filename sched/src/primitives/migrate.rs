//! Staying on a CPU while others run there, too: a guard against migration alone.

use core::marker::PhantomData;

use super::guard::OnCpu;

/// How a kernel keeps the calling thread on its CPU, but not others away. Nested.
pub trait Migration {
    /// Keeps the thread on its CPU, one level deeper.
    fn disable();

    /// Undoes one [`Migration::disable`]. After the last one the thread goes where it's wished to be, at once.
    fn enable();

    /// The caller's CPU. Asked for while it's kept there.
    fn cpu() -> usize;
}

/// While it lives, the thread stays on its CPU, whatever others wish: it's as if it were pinned. It may be preempted, and may
/// block; it may be waited for long. A wish for another CPU that comes meanwhile counts once the last guard is gone.
///
/// What it says holds for the thread that made it, so it can't be sent, nor lent:
///
/// ```compile_fail,E0277
/// # use sched::primitives::{MigrateGuard, Migration};
/// # struct Cpu;
/// # impl Migration for Cpu { fn disable() {} fn enable() {} fn cpu() -> usize { 0 } }
/// let guard = MigrateGuard::<Cpu>::new();
/// std::thread::spawn(move || drop(guard));
/// ```
///
/// A variable of this CPU's may be had for it as for a [`super::PreemptGuard`]; but other threads of the CPU may come in between two
/// accesses.
///
/// ```
/// # use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// # use sched::primitives::{MigrateGuard, Migration, PerCpu};
/// # struct Cpu;
/// # impl Migration for Cpu { fn disable() {} fn enable() {} fn cpu() -> usize { 2 } }
/// let hits = PerCpu::<AtomicU64, 4>::from_fn(|_| AtomicU64::new(0));
/// let here = MigrateGuard::<Cpu>::new();
/// hits.get(&here).fetch_add(1, Relaxed);
/// assert_eq!(hits.of(here.cpu()).unwrap().load(Relaxed), 1);
/// ```
#[derive(Debug)]
pub struct MigrateGuard<M: Migration>(PhantomData<(*const (), M)>);

impl<M: Migration> MigrateGuard<M> {
    /// Keeps the thread on its CPU, one level deeper.
    #[inline]
    #[must_use = "the thread may move as soon as the guard is dropped"]
    pub fn new() -> Self {
        M::disable();
        Self(PhantomData)
    }

    /// The CPU that the thread stays on.
    #[inline]
    pub fn cpu(&self) -> usize {
        M::cpu()
    }
}

impl<M: Migration> OnCpu for MigrateGuard<M> {
    #[inline]
    fn cpu(&self) -> usize {
        M::cpu()
    }
}

impl<M: Migration> Default for MigrateGuard<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Migration> Drop for MigrateGuard<M> {
    #[inline]
    fn drop(&mut self) {
        M::enable();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::cell::Cell;
    use std::thread_local;

    use super::*;

    thread_local! {
        static HOLDS: Cell<u32> = const { Cell::new(0) };
    }

    struct Here;

    impl Migration for Here {
        fn disable() {
            HOLDS.set(HOLDS.get() + 1);
        }

        fn enable() {
            HOLDS.set(HOLDS.get() - 1);
        }

        fn cpu() -> usize {
            assert!(HOLDS.get() > 0, "asked for while it may move");
            2
        }
    }

    #[test]
    fn a_thread_stays_until_the_last_guard_is_gone() {
        let outer = MigrateGuard::<Here>::new();
        let inner = MigrateGuard::<Here>::new();
        assert_eq!((HOLDS.get(), inner.cpu(), OnCpu::cpu(&outer)), (2, 2, 2));
        drop(outer);
        assert_eq!(HOLDS.get(), 1);
        drop(inner);
        assert_eq!(HOLDS.get(), 0);
    }
}
