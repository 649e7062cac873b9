//! The serial log: one line at a time, from any CPU.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use arch::percpu;
use bench::monitor::Screen;
use spin::Mutex;

use crate::preempt::PreemptGuard;
use crate::states;

/// The line that is being written: the log and the monitor share it.
static LINE: Mutex<Screen> = Mutex::new(Screen::new());
/// The end is being reported: nobody else begins a line.
static ENDING: AtomicBool = AtomicBool::new(false);
/// The CPU that is in the middle of a piece, or was last.
static WRITER: AtomicU32 = AtomicU32::new(0);

/// A writer to the serial port that takes no lock: for whoever has the machine for himself.
pub struct Raw;

impl Write for Raw {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        arch::serial::write_bytes(text.as_bytes());
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
    on_screen(|screen| {
        let _ = Pieces(|piece: &str| screen.log(piece, to_port)).write_fmt(text);
    });
}

/// The same for the monitor. If something else was written since, `line` comes first: what it had of its line.
pub fn monitor(line: &str, text: fmt::Arguments<'_>) {
    on_screen(|screen| {
        let _ = Pieces(|piece: &str| screen.monitor(line, piece, to_port)).write_fmt(text);
    });
}

fn on_screen(print: impl FnOnce(&mut Screen)) {
    let _preemption = PreemptGuard::new();
    let mut screen = LINE.lock();
    if ENDING.load(Ordering::Relaxed) {
        drop(screen);
        arch::fault::await_stop();
    }
    WRITER.store(percpu::index(), Ordering::Relaxed);
    print(&mut screen);
    drop(screen);
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
    let Some(mut screen) = LINE.try_lock() else { return false };
    screen.leave_line(to_port);
    print(&mut Raw);
    true
}

/// A writer that hands each piece on.
struct Pieces<F>(F);

impl<F: FnMut(&str)> Write for Pieces<F> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        (self.0)(piece);
        Ok(())
    }
}

fn to_port(text: &str) {
    let _ = Raw.write_str(text);
}

/// Prints a line on the serial log.
#[macro_export]
macro_rules! println {
    ($($text:tt)*) => {
        $crate::console::write(format_args!("{}\n", format_args!($($text)*)))
    };
}
