//! One CPU's tape while it's being recorded.
//!
//! A tape is a sequence of entries, in postcard's encoding (small numbers take one byte):
//!
//! ```text
//! call  [nanoseconds since the last call that tells the time]
//! { reads passed over + 1,  place,  value }   for each read that could not be foreseen
//! 0  outcome
//! ```
//!
//! When it's full, recording ends: replay needs what came first.

use alloc::boxed::Box;

use serde::Serialize;

use super::call::{Call, Outcome};
use crate::time::Nanos;

/// Places whose last value is remembered. Of two that fall together one costs a few bytes each time.
const REMEMBERED: usize = 4096;

/// What a CPU saw or left at a place last.
#[derive(Clone, Copy, Debug)]
struct Known {
    at: u32,
    value: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Tape {
    bytes: Box<[u8]>,
    len: usize,
    /// Where the call that is being made begins.
    open: usize,
    /// Reads of this call since the last one that is on the tape.
    passed: u64,
    born: Nanos,
    /// When the last call that told the time was made.
    last: Nanos,
    calls: u64,
    full: bool,
    known: Box<[Known]>,
}

impl Tape {
    /// A tape of `room` bytes for a CPU that began at `now`.
    pub fn new(room: usize, now: Nanos) -> Self {
        Self {
            bytes: (0..room).map(|_| 0).collect(),
            len: 0,
            open: 0,
            passed: 0,
            born: now,
            last: now,
            calls: 0,
            full: false,
            known: (0..REMEMBERED).map(|_| Known { at: u32::MAX, value: 0 }).collect(),
        }
    }

    /// Begins a call.
    #[inline]
    pub fn begin(&mut self, mut call: Call) {
        (self.open, self.passed) = (self.len, 0);
        match call.now() {
            Some(&mut now) => {
                self.put(&(call, now.0.wrapping_sub(self.last.0) as i64));
                self.last = now;
            }
            None => self.put(&call),
        }
    }

    /// Notes that the place `at` was read as `seen` and left as `left`.
    #[inline]
    pub fn saw(&mut self, at: u32, seen: u64, left: u64) {
        let known = &mut self.known[at as usize % REMEMBERED];
        let foreseen = known.at == at && known.value == seen;
        *known = Known { at, value: left };
        self.passed += 1;
        if !foreseen {
            self.put(&(self.passed, at, seen));
            self.passed = 0;
        }
    }

    /// Notes that the place `at` was overwritten.
    #[inline]
    pub fn overwrote(&mut self, at: u32, left: u64) {
        self.known[at as usize % REMEMBERED] = Known { at, value: left };
    }

    /// Ends the call. One that no longer fits is taken back, and nothing comes after it.
    #[inline]
    pub fn end(&mut self, outcome: Outcome) {
        self.put(&(0_u8, outcome));
        if self.full {
            self.len = self.open;
        } else {
            self.calls += 1;
        }
    }

    #[inline]
    fn put(&mut self, value: &impl Serialize) {
        if self.full {
            return;
        }
        match postcard::to_slice(value, &mut self.bytes[self.len..]) {
            Ok(used) => self.len += used.len(),
            Err(_) => self.full = true,
        }
    }

    /// Whether recording has ended for want of room.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// When the CPU began.
    pub fn born(&self) -> Nanos {
        self.born
    }

    /// How many calls are recorded.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// What is recorded.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
