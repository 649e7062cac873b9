//! Stacks with a guard page.

use super::OutOfMemory;
use super::space::{WRITABLE, with};
use crate::boot::memory_map::PAGE;
use x86_64::structures::paging::Size4KiB;

/// A kernel stack. Its memory stays mapped for ever; whoever has no more use for it keeps it for the next.
///
/// The page below [`Stack::bottom`] is never mapped, so that running over the end is a page fault, which
/// [`super::is_guard`] recognises.
#[derive(Debug)]
pub struct Stack {
    bottom: u64,
    top: u64,
}

impl Stack {
    /// Maps a new stack of at least `bytes`; its content is undefined.
    ///
    /// # Errors
    /// If RAM is short. What was mapped until then is lost, which is at most what page tables take.
    pub fn new(bytes: usize) -> Result<Self, OutOfMemory> {
        let pages = (bytes as u64).div_ceil(PAGE).max(1);
        with(|space| {
            space.check_room(pages * PAGE)?;
            let bottom = space.next_stack + PAGE;
            let top = bottom + pages * PAGE;
            space.next_stack = top;
            for at in (bottom..top).step_by(PAGE as usize) {
                let frame = space.take(PAGE)?;
                space.map::<Size4KiB>(at, frame, WRITABLE)?;
            }
            Ok(Self { bottom, top })
        })
    }

    /// The address after the last byte, where an empty stack's pointer is. A multiple of the page size.
    pub const fn top(&self) -> u64 {
        self.top
    }

    /// The lowest address that may be used.
    pub const fn bottom(&self) -> u64 {
        self.bottom
    }

    /// Address of the unmapped page below.
    pub const fn guard(&self) -> u64 {
        self.bottom - PAGE
    }

    /// Bytes that may be used.
    pub const fn len(&self) -> usize {
        (self.top - self.bottom) as usize
    }

    /// Never: a stack has at least one page.
    pub const fn is_empty(&self) -> bool {
        false
    }
}
