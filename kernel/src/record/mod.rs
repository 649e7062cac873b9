//! Whether the scheduler's calls are recorded: the build's feature `record` says so, and only this file asks.
//!
//! Either way the kernel calls a [`Scheduler`]. Without the feature that's the scheduler itself.

/// Whether they are.
pub const IS_ON: bool = cfg!(feature = "record");

#[cfg(not(feature = "record"))]
mod off;
#[cfg(feature = "record")]
mod on;

#[cfg(not(feature = "record"))]
pub use off::{Scheduler, describe, prepare, save, scheduler};
#[cfg(feature = "record")]
pub use on::{Scheduler, describe, prepare, save, scheduler};
