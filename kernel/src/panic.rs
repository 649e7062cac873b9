//! The end by panic: one complete report, whatever the other CPUs do.

use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use arch::exit::{self, Exit};
use arch::fault::{self, Claim};
use arch::percpu;

use crate::console::Raw;
use crate::local::Local;
use crate::thread::running_name;

/// A panic inside of the report has been reported, too: a third has nothing to add, and formatting it may panic again.
static TWICE: AtomicBool = AtomicBool::new(false);

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut log = Raw;
    if fault::claim() == Claim::Again {
        if TWICE.swap(true, Ordering::Relaxed) {
            exit::qemu(Exit::Panicked)
        }
        let _ = writeln!(log, "\nPANIC: another one while reporting: {}", info.message());
        exit::qemu(Exit::Panicked)
    }
    let _ = writeln!(log, "\nPANIC: {}", info.message());
    if let Some(place) = info.location() {
        let _ = writeln!(log, "  at {place}");
    }
    let _ = writeln!(log, "  CPU {}, thread \"{}\"", percpu::index(), thread_name());
    fault::backtrace_here(&mut log);
    exit::qemu(Exit::Panicked)
}

/// The name of the thread that runs on this CPU, for reports of its end and of what CPUs do. Interrupts off; an NMI will do.
pub fn thread_name() -> &'static str {
    let kernel = percpu::kernel_ptr();
    if kernel.is_null() {
        return "boot";
    }
    let threads = Local::here().threads;
    running_name(threads, threads.slot_of(percpu::running_low()) as usize)
}
