//! A condition variable: waiters are notified in the order of their arrival.

use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use sched::TaskId;

use super::mutex::{Mutex, MutexGuard};
use crate::dispatch;
use crate::thread;

/// A thread that waits, on its own stack.
struct Waiter {
    task: TaskId,
    next: *const Waiter,
    notified: AtomicBool,
}

/// The end of the queue: its youngest waiter.
struct Last(*mut Waiter);

// SAFETY: the nodes are reached only through the mutex around the queue's end, and their threads don't return
// before they were taken out.
unsafe impl Send for Last {}

/// Blocks threads until another one says that something has changed.
pub struct Condvar {
    /// The oldest waiter, written under `last`'s lock; readable without, so that a notification for nobody costs
    /// one load.
    first: AtomicPtr<Waiter>,
    last: Mutex<Last>,
}

impl Condvar {
    /// A condition variable that nobody waits for.
    pub const fn new() -> Self {
        Self { first: AtomicPtr::new(ptr::null_mut()), last: Mutex::new(Last(ptr::null_mut())) }
    }

    /// Unlocks the guard's mutex, blocks until notified, and locks again. May return without a notification,
    /// so look at the condition in a loop.
    #[inline]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let mutex = guard.mutex();
        let mut waiter =
            Waiter { task: thread::current_task(), next: ptr::null(), notified: AtomicBool::new(false) };
        let node = ptr::from_mut(&mut waiter);
        self.push(node);
        // Whoever changes the condition under the mutex after this sees the node.
        drop(guard);
        // SAFETY: the node is alive until this function returns. Acquire pairs with `notify`'s Release.
        while !unsafe { &(*node).notified }.load(Ordering::Acquire) {
            thread::park();
        }
        mutex.lock()
    }

    /// Wakes the thread that has waited longest, if one waits.
    #[inline]
    pub fn notify_one(&self) {
        if !self.first.load(Ordering::Relaxed).is_null() {
            self.notify();
        }
    }

    /// Wakes every thread that waits.
    #[expect(dead_code, reason = "programs use it; the suite happens not to")]
    pub fn notify_all(&self) {
        while !self.first.load(Ordering::Relaxed).is_null() {
            self.notify();
        }
    }

    fn notify(&self) {
        let Some(node) = self.pop() else { return };
        // SAFETY: the node was in the queue, so its thread waits until it's notified. After the store the
        // node is that thread's again, so the id is read before.
        let task = unsafe {
            let task = (*node).task;
            // Release pairs with the Acquire in `wait`.
            (*node).notified.store(true, Ordering::Release);
            task
        };
        // The notifier mostly holds the mutex that the waiter is about to lock.
        dispatch::notify(task);
    }

    fn push(&self, node: *mut Waiter) {
        let mut last = self.last.lock();
        if last.0.is_null() {
            self.first.store(node, Ordering::Relaxed);
        } else {
            // SAFETY: a node in the queue is alive.
            unsafe { (*last.0).next = node };
        }
        last.0 = node;
    }

    fn pop(&self) -> Option<*mut Waiter> {
        let mut last = self.last.lock();
        let node = self.first.load(Ordering::Relaxed);
        if node.is_null() {
            return None;
        }
        // SAFETY: a node in the queue is alive.
        let next = unsafe { (*node).next.cast_mut() };
        self.first.store(next, Ordering::Relaxed);
        if next.is_null() {
            last.0 = ptr::null_mut();
        }
        Some(node)
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}
