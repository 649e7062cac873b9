//! Staying on the CPU: a guard that keeps preemption off, and variables of which every CPU has its own.
//!
//! Both are what a lifetime can say. A reference to this CPU's own value is of use as long as the thread is on this CPU, and
//! it stays there as long as a [`PreemptGuard`] lives: so the reference borrows the guard, and what outlives the guard or goes to
//! another thread is no program.

use core::marker::PhantomData;

use crossbeam_utils::CachePadded;

/// How a kernel keeps the running thread on its CPU. On the CPU of the caller, nested.
pub trait Preemption {
    /// Turns preemption off, one level deeper. What the caller does afterwards doesn't move before it.
    fn disable();

    /// Undoes one [`Preemption::disable`], and reschedules if that was the last one and somebody asked for it.
    fn enable();

    /// The caller's CPU, below the number that every [`PerCpu`] is made for. Asked for with preemption off.
    fn cpu() -> usize;
}

/// While it lives, the thread is neither preempted nor moved. An interrupt that wants to preempt it sets a bit, and the drop that
/// turns preemption on again reschedules.
///
/// It's dropped on the CPU that it was made on, so it can't be sent:
///
/// ```compile_fail,E0277
/// # use sched::primitives::{PreemptGuard, Preemption};
/// # struct Cpu;
/// # impl Preemption for Cpu { fn disable() {} fn enable() {} fn cpu() -> usize { 0 } }
/// let guard = PreemptGuard::<Cpu>::new();
/// std::thread::spawn(move || drop(guard));
/// ```
///
/// Nor may another thread rely on it:
///
/// ```compile_fail,E0277
/// # use sched::primitives::{PreemptGuard, Preemption};
/// # struct Cpu;
/// # impl Preemption for Cpu { fn disable() {} fn enable() {} fn cpu() -> usize { 0 } }
/// let guard = PreemptGuard::<Cpu>::new();
/// std::thread::scope(|scope| { scope.spawn(|| &guard); });
/// ```
///
/// That a thread doesn't block while it has one is not in the types; the kernel's debug build asserts it.
#[derive(Debug)]
pub struct PreemptGuard<P: Preemption>(PhantomData<(*const (), P)>);

impl<P: Preemption> PreemptGuard<P> {
    /// Turns preemption off, one level deeper.
    #[inline]
    #[must_use = "preemption is on again as soon as the guard is dropped"]
    pub fn new() -> Self {
        P::disable();
        Self(PhantomData)
    }

    /// The CPU that the thread stays on.
    #[inline]
    pub fn cpu(&self) -> usize {
        P::cpu()
    }
}

/// What a thread has that stays on its CPU as long as it has it.
pub trait OnCpu {
    /// That CPU.
    fn cpu(&self) -> usize;
}

impl<P: Preemption> OnCpu for PreemptGuard<P> {
    #[inline]
    fn cpu(&self) -> usize {
        P::cpu()
    }
}

impl<P: Preemption> Default for PreemptGuard<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Preemption> Drop for PreemptGuard<P> {
    #[inline]
    fn drop(&mut self) {
        P::enable();
    }
}

