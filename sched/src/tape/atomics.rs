//! Atomics that tell the witness what was read, in the place of `core`'s.
//!
//! Each has a number, its *place*, by which a tape names it. In replay an operation first puts there what the
//! kernel found, and then does what it always does.

use core::fmt;
use core::sync::atomic::{AtomicBool as WordBool, AtomicU32 as Word32, AtomicU64 as Word64};
pub use core::sync::atomic::{Ordering, fence};

use super::witness;

macro_rules! taped {
    ($name:ident, $word:ident, $value:ty, $from:expr) => {
        /// `core`'s atomic of that name, on tape.
        pub struct $name {
            value: $word,
            at: u32,
        }

        #[allow(clippy::missing_errors_doc, reason = "see `core`")]
        impl $name {
            /// An atomic that holds `value`.
            pub fn new(value: $value) -> Self {
                Self { value: $word::new(value), at: witness().map_or(u32::MAX, |witness| witness.number()) }
            }

            /// As `core`'s.
            #[inline]
            pub fn load(&self, order: Ordering) -> $value {
                self.access(|value| value.load(order), |seen| seen)
            }

            /// As `core`'s.
            #[inline]
            pub fn store(&self, value: $value, order: Ordering) {
                self.value.store(value, order);
                if let Some(witness) = witness() {
                    witness.overwrote(self.at, u64::from(value));
                }
            }

            /// As `core`'s.
            #[inline]
            pub fn swap(&self, next: $value, order: Ordering) -> $value {
                self.access(|value| value.swap(next, order), |_| next)
            }

            /// As `core`'s.
            #[inline]
            pub fn fetch_or(&self, bits: $value, order: Ordering) -> $value {
                self.access(|value| value.fetch_or(bits, order), |seen| seen | bits)
            }

            /// As `core`'s.
            #[inline]
            pub fn fetch_and(&self, bits: $value, order: Ordering) -> $value {
                self.access(|value| value.fetch_and(bits, order), |seen| seen & bits)
            }

            /// As `core`'s.
            #[inline]
            pub fn compare_exchange(
                &self,
                current: $value,
                next: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let exchange = |value: &$word| {
                    value.compare_exchange(current, next, success, failure).unwrap_or_else(|seen| seen)
                };
                let seen = self.access(exchange, |seen| if seen == current { next } else { seen });
                if seen == current { Ok(seen) } else { Err(seen) }
            }

            /// As `core`'s.
            pub fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut update: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut seen = self.load(fetch);
                while let Some(next) = update(seen) {
                    match self.compare_exchange(seen, next, set, fetch) {
                        Ok(seen) => return Ok(seen),
                        Err(now) => seen = now,
                    }
                }
                Err(seen)
            }

            /// An operation that reads; `left` is what it leaves where it sees a value.
            #[inline]
            fn access(
                &self,
                operation: impl FnOnce(&$word) -> $value,
                left: impl FnOnce($value) -> $value,
            ) -> $value {
                let Some(witness) = witness() else { return operation(&self.value) };
                if cfg!(feature = "replay")
                    && let Some(told) = witness.foretell(self.at)
                {
                    self.value.store($from(told), Ordering::Relaxed);
                }
                let seen = operation(&self.value);
                witness.saw(self.at, u64::from(seen), u64::from(left(seen)));
                seen
            }
        }

        /// The place: from it and the fields around it, a report learns the place's name.
        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "@{}", self.at)
            }
        }
    };
}

macro_rules! taped_counting {
    ($name:ident, $value:ty) => {
        impl $name {
            /// As `core`'s.
            #[inline]
            pub fn fetch_add(&self, amount: $value, order: Ordering) -> $value {
                self.access(|value| value.fetch_add(amount, order), |seen| seen.wrapping_add(amount))
            }

            /// As `core`'s.
            #[inline]
            pub fn fetch_sub(&self, amount: $value, order: Ordering) -> $value {
                self.access(|value| value.fetch_sub(amount, order), |seen| seen.wrapping_sub(amount))
            }

            /// As `core`'s.
            #[inline]
            pub fn fetch_max(&self, other: $value, order: Ordering) -> $value {
                self.access(|value| value.fetch_max(other, order), |seen| seen.max(other))
            }
        }
    };
}

taped!(AtomicBool, WordBool, bool, |told| told != 0);
taped!(AtomicU32, Word32, u32, |told| told as u32);
taped!(AtomicU64, Word64, u64, |told| told);
taped_counting!(AtomicU64, u64);
