//! The kernel's address space: builds the page tables, and extends them later.

use super::frames::Frames;
use super::{DIRECT_MAP, OutOfMemory, direct, image};
use crate::boot::memory_map::{Kind, PAGE, PHYSICAL_LIMIT};
use crate::boot::{BootInfo, KernelImage};
use core::mem::MaybeUninit;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use spin::Mutex;
use x86_64::instructions::interrupts::without_interrupts;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr3, Cr3Flags, Efer, EferFlags};
use x86_64::structures::paging::mapper::MapToError;
use x86_64::structures::paging::{
    FrameAllocator, Mapper, OffsetPageTable, Page, PageSize, PageTable, PageTableFlags as Flags, PhysFrame,
    Size1GiB, Size2MiB, Size4KiB,
};
use x86_64::{PhysAddr, VirtAddr};

const READ_ONLY: Flags = Flags::PRESENT.union(Flags::NO_EXECUTE);
pub(super) const WRITABLE: Flags = READ_ONLY.union(Flags::WRITABLE);
const EXECUTABLE: Flags = Flags::PRESENT;
/// Both bits select "uncacheable" in the power-on PAT and in Limine's (SDM 3A 12.12).
const UNCACHED: Flags = WRITABLE.union(Flags::NO_CACHE).union(Flags::WRITE_THROUGH);

static SPACE: Mutex<Space> = Mutex::new(Space::new());
static TOTAL: AtomicU64 = AtomicU64::new(0);
/// The root's physical address, for those who may not take the lock. Written once, by `init`.
static ROOT: AtomicU64 = AtomicU64::new(0);

pub(super) struct Space {
    frames: Frames,
    root: u64,
    /// Where page tables can be reached at the moment.
    window: u64,
    pub(super) next_stack: u64,
}

// SAFETY: `take` hands out each page once, and only free RAM.
unsafe impl FrameAllocator<Size4KiB> for Frames {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        self.take(PAGE).map(|base| PhysFrame::containing_address(PhysAddr::new(base)))
    }
}

/// Runs `work` on the address space, alone, with interrupts off.
pub(super) fn with<T>(work: impl FnOnce(&mut Space) -> T) -> T {
    without_interrupts(|| work(&mut SPACE.lock()))
}

/// Builds the kernel's page tables and changes over to them; to be called once, first thing, on the
/// first CPU.
///
/// # Errors
/// If RAM is too small even for the page tables.
pub fn init(info: &BootInfo) -> Result<(), OutOfMemory> {
    TOTAL.store(info.memory.ram_bytes(), Ordering::Relaxed);
    with(|space| {
        space.frames.add(&info.memory, Kind::Usable);
        space.window = info.direct_map;
        space.root = space.create_table()?;
        space.map_image(&info.kernel)?;
        for region in info.memory.regions() {
            if matches!(region.kind, Kind::Usable | Kind::LoaderReclaimable) {
                space.map_ram(region.base..region.end())?;
            }
        }
        space.activate();
        space.frames.add(&info.memory, Kind::LoaderReclaimable);
        Ok(())
    })
}

/// RAM that the machine has for us, the kernel image included, in bytes.
pub fn total_bytes() -> u64 {
    TOTAL.load(Ordering::Relaxed)
}

/// RAM that was never handed out, in bytes.
pub fn free_bytes() -> u64 {
    with(|space| space.frames.free_bytes())
}

/// Physical address of the top-level page table, which every CPU uses. May be called anywhere.
pub fn page_table_root() -> u64 {
    ROOT.load(Ordering::Relaxed)
}

/// Builds page tables for a CPU that starts at the physical page `page`: the kernel's, and that page where
/// it is, executable. Gives their root, which is below 4 GiB as a CPU in 32-bit mode needs it.
///
/// # Errors
/// If RAM is short, below 4 GiB in particular.
pub fn start_up_tables(page: u64) -> Result<u32, OutOfMemory> {
    with(|space| {
        let root = space.create_table()?;
        // SAFETY: both are page tables in the direct map, and the new one is nobody else's. The kernel's is not written here.
        unsafe {
            let (old, new) = (space.table(space.root), space.table(root));
            (*new).clone_from(&*old);
        }
        space.map_in::<Size4KiB>(root, page, page, EXECUTABLE)?;
        u32::try_from(root).map_err(|_| OutOfMemory { wanted: PAGE, free: 0 })
    })
}

