//! One CPU's tables and stacks: GDT, TSS, the stacks of the IST, and the per-CPU block.
//!
//! Every vector enters on an IST stack, because the precompiled `core` keeps data below rsp (the red zone). Maskable
//! interrupts only pass through theirs, a handful of words, before they move to the interrupted thread's stack;
//! exceptions, NMI, double fault and machine check stay on theirs, one each, so that none can destroy another's frame.

use crate::interrupts::ist;
use crate::memory::{OutOfMemory, Stack};
use crate::percpu::{self, PerCpu};
use core::cell::UnsafeCell;
use core::mem::size_of;
use x86_64::instructions::segmentation::{CS, DS, ES, FS, GS, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::registers::model_specific::GsBase;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;
use x86_64::{PrivilegeLevel, VirtAddr};

/// Selectors that the interrupt stubs write into frames as constants.
pub(crate) const CODE_SELECTOR: u16 = 0x08;
/// As [`CODE_SELECTOR`], for SS and the data segments.
pub(crate) const DATA_SELECTOR: u16 = 0x10;

#[repr(C, align(16))]
struct Bytes<const N: usize>([u8; N]);

/// Stacks first: the largest one lies next to the guard page of the allocation.
#[repr(C, align(4096))]
struct Area {
    exception: Bytes<{ 16 << 10 }>,
    double_fault: Bytes<{ 12 << 10 }>,
    machine_check: Bytes<{ 12 << 10 }>,
    nmi: Bytes<{ 12 << 10 }>,
    interrupt: Bytes<256>,
    block: PerCpu,
    tss: TaskStateSegment,
    gdt: GlobalDescriptorTable,
}

/// The first CPU needs its area before there is memory to allocate.
struct First(UnsafeCell<core::mem::MaybeUninit<Area>>);

// SAFETY: only `install_first` touches it, once, on the first CPU; after that only that CPU does.
unsafe impl Sync for First {}

static FIRST: First = First(UnsafeCell::new(core::mem::MaybeUninit::uninit()));

/// Gives the first CPU its area.
pub(super) fn install_first() {
    // SAFETY: the static is as large and as aligned as an area, lives for ever, and nobody else uses it.
    unsafe { load(FIRST.0.get().cast(), 0) }
}

/// Gives the calling CPU an area of its own, as number `index`.
pub(super) fn install(index: u32) -> Result<(), OutOfMemory> {
    let memory = Stack::new(size_of::<Area>())?;
    // SAFETY: freshly mapped, page-aligned, writable, large enough; a stack's memory stays mapped for ever.
    unsafe { load(memory.bottom() as *mut Area, index) };
    Ok(())
}

/// Fills the area in and points the CPU's registers at it.
///
/// # Safety
/// `area` is valid for writes of an `Area`, for ever, and nobody else's. Interrupts are off.
unsafe fn load(area: *mut Area, index: u32) {
    // SAFETY: the caller vouches for `area`; each field is written before a reference to it is made.
    let (block, gdt) = unsafe {
        (&raw mut (*area).block).write(PerCpu::new());
        (&raw mut (*area).tss).write(task_state(area));
        (&raw mut (*area).gdt).write(descriptors(&(*area).tss));
        (&(*area).block, &(*area).gdt)
    };
    gdt.load();
    // SAFETY: the selectors name the segments that `descriptors` has just put there. Loading GS clears its base, so the
    // base comes last.
    unsafe {
        CS::set_reg(selector(CODE_SELECTOR));
        SS::set_reg(selector(DATA_SELECTOR));
        DS::set_reg(selector(DATA_SELECTOR));
        ES::set_reg(selector(DATA_SELECTOR));
        FS::set_reg(SegmentSelector::NULL);
        GS::set_reg(SegmentSelector::NULL);
        load_tss(selector(DATA_SELECTOR + 8));
    }
    GsBase::write(VirtAddr::from_ptr(block));
    block.adopt(index);
    debug_assert_eq!(percpu::index(), index);
}

const fn selector(value: u16) -> SegmentSelector {
    SegmentSelector::new(value >> 3, PrivilegeLevel::Ring0)
}

/// A TSS whose IST names the area's stacks. Makes no reference to them.
fn task_state(area: *mut Area) -> TaskStateSegment {
    let mut tss = TaskStateSegment::new();
    let top_of = |start: *mut u8, len: usize| VirtAddr::new(start as u64 + len as u64);
    macro_rules! top {
        ($field:ident) => {{
            // SAFETY: `area` is a valid place for an `Area`; this computes an address inside of it.
            let (start, len) = unsafe { (&raw mut (*area).$field, size_of_val(&(*area).$field)) };
            top_of(start.cast(), len)
        }};
    }
    tss.interrupt_stack_table[ist::INTERRUPT as usize] = top!(interrupt);
    tss.interrupt_stack_table[ist::EXCEPTION as usize] = top!(exception);
    tss.interrupt_stack_table[ist::NMI as usize] = top!(nmi);
    tss.interrupt_stack_table[ist::DOUBLE_FAULT as usize] = top!(double_fault);
    tss.interrupt_stack_table[ist::MACHINE_CHECK as usize] = top!(machine_check);
    tss
}

fn descriptors(tss: &'static TaskStateSegment) -> GlobalDescriptorTable {
    let mut gdt = GlobalDescriptorTable::new();
    let code = gdt.append(Descriptor::kernel_code_segment());
    let data = gdt.append(Descriptor::kernel_data_segment());
    gdt.append(Descriptor::tss_segment(tss));
    debug_assert!(code.0 == CODE_SELECTOR && data.0 == DATA_SELECTOR);
    gdt
}
