//! Blocking primitives, shaped like `std::sync`: the data, guards and threads for `sched`'s protocols.

mod condvar;
mod here;
mod mutex;

pub use condvar::Condvar;
pub use here::Here;
pub use mutex::{Mutex, MutexGuard};
