//! Threads that block on primitives, as threads of a model: who parks goes through the real state word.

use core::sync::atomic::{AtomicBool as Unseen, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::vec::Vec;

use super::threads::{self, Sent, Shared};
use crate::id::TaskId;
use crate::primitives::Kernel;
use crate::state::Woken;
use crate::sync::Ordering;
use crate::sync::untaped::AtomicU64;
use crate::task::Task;
use crate::time::Nanos;

/// Whether a thread may go on that was blocked, and how loom is told.
#[derive(Default)]
struct Seat {
    thread: OnceLock<threads::Thread>,
    resumed: Unseen,
}

/// Some threads, in the slots from 1 on.
pub struct Crowd {
    tasks: Vec<Task>,
    seats: Vec<Seat>,
    /// What the clock shows: 0, until [`Member::expire`].
    clock: AtomicU64,
}

impl Crowd {
    /// A crowd of `threads`.
    pub fn new(threads: u32) -> Self {
        let slots = || 0..=threads;
        let crowd = Self {
            tasks: slots().map(|_| Task::new()).collect(),
            seats: slots().map(|_| Seat::default()).collect(),
            clock: AtomicU64::new(0),
        };
        crowd.tasks.iter().for_each(|task| task.state.create());
        crowd
    }

    /// Whether nobody has woken the thread in `slot`, which runs.
    pub fn is_undisturbed(&self, slot: u32) -> bool {
        self.tasks[slot as usize].state.begin_block()
    }

    /// The thread in `slot`, before it has started: for what doesn't block.
    pub fn member(&self, slot: u32) -> Member<'_> {
        Member { crowd: self, slot }
    }

    /// The task in `slot`.
    pub fn task(&self, slot: u32) -> &Task {
        &self.tasks[slot as usize]
    }

    /// The id of the thread in `slot`.
    pub fn id(&self, slot: u32) -> TaskId {
        TaskId { slot, generation: self.tasks[slot as usize].state.generation() }
    }
}

/// What a thread of a crowd needs: the crowd, and what its threads share beside that.
pub struct Session<T> {
    /// The threads.
    pub crowd: Crowd,
    /// What they work with.
    pub shared: T,
}

impl<T: Shared + 'static> Session<T> {
    /// A session of `threads` threads.
    pub fn new(threads: u32, shared: T) -> Arc<Self> {
        Arc::new(Self { crowd: Crowd::new(threads), shared })
    }

    /// Makes the calling thread the one in `slot`.
    pub fn enter(&self, slot: u32) -> Member<'_> {
        let set = self.crowd.seats[slot as usize].thread.set(threads::current());
        assert!(set.is_ok(), "a thread starts once");
        Member { crowd: &self.crowd, slot }
    }

    /// Runs `body` as the thread in `slot`, on a thread of its own.
    pub fn spawn<R: Sent + 'static>(
        self: &Arc<Self>,
        slot: u32,
        body: impl FnOnce(Member<'_>, &T) -> R + Sent + 'static,
    ) -> threads::JoinHandle<R> {
        let session = Arc::clone(self);
        threads::spawn(move || body(session.enter(slot), &session.shared))
    }
}

/// A thread of a crowd, at work.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    crowd: &'a Crowd,
    slot: u32,
}

impl Kernel for Member<'_> {
    fn current(&self) -> (u32, &Task) {
        (self.slot, &self.crowd.tasks[self.slot as usize])
    }

    fn token(&self) -> u32 {
        self.slot << 1
    }

    fn slot_of(&self, token: u32) -> u32 {
        token >> 1
    }

    fn reconsider(&self, _task: TaskId) {}

    fn now(&self) -> Nanos {
        Nanos(self.crowd.clock.load(Ordering::Relaxed))
    }

    fn park_until(&self, _deadline: Nanos) {
        self.park();
    }

    /// Thread 2 is on a CPU of its own.
    fn is_near(&self, task: &Task) -> bool {
        !core::ptr::eq(task, &raw const self.crowd.tasks[2])
    }

    fn tasks(&self) -> &[Task] {
        &self.crowd.tasks
    }

    fn park(&self) {
        let (state, seat) = (&self.current().1.state, &self.crowd.seats[self.slot as usize]);
        if state.begin_block() && state.finish_block() {
            while !seat.resumed.swap(false, SeqCst) {
                threads::park();
            }
        }
    }

    fn wake(&self, task: TaskId) {
        if self.crowd.tasks[task.index()].state.wake(task.generation) == Woken::Claimed {
            let seat = &self.crowd.seats[task.index()];
            seat.resumed.store(true, SeqCst);
            seat.thread.get().expect("a thread that blocked has started").unpark();
        }
    }
}

/// A limit that passes when a model says so.
pub const SOON: Nanos = Nanos(1);

impl Member<'_> {
    /// The clock shows [`SOON`], and the timer of `sleeper` fires.
    pub fn expire(self, sleeper: TaskId) {
        self.crowd.clock.store(SOON.0, Ordering::Relaxed);
        self.wake(sleeper);
    }

    /// Ends, and lets the next tenant have the slot.
    pub fn reincarnate(self) {
        let state = &self.current().1.state;
        state.exit();
        state.release();
        state.create();
    }
}
