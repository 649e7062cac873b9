//! Tacet's machine layer.
#![cfg_attr(not(test), no_std)]

pub mod acpi;
pub mod boot;
#[cfg(all(feature = "freestanding", not(test)))]
mod libc;
pub mod memory;