/// Takes `bytes` of RAM for ever, physically in one piece, as the kernel's heap. Its content is undefined.
///
/// # Errors
/// If no range of free RAM is that long.
pub fn heap_region(bytes: usize) -> Result<&'static mut [MaybeUninit<u8>], OutOfMemory> {
    let base = direct(with(|space| space.take(bytes as u64))?);
    // SAFETY: the range was free RAM, is in the direct map, is at least `bytes` long, and is handed out only here.
    Ok(unsafe { core::slice::from_raw_parts_mut(base.cast(), bytes) })
}

/// Maps a device's registers, uncached. Mapping the same ones again gives the same address.
///
/// # Panics
/// If the range is beyond the direct map's window, or no page is left for page tables.
pub fn map_device(physical: u64, len: u64) -> *mut u8 {
    with(|space| space.map_window(physical, len, UNCACHED)).expect("a device can be mapped");
    direct(physical)
}

/// Maps a page that can be written and executed, on purpose, for the test that [`super::audit`] finds it.
///
/// # Panics
/// If no page is left.
pub fn plant_writable_code() {
    const WRITABLE_CODE: Flags = Flags::PRESENT.union(Flags::WRITABLE);
    let page = with(|space| {
        space.next_stack += 2 * PAGE;
        let at = space.next_stack - PAGE;
        let frame = space.take(PAGE)?;
        space.map::<Size4KiB>(at, frame, WRITABLE_CODE)
    });
    page.expect("a page is left for the plant");
}

/// The bytes of a firmware table, which may lie in RAM or in memory that no map mentions.
///
/// `None` if the range wraps, is out of reach, starts at 0, or no page is left for page tables. The
/// bytes are the firmware's: they may say anything, but nobody changes them.
pub fn firmware_bytes(physical: u64, len: usize) -> Option<&'static [u8]> {
    let end = physical.checked_add(len as u64)?;
    if physical == 0 || end > PHYSICAL_LIMIT {
        return None;
    }
    with(|space| space.map_window(physical, len as u64, READ_ONLY)).ok()?;
    // SAFETY: the range is mapped and readable for ever. Firmware tables are not written, neither by the firmware
    // after boot nor by us: free RAM, which we do write, holds none.
    Some(unsafe { core::slice::from_raw_parts(direct(physical), len) })
}

impl Space {
    const fn new() -> Self {
        Self { frames: Frames::new(), root: 0, window: 0, next_stack: super::STACKS }
    }

    /// Takes RAM in one piece; gives its physical address.
    pub(super) fn take(&mut self, bytes: u64) -> Result<u64, OutOfMemory> {
        let free = self.frames.free_bytes();
        self.frames.take(bytes).ok_or(OutOfMemory { wanted: bytes, free })
    }

    /// Refuses what can't be had, before a part of it is taken.
    pub(super) fn check_room(&self, bytes: u64) -> Result<(), OutOfMemory> {
        let free = self.frames.free_bytes();
        if bytes <= free { Ok(()) } else { Err(OutOfMemory { wanted: bytes, free }) }
    }

    /// An empty page table's physical address.
    fn create_table(&mut self) -> Result<u64, OutOfMemory> {
        let table = self.take(PAGE)?;
        // SAFETY: a page of free RAM that nobody else has, reachable at `window`.
        unsafe { self.table(table).write(PageTable::new()) };
        Ok(table)
    }

    fn table(&self, physical: u64) -> *mut PageTable {
        (self.window + physical) as *mut PageTable
    }

    fn map_image(&mut self, kernel: &KernelImage) -> Result<(), OutOfMemory> {
        let [below, above] = image::data();
        let parts = [
            (image::constants(), READ_ONLY),
            (image::text(), EXECUTABLE),
            (below, WRITABLE),
            (above, WRITABLE),
        ];
        for (part, flags) in parts {
            for at in part.step_by(PAGE as usize) {
                self.map::<Size4KiB>(at, at - kernel.virtual_ + kernel.physical, flags)?;
            }
        }
        Ok(())
    }

