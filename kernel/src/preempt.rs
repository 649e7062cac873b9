//! Keeping the running thread on its CPU: for a few instructions, or for as long as it likes.
//!
//! How guards and per-CPU variables keep from being misused is `sched`'s [`primitives::PreemptGuard`] and
//! [`primitives::PerCpu`].

use arch::{interrupts, percpu};
use sched::Reason;
use sched::primitives::{self, Migration, Preemption};

use crate::dispatch;
use crate::local::Local;

/// This machine's CPUs.
#[derive(Debug)]
pub struct Cpus;

impl Preemption for Cpus {
    #[inline]
    fn disable() {
        percpu::preempt_disable();
    }

    #[inline]
    fn enable() {
        enable();
    }

    #[inline]
    fn cpu() -> usize {
        percpu::index() as usize
    }
}

/// While it lives, the thread isn't switched away.
pub type PreemptGuard = primitives::PreemptGuard<Cpus>;

impl Migration for Cpus {
    #[inline]
    fn disable() {
        interrupts::disable();
        // SAFETY: interrupts are off, and this is the only reference.
        unsafe { Local::here().cpu() }.hold();
        interrupts::enable();
    }

    #[inline]
    fn enable() {
        interrupts::disable();
        // SAFETY: as above.
        let leaves = unsafe { Local::here().cpu() }.let_go();
        interrupts::enable();
        if leaves {
            dispatch::reschedule(Reason::Yield);
        }
    }

    #[inline]
    fn cpu() -> usize {
        percpu::index() as usize
    }
}

/// While it lives, the thread stays on its CPU, but may be preempted and may block. From threads, with interrupts and preemption
/// on.
pub type MigrateGuard = primitives::MigrateGuard<Cpus>;

/// A variable of which each CPU has its own. [`per_cpu!`](crate::per_cpu) declares one.
pub type PerCpu<T> = primitives::PerCpu<T, { percpu::MAX_CPUS }>;

/// Declares static variables of which each CPU has its own:
/// `per_cpu! { static HITS: AtomicU64 = AtomicU64::new(0); }`.
#[macro_export]
macro_rules! per_cpu {
    ($($(#[$doc:meta])* $vis:vis static $name:ident: $type:ty = $value:expr;)+) => {
        $($(#[$doc])* $vis static $name: $crate::preempt::PerCpu<$type> = $crate::preempt::PerCpu::new(
            [const { crossbeam_utils::CachePadded::new($value) }; arch::percpu::MAX_CPUS],
        );)+
    };
}

/// Undoes one `percpu::preempt_disable`, and reschedules if that was the last one and somebody asked for it.
#[inline]
pub fn enable() {
    if percpu::preempt_enable() {
        dispatch::preempt_point();
    }
}