/// A variable of which each of `N` CPUs has its own, on cache lines of its own.
///
/// The values are shared as far as the types go, so that a report may read those of all CPUs and an interrupt may come at any
/// time: a counter is an atomic, and a relaxed load and store of this CPU's own cost what a plain variable's would.
///
/// ```
/// # use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// # use sched::primitives::{PerCpu, PreemptGuard, Preemption};
/// # struct Cpu;
/// # impl Preemption for Cpu { fn disable() {} fn enable() {} fn cpu() -> usize { 2 } }
/// let hits = PerCpu::<AtomicU64, 4>::from_fn(|_| AtomicU64::new(0));
/// let guard = PreemptGuard::<Cpu>::new();
/// let mine = hits.get(&guard);
/// mine.store(mine.load(Relaxed) + 1, Relaxed);
/// assert_eq!(hits.iter().map(|hits| hits.load(Relaxed)).collect::<Vec<_>>(), [0, 0, 1, 0]);
/// ```
///
/// What [`PerCpu::get`] returns is this CPU's only as long as the thread stays, so it can't outlive the guard:
///
/// ```compile_fail,E0505
/// # use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// # use sched::primitives::{PerCpu, PreemptGuard, Preemption};
/// # struct Cpu;
/// # impl Preemption for Cpu { fn disable() {} fn enable() {} fn cpu() -> usize { 2 } }
/// # let hits = PerCpu::<AtomicU64, 4>::from_fn(|_| AtomicU64::new(0));
/// let guard = PreemptGuard::<Cpu>::new();
/// let mine = hits.get(&guard);
/// drop(guard);
/// mine.load(Relaxed);
/// ```
///
/// Nor may a guard that lives for the statement only be asked for what is used later:
///
/// ```compile_fail,E0716
/// # use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// # use sched::primitives::{PerCpu, PreemptGuard, Preemption};
/// # struct Cpu;
/// # impl Preemption for Cpu { fn disable() {} fn enable() {} fn cpu() -> usize { 2 } }
/// # let hits = PerCpu::<AtomicU64, 4>::from_fn(|_| AtomicU64::new(0));
/// let mine = hits.get(&PreemptGuard::<Cpu>::new());
/// mine.load(Relaxed);
/// ```
#[derive(Debug)]
pub struct PerCpu<T, const N: usize>([CachePadded<T>; N]);

impl<T, const N: usize> PerCpu<T, N> {
    /// A variable with these values; for statics.
    pub const fn new(values: [CachePadded<T>; N]) -> Self {
        Self(values)
    }

    /// A variable with the value that `make` has for each CPU.
    pub fn from_fn(mut make: impl FnMut(usize) -> T) -> Self {
        Self(core::array::from_fn(|cpu| CachePadded::new(make(cpu))))
    }

    /// This CPU's own.
    #[inline]
    pub fn get<'a>(&'a self, guard: &'a impl OnCpu) -> &'a T {
        &self.0[guard.cpu()]
    }

    /// That of `cpu`, if there is room for one.
    #[inline]
    pub fn of(&self, cpu: usize) -> Option<&T> {
        self.0.get(cpu).map(|value| &**value)
    }

    /// Those of all CPUs, also of those that aren't there: for reports.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|value| &**value)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::cell::Cell;
    use std::thread_local;

    use super::*;

    thread_local! {
        static DEPTH: Cell<u32> = const { Cell::new(0) };
    }

    struct Here;

    impl Preemption for Here {
        fn disable() {
            DEPTH.set(DEPTH.get() + 1);
        }

        fn enable() {
            DEPTH.set(DEPTH.get() - 1);
        }

        fn cpu() -> usize {
            assert!(DEPTH.get() > 0, "asked for with preemption on");
            2
        }
    }

    /// Catches: `new` that doesn't disable, a drop that doesn't enable.
    #[test]
    fn preemption_is_off_until_the_last_guard_is_gone() {
        let outer = PreemptGuard::<Here>::new();
        let inner = PreemptGuard::<Here>::new();
        assert_eq!(DEPTH.get(), 2);
        drop(outer);
        assert_eq!(DEPTH.get(), 1);
        drop(inner);
        assert_eq!(DEPTH.get(), 0);
    }

    /// Catches: `get` of a fixed CPU's.
    #[test]
    fn each_cpu_has_its_own() {
        let numbers = PerCpu::<usize, 3>::from_fn(|cpu| cpu * 10);
        let here = PreemptGuard::<Here>::new();
        assert_eq!((here.cpu(), OnCpu::cpu(&here), *numbers.get(&here)), (2, 2, 20));
        assert_eq!(numbers.of(1), Some(&10));
        assert_eq!(numbers.of(3), None);
    }
}
