//! A list of waiting threads, highest rank first and oldest among equals, behind its gate.
//!
//! [`WaitList::open`] is the only way to what is in it. A thread that waits with a limit takes itself out when its time
//! is up, unless somebody took it out before: then it's about to be called, and waits for that.

use super::Kernel;
use super::gate::Gate;
use super::waiter::{Call, NOBODY, call};
use crate::id::TaskId;
use crate::sync::untaped::AtomicU32;
use crate::sync::{Ordering, const_new};
use crate::task::Task;
use crate::time::Nanos;

/// Threads that wait for something.
#[derive(Debug)]
pub(super) struct WaitList {
    /// Whose turn is next, written behind the gate; readable without, as a hint.
    first: AtomicU32,
    /// Whose turn is last, behind the gate.
    last: AtomicU32,
    gate: Gate,
}

/// A list whose gate is the calling thread's, until this is dropped.
pub(super) struct Waiting<'a, K: Kernel> {
    list: &'a WaitList,
    kernel: &'a K,
}

impl WaitList {
    const_new! {
        /// An empty list.
        pub(super) fn new() -> Self {
            Self { first: AtomicU32::new(NOBODY), last: AtomicU32::new(NOBODY), gate: Gate::new() }
        }
    }

    /// Whether nobody seems to wait.
    #[inline]
    pub(super) fn seems_empty(&self) -> bool {
        self.first.load(Ordering::Relaxed) == NOBODY
    }

    /// Opens the list; may block for as long as others have it open.
    #[inline]
    pub(super) fn open<'a, K: Kernel>(&'a self, kernel: &'a K) -> Waiting<'a, K> {
        self.gate.lock(*kernel);
        Waiting { list: self, kernel }
    }
}

impl<'a, K: Kernel> Waiting<'a, K> {
    /// Whom the waiting threads wait under.
    pub(super) fn kernel(&self) -> &'a K {
        self.kernel
    }

    /// Adds the calling thread, closes the list, and blocks until the thread is called.
    ///
    /// # Errors
    /// If the clock shows `deadline` before: then the thread is out of the list, which is open again.
    pub(super) fn wait(self, wish: u32, deadline: Nanos) -> Result<Call, Self> {
        let (list, kernel) = (self.list, self.kernel);
        let (slot, task) = kernel.current();
        task.waiter.prepare(wish);
        self.push_and_close(slot, task);
        list.wait_until(kernel, deadline, || ())
    }

    /// Who is first, and its wish.
    #[inline]
    pub(super) fn front(&self) -> Option<(u32, u32)> {
        let first = self.list.first.load(Ordering::Relaxed);
        (first != NOBODY).then(|| (first, self.task(first).waiter.wish.load(Ordering::Relaxed)))
    }

    /// The name of the thread in `slot`, which is in the list.
    pub(super) fn id_of(&self, slot: u32) -> TaskId {
        TaskId { slot, generation: self.task(slot).state.generation() }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.list.seems_empty()
    }

    /// Adds a thread whose waiter is prepared, behind its equals.
    #[inline]
    pub(super) fn push(&self, slot: u32, task: &Task) {
        let last = self.list.last.load(Ordering::Relaxed);
        if last == NOBODY {
            // Who is first has none before it, whatever it says.
            task.waiter.next.store(NOBODY, Ordering::Relaxed);
            self.list.first.store(slot, Ordering::Relaxed);
            self.list.last.store(slot, Ordering::Relaxed);
        } else {
            self.list.push_behind(self.kernel.tasks(), last, slot, task);
        }
    }

    /// [`Waiting::push`], and closes the list.
    #[inline]
    pub(super) fn push_and_close(self, slot: u32, task: &Task) {
        if self.is_empty() {
            self.push(slot, task);
        } else {
            self.push_among_others(slot, task);
        }
    }

    #[inline(never)]
    fn push_among_others(self, slot: u32, task: &Task) {
        self.push(slot, task);
    }

    /// Puts a thread that is in the list where its rank puts it, if that has changed: otherwise it keeps its place.
    pub(super) fn place_again(&self, slot: u32, task: &Task) {
        let rank = task.terms.coming_rank();
        let rank_of = |slot: u32| self.task(slot).terms.coming_rank();
        let (prev, next) = (self.prev_of(slot, task), task.waiter.next.load(Ordering::Relaxed));
        let overtakes = prev != NOBODY && rank_of(prev) < rank;
        if overtakes || next != NOBODY && rank_of(next) > rank {
            self.remove(slot, task);
            self.push(slot, task);
        }
    }

    /// Who comes before a thread that is in the list.
    fn prev_of(&self, slot: u32, task: &Task) -> u32 {
        let is_first = self.list.first.load(Ordering::Relaxed) == slot;
        if is_first { NOBODY } else { task.waiter.prev.load(Ordering::Relaxed) }
    }

    /// Takes the first out. The caller owes it a call.
    #[inline]
    pub(super) fn pop(&self) -> Option<(u32, &'a Task)> {
        let (slot, task) = self.unlink()?;
        task.waiter.take();
        Some((slot, task))
    }

    /// The same for a caller that makes the call with the list open.
    #[inline]
    pub(super) fn unlink(&self) -> Option<(u32, &'a Task)> {
        let first = self.list.first.load(Ordering::Relaxed);
        if first == NOBODY {
            return None;
        }
        let task = self.task(first);
        let next = task.waiter.next.load(Ordering::Relaxed);
        self.list.first.store(next, Ordering::Relaxed);
        if next == NOBODY {
            self.list.last.store(NOBODY, Ordering::Relaxed);
        }
        Some((first, task))
    }

    /// Takes the first out and calls it, with the list open: it may have to wait for that.
    pub(super) fn call_front(&self, how: Call) {
        if let Some((slot, task)) = self.unlink() {
            self.kernel.notify(call(task, slot, how));
        }
    }

    /// Calls all.
    pub(super) fn call_all(&self, how: Call) {
        while !self.is_empty() {
            self.call_front(how);
        }
    }

    /// Closes the list, and then tells the kernel of a thread that was called. Nothing else is left to do, so that this
    /// can be the end of a function that needs no stack.
    #[inline]
    pub(super) fn close_and_notify(self, task: TaskId) {
        let (list, kernel) = (self.list, *self.kernel);
        core::mem::forget(self);
        if list.gate.try_unlock() {
            return kernel.notify(task);
        }
        list.hand_over_and_notify(kernel, task);
    }

    /// Takes a thread out, wherever it is.
    pub(super) fn remove(&self, slot: u32, task: &Task) {
        let next = task.waiter.next.load(Ordering::Relaxed);
        let prev = self.prev_of(slot, task);
        self.list.behind(self.kernel.tasks(), prev).store(next, Ordering::Relaxed);
        self.list.before(self.kernel.tasks(), next).store(prev, Ordering::Relaxed);
    }

    #[inline]
    fn task(&self, slot: u32) -> &'a Task {
        &self.kernel.tasks()[slot as usize]
    }
}

