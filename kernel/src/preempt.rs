//! Keeping the running thread on its CPU for a few instructions.

use core::marker::PhantomData;

use arch::percpu;

use crate::dispatch;

/// While it lives, the thread isn't switched away. An interrupt that wants to sets a bit, and the drop that
/// brings the count to zero reschedules.
///
/// Not `Send`: it must be dropped on the CPU where it was made.
pub struct PreemptGuard(PhantomData<*const ()>);

impl PreemptGuard {
    /// Turns preemption off, one level deeper.
    #[inline]
    pub fn new() -> Self {
        percpu::preempt_disable();
        Self(PhantomData)
    }
}

impl Drop for PreemptGuard {
    #[inline]
    fn drop(&mut self) {
        enable();
    }
}

/// Undoes one `percpu::preempt_disable`, and reschedules if that was the last one and somebody asked for it.
#[inline]
pub fn enable() {
    if percpu::preempt_enable() {
        dispatch::preempt_point();
    }
}
