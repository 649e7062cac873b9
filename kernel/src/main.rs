//! Tacet boot image.
#![no_std]
#![no_main]

use arch::boot::BootInfo;
use arch::memory;
use core::fmt::Write;

arch::entry!(main);

fn main(info: &'static BootInfo) -> ! {
    _ = writeln!(Com1, "Tacet: entered by {}, command line: {:?}", info.door.name(), info.command_line);
    for r in info.memory.regions() {
        _ = writeln!(Com1, "  {:#014x} + {:#012x} {:?}", r.base, r.len, r.kind);
    }
    if let Err(error) = memory::init(info) {
        panic!("{error}");
    }
    _ = writeln!(
        Com1,
        "memory: {} MiB, {} KiB free",
        memory::total_bytes() >> 20,
        memory::free_bytes() >> 10
    );
    let stack = memory::Stack::new(65536).unwrap();
    let heap = memory::heap_region(8 << 20).unwrap();
    heap.fill(core::mem::MaybeUninit::new(7));
    _ = writeln!(
        Com1,
        "stack {stack:x?} guard {:x?} not {:x?} heap {:p}",
        memory::is_guard(stack.guard() + 5),
        memory::is_guard(stack.top() - 1),
        heap
    );
    _ = writeln!(
        Com1,
        "memory: {} MiB, {} KiB free",
        memory::total_bytes() >> 20,
        memory::free_bytes() >> 10
    );
    let acpi = arch::acpi::find(info);
    _ = writeln!(Com1, "{acpi:x?}");
    loop {
        core::hint::spin_loop();
    }
}

struct Com1;

impl Write for Com1 {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            // SAFETY: COM1's data port; QEMU's UART takes a byte at any time.
            unsafe { core::arch::asm!("out dx, al", in("dx") 0x3f8_u16, in("al") byte) };
        }
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    _ = writeln!(Com1, "PANIC: {info}");
    loop {
        core::hint::spin_loop();
    }
}
