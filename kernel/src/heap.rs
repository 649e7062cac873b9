//! The kernel heap: the crate `talc` over a region of memory, under a lock that keeps its holder running.
//!
//! Never touched with interrupts off or by an interrupt handler, so never by the scheduler.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arch::percpu;
use lock_api::{GuardNoSend, RawMutex};
use talc::{ErrOnOom, Span, Talc, Talck};

#[global_allocator]
static HEAP: Counted = Counted { heap: Talc::new(ErrOnOom).lock(), used: AtomicUsize::new(0) };

/// The heap, and how much of it is in use: two instructions an allocation, where the crate's own counters take dozens.
struct Counted {
    heap: Talck<PreemptLock, ErrOnOom>,
    used: AtomicUsize,
}

// SAFETY: every call is passed on as it is. What is counted beside has no part in it.
unsafe impl GlobalAlloc for Counted {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.used.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.heap.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.used.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.heap.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.used.fetch_add(size.wrapping_sub(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.heap.realloc(block, layout, size) }
    }
}

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

/// Bytes in use, as they were asked for.
pub fn used() -> usize {
    HEAP.used.load(Ordering::Relaxed)
}

/// Gives the heap `bytes` of memory.
///
/// # Errors
/// If there isn't as much.
pub fn init(bytes: usize) -> Result<(), arch::memory::OutOfMemory> {
    let region = arch::memory::heap_region(bytes)?;
    let span = Span::from_base_size(region.as_mut_ptr().cast(), region.len());
    // SAFETY: the region was handed out for good and to nobody else.
    let claimed = unsafe { HEAP.heap.lock().claim(span) };
    claimed.expect("the heap region is large enough for the allocator's own data");
    Ok(())
}
