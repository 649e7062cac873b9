//! Tacet's workloads and reports.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod fairness;
pub mod os;
pub mod record;
pub mod stats;
pub mod units;
