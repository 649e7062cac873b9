//! Tacet's scheduler.
#![no_std]
#![forbid(unsafe_code)]
