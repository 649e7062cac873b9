//! Making threads.

use core::fmt;

use alloc::sync::Arc;

use arch::interrupts;
use sched::{Affinity, Class, CpuId, NORMAL_WEIGHT, Spec};

use super::join::{Packet, Run};
use super::table::DEFAULT_STACK;
use super::{JoinHandle, Thread, names};
use crate::dispatch;
use crate::heap;
use crate::local::Local;

/// Beside its closure and its result, what a thread takes of the heap, and as much again for whoever allocates at the same
/// time.
const SPARE: usize = 4 << 10;

/// Why a thread could not be made. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpawnError {
    /// Every slot of the thread table is taken.
    TableFull,
    /// There is no memory, for a stack or for what the kernel keeps of a thread.
    OutOfMemory,
    /// The CPU isn't there.
    UnknownCpu,
}

impl SpawnError {
    /// What was short.
    pub const fn text(self) -> &'static str {
        match self {
            Self::TableFull => "no free thread slot",
            Self::OutOfMemory => "no memory",
            Self::UnknownCpu => "no such CPU",
        }
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.text())
    }
}

/// What a new thread is to be, as `std::thread::Builder`.
#[derive(Clone, Debug)]
pub struct Builder<'a> {
    name: &'a str,
    weight: u32,
    class: Class,
    affinity: Affinity,
    stack: usize,
}

impl<'a> Builder<'a> {
    /// A thread of normal priority that may run anywhere.
    pub fn new(name: &'a str) -> Self {
        Self {
            name,
            weight: NORMAL_WEIGHT,
            class: Class::Fair,
            affinity: Affinity::ANY,
            stack: DEFAULT_STACK,
        }
    }

    /// Its priority: its share of CPU time relative to others', where 1024 is normal. At least 1.
    #[must_use]
    pub fn priority(self, weight: u32) -> Self {
        Self { weight, ..self }
    }

    /// Its class: real-time, fair or background.
    #[must_use]
    pub fn class(self, class: Class) -> Self {
        Self { class, ..self }
    }

    /// The CPUs on which it may run.
    #[must_use]
    pub fn affinity(self, affinity: Affinity) -> Self {
        Self { affinity, ..self }
    }

    /// The one CPU on which it may run.
    #[must_use]
    pub fn pinned(self, cpu: CpuId) -> Self {
        self.affinity(Affinity::one(cpu))
    }

    /// The size of its stack in bytes, rounded up to pages.
    #[must_use]
    pub fn stack_size(self, bytes: usize) -> Self {
        Self { stack: bytes, ..self }
    }

    /// Makes the thread and lets it run `body`.
    ///
    /// # Errors
    /// If a slot or memory is short, or the CPU isn't there. Nothing was changed then.
    pub fn spawn<T, F>(self, body: F) -> Result<JoinHandle<T>, SpawnError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if !heap::has_room(SPARE + size_of::<F>().max(size_of::<T>())) {
            return Err(SpawnError::OutOfMemory);
        }
        let (local, packet) = (Local::here(), Arc::new(Packet::new(body)));
        let thread = self.make(local, packet.clone())?;
        let task = thread.task();
        dispatch::start(task);
        Ok(JoinHandle::new(thread, packet))
    }

    /// Fills a slot.
    fn make(self, local: &Local, body: Arc<dyn Run>) -> Result<Thread, SpawnError> {
        if self.affinity.first().index() >= local.shared.cpus() {
            return Err(SpawnError::UnknownCpu);
        }
        let threads = local.threads;
        let (slot, stack) = threads.reserve(self.stack)?;
        names::note(slot, self.name);
        let spec = Spec { weight: self.weight, class: self.class, affinity: self.affinity };
        let task = local.shared.create(slot, spec, Self::first_cpu(self.affinity));
        let thread = Thread::new(task, self.name);
        threads.fill(slot, thread.clone(), stack, body, entry);
        Ok(thread)
    }

    /// Where a new thread goes if no CPU is idle: here, if it may.
    fn first_cpu(affinity: Affinity) -> CpuId {
        let here = CpuId(arch::percpu::index());
        if affinity.allows(here) { here } else { affinity.first() }
    }
}

/// The first function of every thread: completes the switch to it, runs its body, ends it.
extern "C" fn entry(slot: usize) -> ! {
    let look_again = dispatch::finish_switch();
    interrupts::enable();
    if look_again {
        dispatch::preempt();
    }
    let body = Local::here().threads.take_body(slot);
    body.run();
    super::exit::exit(slot)
}
