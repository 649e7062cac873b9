//! Whether the scheduler's calls are recorded: the build's feature `record` says so, and only this file asks.
//!
//! Either way the kernel calls a [`Scheduler`]. Without the feature that's the scheduler itself.

#[cfg(not(feature = "record"))]
mod off;
#[cfg(feature = "record")]
mod on;

#[cfg(not(feature = "record"))]
pub use off::{Scheduler, describe, prepare, save, scheduler};
#[cfg(feature = "record")]
pub use on::{Scheduler, describe, prepare, save, scheduler};
