//! Tacet's machine layer.
#![cfg_attr(not(test), no_std)]
#![allow(
    clippy::inline_always,
    reason = "a call costs more than the one instruction, or few, that it would save"
)]
#![cfg_attr(
    any(test, not(feature = "freestanding")),
    allow(
        dead_code,
        unused_imports,
        reason = "on the host, only what is pure is built, and not what uses it"
    )
)]

pub mod acpi;
#[cfg(all(feature = "freestanding", not(test)))]
pub mod apic;
pub mod boot;
pub mod cause;
pub mod clock;
pub mod context;
#[cfg(all(feature = "freestanding", not(test)))]
pub mod cpu;
mod deadline;
pub mod debug_console;
pub mod exit;
#[cfg(all(feature = "freestanding", not(test)))]
pub mod fault;
mod features;
#[cfg(all(feature = "freestanding", not(test)))]
pub mod interrupts;
#[cfg(any(feature = "freestanding", test))]
mod libc;
pub mod memory;
#[cfg(any(feature = "freestanding", test))]
pub mod percpu;
#[cfg(all(feature = "freestanding", not(test)))]
pub mod pic;
pub mod pit;
pub mod rtc;
pub mod serial;
#[cfg(all(feature = "freestanding", not(test)))]
pub mod smp;
pub mod symbols;
#[cfg(all(feature = "freestanding", not(test)))]
pub mod timer;
pub mod topology;