    fn map_ram(&mut self, range: Range<u64>) -> Result<(), OutOfMemory> {
        let gigabytes = has_1gib_pages();
        let mut at = range.start;
        while at < range.end {
            at += if gigabytes && fits::<Size1GiB>(at, range.end) {
                self.map::<Size1GiB>(DIRECT_MAP + at, at, WRITABLE)?
            } else if fits::<Size2MiB>(at, range.end) {
                self.map::<Size2MiB>(DIRECT_MAP + at, at, WRITABLE)?
            } else {
                self.map::<Size4KiB>(DIRECT_MAP + at, at, WRITABLE)?
            };
        }
        Ok(())
    }

    /// Adds the pages of a range to the direct map, those that it does not have yet.
    fn map_window(&mut self, physical: u64, len: u64, flags: Flags) -> Result<(), OutOfMemory> {
        let end = physical.saturating_add(len);
        assert!(end <= PHYSICAL_LIMIT, "physical address {end:#x} is out of reach");
        for at in (physical & !(PAGE - 1)..end).step_by(PAGE as usize) {
            self.map::<Size4KiB>(DIRECT_MAP + at, at, flags)?;
        }
        Ok(())
    }

    /// Maps one page, unless something is mapped there; gives its size.
    pub(super) fn map<S: PageSize>(
        &mut self,
        virtual_: u64,
        physical: u64,
        flags: Flags,
    ) -> Result<u64, OutOfMemory>
    where
        for<'a> OffsetPageTable<'a>: Mapper<S>,
    {
        self.map_in(self.root, virtual_, physical, flags)
    }

    fn map_in<S: PageSize>(
        &mut self,
        root: u64,
        virtual_: u64,
        physical: u64,
        flags: Flags,
    ) -> Result<u64, OutOfMemory>
    where
        for<'a> OffsetPageTable<'a>: Mapper<S>,
    {
        let page = Page::<S>::containing_address(VirtAddr::new(virtual_));
        let frame = PhysFrame::containing_address(PhysAddr::new(physical));
        // SAFETY: `root` is a page table that only the holder of the lock changes, and all tables are reachable at `window`.
        let mut tables = unsafe { OffsetPageTable::new(&mut *self.table(root), VirtAddr::new(self.window)) };
        // What leads to a page is writable from the beginning, since a right that is added later may not be seen at once, and
        // isn't asked for by a flush: what the page itself allows decides.
        let parents = Flags::PRESENT | Flags::WRITABLE;
        // SAFETY: callers map pages that nothing else names, or devices and firmware tables, which are not Rust's memory.
        match unsafe { tables.map_to_with_table_flags(page, frame, flags, parents, &mut self.frames) } {
            // An entry that was not present is not cached by any TLB (SDM 3A 4.10.2.3): nothing to flush.
            Ok(fresh) => fresh.ignore(),
            Err(MapToError::PageAlreadyMapped(_) | MapToError::ParentEntryHugePage) => {}
            Err(MapToError::FrameAllocationFailed) => {
                return Err(OutOfMemory { wanted: PAGE, free: 0 });
            }
        }
        Ok(S::SIZE)
    }

    /// Changes over to these tables.
    fn activate(&mut self) {
        let root = PhysFrame::containing_address(PhysAddr::new(self.root));
        // SAFETY: NX exists (the doors check) and the tables use it. Ring 0 should obey read-only pages. The tables map the
        // image where it runs, the stack that is part of it, and the direct map that `window` is about to name.
        unsafe {
            Efer::update(|efer| efer.insert(EferFlags::NO_EXECUTE_ENABLE));
            Cr0::update(|cr0| cr0.insert(Cr0Flags::WRITE_PROTECT));
            Cr3::write(root, Cr3Flags::empty());
        }
        self.window = DIRECT_MAP;
        ROOT.store(self.root, Ordering::Relaxed);
    }
}

fn fits<S: PageSize>(at: u64, end: u64) -> bool {
    at.is_multiple_of(S::SIZE) && end - at >= S::SIZE
}

/// CPUID 0x80000001 EDX bit 26 (SDM 2A, CPUID). The leaf exists on every CPU with long mode.
fn has_1gib_pages() -> bool {
    core::arch::x86_64::__cpuid(0x8000_0001).edx & 1 << 26 != 0
}
