//! A recorded tape, entry by entry.

use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::call::{Call, Outcome};
use crate::time::Nanos;

/// A call that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Where it stands on the tape, counted from 1.
    pub number: u64,
    /// When it was made; of a call that doesn't tell, when the one before it was.
    pub now: Nanos,
    /// The call.
    pub call: Call,
    /// The reads that could not be foreseen, in order.
    pub reads: Vec<Read>,
    /// What it answered.
    pub outcome: Outcome,
}

/// A read that found what another CPU had written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Read {
    /// Which of the call's reads it was, counted from 1.
    pub nth: u64,
    /// The place.
    pub at: u32,
    /// What was there.
    pub value: u64,
}

/// The entries of a tape. An error is the last item.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    number: u64,
    now: Nanos,
}

impl<'a> Entries<'a> {
    /// The entries of the tape `bytes` of a CPU that began at `born`.
    pub fn new(bytes: &'a [u8], born: Nanos) -> Self {
        Self { bytes, number: 0, now: born }
    }

    fn take<T: DeserializeOwned>(&mut self) -> Result<T, postcard::Error> {
        let (value, rest) = postcard::take_from_bytes(self.bytes)?;
        self.bytes = rest;
        Ok(value)
    }

    fn entry(&mut self) -> Result<Entry, postcard::Error> {
        let mut call: Call = self.take()?;
        if let Some(now) = call.now() {
            let passed: i64 = self.take()?;
            self.now = Nanos(self.now.0.wrapping_add_signed(passed));
            *now = self.now;
        }
        let mut reads: Vec<Read> = Vec::new();
        let mut nth = 0_u64;
        while let Some(passed) = Some(self.take::<u64>()?).filter(|&passed| passed != 0) {
            nth = nth.saturating_add(passed);
            let (at, value) = self.take()?;
            reads.push(Read { nth, at, value });
        }
        let outcome = self.take()?;
        self.number += 1;
        Ok(Entry { number: self.number, now: self.now, call, reads, outcome })
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, postcard::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            self.bytes = &[];
        }
        Some(entry)
    }
}
