//! Tacet boot image.
#![no_std]
#![no_main]

use arch::boot::BootInfo;

arch::entry!(main);

fn main(info: &'static BootInfo) -> ! {
    print("Tacet: entered by ");
    print(info.door.name());
    print(", command line: ");
    print(info.command_line);
    print("\n");
    loop {
        core::hint::spin_loop();
    }
}

fn print(text: &str) {
    for byte in text.bytes() {
        // SAFETY: COM1's data port; QEMU's UART takes a byte at any time.
        unsafe { core::arch::asm!("out dx, al", in("dx") 0x3f8_u16, in("al") byte) };
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    print("PANIC\n");
    loop {
        core::hint::spin_loop();
    }
}
