//! A kernel for tests whose threads never get to run: what a primitive does to those that wait can be looked at.

use core::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::vec::Vec;

use super::Kernel;
use crate::id::TaskId;
use crate::task::Task;
use crate::time::Nanos;

/// Threads, in the slots from 1 on, and what was done to them.
pub(super) struct Still {
    pub(super) tasks: Vec<Task>,
    /// The slots of those that were woken, in order.
    pub(super) woken: RefCell<Vec<u32>>,
    /// The slots of those whose rank the scheduler was to look at, and how many were woken before.
    pub(super) reconsidered: RefCell<Vec<(u32, usize)>>,
    /// Whether each has a CPU of its own.
    pub(super) are_apart: Cell<bool>,
}

impl Still {
    pub(super) fn new(slots: usize) -> Self {
        let tasks: Vec<Task> = (0..slots).map(|_| Task::new()).collect();
        for task in &tasks {
            task.state.create();
        }
        Self {
            tasks,
            woken: RefCell::default(),
            reconsidered: RefCell::default(),
            are_apart: Cell::new(false),
        }
    }

    /// The kernel as the thread in `slot` sees it.
    pub(super) fn thread(&self, slot: u32) -> Thread<'_> {
        Thread { still: self, slot }
    }
}

/// What a thread that would block panics with.
const WOULD_BLOCK: &str = "nobody gets to run, so nobody would call";

/// Whether a thread blocks that does `work`. It stays where it waits then.
pub(super) fn blocks(work: impl FnOnce()) -> bool {
    let Err(panic) = catch_unwind(AssertUnwindSafe(work)) else { return false };
    assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some(WOULD_BLOCK));
    true
}

#[derive(Clone, Copy)]
pub(super) struct Thread<'a> {
    still: &'a Still,
    slot: u32,
}

impl Kernel for Thread<'_> {
    fn current(&self) -> (u32, &Task) {
        (self.slot, &self.still.tasks[self.slot as usize])
    }

    fn token(&self) -> u32 {
        self.slot << 1
    }

    fn slot_of(&self, token: u32) -> u32 {
        token >> 1
    }

    fn tasks(&self) -> &[Task] {
        &self.still.tasks
    }

    fn now(&self) -> Nanos {
        Nanos::ZERO
    }

    fn park(&self) {
        panic!("{WOULD_BLOCK}");
    }

    fn park_until(&self, _deadline: Nanos) {
        self.park();
    }

    fn is_near(&self, _task: &Task) -> bool {
        !self.still.are_apart.get()
    }

    fn wake(&self, task: TaskId) {
        self.still.woken.borrow_mut().push(task.slot);
    }

    fn reconsider(&self, task: TaskId) {
        self.still.reconsidered.borrow_mut().push((task.slot, self.still.woken.borrow().len()));
    }
}
