//! What a workload may ask of a kernel.
//!
//! The workloads know no kernel: they are written against [`Os`], which is shaped like `std::thread` and
//! `std::sync`, so that the same lines run in Tacet, on host threads in the tests, and under whatever comes next.
//! Everything is an associated function without `self`: there is one operating system under a program, and a call
//! to it must compile to that call and nothing else. Implementations mark the short ones `#[inline]`.
//!
//! Times are `u64` nanoseconds of one monotonic clock; CPUs are numbered from 0 without holes.

use core::fmt;
use core::ops::{DerefMut, Range};

pub use sched::topology::Distance;
pub use sched::{Class, Priority};

use crate::record::Env;

/// The weight of a normal thread; twice the weight deserves twice the CPU time.
pub const NORMAL_WEIGHT: u32 = 1024;

/// How a thread is to be created. `Spec::new(name)` is a normal thread that may run anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec<'a> {
    /// For reports; need not be unique.
    pub name: &'a str,
    /// Its share of the CPU relative to others ([`NORMAL_WEIGHT`]).
    pub weight: u32,
    /// What it goes before.
    pub class: Class,
    /// The CPUs that it may run on, never empty and all of them online; `None`: every CPU, where the kernel likes.
    pub cpus: Option<Range<usize>>,
    /// Stack size in bytes; `None`: the kernel's default.
    pub stack: Option<usize>,
}

impl<'a> Spec<'a> {
    /// A normal thread that may run on every CPU.
    pub const fn new(name: &'a str) -> Self {
        Self { name, weight: NORMAL_WEIGHT, class: Class::Fair, cpus: None, stack: None }
    }

    /// Allows only the CPUs in `cpus`.
    #[must_use]
    pub fn on(mut self, cpus: Range<usize>) -> Self {
        self.cpus = Some(cpus);
        self
    }

    /// Allows one CPU alone.
    #[must_use]
    pub fn pinned(self, cpu: usize) -> Self {
        self.on(cpu..cpu + 1)
    }

    /// Sets the class.
    #[must_use]
    pub const fn of_class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// Sets the weight.
    #[must_use]
    pub const fn weighing(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }
}

/// A thread could not be created; the text says what was short ("no free thread slot", "no memory for a stack").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpawnError(pub &'static str);

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What one thread has had so far. All fields only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Accounted CPU time in ns, with the stretch that is going on while it runs, up to the instant of the call.
    pub cpu_ns: u64,
    /// Times that it was switched to.
    pub switches: u64,
    /// Times that it lost its CPU while it could still run, without asking to (a yield does not count).
    pub preemptions: u64,
    /// Times that it was woken after it had blocked.
    pub wakeups: u64,
    /// Times that it changed its CPU.
    pub migrations: u64,
}

impl Usage {
    /// What was added since `earlier`; 0 where a field went backwards.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            switches: self.switches.saturating_sub(earlier.switches),
            preemptions: self.preemptions.saturating_sub(earlier.preemptions),
            wakeups: self.wakeups.saturating_sub(earlier.wakeups),
            migrations: self.migrations.saturating_sub(earlier.migrations),
        }
    }
}

/// What one CPU has done so far. All fields only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Context switches, those to and from the idle loop included (a CPU that stays with its thread counts none).
    pub switches: u64,
    /// Switches away from a thread that could still run and did not ask to.
    pub preemptions: u64,
    /// Times that a thread blocked on this CPU: each is woken once, or still waits.
    pub blocks: u64,
    /// Threads that left this CPU for another.
    pub migrations: u64,
    /// Reschedule interrupts that this CPU sent.
    pub kicks_sent: u64,
    /// Posts to another CPU that needed no interrupt.
    pub kicks_saved: u64,
    /// Timer interrupts that this CPU took, spurious ones included.
    pub timer_interrupts: u64,
    /// By how much timer interrupts came later than they were set for, in all; 0 where that can't be.
    pub timer_late_ns: u64,
    /// Writes to this CPU's timer, to arm or to disarm.
    pub timer_writes: u64,
    /// Interrupts of every vector that this CPU took: timer, kicks, NMIs, spurious ones, devices; no exceptions.
    pub interrupts_total: u64,
    /// Time without a thread, with the stretch that is going on.
    pub idle_ns: u64,
    /// The part of `idle_ns` spent halted (so, not polling), with the stretch that is going on.
    pub halted_ns: u64,
}

