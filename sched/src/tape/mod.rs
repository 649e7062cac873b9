//! On tape: what makes the decisions of a kernel that ran repeatable elsewhere.
//!
//! A decision follows from its arguments, from what its CPU did before, and from what it reads of the memory
//! that CPUs share. Make the same calls in the same order on one [`Cpu`](crate::Cpu), and only the last can
//! differ: another CPU's store came earlier or later. So with the feature `tape` every atomic of this crate is
//! one that tells a [`Witness`] what was read ([`atomics`]), as with `--cfg loom` it's one of loom's. Nothing
//! else changes: no line of the scheduler knows of it, and none can read shared memory past it.
//!
//! **Recording** ([`Recorded`], in the kernel). Each CPU has a [`Tape`]. A call goes onto it with its
//! arguments and its outcome, and between the two each read that could not be foreseen: whose value is not the
//! one that this CPU saw or left there last. Most reads are of the CPU's own tasks, and cost no byte.
//!
//! **Replay** (`cargo xtask replay`). Each CPU's tape is played alone, against shared memory of its own that nobody
//! else writes. What the recorder foresaw is there already; what it did not is put there just before it's
//! read. So the calls run again exactly as they ran, however the CPUs raced, and must have the same outcomes.
//!
//! The format is [`recorder`]'s within a tape, [`file`]'s around them.

pub mod atomics;
pub mod call;
pub mod file;
pub mod reader;
pub mod recorded;
pub mod recorder;

pub use call::{Call, Outcome};
pub use recorded::{Deck, Recorded};
pub use recorder::Tape;

use alloc::boxed::Box;

use spin::Once;

/// Who is told of every access to the scheduler's shared memory: the kernel, or the program that replays.
///
/// "Here" is the CPU, or the thread of a host, that calls.
pub trait Witness: Sync {
    /// The number of an atomic that is made here: counted from 0, in the order of their making.
    fn number(&self) -> u32;

    /// What the read of the place `at` that is about to happen here must find; `None`: what is there.
    fn foretell(&self, at: u32) -> Option<u64>;

    /// The place `at` was read as `seen` and left as `left`.
    fn saw(&self, at: u32, seen: u64, left: u64);

    /// The place `at` was overwritten without a look.
    fn overwrote(&self, at: u32, left: u64);

    /// From now on what's seen here goes onto `tape`.
    fn listen(&self, tape: Box<Tape>);

    /// Ends [`Witness::listen`] and gives the tape back.
    fn hush(&self) -> Option<Box<Tape>>;
}

static WITNESS: Once<&'static dyn Witness> = Once::new();

/// Names the witness. Once, before the first [`crate::Shared`] is made; later calls change nothing.
pub fn install(witness: &'static dyn Witness) {
    WITNESS.call_once(|| witness);
}

#[inline]
fn witness() -> Option<&'static dyn Witness> {
    WITNESS.get().copied()
}
