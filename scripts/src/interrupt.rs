//! Ctrl-C and SIGTERM, as a flag that every waiting loop reads.
//!
//! Dying at once would leave QEMU running and lose the results already printed, so the loops stop
//! the guest and finish their report first.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Exit status of an interrupted command, as shells have it for SIGINT.
pub const STATUS: u8 = 130;

/// Installs the handler. A second Ctrl-C ends the program on the spot.
pub fn watch() -> Result<()> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(STATUS));
        }
    })
    .context("cannot watch for Ctrl-C")
}

/// Asks to stop, as Ctrl-C does.
pub fn ask() {
    ASKED.store(true, Ordering::Relaxed);
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
