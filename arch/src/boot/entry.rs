//! The doors' machine code, and the first Rust that each of them runs.

use super::memory_map::{Kind, MemoryMap};
use super::{BootInfo, CR0, CR4, CommandLine, Door, EFER, KERNEL_BASE, KernelImage, limine, multiboot2, pvh};
use crate::memory::image;
use crate::{exit, serial};
use core::arch::global_asm;
use core::arch::x86_64::__cpuid;

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

global_asm!(
    include_str!("limine.s"),
    cr0 = const CR0,
    cr4 = const CR4,
    main = sym limine_main,
    options(att_syntax)
);

unsafe extern "Rust" {
    fn kernel_main(info: &'static BootInfo) -> !;
}

static INFO: spin::Once<BootInfo> = spin::Once::new();
static COMMAND_LINE: spin::Once<CommandLine> = spin::Once::new();

/// What a door found out.
struct Found<'a> {
    door: Door,
    direct_map: u64,
    /// Physical; 0 where unknown.
    rsdp: u64,
    command_line: &'a [u8],
    memory: MemoryMap,
    /// Physical address of the image.
    image: u64,
}

/// Completes what all doors have in common and leaves for the kernel.
fn enter(mut found: Found) -> ! {
    let kernel = KernelImage { physical: found.image, virtual_: image::start(), len: image::len() };
    if found.memory.ram_bytes() == 0 {
        refuse("the boot loader gave no memory map");
    }
    found.memory.push(kernel.physical, kernel.len, Kind::Kernel);
    let line = COMMAND_LINE.call_once(|| CommandLine::copied(found.command_line));
    let info = INFO.call_once(|| BootInfo {
        door: found.door,
        memory: found.memory.normalise(),
        direct_map: found.direct_map,
        rsdp: (found.rsdp != 0).then_some(found.rsdp),
        command_line: line.as_str(),
        command_line_truncated: line.truncated(),
        kernel,
    });
    // SAFETY: `entry!` defines the symbol with this signature; its conditions hold, as the doors' assembly set them up.
    unsafe { kernel_main(info) }
}

/// Ends a boot that cannot go on, with one line in the kernel's own form.
fn refuse(why: &str) -> ! {
    serial::init();
    for text in ["BAD INPUT: ", why, "\r\n"] {
        serial::write_bytes(text.as_bytes());
    }
    exit::qemu(exit::Exit::BadInput)
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
    let Some(info) = pvh::parse(start_info, &physical_bytes) else {
        refuse("the PVH loader gave no start info of version 1 or later");
    };
    enter(Found {
        door: Door::Pvh,
        direct_map: BOOT_DIRECT_MAP,
        rsdp: info.rsdp,
        command_line: physical_text(info.command_line),
        memory: info.memory_map(&physical_bytes),
        image: image::start() - KERNEL_BASE,
    })
}

extern "C" fn multiboot2_main(at: u64) -> ! {
    let Some(mut information) = multiboot2::parse(at, &physical_bytes) else {
        refuse("the Multiboot2 loader gave no boot information");
    };
    // Holds the copy of the root pointer, so it stays.
    information.memory.push(at, information.len as u64, Kind::Acpi);
    enter(Found {
        door: Door::Multiboot2,
        direct_map: BOOT_DIRECT_MAP,
        rsdp: information.rsdp_offset.map_or(0, |offset| at + offset as u64),
        command_line: information.command_line,
        memory: information.memory,
        image: image::start() - KERNEL_BASE,
    })
}

extern "C" fn limine_main() -> ! {
    // CPUID 0x80000001 EDX bit 20 (SDM 2A, CPUID). The other doors check it before they enable it.
    if __cpuid(0x8000_0001).edx & 1 << 20 == 0 {
        refuse("Tacet needs a CPU with NX");
    }
    let Some(answers) = limine::requests::answers() else {
        refuse("Limine answered too few requests");
    };
    let places = answers.places.checked(image::start(), image::len()).unwrap_or_else(|why| refuse(why));
    enter(Found {
        door: Door::Limine,
        direct_map: places.direct_map,
        rsdp: places.root_pointer,
        command_line: answers.command_line,
        memory: answers.memory,
        image: places.image,
    })
}
