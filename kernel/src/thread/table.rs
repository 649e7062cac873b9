//! The thread table: what the machine needs of each thread, by the scheduler's slots.
//!
//! Slots and stacks are recycled through queues that neither allocate nor block; they are used with
//! interrupts off, so that no holder of a half-done operation is ever switched away.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use arch::context::Context;
use arch::interrupts;
use arch::memory::{OutOfMemory, Stack};
use crossbeam_queue::ArrayQueue;
use sched::{Shared, TaskId};

use super::Thread;
use super::builder::SpawnError;
use super::join::Run;

/// The stack of a thread that doesn't ask for another size, in bytes.
pub const DEFAULT_STACK: usize = 32 << 10;

/// So many stacks of other sizes are looked at for one that is large enough.
const SEARCHED: usize = 64;

type Body = Arc<dyn Run>;

/// What a thread does when it ends.
pub(super) type ExitNotifier = Box<dyn FnOnce()>;

/// What a thread has beside its context. Touched by whoever holds the slot: the one who fills it, then the thread
/// itself, then the one who reaps it.
struct Slot {
    stack: UnsafeCell<Option<Stack>>,
    thread: UnsafeCell<Option<Thread>>,
    body: UnsafeCell<Option<Body>>,
    at_exit: UnsafeCell<Vec<ExitNotifier>>,
}

// SAFETY: see the struct's documentation; the hand-overs go through the scheduler's Release and Acquire.
unsafe impl Sync for Slot {}

/// All threads.
pub struct Table {
    /// The saved contexts, close together: every switch looks up two.
    contexts: Box<[Context]>,
    slots: Box<[Slot]>,
    free: ArrayQueue<u32>,
    /// Stacks of the default size that nobody uses.
    stacks: ArrayQueue<Stack>,
    /// Stacks of other sizes that nobody uses.
    odd_stacks: ArrayQueue<Stack>,
    /// Stacks made so far.
    made: AtomicU64,
}

impl Table {
    /// A table that runs parallel to the scheduler's.
    pub fn new(shared: &Shared) -> Self {
        let contexts = (0..shared.slots()).map(|_| Context::new()).collect();
        let slots = (0..shared.slots()).map(|_| Slot::new()).collect();
        let free = ArrayQueue::new(shared.slots());
        for slot in shared.cpus()..shared.slots() {
            let _ = free.push(slot as u32);
        }
        let [stacks, odd_stacks] = [(); 2].map(|()| ArrayQueue::new(shared.slots()));
        Self { contexts, slots, free, stacks, odd_stacks, made: AtomicU64::new(0) }
    }

    /// The saved context of the thread in `slot`.
    #[inline]
    pub fn context(&self, slot: usize) -> &Context {
        &self.contexts[slot]
    }

    /// The slot of the context whose address has this lower half.
    pub fn slot_of(&self, low: u32) -> u32 {
        low.wrapping_sub(self.contexts.as_ptr().addr() as u32) / size_of::<Context>() as u32
    }

    /// The handle of the thread in `slot`: `None` for idle tasks. Only of the running thread's own slot.
    pub fn thread(&self, slot: usize) -> Option<&Thread> {
        // SAFETY: the slot's thread is running, so nobody fills or reaps it.
        unsafe { (*self.slots[slot].thread.get()).as_ref() }
    }

    /// Takes a free slot and a stack of at least `bytes` for it.
    pub(super) fn reserve(&self, bytes: usize) -> Result<(usize, Stack), SpawnError> {
        let flags = interrupts::disable_save();
        let slot = self.free.pop();
        let recycled = if bytes <= DEFAULT_STACK { self.stacks.pop() } else { self.recycled(bytes) };
        interrupts::restore(flags);
        let slot = slot.ok_or(SpawnError::TableFull)?;
        if let Ok(stack) = recycled.map_or_else(|| self.make_stack(bytes), Ok) {
            return Ok((slot as usize, stack));
        }
        self.give_back(slot);
        Err(SpawnError::OutOfMemory)
    }

