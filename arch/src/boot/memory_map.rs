//! The map of physical memory, as every door delivers it.
//!
//! Loaders' maps come unsorted, overlapping, with odd boundaries, and now and then with ranges that
//! wrap around. [`MemoryMap::normalise`] turns any of that into sorted, disjoint regions, where usable
//! RAM is whole pages and whatever claims a byte besides usable RAM wins it.

/// Bytes in the smallest page.
pub const PAGE: u64 = 4096;

/// Physical memory beyond this address is ignored: the size of the direct map's window (64 TiB).
pub const PHYSICAL_LIMIT: u64 = 1 << 46;

/// Where the PC's conventional memory ends, and its video memory begins.
const LOW_RAM_END: u64 = 0xa_0000;

/// What a region of physical memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// RAM that nobody uses.
    Usable,
    /// RAM that holds the loader's page tables and lists: free once the kernel runs on its own.
    LoaderReclaimable,
    /// RAM with ACPI tables.
    Acpi,
    /// The kernel image.
    Kernel,
    /// Firmware, devices, bad RAM, and whatever the loader gave an unknown type.
    Reserved,
}

impl Kind {
    /// Whether it's RAM that nobody uses, now or once the kernel runs on its own.
    const fn is_free(self) -> bool {
        matches!(self, Self::Usable | Self::LoaderReclaimable)
    }
}

/// A stretch of physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Physical address of the first byte.
    pub base: u64,
    /// Length in bytes.
    pub len: u64,
    /// What it is for.
    pub kind: Kind,
}

impl Region {
    const NONE: Self = Self { base: 0, len: 0, kind: Kind::Reserved };

    /// The address after the last byte.
    pub const fn end(&self) -> u64 {
        self.base.saturating_add(self.len)
    }

    fn between(base: u64, end: u64, kind: Kind) -> Self {
        Self { base, len: end.saturating_sub(base), kind }
    }
}

/// A list of regions with a fixed capacity, since there is no heap before memory is known.
#[derive(Clone)]
pub struct MemoryMap {
    regions: [Region; Self::CAPACITY],
    len: usize,
    dropped: usize,
}

impl Default for MemoryMap {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryMap {
    /// The most regions that are kept. Firmware of large servers reports a good hundred.
    pub const CAPACITY: usize = 256;

    /// An empty map.
    pub const fn new() -> Self {
        Self { regions: [Region::NONE; Self::CAPACITY], len: 0, dropped: 0 }
    }

    /// Adds a region as the loader reports it; empty ones and those beyond [`PHYSICAL_LIMIT`] are left out.
    ///
    /// A region that does not fit any more is counted in [`MemoryMap::dropped`]. To lose RAM that is or will be
    /// free is harmless, so anything else takes the place of the last such region, at the end of the list.
    pub fn push(&mut self, base: u64, len: u64, kind: Kind) {
        let region = Region::between(base, base.saturating_add(len).min(PHYSICAL_LIMIT), kind);
        if region.len == 0 {
            return;
        }
        if self.len < Self::CAPACITY {
            self.regions[self.len] = region;
            self.len += 1;
            return;
        }
        self.dropped += 1;
        if !kind.is_free()
            && let Some(victim) = self.regions.iter().rposition(|r| r.kind.is_free())
        {
            // What is sorted stays so.
            self.regions.copy_within(victim + 1.., victim);
            self.regions[Self::CAPACITY - 1] = region;
        }
    }

    /// How many regions did not fit.
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// The regions; sorted and disjoint once [`MemoryMap::normalise`] ran.
    pub fn regions(&self) -> &[Region] {
        &self.regions[..self.len]
    }

    /// Sorts, resolves overlaps, rounds RAM inwards to whole pages, and joins neighbours.
    ///
    /// Where regions overlap, the kind that is later in [`Kind`]'s order wins.
    #[must_use]
    pub fn normalise(&self) -> Self {
        let mut result = Self { dropped: self.dropped, ..Self::new() };
        let mut at = 0;
        while let Some(next) = self.boundary_after(at) {
            if let Some(kind) = self.kind_at(at) {
                result.append(Region::between(at, next, kind));
            }
            at = next;
        }
        result.round_ram_inwards();
        result
    }

    /// Bytes of RAM, free or not, that the kernel may use in the end.
    pub fn ram_bytes(&self) -> u64 {
        let ram = |r: &&Region| matches!(r.kind, Kind::Usable | Kind::LoaderReclaimable | Kind::Kernel);
        self.regions().iter().filter(ram).map(|r| r.len).sum()
    }

    /// The highest whole page of free RAM below 640 KiB that isn't page 0: where a CPU in real mode can run.
    ///
    /// The highest, since what a careless BIOS forgets to reserve is at the bottom.
    pub fn low_page(&self) -> Option<u32> {
        let free = |r: &&Region| r.kind.is_free();
        let page_of = |r: &Region| {
            let page = (r.end().min(LOW_RAM_END) & !(PAGE - 1)).checked_sub(PAGE)?;
            (page >= r.base.max(PAGE)).then_some(page as u32)
        };
        self.regions().iter().filter(free).filter_map(page_of).max()
    }

    fn boundary_after(&self, at: u64) -> Option<u64> {
        let edges = self.regions().iter().flat_map(|r| [r.base, r.end()]);
        edges.filter(|&edge| edge > at).min()
    }

    fn kind_at(&self, at: u64) -> Option<Kind> {
        let covers = |r: &&Region| r.base <= at && at < r.end();
        self.regions().iter().filter(covers).map(|r| r.kind).max()
    }

