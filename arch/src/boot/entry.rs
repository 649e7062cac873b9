//! The doors' machine code, and the first Rust that each of them runs.

use super::memory_map::{Kind, MemoryMap};
use super::{BootInfo, CR0, CR4, CommandLine, Door, EFER, KERNEL_BASE, KernelImage, pvh};
use crate::memory::image;
use core::arch::global_asm;

/// Where `entry32.s` puts its direct map, and how much of memory that shows.
const BOOT_DIRECT_MAP: u64 = 0xffff_8000_0000_0000;
const BOOT_REACH: u64 = 4 << 30;

global_asm!(
    include_str!("entry32.s"),
    base = const KERNEL_BASE,
    cr0 = const CR0,
    cr4 = const CR4,
    efer = const EFER,
    pvh_main = sym pvh_main,
    multiboot2_main = sym multiboot2_main,
    options(att_syntax)
);

unsafe extern "Rust" {
    fn kernel_main(info: &'static BootInfo) -> !;
}

static INFO: spin::Once<BootInfo> = spin::Once::new();
static COMMAND_LINE: spin::Once<CommandLine> = spin::Once::new();

/// Completes what all doors have in common and leaves for the kernel.
fn enter(
    door: Door,
    direct_map: u64,
    rsdp: u64,
    command_line: &[u8],
    mut memory: MemoryMap,
    physical: u64,
) -> ! {
    let kernel = KernelImage { physical, virtual_: image::start(), len: image::len() };
    memory.push(kernel.physical, kernel.len, Kind::Kernel);
    let line = COMMAND_LINE.call_once(|| CommandLine::copied(command_line));
    let info = INFO.call_once(|| BootInfo {
        door,
        memory: memory.normalise(),
        direct_map,
        rsdp: (rsdp != 0).then_some(rsdp),
        command_line: line.as_str(),
        command_line_truncated: line.truncated(),
        kernel,
    });
    // SAFETY: `entry!` defines the symbol with this signature; its conditions hold, as the doors' assembly set them up.
    unsafe { kernel_main(info) }
}

/// The bytes at a physical address, where the boot tables of `entry32.s` reach.
fn physical_bytes(at: u64, len: u64) -> Option<&'static [u8]> {
    let in_reach = at != 0 && at.checked_add(len)? <= BOOT_REACH;
    // SAFETY: the first 4 GiB are mapped readable at `BOOT_DIRECT_MAP`. Nothing writes to loader memory before
    // `memory::init`, and by then every borrow of it is gone: `enter` copies.
    in_reach
        .then(|| unsafe { core::slice::from_raw_parts((BOOT_DIRECT_MAP + at) as *const u8, len as usize) })
}

/// A NUL-terminated text at a physical address, as far as a command line may be long.
fn physical_text(at: u64) -> &'static [u8] {
    physical_bytes(at, CommandLine::CAPACITY as u64 + 1).unwrap_or_default()
}

extern "C" fn pvh_main(start_info: u64) -> ! {
    let (memory, line, rsdp) = match pvh::parse(start_info, &physical_bytes) {
        Some(info) => (info.memory_map(&physical_bytes), physical_text(info.command_line), info.rsdp),
        None => (MemoryMap::new(), Default::default(), 0),
    };
    enter(Door::Pvh, BOOT_DIRECT_MAP, rsdp, line, memory, image::start() - KERNEL_BASE)
}

extern "C" fn multiboot2_main(_information: u64) -> ! {
    enter(Door::Multiboot2, BOOT_DIRECT_MAP, 0, &[], MemoryMap::new(), image::start() - KERNEL_BASE)
}