    /// A stack of at least `bytes`, more than the default, that nobody uses. Interrupts off.
    #[cold]
    fn recycled(&self, bytes: usize) -> Option<Stack> {
        for _ in 0..self.odd_stacks.len().min(SEARCHED) {
            let stack = self.odd_stacks.pop()?;
            if stack.len() >= bytes {
                return Some(stack);
            }
            // To the end, so that the next search begins with others.
            self.recycle(stack);
        }
        None
    }

    /// Keeps a stack for another thread. Interrupts off.
    fn recycle(&self, stack: Stack) {
        let pool = if stack.len() == DEFAULT_STACK { &self.stacks } else { &self.odd_stacks };
        // There is room for as many as threads can be at once; one more, of sizes that nobody asks for, stays mapped and unused.
        let _ = pool.push(stack);
    }

    #[cold]
    fn make_stack(&self, bytes: usize) -> Result<Stack, OutOfMemory> {
        let stack = Stack::new(bytes.max(DEFAULT_STACK))?;
        self.made.fetch_add(1, Ordering::Relaxed);
        Ok(stack)
    }

    /// Stacks made so far, those of them that nobody uses, and free slots.
    pub fn figures(&self) -> (u64, u64, u64) {
        let flags = interrupts::disable_save();
        let idle = self.stacks.len() + self.odd_stacks.len();
        let free = self.free.len();
        interrupts::restore(flags);
        (self.made.load(Ordering::Relaxed), idle as u64, free as u64)
    }

    fn give_back(&self, slot: u32) {
        let flags = interrupts::disable_save();
        let pushed = self.free.push(slot);
        interrupts::restore(flags);
        debug_assert!(pushed.is_ok(), "there is room for every slot");
    }

    /// Fills a slot that the caller reserved.
    pub(super) fn fill(
        &self,
        slot: usize,
        thread: Thread,
        stack: Stack,
        body: Body,
        entry: extern "C" fn(usize) -> !,
    ) {
        let place = &self.slots[slot];
        // SAFETY: the caller holds the slot and the stack, whose top is the end of a page.
        unsafe {
            self.contexts[slot].prepare(stack.top() as usize, entry, slot);
            *place.stack.get() = Some(stack);
            *place.thread.get() = Some(thread);
            *place.body.get() = Some(body);
        }
    }

    /// What the thread in `slot` is to run. Called by that thread, once.
    pub(super) fn take_body(&self, slot: usize) -> Body {
        // SAFETY: called by the slot's own thread.
        unsafe { (*self.slots[slot].body.get()).take() }.expect("a thread's body is run once")
    }

    /// Notes what the thread in `slot` does when it ends. Called by that thread.
    pub(super) fn push_at_exit(&self, slot: usize, notifier: ExitNotifier) {
        // SAFETY: called by the slot's own thread.
        unsafe { (*self.slots[slot].at_exit.get()).push(notifier) };
    }

    /// Takes out what was noted last. Called by the slot's own thread.
    pub(super) fn pop_at_exit(&self, slot: usize) -> Option<ExitNotifier> {
        // SAFETY: called by the slot's own thread.
        unsafe { (*self.slots[slot].at_exit.get()).pop() }
    }

    /// Takes the handle out of the slot. Called by its own thread, at its end.
    pub(super) fn take_thread(&self, slot: usize) -> Option<Thread> {
        // SAFETY: called by the slot's own thread.
        unsafe { (*self.slots[slot].thread.get()).take() }
    }

    /// Recycles the stack and the slot of a thread that was switched away from for ever. Interrupts off.
    pub fn reap(&self, shared: &Shared, gone: TaskId) {
        // SAFETY: the thread exited, so the slot is the reaper's.
        let stack = unsafe { (*self.slots[gone.index()].stack.get()).take() };
        if let Some(stack) = stack {
            self.recycle(stack);
        }
        shared.release(gone);
        let pushed = self.free.push(gone.index() as u32);
        debug_assert!(pushed.is_ok(), "there is room for every slot");
    }
}

impl Slot {
    fn new() -> Self {
        Self {
            stack: UnsafeCell::new(None),
            thread: UnsafeCell::new(None),
            body: UnsafeCell::new(None),
            at_exit: UnsafeCell::new(Vec::new()),
        }
    }
}
