//! The kernel heap: the crate `talc` over a region of memory, under a lock that keeps its holder running.
//!
//! Never touched with interrupts off or by an interrupt handler, so never by the scheduler.

use core::sync::atomic::{AtomicBool, Ordering};

use arch::percpu;
use lock_api::{GuardNoSend, RawMutex};
use talc::{ErrOnOom, Span, Talc, Talck};

#[global_allocator]
static HEAP: Talck<PreemptLock, ErrOnOom> = Talc::new(ErrOnOom).lock();

/// A spinlock whose holder can't be switched away, so that nobody spins for longer than an allocation takes.
pub struct PreemptLock(AtomicBool);

// SAFETY: the flag is taken by one swap with Acquire and given back with Release, so that one holder at a time
// is inside and sees what the last one wrote.
unsafe impl RawMutex for PreemptLock {
    #[allow(clippy::declare_interior_mutable_const, reason = "lock_api's way to make one")]
    const INIT: Self = Self(AtomicBool::new(false));
    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        while !self.try_lock() {
            arch::cpu::relax();
        }
    }

    fn try_lock(&self) -> bool {
        percpu::preempt_disable();
        // Acquire pairs with the Release in `unlock`.
        if !self.0.swap(true, Ordering::Acquire) {
            return true;
        }
        crate::preempt::enable();
        false
    }

    unsafe fn unlock(&self) {
        // Release pairs with the Acquire in `try_lock`.
        self.0.store(false, Ordering::Release);
        crate::preempt::enable();
    }
}

/// Gives the heap `bytes` of memory.
///
/// # Errors
/// If there isn't as much.
pub fn init(bytes: usize) -> Result<(), arch::memory::OutOfMemory> {
    let region = arch::memory::heap_region(bytes)?;
    let span = Span::from_base_size(region.as_mut_ptr().cast(), region.len());
    // SAFETY: the region was handed out for good and to nobody else.
    let claimed = unsafe { HEAP.lock().claim(span) };
    claimed.expect("the heap region is large enough for the allocator's own data");
    Ok(())
}