impl Counters {
    /// What was added since `earlier`; 0 where a field went backwards.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            switches: self.switches.saturating_sub(earlier.switches),
            preemptions: self.preemptions.saturating_sub(earlier.preemptions),
            blocks: self.blocks.saturating_sub(earlier.blocks),
            migrations: self.migrations.saturating_sub(earlier.migrations),
            kicks_sent: self.kicks_sent.saturating_sub(earlier.kicks_sent),
            kicks_saved: self.kicks_saved.saturating_sub(earlier.kicks_saved),
            timer_interrupts: self.timer_interrupts.saturating_sub(earlier.timer_interrupts),
            timer_late_ns: self.timer_late_ns.saturating_sub(earlier.timer_late_ns),
            timer_writes: self.timer_writes.saturating_sub(earlier.timer_writes),
            interrupts_total: self.interrupts_total.saturating_sub(earlier.interrupts_total),
            idle_ns: self.idle_ns.saturating_sub(earlier.idle_ns),
            halted_ns: self.halted_ns.saturating_sub(earlier.halted_ns),
        }
    }

    /// The sum of two CPUs.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            switches: self.switches + other.switches,
            preemptions: self.preemptions + other.preemptions,
            blocks: self.blocks + other.blocks,
            migrations: self.migrations + other.migrations,
            kicks_sent: self.kicks_sent + other.kicks_sent,
            kicks_saved: self.kicks_saved + other.kicks_saved,
            timer_interrupts: self.timer_interrupts + other.timer_interrupts,
            timer_late_ns: self.timer_late_ns + other.timer_late_ns,
            timer_writes: self.timer_writes + other.timer_writes,
            interrupts_total: self.interrupts_total + other.interrupts_total,
            idle_ns: self.idle_ns + other.idle_ns,
            halted_ns: self.halted_ns + other.halted_ns,
        }
    }
}

/// What a kernel's threads take of memory right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of the heap in use.
    pub heap: u64,
    /// Stacks mapped so far.
    pub stacks: u64,
    /// Of them, those that no thread has.
    pub idle_stacks: u64,
    /// Slots for threads that no thread has.
    pub free_slots: u64,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { heap, stacks, idle_stacks, free_slots } = self;
        write!(f, "heap {heap} B, stacks {stacks}, idle {idle_stacks}, free slots {free_slots}")
    }
}

/// What a CPU has published about itself: how a waker reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Idle and looking at its inboxes: needs no interrupt.
    Polling,
    /// Idle and halted: needs one.
    Halted,
    /// Runs a thread.
    Busy,
}

impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Polling => "polling",
            Self::Halted => "halted",
            Self::Busy => "busy",
        })
    }
}

