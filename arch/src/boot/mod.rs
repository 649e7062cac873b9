//! How a loader hands over the machine.
//!
//! Three doors lead into the same path: PVH (`qemu -kernel`, Firecracker, Cloud Hypervisor), Limine
//! (real machines, BIOS and UEFI) and Multiboot2 (GRUB). Each speaks its loader's protocol, copies what
//! the kernel needs out of memory that is about to be reused, and calls `kernel_main` with one
//! [`BootInfo`]. After that nobody can tell the doors apart, but for the name in the report.
//!
//! What a loader says is not trusted: addresses may be out of reach, ranges may overlap or wrap, text
//! may not be text. The parsers take byte slices, are tested on the host, and never panic.

pub mod command_line;
pub mod memory_map;

#[cfg(all(feature = "freestanding", not(test)))]
mod entry;
pub mod limine;
pub mod multiboot2;
pub mod pvh;
mod reader;

pub use command_line::CommandLine;
pub use memory_map::{Kind, MemoryMap, Region};

/// The lowest virtual address of the kernel image's window, the last 2 GiB of the address space.
///
/// `kernel/linker.ld` has the same number.
pub const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;

/// CR0 of every CPU before its first Rust: paging, write protection also for ring 0, native x87 errors, MP,
/// protected mode (SDM 3A 2.5). EM is clear, so SSE works.
pub(crate) const CR0: u32 = 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1;
/// CR4 likewise: SSE and its exceptions, PAE.
pub(crate) const CR4: u32 = 1 << 10 | 1 << 9 | 1 << 5;
/// `IA32_EFER` likewise: no-execute and long mode.
pub(crate) const EFER: u32 = 1 << 11 | 1 << 8;

/// The loader protocol that the kernel was started by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Xen's PVH protocol, which QEMU's `-kernel` speaks.
    Pvh,
    /// The Limine boot protocol.
    Limine,
    /// Multiboot2, which GRUB speaks.
    Multiboot2,
}

impl Door {
    /// The protocol's name as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pvh => "PVH",
            Self::Limine => "Limine",
            Self::Multiboot2 => "Multiboot2",
        }
    }
}

/// Where the loader put the kernel image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelImage {
    /// Physical address of the image's first byte.
    pub physical: u64,
    /// Virtual address of the same byte.
    pub virtual_: u64,
    /// Length in bytes, `.bss` and boot stack included; whole pages.
    pub len: u64,
}

/// Everything the kernel learns from its loader. Holds no reference into loader memory.
pub struct BootInfo {
    /// Who started us.
    pub door: Door,
    /// Physical memory, sorted and free of overlaps; the image itself is [`Kind::Kernel`].
    pub memory: MemoryMap,
    /// Virtual address at which the *boot* page tables show physical address 0, and RAM below 4 GiB.
    /// `memory::init` moves the direct map to a place of its own.
    pub direct_map: u64,
    /// Physical address of the ACPI root pointer, where the loader knew it.
    pub rsdp: Option<u64>,
    /// The command line, trimmed; bytes that are not ASCII text are replaced by `?`.
    pub command_line: &'static str,
    /// The command line was longer than [`CommandLine::CAPACITY`], and its end is missing.
    pub command_line_truncated: bool,
    /// Where the image lies.
    pub kernel: KernelImage,
}

/// Names the function that boot ends in: `fn(&'static BootInfo) -> !`.
///
/// It is called on the boot stack of the first CPU, with interrupts off, SSE on, in the higher half,
/// under the boot page tables and the loader's (or the entry code's) GDT, and with no IDT.
#[macro_export]
macro_rules! entry {
    ($path:path) => {
        // SAFETY: `arch` declares this symbol with the same signature, and nobody else defines it.
        #[unsafe(no_mangle)]
        extern "Rust" fn kernel_main(info: &'static $crate::boot::BootInfo) -> ! {
            let main: fn(&'static $crate::boot::BootInfo) -> ! = $path;
            main(info)
        }
    };
}
