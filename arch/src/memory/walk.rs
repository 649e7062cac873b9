//! Reads the page tables without a lock, for fault reports.

use super::space::page_table_root;
use super::{DIRECT_MAP, STACKS, image};
use crate::boot::memory_map::PAGE;
use x86_64::VirtAddr;

/// What lies around [`STACKS`]: one top-level entry, 512 GiB.
const STACKS_END: u64 = STACKS + (1 << 39);
const PRESENT: u64 = 1;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// If `address` is in the guard page of a stack: the lowest usable address of that stack.
///
/// Takes no lock and may be called anywhere, from a fault handler in particular. An address in the stacks'
/// window above the last stack is reported too.
pub fn is_guard(address: u64) -> Option<u64> {
    let page = address & !(PAGE - 1);
    let in_window = (STACKS..STACKS_END).contains(&address) && !is_mapped(address);
    (in_window || page == image::boot_stack_guard()).then_some(page + PAGE)
}

/// Whether `len` bytes at `address` can be read without a fault. Takes no lock and may be called anywhere.
///
/// Device registers count as readable, though reading them may have effects.
pub fn is_readable(address: u64, len: u64) -> bool {
    let Some(last) = address.checked_add(len.saturating_sub(1)) else {
        return false;
    };
    let mut pages = (address & !(PAGE - 1)..=last).step_by(PAGE as usize);
    pages.all(|page| VirtAddr::try_new(page).is_ok() && is_mapped(page))
}

/// The entries of a page table, with their numbers.
pub(super) fn entries(table: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..512).map(move |index| (index, entry(table, index)))
}

fn entry(table: u64, index: u64) -> u64 {
    // SAFETY: callers pass page tables of ours, all of which are in the direct map. Another CPU may change the entry at the
    // same time, which a volatile read of an aligned word survives.
    unsafe { ((DIRECT_MAP + table + index * 8) as *const u64).read_volatile() }
}

/// Whether a page is present, by the tables that `init` built.
pub(super) fn is_mapped(address: u64) -> bool {
    physical(address).is_some()
}

/// Where an address leads, by the tables that `init` built.
pub(super) fn physical(address: u64) -> Option<u64> {
    let mut table = page_table_root();
    if table == 0 {
        return None;
    }
    for shift in [39, 30, 21, 12] {
        let entry = entry(table, address >> shift & 511);
        if entry & PRESENT == 0 {
            return None;
        }
        if entry & LARGE != 0 || shift == 12 {
            let offset = (1 << shift) - 1;
            return Some(entry & ADDRESS & !offset | address & offset);
        }
        table = entry & ADDRESS;
    }
    None
}
