//! A thread that waits: its place in a list, and the call that ends the wait.

use super::Kernel;
use crate::id::TaskId;
use crate::sync::Ordering;
use crate::sync::untaped::AtomicU32;
use crate::task::Task;
use crate::time::Nanos;

/// No thread: slot 0 is an idle task's, which never waits.
pub(super) const NOBODY: u32 = 0;

/// What lists of waiting threads keep of each.
#[derive(Debug)]
pub struct Waiter {
    /// Its place at a gate, through which the way to any list leads.
    pub(super) gate: GateWaiter,
    /// The thread that came next to the list, or [`NOBODY`]. This and `prev` are written behind the list's gate.
    pub(super) next: AtomicU32,
    /// The thread that came before; of no meaning to the first.
    pub(super) prev: AtomicU32,
    /// What the thread waits for, in the list's own terms.
    pub(super) wish: AtomicU32,
    /// How far the wait is: one of the constants below, growing.
    stage: AtomicU32,
}

/// In a list.
const LISTED: u32 = 0;
/// Out of the list, and about to be called. Whose time is up now must wait for that call.
const TAKEN: u32 = 1;
/// The same, but in a mutex's list meanwhile.
const MOVED: u32 = 2;
/// Called: the thread has what it waited for.
const GRANTED: u32 = 3;
/// Called: the thread goes on without.
const DISMISSED: u32 = 4;

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// The thread has what it waited for.
    Granted,
    /// The thread goes on without.
    Dismissed,
}

impl Waiter {
    /// One that doesn't wait.
    pub(crate) fn new() -> Self {
        Self {
            gate: GateWaiter { link: AtomicU32::new(NOBODY), called: AtomicU32::new(0) },
            next: AtomicU32::new(NOBODY),
            prev: AtomicU32::new(NOBODY),
            wish: AtomicU32::new(0),
            stage: AtomicU32::new(LISTED),
        }
    }

    /// Before the thread enters a list, for `wish`.
    #[inline]
    pub(super) fn prepare(&self, wish: u32) {
        self.wish.store(wish, Ordering::Relaxed);
        self.stage.store(LISTED, Ordering::Relaxed);
    }

    /// Behind the list's gate: the waiter isn't in it any more, and will be called.
    #[inline]
    pub(super) fn take(&self) {
        self.stage.store(TAKEN, Ordering::Relaxed);
    }

    /// Behind the gate of a mutex's list: the waiter, which was taken out of another, is in it.
    pub(super) fn set_moved(&self) {
        self.stage.store(MOVED, Ordering::Relaxed);
    }

    /// Behind the list's gate: whether the waiter is still there, for its thread to take out.
    pub(super) fn is_listed(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == LISTED
    }

    /// Behind the gate of a mutex's list: whether the waiter, which was in another, is in it.
    pub(super) fn is_moved(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == MOVED
    }

    #[inline]
    fn call_taken(&self) -> Option<Call> {
        // Acquire pairs with `call`'s Release. A wake that comes for another reason is no call.
        match self.stage.load(Ordering::Acquire) {
            LISTED | TAKEN | MOVED => None,
            GRANTED => Some(Call::Granted),
            _ => Some(Call::Dismissed),
        }
    }

    /// Blocks the thread, whose waiter this is, until it's called. `stray` is what it does when it's woken otherwise.
    #[inline]
    pub(super) fn wait(&self, kernel: impl Kernel, stray: impl Fn()) -> Call {
        if let Some(call) = self.call_taken() {
            return call;
        }
        kernel.park();
        self.call_taken().unwrap_or_else(|| self.wait_on(kernel, stray))
    }

    /// The rest of a wait: the thread was woken, and not called.
    #[cold]
    #[inline(never)]
    fn wait_on(&self, kernel: impl Kernel, stray: impl Fn()) -> Call {
        loop {
            stray();
            if let Some(call) = self.call_taken() {
                return call;
            }
            kernel.park();
        }
    }

    /// The same, until the clock shows `deadline` at most; [`Nanos::NEVER`] is no limit.
    pub(super) fn wait_until(&self, kernel: impl Kernel, deadline: Nanos, stray: impl Fn()) -> Option<Call> {
        if deadline == Nanos::NEVER {
            return Some(self.wait(kernel, stray));
        }
        loop {
            let call = self.call_taken();
            if call.is_some() || kernel.now() >= deadline {
                return call;
            }
            kernel.park_until(deadline);
            stray();
        }
    }
}

/// Ends the wait of the thread in `slot`, which the caller took out of its list; returns whom to wake.
#[inline]
pub(super) fn call(task: &Task, slot: u32, how: Call) -> TaskId {
    // Read first: once it's called the thread may go on and end, and another one be its slot's tenant.
    let id = TaskId { slot, generation: task.state.generation() };
    let stage = if how == Call::Granted { GRANTED } else { DISMISSED };
    // Release pairs with the Acquire in `call_taken`: what the caller did is seen by the thread.
    task.waiter.stage.store(stage, Ordering::Release);
    id
}

/// A thread that waits at a gate. It may be in a list already, and want the gate to get out of it.
#[derive(Debug)]
pub(super) struct GateWaiter {
    /// The neighbour at the gate, or [`NOBODY`]. Written by the thread itself before others know it, then by who holds
    /// the gate.
    pub(super) link: AtomicU32,
    /// Whether the wait is over.
    called: AtomicU32,
}

impl GateWaiter {
    /// Before the thread joins: the link ends the list, nobody has called.
    #[inline]
    pub(super) fn prepare(&self) {
        self.link.store(NOBODY, Ordering::Relaxed);
        self.called.store(0, Ordering::Relaxed);
    }

    /// Blocks the thread, whose waiter this is, until the gate is its own.
    #[inline]
    pub(super) fn wait(&self, kernel: impl Kernel) {
        // Acquire pairs with `let_in`'s Release. A wake that comes for another reason is no call.
        while self.called.load(Ordering::Acquire) == 0 {
            kernel.park();
        }
    }
}

/// Gives a gate to `task` in `slot`, which the caller took out of its list; returns whom to wake.
#[inline]
pub(super) fn let_in(task: &Task, slot: u32) -> TaskId {
    // Read first, as in `call`.
    let id = TaskId { slot, generation: task.state.generation() };
    // Release pairs with the Acquire in `GateWaiter::wait`.
    task.waiter.gate.called.store(1, Ordering::Release);
    id
}
