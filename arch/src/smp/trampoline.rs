//! Puts the start-up code where a CPU in real mode can run it.

use super::Problem;
use super::offer::{self, COUNT, OFFERS};
use crate::boot::{CR0, CR4, EFER, MemoryMap};
use crate::memory;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// The kernel's page tables, for the CPUs that start.
static ROOT: AtomicU64 = AtomicU64::new(0);

global_asm!(
    include_str!("trampoline.s"),
    cr0 = const CR0,
    cr4 = const CR4,
    efer = const EFER,
    root = sym ROOT,
    offers = sym OFFERS,
    count = sym COUNT,
    size = const offer::SIZE,
    apic_id = const offer::APIC_ID,
    state = const offer::STATE,
    stack = const offer::STACK,
    offered = const offer::OFFERED,
    accepted = const offer::ACCEPTED,
    main = sym offer::accept,
    options(att_syntax)
);

unsafe extern "C" {
    static trampoline_start: u8;
    static trampoline_to_32: u8;
    static trampoline_to_64: u8;
    static trampoline_gdt_pointer: u8;
    static trampoline_root: u8;
    static trampoline_end: u8;
}

/// Copies the code to a free page below 1 MiB, and gives that page's address.
///
/// The page is never used for anything else, and stays executable in page tables of its own: a CPU may
/// come at any time, even long after it was given up.
pub(super) fn install(map: &MemoryMap) -> Result<u32, Problem> {
    let page = map.low_page().ok_or(Problem::NoLowPage)?;
    let root = memory::start_up_tables(u64::from(page)).map_err(|_| Problem::OutOfMemory)?;
    ROOT.store(memory::page_table_root(), Ordering::Relaxed);
    let to = memory::direct(u64::from(page));
    let from = &raw const trampoline_start;
    let len = &raw const trampoline_end as usize - from as usize;
    // SAFETY: the code is shorter than a page. The page is free RAM below 1 MiB, which the frame allocator never hands
    // out, and is in the direct map.
    unsafe { core::ptr::copy_nonoverlapping(from, to, len) };
    let field = |symbol: *const u8| symbol as usize - from as usize;
    for symbol in [&raw const trampoline_to_32, &raw const trampoline_to_64] {
        add(to, field(symbol), page);
    }
    // The descriptor table's base follows its 16-bit limit.
    add(to, field(&raw const trampoline_gdt_pointer) + 2, page);
    add(to, field(&raw const trampoline_root), root);
    Ok(page)
}

/// Adds `value` to the 32-bit field at `offset` of the copied code.
fn add(code: *mut u8, offset: usize, value: u32) {
    let field = (code as usize + offset) as *mut u32;
    // SAFETY: `offset` is that of a field of the code, which `install` just copied there. It may be unaligned.
    unsafe { field.write_unaligned(field.read_unaligned() + value) };
}
