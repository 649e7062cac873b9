//! Tacet's workloads, and the report that they make.
//!
//! The kernel calls [`run`] with what the boot command line said ([`options`]). The suite runs its rows
//! ([`suite::ROWS`]); each is a [`workload`] that asks a kernel for threads, locks and clocks through [`os::Os`],
//! reduces what it measured ([`stats`], [`fairness`]), judges it ([`verdict`]) and hands both to the [`report`],
//! which prints a row for people and a [`record`] for programs.
//!
//! Nothing here knows hardware, and nothing but the workloads knows that a kernel is underneath: the tests run every
//! workload on host threads, and the host tool reads records with the types that wrote them.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::float_cmp, reason = "tests compare numbers that are exact by construction"))]

extern crate alloc;

pub mod fairness;
#[cfg(test)]
mod host;
pub mod monitor;
pub mod options;
pub mod os;
pub mod probe;
mod random;
pub mod record;
pub mod report;
pub mod soak;
pub mod stats;
pub mod suite;
pub mod units;
pub mod verdict;
pub mod workload;

pub use suite::{Outcome, run};
