//! Blocking primitives, shaped like `std::sync`: the data, guards and threads for `sched`'s protocols.
//!
//! All of them block, so they're for threads alone: not for interrupt handlers, nor with preemption off.
#![expect(dead_code, unused_imports, reason = "programs use it; the suite happens not to use all")]

mod barrier;
mod condvar;
pub mod examples;
mod here;
pub mod mpsc;
mod mutex;
mod once;
mod queue;
pub mod rcu;
mod reentrant;
mod rwlock;
mod semaphore;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use here::Here;
pub use mutex::{Mutex, MutexGuard};
pub use once::{LazyLock, OnceLock};
pub use queue::WaitQueue;
pub use rcu::Rcu;
pub use reentrant::{ReentrantLock, ReentrantLockGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Permits, Refusal, Semaphore};