/// A kernel, as a workload sees it.
///
/// Unless said otherwise, every function is called from a thread, with preemption and interrupts on.
/// Names mean what they mean in `std`; what differs or goes beyond is said here.
pub trait Os: Sized + 'static {
    /// A handle to a thread, as `std::thread::Thread`. It may outlive the thread: to unpark it then does nothing.
    type Thread: Clone + Send + Sync + 'static;
    /// As `std::thread::JoinHandle`: dropping it detaches the thread.
    type JoinHandle<T: Send + 'static>: Send;
    /// A blocking mutex.
    type Mutex<T: Send + 'static>: Send + Sync + 'static;
    /// Unlocks when dropped.
    type MutexGuard<'a, T: Send + 'static>: DerefMut<Target = T>;
    /// A condition variable for [`Self::Mutex`].
    type Condvar: Send + Sync + 'static;

    /// Sends messages into a channel: cloned, for several threads.
    type Sender<T: Send + 'static>: Clone + Send + 'static;
    /// Receives them.
    type Receiver<T: Send + 'static>: Send + 'static;

    /// A value that's read far more often than replaced.
    type Rcu<T: Send + Sync + 'static>: Send + Sync + 'static;
    /// As many timers as a thread likes.
    type Timers;
    /// One of them, set.
    type Timer: Copy;

    /// Creates a thread that runs `body` as soon as it is chosen; may allocate.
    ///
    /// # Errors
    /// When memory or thread slots are short.
    fn spawn<T, F>(spec: &Spec<'_>, body: F) -> Result<Self::JoinHandle<T>, SpawnError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static;
    /// Blocks until the thread has ended, and returns what `body` returned.
    fn join<T: Send + 'static>(handle: Self::JoinHandle<T>) -> T;
    /// The thread behind a join handle.
    fn thread<T: Send + 'static>(handle: &Self::JoinHandle<T>) -> Self::Thread;
    /// The calling thread.
    fn current() -> Self::Thread;

    /// Lets another thread of this CPU run first, if there is one, whatever the measures of the two say.
    fn yield_now();
    /// Blocks for at least `ns`.
    fn sleep(ns: u64);
    /// Blocks until the caller's token is there, and takes it; may return without one.
    fn park();
    /// Leaves `thread` its token, and wakes it if it is parked.
    fn unpark(thread: &Self::Thread);

    /// Changes how much `thread` counts, from now on, whatever it does and wherever it is.
    fn set_weight(thread: &Self::Thread, weight: u32);
    /// Changes what `thread` goes before, from now on, whatever it does and wherever it is.
    fn set_class(thread: &Self::Thread, class: Class);
    /// Changes where `thread` may run; it goes there at once, whatever it does and wherever it is.
    fn set_affinity(thread: &Self::Thread, cpus: Range<usize>);

    /// A new mutex, unlocked.
    fn mutex<T: Send + 'static>(value: T) -> Self::Mutex<T>;
    /// Blocks until the mutex is the caller's.
    fn lock<T: Send + 'static>(mutex: &Self::Mutex<T>) -> Self::MutexGuard<'_, T>;
    /// A new condition variable.
    fn condvar() -> Self::Condvar;
    /// Unlocks `mutex`, blocks until notified, and locks again; may return without a notification. `guard` is of
    /// `mutex`, which is passed along since not every guard leads back to it.
    fn wait<'a, T: Send + 'static>(
        condvar: &Self::Condvar,
        mutex: &'a Self::Mutex<T>,
        guard: Self::MutexGuard<'a, T>,
    ) -> Self::MutexGuard<'a, T>;
    /// Wakes one waiter, if there is one.
    fn notify_one(condvar: &Self::Condvar);

    /// A channel that holds so many messages, as `std::sync::mpsc::sync_channel`.
    fn channel<T: Send + 'static>(messages: usize) -> (Self::Sender<T>, Self::Receiver<T>);
    /// Sends, and blocks while the channel is full. A message to nobody is dropped.
    fn send<T: Send + 'static>(sender: &Self::Sender<T>, message: T);
    /// Receives, and blocks while the channel is empty; `None` once there's nobody to send.
    fn receive<T: Send + 'static>(receiver: &Self::Receiver<T>) -> Option<T>;

    /// A value that readers get until it's replaced.
    fn rcu<T: Send + Sync + 'static>(value: T) -> Self::Rcu<T>;
    /// Reads the value as it is now. `read` may not block.
    fn rcu_read<T: Send + Sync + 'static, R>(rcu: &Self::Rcu<T>, read: impl FnOnce(&T) -> R) -> R;
    /// Replaces it. The old value is dropped when nobody reads it any more; may block.
    fn rcu_replace<T: Send + Sync + 'static>(rcu: &Self::Rcu<T>, value: T);

    /// No timers yet, for the calling thread.
    fn timers() -> Self::Timers;
    /// Sets one for `deadline`, by the clock of [`now`](Self::now).
    fn set_timer(timers: &mut Self::Timers, deadline: u64) -> Self::Timer;
    /// Takes one back; whether it was set still.
    fn cancel_timer(timers: &mut Self::Timers, timer: Self::Timer) -> bool;

    /// Examples of what the system offers beside this, by name. Each asserts what it shows.
    fn examples() -> &'static [(&'static str, fn())] {
        &[]
    }

    /// Fills the registers that Rust's own code doesn't use with values made from `seed`, runs for some 10 µs, and tells
    /// whether each still has its value. Without a definition there are none.
    fn registers_keep(seed: u64) -> bool {
        let _ = seed;
        true
    }

    /// The clock: monotonic on one CPU, in ns since some fixed moment.
    fn now() -> u64;
    /// A hint that the caller spins (PAUSE); under `-icount` it ends the virtual CPU's turn. Never blocks.
    fn relax();
    /// CPUs online and scheduled on, at least 1; never changes.
    fn cpus() -> usize;
    /// The caller's CPU, stale at once unless the caller is pinned.
    fn current_cpu() -> usize;

    /// How far it is from one CPU to another. Without a definition all are as near.
    fn distance(from: usize, to: usize) -> Distance {
        if from == to { Distance::Here } else { Distance::Cache }
    }

    /// What `thread` has had. May be asked of any thread that was not joined, wherever it runs; costs no interrupt
    /// and disturbs nobody, takes no lock, and does not allocate.
    fn usage(thread: &Self::Thread) -> Usage;
    /// What `cpu` has done. Exact when asked by a thread of that CPU, or while that CPU is halted; else a field may
    /// miss what is under way. Costs no interrupt, wakes nobody, takes no lock, and does not allocate.
    fn counters(cpu: usize) -> Counters;
    /// What threads take of memory, all of them and whatever else is in the heap. From threads; allocates nothing.
    fn memory() -> Memory;
    /// What `cpu` publishes right now.
    fn attention(cpu: usize) -> Attention;
    /// Sends `cpu`, another one than the caller's, an interrupt that does nothing but read the clock first thing, spins with
    /// [`relax`](Self::relax) until it has, and returns the ns from just before the send to that read. `None` where
    /// there is no such probe, or no answer came within a second.
    fn ipi_round(cpu: usize) -> Option<u64>;
    /// What the report says about where it was taken; asked once.
    fn env() -> Env;
}
