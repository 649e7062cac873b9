//! Tacet's workloads and reports.
#![cfg_attr(not(test), no_std)]
extern crate alloc;
