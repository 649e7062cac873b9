//! Threads, shaped like `std::thread`.

mod builder;
mod exit;
mod join;
pub mod names;
pub mod table;
mod timers;

pub use builder::{Builder, SpawnError};
pub use exit::at_exit;
pub use join::JoinHandle;
pub use timers::{Timer, Timers};

use alloc::sync::Arc;
use core::sync::atomic::{Ordering, fence};

use arch::interrupts;
use arrayvec::ArrayString;
use sched::{Affinity, Class, Nanos, Reason, TaskId};

use crate::dispatch;
use crate::local::{Local, now};
use exit::Completion;

/// The longest name that is kept; longer ones are cut.
pub const NAME_LENGTH: usize = 32;

/// A handle to a thread, which may outlive it.
#[derive(Clone)]
pub struct Thread(Arc<Inner>);

/// What remains of a thread as long as someone knows it.
struct Inner {
    task: TaskId,
    name: ArrayString<NAME_LENGTH>,
    completion: Completion,
}

/// What a thread has had so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time, exact while it runs.
    pub cpu_time: Nanos,
    /// Times it was switched to.
    pub switches: u64,
    /// Times it was switched from although it could have gone on.
    pub preemptions: u64,
    /// Times it was woken after it had blocked.
    pub wakeups: u64,
    /// Times it came to another CPU.
    pub migrations: u64,
}

/// An affinity that holds no CPU of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownCpu;

impl Thread {
    fn new(task: TaskId, name: &str) -> Self {
        let kept = &name[..name.floor_char_boundary(NAME_LENGTH)];
        let kept = ArrayString::from(kept).expect("it's cut to what there is room for");
        Self(Arc::new(Inner { task, name: kept, completion: Completion::new() }))
    }

    /// The thread's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The thread's place in the scheduler.
    #[inline]
    pub fn task(&self) -> TaskId {
        self.0.task
    }

    /// Wakes the thread if it's parked; else its next [`park`] returns at once. From threads.
    #[inline]
    pub fn unpark(&self) {
        dispatch::wake(self.0.task);
    }

    /// Makes true what the thread waits for, and wakes it: as OSv's `wake_with`. If the thread sees the change by itself and
    /// ends before the wake, the wake reaches nobody, not even the next thread in its place. From threads.
    pub fn unpark_with(&self, action: impl FnOnce()) {
        action();
        self.unpark();
    }

    /// Changes the thread's priority: its share of CPU time relative to others', where 1024 is normal. At least 1.
    /// Counts from now on, whatever the thread does; nothing happens if it has ended. From threads.
    pub fn set_priority(&self, weight: u32) {
        dispatch::set_weight(self.0.task, weight);
    }

    /// Changes the thread's class: real-time, fair or background. Counts from now on, whatever the thread does; nothing
    /// happens if it has ended. From threads. A [`park`] of that thread may return without its token.
    pub fn set_class(&self, class: Class) {
        dispatch::set_class(self.0.task, class);
        // If it waits for a mutex, its place there and what it lends the holder are others now.
        dispatch::wake(self.0.task);
    }

    /// Changes where the thread may run. If it's elsewhere it goes there at once, running or waiting; nothing
    /// happens if it has ended. From threads.
    ///
    /// # Errors
    /// If none of the CPUs is there; then nothing has changed.
    pub fn set_affinity(&self, affinity: Affinity) -> Result<(), UnknownCpu> {
        if affinity.first().index() >= Local::here().shared.cpus() {
            return Err(UnknownCpu);
        }
        dispatch::set_affinity(self.0.task, affinity);
        Ok(())
    }

    /// What the thread has had, up to now or up to its end.
    pub fn usage(&self) -> Usage {
        self.0.completion.usage().unwrap_or_else(|| {
            let running = usage_of(Local::here(), self.0.task);
            // Acquire pairs with the Release in `sched`'s `Task::create`: if the slot was reused meanwhile, the end is
            // seen, and tells.
            fence(Ordering::Acquire);
            self.0.completion.usage().unwrap_or(running)
        })
    }
}

/// What a task has had, or the one that has its slot now.
pub fn usage_of(local: &Local, task: TaskId) -> Usage {
    let task = local.shared.task(task.index());
    Usage {
        cpu_time: task.meter.read(now()),
        switches: task.switches.get(),
        preemptions: task.preemptions.get(),
        wakeups: task.wakeups(),
        migrations: task.migrations.get(),
    }
}

/// The name of the thread that runs on this CPU, for reports of its end.
pub fn running_name(table: &table::Table, slot: usize) -> &str {
    table.thread(slot).map_or("idle", Thread::name)
}

/// The calling thread.
///
/// # Panics
/// If the caller is not a thread: an idle task, or boot.
pub fn current() -> Thread {
    let flags = interrupts::disable_save();
    let local = Local::here();
    // SAFETY: interrupts are off, and this is the only reference.
    let slot = unsafe { local.cpu() }.current().index();
    let thread = local.threads.thread(slot).cloned();
    interrupts::restore(flags);
    thread.expect("threads have a handle; idle tasks and boot have none")
}

/// Gives way to another thread of this CPU, if there is one.
#[inline(never)]
pub fn yield_now() {
    dispatch::reschedule(Reason::Yield);
}

/// Blocks until someone unparks the calling thread, or not at all if that happened already. May return
/// without an unpark.
#[inline(never)]
pub fn park() {
    dispatch::reschedule(Reason::Block);
}

/// Blocks for at least `span`.
pub fn sleep(span: Nanos) {
    let deadline = now() + span;
    let mut unparked = false;
    while now() < deadline {
        arm(deadline);
        park();
        // Back before the deadline: someone unparked this thread, which isn't for us to use up.
        unparked |= now() < deadline;
    }
    disarm();
    if unparked {
        current().unpark();
    }
}

/// As [`park`], but for at most `span`.
#[expect(dead_code, reason = "programs use it; the suite happens not to")]
pub fn park_timeout(span: Nanos) {
    park_until(now() + span);
}

/// As [`park`], but not for longer than until the clock shows `deadline`.
pub fn park_until(deadline: Nanos) {
    arm(deadline);
    park();
    disarm();
}

fn arm(deadline: Nanos) {
    let flags = interrupts::disable_save();
    // SAFETY: interrupts are off, and this is the only reference.
    unsafe { Local::here().cpu() }.set_timer(deadline);
    interrupts::restore(flags);
}

fn disarm() {
    let flags = interrupts::disable_save();
    // SAFETY: interrupts are off, and this is the only reference.
    unsafe { Local::here().cpu() }.cancel_timer();
    interrupts::restore(flags);
}
