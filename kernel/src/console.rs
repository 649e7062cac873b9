//! The serial log: one line at a time, from any CPU.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use arch::percpu;
use spin::Mutex;

use crate::preempt::PreemptGuard;
use crate::states;

static LINE: Mutex<()> = Mutex::new(());
/// Whether what was written last did not end its line.
static UNFINISHED: AtomicBool = AtomicBool::new(false);
/// The end is being reported: nobody else begins a line.
static ENDING: AtomicBool = AtomicBool::new(false);
/// The CPU that is in the middle of a piece, or was last.
static WRITER: AtomicU32 = AtomicU32::new(0);

/// A writer to the serial port that takes no lock: for whoever has the machine for himself.
pub struct Raw;

impl Write for Raw {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        arch::serial::write_bytes(text.as_bytes());
        if !text.is_empty() {
            UNFINISHED.store(!text.ends_with('\n'), Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The serial log as a writer: each piece is written whole.
pub struct Log;

impl Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(format_args!("{text}"));
        Ok(())
    }
}

/// Writes `text` whole. Preemption is off meanwhile, so that a holder of the lock is never switched away; not
/// for interrupt handlers.
pub fn write(text: fmt::Arguments<'_>) {
    let _preemption = PreemptGuard::new();
    let line = LINE.lock();
    if ENDING.load(Ordering::Relaxed) {
        drop(line);
        arch::fault::await_stop();
    }
    WRITER.store(percpu::index(), Ordering::Relaxed);
    let _ = Raw.write_fmt(text);
    drop(line);
    states::print_if_wanted();
}

/// For who reports the end: waits until nobody is in the middle of a line, though not for long, and lets nobody begin
/// another. If it's the caller that is in the middle of one, or somebody who is stuck, the report begins after what there
/// is of it.
pub fn settle() {
    const PATIENCE: u32 = 1_000_000;
    ENDING.store(true, Ordering::Relaxed);
    for _ in 0..PATIENCE {
        if !LINE.is_locked() || WRITER.load(Ordering::Relaxed) == percpu::index() {
            return;
        }
        arch::cpu::relax();
    }
}

/// Lets `print` write whole lines, unless somebody is in the middle of one: then it answers `false` at once. Any context,
/// an NMI's included.
pub fn try_write(print: impl FnOnce(&mut dyn Write)) -> bool {
    let line = LINE.try_lock();
    let free = line.is_some();
    if free {
        if UNFINISHED.load(Ordering::Relaxed) {
            let _ = Raw.write_str("\n");
        }
        print(&mut Raw);
    }
    free
}

/// Prints a line on the serial log.
#[macro_export]
macro_rules! println {
    ($($text:tt)*) => {
        $crate::console::write(format_args!("{}\n", format_args!($($text)*)))
    };
}