    /// Adds a region that begins at or after the end of the last one.
    fn append(&mut self, region: Region) {
        match self.regions[..self.len].last_mut() {
            Some(last) if last.kind == region.kind && last.end() == region.base => last.len += region.len,
            _ => self.push(region.base, region.len, region.kind),
        }
    }

    fn round_ram_inwards(&mut self) {
        let before = core::mem::replace(self, Self { dropped: self.dropped, ..Self::new() });
        for region in before.regions() {
            let (base, end) = match region.kind {
                Kind::Usable | Kind::LoaderReclaimable => {
                    (region.base.next_multiple_of(PAGE), region.end() & !(PAGE - 1))
                }
                _ => (region.base, region.end()),
            };
            self.push(base, end.saturating_sub(base), region.kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(regions: &[(u64, u64, Kind)]) -> MemoryMap {
        let mut map = MemoryMap::new();
        for &(base, len, kind) in regions {
            map.push(base, len, kind);
        }
        map
    }

    const KINDS: [Kind; 5] =
        [Kind::Usable, Kind::LoaderReclaimable, Kind::Acpi, Kind::Kernel, Kind::Reserved];

    fn flat(map: &MemoryMap) -> Vec<(u64, u64, Kind)> {
        map.regions().iter().map(|r| (r.base, r.len, r.kind)).collect()
    }

    #[test]
    fn sorts_and_joins() {
        let map = map(&[
            (0x5000, 0x1000, Kind::Usable),
            (0x1000, 0x2000, Kind::Usable),
            (0x3000, 0x2000, Kind::Usable),
        ]);
        assert_eq!(flat(&map.normalise()), [(0x1000, 0x5000, Kind::Usable)]);
    }

    #[test]
    fn reserved_cuts_usable_in_two() {
        let map = map(&[(0, 0x10000, Kind::Usable), (0x4000, 0x1000, Kind::Reserved)]);
        let expected =
            [(0, 0x4000, Kind::Usable), (0x4000, 0x1000, Kind::Reserved), (0x5000, 0xb000, Kind::Usable)];
        assert_eq!(flat(&map.normalise()), expected);
    }

    #[test]
    fn usable_ram_is_whole_pages() {
        let map = map(&[(0x800, 0x2000, Kind::Usable), (0x9fc00, 0x400, Kind::Reserved)]);
        assert_eq!(
            flat(&map.normalise()),
            [(0x1000, 0x1000, Kind::Usable), (0x9fc00, 0x400, Kind::Reserved)]
        );
    }

    #[test]
    fn wrapping_and_absurd_regions_are_bounded() {
        let map = map(&[(u64::MAX - 5, 100, Kind::Usable), (0x1000, u64::MAX, Kind::Usable)]);
        assert_eq!(flat(&map.normalise()), [(0x1000, PHYSICAL_LIMIT - 0x1000, Kind::Usable)]);
    }

    #[test]
    fn overflowing_the_list_loses_usable_ram_first() {
        let mut map = MemoryMap::new();
        (0..300).for_each(|i| map.push(i * 0x2000, 0x1000, Kind::Usable));
        map.push(0, 0x1000, Kind::Reserved);
        assert_eq!(map.dropped(), 45);
        assert_eq!(map.normalise().regions()[0].kind, Kind::Reserved);
    }

    #[test]
    fn overflowing_the_list_keeps_it_sorted_and_no_claim_is_lost() {
        let mut map = MemoryMap::new();
        (0..300).for_each(|i| map.push(i * 0x3000, 0x2000, KINDS[(i % 5) as usize]));
        let clean = map.normalise();
        assert!(clean.regions().windows(2).all(|pair| pair[0].end() <= pair[1].base));
        // As many claims as fit, on RAM that is only free for now.
        let mut map = MemoryMap::new();
        (0..256).for_each(|i| map.push(i * 0x2000, 0x1000, Kind::LoaderReclaimable));
        map.push(0, 0x1000, Kind::Reserved);
        assert_eq!(map.normalise().regions()[0].kind, Kind::Reserved);
    }

    #[test]
    fn the_low_page_is_the_highest_free_one() {
        let low_page = |regions: &[_]| map(regions).normalise().low_page();
        let bios = [(0, 0x9_fc00, Kind::Usable), (0x9_fc00, 0x400, Kind::Reserved)];
        assert_eq!(low_page(&bios), Some(0x9_e000));
        assert_eq!(low_page(&[(0, 0x20_0000, Kind::Usable)]), Some(0x9_f000));
        assert_eq!(low_page(&[(0, 0x1000, Kind::Usable), (0x10_0000, 0x1000, Kind::Usable)]), None);
        assert_eq!(low_page(&[(0x1000, 0x1000, Kind::Reserved)]), None);
    }

    /// Any soup of regions normalises to sorted, disjoint ones, none of them usable where something else was claimed.
    #[test]
    fn soup_is_disjoint_and_safe() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..300 {
            let mut map = MemoryMap::new();
            for _ in 0..random() % 40 {
                let kind = [Kind::Usable, Kind::Reserved, Kind::Acpi, Kind::Kernel][(random() % 4) as usize];
                map.push(random() % 0x20_0000, random() % 0x8_0000, kind);
            }
            let clean = map.normalise();
            assert!(clean.regions().windows(2).all(|pair| pair[0].end() <= pair[1].base));
            for usable in clean.regions().iter().filter(|r| r.kind == Kind::Usable) {
                assert!(usable.base % PAGE == 0 && usable.len % PAGE == 0);
                let claimed =
                    |r: &&Region| r.kind != Kind::Usable && r.base < usable.end() && usable.base < r.end();
                assert_eq!(map.regions().iter().find(claimed), None);
            }
        }
    }
}
