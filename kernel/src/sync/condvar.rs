//! A condition variable: waiters are notified in the order of their arrival.

use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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

/// The waiters, oldest first.
struct Queue {
    first: *mut Waiter,
    last: *mut Waiter,
}

// SAFETY: the nodes are reached only through the mutex around the queue, and their threads don't return
// before they were taken out.
unsafe impl Send for Queue {}

/// Blocks threads until another one says that something has changed.
pub struct Condvar {
    queue: Mutex<Queue>,
    /// How many wait, so that a notification for nobody costs one load.
    waiting: AtomicUsize,
}

impl Condvar {
    /// A condition variable that nobody waits for.
    pub const fn new() -> Self {
        let queue = Queue { first: ptr::null_mut(), last: ptr::null_mut() };
        Self { queue: Mutex::new(queue), waiting: AtomicUsize::new(0) }
    }

    /// Unlocks the guard's mutex, blocks until notified, and locks again. May return without a notification,
    /// so look at the condition in a loop.
    #[inline]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let mutex = guard.mutex();
        let mut waiter =
            Waiter { task: thread::current_task(), next: ptr::null(), notified: AtomicBool::new(false) };
        let node = ptr::from_mut(&mut waiter);
        self.queue.lock().push(node);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Whoever changes the condition under the mutex after this sees the node and the count.
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
        if self.waiting.load(Ordering::Relaxed) != 0 {
            self.notify();
        }
    }

    /// Wakes every thread that waits.
    #[expect(dead_code, reason = "programs use it; the suite happens not to")]
    pub fn notify_all(&self) {
        while self.waiting.load(Ordering::Relaxed) != 0 {
            self.notify();
        }
    }

    fn notify(&self) {
        let Some(node) = self.queue.lock().pop() else { return };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
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
}

impl Queue {
    fn push(&mut self, node: *mut Waiter) {
        if self.last.is_null() {
            self.first = node;
        } else {
            // SAFETY: a node in the queue is alive.
            unsafe { (*self.last).next = node };
        }
        self.last = node;
    }

    fn pop(&mut self) -> Option<*mut Waiter> {
        let node = self.first;
        if node.is_null() {
            return None;
        }
        // SAFETY: a node in the queue is alive.
        self.first = unsafe { (*node).next.cast_mut() };
        if self.first.is_null() {
            self.last = ptr::null_mut();
        }
        Some(node)
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}
