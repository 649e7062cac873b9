//! The two 8259 interrupt controllers: moved out of the way, masked, and watched for spurious interrupts.
//!
//! Masking is not enough. A line that goes away between the request and the acknowledge makes a controller answer with
//! its line 7 whatever the mask says, and at the power-on vectors that would look like a CPU exception: hence the move
//! to 0x20..0x2f. A spurious 7 or 15 is told from a real one by the in-service register, where it does not appear.

use crate::interrupts::vector;
use core::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use x86_64::instructions::port::Port;

const MASTER_COMMAND: u16 = 0x20;
const MASTER_DATA: u16 = 0x21;
const SLAVE_COMMAND: u16 = 0xa0;
const SLAVE_DATA: u16 = 0xa1;

/// ICW1: initialise, cascaded, ICW4 follows (8259A data sheet, as are the other words).
const INITIALISE: u8 = 0x11;
/// ICW3: the slave hangs on the master's line 2.
const CASCADE_LINE: u8 = 2;
/// ICW4: 8086 mode.
const MODE_8086: u8 = 0x01;
/// OCW2: end of the highest interrupt in service.
const END_OF_INTERRUPT: u8 = 0x20;
/// OCW3: the next read of the command port gives the in-service register.
const READ_IN_SERVICE: u8 = 0x0b;

/// The masks found by [`init`]: master in the low byte.
static FIRMWARE_MASKS: AtomicU16 = AtomicU16::new(0xffff);
static SPURIOUS: AtomicU64 = AtomicU64::new(0);

fn write(port: u16, value: u8) {
    // SAFETY: a port of the 8259s, which reach no memory. The write to an unused port gives old ones time.
    unsafe {
        Port::new(port).write(value);
        Port::new(0x80_u16).write(0_u8);
    }
}

fn read(port: u16) -> u8 {
    // SAFETY: as in `write`.
    unsafe { Port::new(port).read() }
}

/// Moves both controllers to vectors 0x20..0x2f and masks every line. With interrupts off, on the first CPU.
///
/// Harmless where there are none: the ports read as ones and swallow writes.
pub fn init() {
    let masks = [read(MASTER_DATA), read(SLAVE_DATA)];
    FIRMWARE_MASKS.store(u16::from_le_bytes(masks), Ordering::Relaxed);
    initialise(MASTER_COMMAND, vector::LEGACY, 1 << CASCADE_LINE);
    initialise(SLAVE_COMMAND, vector::LEGACY + 8, CASCADE_LINE);
    write(MASTER_DATA, 0xff);
    write(SLAVE_DATA, 0xff);
}

fn initialise(command: u16, first_vector: u8, cascade: u8) {
    let data = command + 1;
    write(command, INITIALISE);
    write(data, first_vector);
    write(data, cascade);
    write(data, MODE_8086);
}

/// The lines that firmware had masked, one bit each, line 0 lowest.
pub fn firmware_masks() -> u16 {
    FIRMWARE_MASKS.load(Ordering::Relaxed)
}

/// Spurious interrupts since boot, on all CPUs.
pub fn spurious_count() -> u64 {
    SPURIOUS.load(Ordering::Relaxed)
}

/// Signals the end of an interrupt of `line` to those controllers that wait for it, or counts it as spurious.
///
/// A spurious 7 needs no signal. A spurious 15 is the slave's: the master did see a real request on its cascade line.
pub(crate) fn end_of_interrupt(line: u8) {
    let spurious = line & 7 == 7 && !in_service(line);
    if spurious {
        SPURIOUS.fetch_add(1, Ordering::Relaxed);
    }
    if line >= 8 && !spurious {
        write(SLAVE_COMMAND, END_OF_INTERRUPT);
    }
    if line >= 8 || !spurious {
        write(MASTER_COMMAND, END_OF_INTERRUPT);
    }
}

fn in_service(line: u8) -> bool {
    let command = if line < 8 { MASTER_COMMAND } else { SLAVE_COMMAND };
    write(command, READ_IN_SERVICE);
    read(command) & 1 << (line & 7) != 0
}
