//! Physical and virtual memory.

#[cfg(all(feature = "freestanding", not(test)))]
pub mod image;
