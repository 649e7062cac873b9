//! Blocking primitives, shaped like `std::sync`.

mod condvar;
mod mutex;

pub use condvar::Condvar;
pub use mutex::{Mutex, MutexGuard};
