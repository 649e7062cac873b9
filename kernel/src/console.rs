//! The serial log: one line at a time, from any CPU.

use core::fmt::{self, Write};

use spin::Mutex;

use crate::preempt::PreemptGuard;

static LINE: Mutex<()> = Mutex::new(());

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
    let _preemption = PreemptGuard::new();
    let _line = LINE.lock();
    let _ = Raw.write_fmt(text);
}

/// Prints a line on the serial log.
#[macro_export]
macro_rules! println {
    ($($text:tt)*) => {
        $crate::console::write(format_args!("{}\n", format_args!($($text)*)))
    };
}
