//! Physical and virtual memory.
//!
//! ```text
//! 0xffff_8000_0000_0000  direct map: RAM in the largest pages that fit, writable, never executable;
//!                        firmware tables (read-only) and device registers (uncached) where asked for
//! 0xffff_d000_0000_0000  stacks, each above a page that stays unmapped
//! 0xffff_ffff_8000_0000  the kernel image: text executable, constants read-only, data writable;
//!                        it appears nowhere else, so that no page is both writable and executable
//! ```
//!
//! Nothing is mapped in the lower half. Physical memory is handed out and never taken back: what is
//! recycled (stacks, heap blocks) is recycled by its user. RAM that nobody asked for is not even
//! written to, so that a guest may be larger than its host.
//!
//! Everything here may be called from any CPU, takes a short lock with interrupts off, and so belongs
//! neither in a scheduling path nor in a fault handler, except where a function says otherwise.

mod audit;
mod frames;
pub mod image;
mod space;
mod stack;
mod walk;

pub use self::{
    audit::{Violation, audit},
    space::{
        firmware_bytes, free_bytes, heap_region, init, map_device, page_table_root, plant_writable_code,
        start_up_tables, total_bytes,
    },
    stack::Stack,
    walk::{is_guard, is_readable},
};

use crate::boot::memory_map::PHYSICAL_LIMIT;
use core::fmt;

/// Where physical address 0 appears after `init`.
pub const DIRECT_MAP: u64 = 0xffff_8000_0000_0000;

/// Where stacks are mapped.
const STACKS: u64 = 0xffff_d000_0000_0000;

/// Not enough physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Bytes that were asked for, in one piece.
    pub wanted: u64,
    /// Bytes that are left, in all pieces together.
    pub free: u64,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, free } = self;
        write!(f, "out of memory: {wanted} bytes wanted, {free} bytes free")
    }
}

impl core::error::Error for OutOfMemory {}

/// The direct map's address of a physical one, whether or not anything is mapped there.
///
/// # Panics
/// If `physical` is beyond the direct map's window.
pub fn direct(physical: u64) -> *mut u8 {
    assert!(physical < PHYSICAL_LIMIT, "physical address {physical:#x} is out of reach");
    (DIRECT_MAP + physical) as *mut u8
}
