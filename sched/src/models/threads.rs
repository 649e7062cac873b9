//! The threads and cells of a model: loom's, or the host's own.

#[cfg(not(loom))]
pub use host::*;
#[cfg(loom)]
pub use looms::*;

#[cfg(loom)]
mod looms {
    pub use loom::cell::UnsafeCell as Cell;
    pub use loom::thread::{JoinHandle, Thread, current, park, spawn, yield_now};

    /// What a thread may be given, or share: anything. Loom runs one thread at a time.
    pub trait Sent {}
    impl<T> Sent for T {}
    pub use Sent as Shared;
}

#[cfg(not(loom))]
mod host {
    use core::hint;
    use core::sync::atomic::{AtomicU32, Ordering};
    use std::hash::{BuildHasher, Hasher, RandomState};
    use std::thread;
    pub use std::thread::{JoinHandle, Thread, current, park, yield_now};

    /// What a thread may be given.
    pub trait Sent: Send {}
    impl<T: Send> Sent for T {}

    /// What threads may share.
    pub trait Shared: Send + Sync {}
    impl<T: Send + Sync> Shared for T {}

    /// The most that a thread dawdles before it begins, in turns of a loop: about what it takes to start another.
    const DAWDLE: u64 = 1 << 14;

    /// Starts a thread, sooner or later.
    pub fn spawn<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> JoinHandle<R> {
        thread::spawn(|| {
            let turns = RandomState::new().build_hasher().finish() % DAWDLE;
            (0..turns).for_each(|_| hint::spin_loop());
            body()
        })
    }

    /// A writer that has the cell.
    const WRITER: u32 = 1 << 31;

    /// What may be read by many or written by one: it panics if it's otherwise.
    pub struct Cell<T> {
        users: AtomicU32,
        value: T,
    }

    impl<T> Cell<T> {
        pub fn new(value: T) -> Self {
            Self { users: AtomicU32::new(0), value }
        }

        /// Reads.
        pub fn with<R>(&self, read: impl FnOnce(&T) -> R) -> R {
            assert!(self.users.fetch_add(1, Ordering::Relaxed) < WRITER, "read while it's written");
            let read = read(&self.value);
            self.users.fetch_sub(1, Ordering::Relaxed);
            read
        }

        /// Writes.
        pub fn with_mut<R>(&self, write: impl FnOnce(&T) -> R) -> R {
            assert_eq!(self.users.fetch_add(WRITER, Ordering::Relaxed), 0, "written while it's in use");
            let written = write(&self.value);
            self.users.fetch_sub(WRITER, Ordering::Relaxed);
            written
        }
    }
}
