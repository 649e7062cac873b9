//! Shared data that is read far more often than replaced; how it's known that nobody reads the old is `sched`'s
//! [`primitives::Grace`].

use core::marker::PhantomData;
use core::mem;
use core::sync::atomic::{AtomicPtr, Ordering};

use alloc::boxed::Box;
use alloc::vec::Vec;
use arch::{apic, interrupts, percpu};
use sched::Nanos;
use sched::primitives::{Grace, Question};

use super::Mutex;
use crate::asked::Asking;
use crate::local::Local;
use crate::preempt::PreemptGuard;
use crate::thread;

static GRACE: Grace<{ percpu::MAX_CPUS }> = Grace::new();
/// What was replaced and isn't free yet.
static RETIRED: Mutex<Vec<Retired>> = Mutex::new(Vec::new());

/// So much is replaced before somebody has to wait for readers.
const BATCH: usize = 32;
/// How long the first and the last look for answers are apart from the next.
const PAUSE: (Nanos, Nanos) = (Nanos(20_000), Nanos(1_000_000));

/// A value that many threads read while one may replace it.
///
/// Readers see a value as it was when they asked, whole, for as long as they keep preemption off. A read is a load. A reader
/// may not block: that's the contract of its [`PreemptGuard`], which a debug kernel asserts at every block and yield.
pub struct Rcu<T> {
    current: AtomicPtr<T>,
    owns: PhantomData<Box<T>>,
}

impl<T: Send + Sync + 'static> Rcu<T> {
    /// Readers get `value` until it's replaced.
    pub fn new(value: Box<T>) -> Self {
        Self { current: AtomicPtr::new(Box::into_raw(value)), owns: PhantomData }
    }

    /// The current value. It's kept for as long as the guard lives, also if it's replaced meanwhile.
    #[inline]
    pub fn read<'a>(&'a self, _section: &'a PreemptGuard) -> &'a T {
        // Acquire pairs with the swap in `replace`: who sees the pointer sees the value.
        let current = self.current.load(Ordering::Acquire);
        // SAFETY: it's from a box that is freed by `drop`, which can't be while `self` is borrowed, or after a grace period
        // that began once it wasn't current any more: that ends after the guard does.
        unsafe { &*current }
    }

    /// Makes `value` the current one. The one before is freed when nobody reads it: by a later call of this or of
    /// [`synchronize`]. Blocks once in 32 calls. From threads, with preemption on.
    pub fn replace(&self, value: Box<T>) {
        // AcqRel: Release shows the value to readers, Acquire shows the one before to whoever frees it.
        let before = self.current.swap(Box::into_raw(value), Ordering::AcqRel);
        let mut retired = RETIRED.lock();
        retired.push(Retired(before));
        if retired.len() >= BATCH {
            let batch = mem::take(&mut *retired);
            drop(retired);
            wait_for_readers();
            drop(batch);
        }
    }
}

impl<T> Drop for Rcu<T> {
    fn drop(&mut self) {
        // SAFETY: it came from a box, and readers borrow `self`.
        drop(unsafe { Box::from_raw(*self.current.get_mut()) });
    }
}

/// A value that was replaced: a box, but not yet one's own. To be dropped after a grace period.
struct Retired(*mut (dyn Send + Sync));

// SAFETY: what it points to is `Send`, and only its drop touches that.
unsafe impl Send for Retired {}

impl Drop for Retired {
    fn drop(&mut self) {
        // SAFETY: it came from a box; nobody can find it, and those who had found it are gone: see `replace` and `synchronize`.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// Blocks until all reads that are under way have ended, and frees what had been replaced before. From threads, with
/// preemption on.
pub fn synchronize() {
    let retired = mem::take(&mut *RETIRED.lock());
    wait_for_readers();
    drop(retired);
}

/// Blocks until all reads that are under way have ended.
///
/// # Panics
/// If the caller has preemption off: it would wait for itself.
fn wait_for_readers() {
    assert_eq!(percpu::preempt_count(), 0, "a thread that reads may not wait for readers");
    let _asking = Asking::new();
    let question = GRACE.ask();
    let mut pause = PAUSE.0;
    while !all_answered(question) {
        // Those that had preemption off, and then went on in a way that didn't answer, are asked again.
        kick_silent(question);
        thread::sleep(pause);
        pause = PAUSE.1.min(pause + pause);
    }
}

fn all_answered(question: Question) -> bool {
    answer();
    (0..Local::here().shared.cpus()).all(|cpu| GRACE.has_answered(cpu, question))
}

/// Interrupts the CPUs that haven't answered: one whose thread never gives way wouldn't, and a halted one can't. The kick
/// orders what was stored before it, the question and that there is one, before the handler.
fn kick_silent(question: Question) {
    for cpu in 0..Local::here().shared.cpus() {
        if !GRACE.has_answered(cpu, question) {
            apic::kick(cpu as u32);
        }
    }
}

/// Says that nobody reads on this CPU, if so. One that has preemption off comes here when it's turned on.
pub fn answer() {
    let flags = interrupts::disable_save();
    if percpu::preempt_count() == 0 {
        GRACE.answer(percpu::index() as usize);
    }
    interrupts::restore(flags);
}