impl WaitList {
    /// Adds a thread behind `prev`, or as far before it as its rank puts it. The list is open.
    #[inline(never)]
    fn push_behind(&self, tasks: &[Task], mut prev: u32, slot: u32, task: &Task) {
        let rank = task.terms.coming_rank();
        let first = self.first.load(Ordering::Relaxed);
        while prev != NOBODY && tasks[prev as usize].terms.coming_rank() < rank {
            let waiter = &tasks[prev as usize].waiter;
            prev = if prev == first { NOBODY } else { waiter.prev.load(Ordering::Relaxed) };
        }
        let next = self.behind(tasks, prev).swap(slot, Ordering::Relaxed);
        task.waiter.prev.store(prev, Ordering::Relaxed);
        task.waiter.next.store(next, Ordering::Relaxed);
        self.before(tasks, next).store(slot, Ordering::Relaxed);
    }

    /// Where it says who comes after `prev`; [`NOBODY`] is before all.
    fn behind<'a>(&'a self, tasks: &'a [Task], prev: u32) -> &'a AtomicU32 {
        if prev == NOBODY { &self.first } else { &tasks[prev as usize].waiter.next }
    }

    /// Where it says who comes before `next`; [`NOBODY`] is after all.
    fn before<'a>(&'a self, tasks: &'a [Task], next: u32) -> &'a AtomicU32 {
        if next == NOBODY { &self.last } else { &tasks[next as usize].waiter.prev }
    }

    #[cold]
    #[inline(never)]
    fn hand_over_and_notify(&self, kernel: impl Kernel, task: TaskId) {
        self.gate.hand_over(kernel);
        kernel.notify(task);
    }

    /// Blocks the calling thread, which is in the list, until it's called. `stray` is what it does when it's woken
    /// otherwise, with the list closed.
    ///
    /// # Errors
    /// If the clock shows `deadline` before: then the thread is out of the list, which is open.
    pub(super) fn wait_until<'a, K: Kernel>(
        &'a self,
        kernel: &'a K,
        deadline: Nanos,
        stray: impl Fn(),
    ) -> Result<Call, Waiting<'a, K>> {
        let (slot, task) = kernel.current();
        if let Some(call) = task.waiter.wait_until(*kernel, deadline, &stray) {
            return Ok(call);
        }
        let waiting = self.open(kernel);
        if task.waiter.is_listed() {
            waiting.remove(slot, task);
            return Err(waiting);
        }
        drop(waiting);
        Ok(task.waiter.wait(*kernel, stray))
    }
}

impl<K: Kernel> Drop for Waiting<'_, K> {
    #[inline]
    fn drop(&mut self) {
        self.list.gate.unlock(*self.kernel);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
