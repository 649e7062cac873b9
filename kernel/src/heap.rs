//! The kernel heap: the crate `talc` over a region of memory, under a lock that keeps its holder running.
//!
//! Never touched with interrupts off or by an interrupt handler, so never by the scheduler.
//!
//! Most of Rust can't be told that there is no memory: an allocation that fails ends the run. So a small part is held
//! back, for small requests, until the rest is used up. From then on [`has_room`] is asked before a thread is made, which
//! is refused in time.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arch::percpu;
use lock_api::{GuardNoSend, RawMutex};
use talc::{OomHandler, Span, Talc, Talck};

#[global_allocator]
static HEAP: Counted = Counted { heap: Talc::new(Reserve(Span::empty())).lock(), used: AtomicUsize::new(0) };

/// The heap, and how much of it is in use: two instructions an allocation, where the crate's own counters take dozens.
struct Counted {
    heap: Talck<PreemptLock, Reserve>,
    used: AtomicUsize,
}

// SAFETY: every call is passed on as it is. What is counted beside has no part in it.
unsafe impl GlobalAlloc for Counted {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let block = unsafe { self.heap.alloc(layout) };
        if !block.is_null() {
            self.used.fetch_add(layout.size(), Ordering::Relaxed);
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.used.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.heap.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let block = unsafe { self.heap.realloc(block, layout, size) };
        if !block.is_null() {
            self.used.fetch_add(size.wrapping_sub(layout.size()), Ordering::Relaxed);
        }
        block
    }
}

/// What is held back; empty once it had to be used.
struct Reserve(Span);

/// How much that is.
const RESERVE: usize = 64 << 10;
/// The largest request that it's used for. Whoever asks for more is likely to have planned for a refusal.
const SMALL: usize = 1 << 10;
/// The reserve is in use.
static LOW: AtomicBool = AtomicBool::new(false);

impl OomHandler for Reserve {
    fn handle_oom(heap: &mut Talc<Self>, request: Layout) -> Result<(), ()> {
        let reserve = core::mem::replace(&mut heap.oom_handler.0, Span::empty());
        if reserve.is_empty() || request.size() > SMALL {
            heap.oom_handler.0 = reserve;
            return Err(());
        }
        LOW.store(true, Ordering::Relaxed);
        // SAFETY: `init` took it out of the region, and it's claimed here once.
        unsafe { heap.claim(reserve) }.map(|_| ())
    }
}

/// Whether `bytes` more can be had in small pieces. A look costs nothing before the reserve is in use. Somebody else may
/// take them right afterwards.
pub fn has_room(bytes: usize) -> bool {
    if !LOW.load(Ordering::Relaxed) {
        return true;
    }
    let Ok(layout) = Layout::from_size_align(bytes, 16) else { return false };
    // SAFETY: the layout's size isn't zero, and the block is given back as it came.
    unsafe {
        let block = HEAP.alloc(layout);
        if !block.is_null() {
            HEAP.dealloc(block, layout);
        }
        !block.is_null()
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
    let (most, reserve) = region.split_at_mut(region.len() - RESERVE);
    let mut heap = HEAP.heap.lock();
    heap.oom_handler.0 = Span::from_base_size(reserve.as_mut_ptr().cast(), reserve.len());
    let most = Span::from_base_size(most.as_mut_ptr().cast(), most.len());
    // SAFETY: the region was handed out for good and to nobody else.
    let claimed = unsafe { heap.claim(most) };
    claimed.expect("the heap region is large enough for the allocator's own data");
    Ok(())
}
