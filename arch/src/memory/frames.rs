//! Which physical memory is free: a list of ranges that are eaten from the front.

use crate::boot::memory_map::{Kind, MemoryMap, PAGE};

/// Memory below this address is never handed out: firmware scribbles there, and other CPUs start there.
const LOWEST: u64 = 1 << 20;

#[derive(Clone, Copy, Default)]
struct Range {
    base: u64,
    end: u64,
}

impl Range {
    const fn len(self) -> u64 {
        self.end.saturating_sub(self.base)
    }
}

/// Free physical memory, in whole pages.
pub(super) struct Frames {
    ranges: [Range; MemoryMap::CAPACITY],
    len: usize,
}

impl Frames {
    pub(super) const fn new() -> Self {
        Self { ranges: [Range { base: 0, end: 0 }; MemoryMap::CAPACITY], len: 0 }
    }

    /// Adds what `map` lists as `kind`. A range that does not fit stays unused.
    pub(super) fn add(&mut self, map: &MemoryMap, kind: Kind) {
        for region in map.regions().iter().filter(|r| r.kind == kind) {
            let range = Range { base: region.base.max(LOWEST), end: region.end() };
            if range.len() >= PAGE && self.len < self.ranges.len() {
                self.ranges[self.len] = range;
                self.len += 1;
            }
        }
    }

    /// Takes `bytes` (rounded up to pages) in one piece, from the lowest range that has them.
    pub(super) fn take(&mut self, bytes: u64) -> Option<u64> {
        let bytes = bytes.checked_next_multiple_of(PAGE)?;
        let range = self.ranges[..self.len].iter_mut().find(|r| r.len() >= bytes)?;
        let base = range.base;
        range.base += bytes;
        Some(base)
    }

    /// Bytes that are left.
    pub(super) fn free_bytes(&self) -> u64 {
        self.ranges[..self.len].iter().map(|r| r.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(regions: &[(u64, u64, Kind)]) -> Frames {
        let mut map = MemoryMap::new();
        for &(base, len, kind) in regions {
            map.push(base, len, kind);
        }
        let mut frames = Frames::new();
        frames.add(&map.normalise(), Kind::Usable);
        frames
    }

    #[test]
    fn never_hands_out_low_memory() {
        let mut frames = frames(&[(0, 0x9f000, Kind::Usable), (0xc0000, 0x50000, Kind::Usable)]);
        assert_eq!(frames.free_bytes(), 0x10000);
        assert_eq!(frames.take(1), Some(0x10_0000));
    }

    #[test]
    fn takes_one_piece_from_the_first_range_that_has_it() {
        let mut frames = frames(&[(0x10_0000, 0x2000, Kind::Usable), (0x20_0000, 0x8000, Kind::Usable)]);
        assert_eq!(frames.take(0x3000), Some(0x20_0000));
        assert_eq!(frames.take(0x1001), Some(0x10_0000));
        assert_eq!(frames.take(PAGE), Some(0x20_3000));
        assert_eq!(frames.free_bytes(), 0x4000);
    }

    #[test]
    fn exhaustion_and_absurd_sizes_are_refused() {
        let mut frames = frames(&[(0x10_0000, 0x2000, Kind::Usable)]);
        assert_eq!(frames.take(0x3000), None);
        assert_eq!(frames.take(u64::MAX), None);
        assert_eq!(frames.take(0x2000), Some(0x10_0000));
        assert_eq!(frames.take(1), None);
    }
}
