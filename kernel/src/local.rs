//! What each CPU keeps for itself: its scheduler, and the way to the thread table.

use core::cell::UnsafeCell;

use alloc::boxed::Box;
use arch::{interrupts, percpu};
use sched::{CpuId, Nanos, Shared};

use crate::record::{self, Scheduler};
use crate::thread::table::Table;

/// One CPU's kernel state.
pub struct Local {
    cpu: UnsafeCell<Scheduler>,
    /// What all CPUs share of the scheduler.
    pub shared: &'static Shared,
    /// The threads, by slot.
    pub threads: &'static Table,
}

impl Local {
    /// Makes this CPU's state and hangs it into its per-CPU block. Once on each CPU, with interrupts off.
    pub fn install(index: u32, shared: &'static Shared, threads: &'static Table) {
        let cpu = UnsafeCell::new(record::scheduler(shared, CpuId(index), now()));
        let local = Box::leak(Box::new(Self { cpu, shared, threads }));
        percpu::set_running(core::ptr::from_ref(threads.context(index as usize)).cast());
        percpu::set_kernel_ptr(core::ptr::from_mut(local).cast());
    }

    /// This CPU's state. A thread that may migrate holds another CPU's a moment later: only `shared` and
    /// `threads`, which are the same everywhere, are then of use.
    #[inline]
    pub fn here() -> &'static Self {
        // SAFETY: `install` set the pointer on this CPU before any thread or handler runs, to a leaked box.
        unsafe { &*percpu::kernel_ptr().cast() }
    }

    /// This CPU's scheduler.
    ///
    /// # Safety
    /// Interrupts must be off from before [`Local::here`] until the reference is dropped, and no other
    /// reference from this function may live. Then nobody else can reach it: other CPUs never ask for this
    /// CPU's `Local`, and nothing can run on this CPU in between.
    #[inline]
    #[allow(clippy::mut_from_ref, reason = "exclusive by the safety contract")]
    pub unsafe fn cpu(&self) -> &mut Scheduler {
        debug_assert!(!interrupts::enabled());
        // SAFETY: exclusive by this function's own contract.
        unsafe { &mut *self.cpu.get() }
    }
}

/// The monotonic clock.
#[inline]
pub fn now() -> Nanos {
    Nanos(arch::clock::now_ns())
}
