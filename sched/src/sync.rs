//! The one place that knows whether atomics are the machine's, the model checker's or the recorder's.
//!
//! Built with `--cfg loom`, the scheduler runs on loom's atomics, which explore every interleaving that the
//! memory model allows; with the feature `tape`, on some that tell what was read; otherwise on `core`'s.
//! Nothing else in the crate names any of them.

#[cfg(all(feature = "tape", not(loom)))]
pub use crate::tape::atomics::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(any(feature = "tape", loom)))]
pub use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

/// Atomics that are never on tape: no decision of a CPU depends on what they hold. For reports, and for protocols
/// between threads.
pub mod untaped {
    #[cfg(not(loom))]
    pub use core::sync::atomic::{AtomicU32, AtomicU64};
    #[cfg(loom)]
    pub use loom::sync::atomic::{AtomicU32, AtomicU64};
}
use untaped::AtomicU64 as Untaped;

/// A constructor that is `const` where the atomics' own are: not under the model checker.
macro_rules! const_new {
    ($(#[$doc:meta])* $vis:vis fn new($($arg:ident: $type:ty),*) -> Self $body:block) => {
        $(#[$doc])*
        #[cfg(not(loom))]
        $vis const fn new($($arg: $type),*) -> Self $body

        $(#[$doc])*
        #[cfg(loom)]
        $vis fn new($($arg: $type),*) -> Self $body
    };
}
pub(crate) use const_new;

/// A relaxed store to a word that others read, modify and write.
///
/// C11 orders it with their accesses, loom doesn't: it would let the storing thread read back what a compare-and-swap
/// wrote that came before. A swap is a store to everyone but loom.
macro_rules! overwrite {
    ($word:expr, $value:expr) => {{
        #[cfg(not(loom))]
        $word.store($value, $crate::sync::Ordering::Relaxed);
        #[cfg(loom)]
        $word.swap($value, $crate::sync::Ordering::Relaxed);
    }};
}
pub(crate) use overwrite;

macro_rules! single_writer {
    ($(#[$doc:meta])* $name:ident, $word:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name($word);

        impl $name {
            /// A cell that holds `value`.
            pub fn new(value: u64) -> Self {
                Self($word::new(value))
            }

            /// The last value written, or a recent one if another CPU is the writer.
            #[inline]
            pub fn get(&self) -> u64 {
                self.0.load(Ordering::Relaxed)
            }

            /// Replaces the value. Only the owner may call this.
            #[inline]
            pub fn set(&self, value: u64) {
                self.0.store(value, Ordering::Relaxed);
            }

            /// Adds `amount`, wrapping. Only the owner may call this.
            #[inline]
            pub fn add(&self, amount: u64) {
                self.set(self.get().wrapping_add(amount));
            }
        }
    };
}

single_writer! {
    /// A measure with a single writer: read and written whole, never read-modify-written.
    ///
    /// The writer is the CPU that owns the value; other CPUs may read it at any time and see some recent value.
    Owned, AtomicU64
}

single_writer! {
    /// The same for what is counted for reports only. No decision depends on it, so it's never on tape.
    Tally, Untaped
}
