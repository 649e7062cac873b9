//! A blocking mutex with first-in-first-out hand-off, in one word.
//!
//! The word is 0 when free. Otherwise it has the bit LOCKED, maybe the bit QUEUED, and the address of the
//! newest waiter, whose node is on its own stack and links to the one before it. A waiter adds itself with one
//! compare-and-swap and parks. The holder, and only the holder, takes the whole list when it unlocks, turns
//! it round into a queue of its own (QUEUED says that this isn't empty), and hands the lock to the oldest
//! waiter: the lock is never free while someone waits, so nobody overtakes and nobody spins.
//!
//! Free and uncontended, a lock and an unlock are one compare-and-swap each.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sched::TaskId;

use crate::dispatch;
use crate::thread;

const FREE: usize = 0;
const LOCKED: usize = 0b01;
const QUEUED: usize = 0b10;
const FLAGS: usize = LOCKED | QUEUED;

/// A thread that waits, on its own stack. Aligned so that its address leaves the flag bits free.
#[repr(align(8))]
struct Waiter {
    task: TaskId,
    /// The waiter that came before, or none; later, in the holder's queue, the one that came after.
    link: UnsafeCell<*const Waiter>,
    granted: AtomicBool,
}

/// A mutual exclusion lock that blocks, and hands over in the order of arrival.
pub struct Mutex<T: ?Sized> {
    state: AtomicUsize,
    /// The holder's queue of waiters, oldest first. Only the holder touches it.
    queue: UnsafeCell<*const Waiter>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, and there is one guard at a time.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: a mutex that nobody waits for is its value and a word.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

impl<T> Mutex<T> {
    /// A free mutex.
    pub const fn new(value: T) -> Self {
        Self {
            state: AtomicUsize::new(FREE),
            queue: UnsafeCell::new(ptr::null()),
            value: UnsafeCell::new(value),
        }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Blocks until the lock is the caller's. Not for interrupt handlers, nor with preemption off.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        // Acquire pairs with `unlock`'s Release: the value is as the last holder left it.
        if self.state.compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_slowly();
        }
        MutexGuard { mutex: self }
    }

    /// Takes the lock if it's free.
    #[inline]
    #[expect(dead_code, reason = "programs use it; the suite happens not to")]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        // Acquire, as in `lock`.
        let taken = self.state.compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok().then_some(MutexGuard { mutex: self })
    }

    #[cold]
    fn lock_slowly(&self) {
        let waiter = Waiter {
            task: thread::current_task(),
            link: UnsafeCell::new(ptr::null()),
            granted: AtomicBool::new(false),
        };
        if self.join(&waiter) {
            return;
        }
        // Acquire pairs with the Release in `hand_over`.
        while !waiter.granted.load(Ordering::Acquire) {
            thread::park();
        }
    }

    /// Takes the lock if it has become free, and answers `true`; else adds `waiter` to the list.
    fn join(&self, waiter: &Waiter) -> bool {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let next = if state == FREE { LOCKED } else { ptr::from_ref(waiter).addr() | state & FLAGS };
            // SAFETY: nobody else knows the node yet.
            unsafe { *waiter.link.get() = ptr::with_exposed_provenance(state & !FLAGS) };
            ptr::from_ref(waiter).expose_provenance();
            // AcqRel: Acquire as in `lock`; Release shows the node to the holder's Acquire in `take_list`.
            match self.state.compare_exchange(state, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return state == FREE,
                Err(now) => state = now,
            }
        }
    }

    #[inline]
    fn unlock(&self) {
        // Release pairs with the Acquire of the next `lock`.
        if self.state.compare_exchange(LOCKED, FREE, Ordering::Release, Ordering::Relaxed).is_err() {
            self.hand_over();
        }
    }

    /// Gives the lock to the waiter that has waited longest. There is one: nobody but the holder takes any out.
    #[cold]
    fn hand_over(&self) {
        // SAFETY: the caller holds the lock, so the queue and the nodes in it are its own: their threads don't
        // return before they are granted the lock.
        unsafe {
            if (*self.queue.get()).is_null() {
                *self.queue.get() = self.take_list();
            }
            let oldest = *self.queue.get();
            let rest = *(*oldest).link.get();
            *self.queue.get() = rest;
            if rest.is_null() {
                self.state.fetch_and(!QUEUED, Ordering::Relaxed);
            }
            let task = (*oldest).task;
            // Release pairs with the Acquire in `lock_slowly`; the node is the waiter's again.
            (*oldest).granted.store(true, Ordering::Release);
            dispatch::wake(task);
        }
    }

    /// Takes all that wait in the list and returns them oldest first.
    ///
    /// # Safety
    /// The caller holds the lock, and its queue is empty.
    unsafe fn take_list(&self) -> *const Waiter {
        // Acquire pairs with the Release in `join`.
        let newest = self.state.swap(LOCKED | QUEUED, Ordering::Acquire) & !FLAGS;
        let mut node: *const Waiter = ptr::with_exposed_provenance(newest);
        let mut queue: *const Waiter = ptr::null();
        while !node.is_null() {
            // SAFETY: the node's thread waits, and after the swap nobody else knows it.
            unsafe {
                let before = *(*node).link.get();
                *(*node).link.get() = queue;
                queue = node;
                node = before;
            }
        }
        queue
    }
}

/// Exclusive access to a mutex's value; unlocks when dropped.
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
}

// SAFETY: sharing the guard shares `&T`.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The mutex that the guard is of.
    pub fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the only one.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the only one, and borrowed mutably.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.unlock();
    }
}
