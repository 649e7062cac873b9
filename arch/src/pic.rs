//! The two 8259 interrupt controllers: moved out of the way, masked, and watched for spurious interrupts.
//!
//! Masking is not enough. A line that goes away between the request and the acknowledge makes a controller answer with
//! its line 7 whatever the mask says, and at the power-on vectors that would look like a CPU exception: hence the move
//! to 0x20..0x2f. A spurious 7 or 15 is told from a real one by the in-service register, where it does not appear.

use crate::interrupts::vector;
use core::array;
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
/// OCW3: the next read of the command port gives the request register, or the in-service register.
const READ_REQUESTS: u8 = 0x0a;
const READ_IN_SERVICE: u8 = 0x0b;

/// All lines. Words like this one have a bit a line, line 0 lowest: the master in the low byte, the slave in the high one.
pub const ALL: u16 = 0xffff;
/// The master's line that the slave hangs on: nothing comes from the slave while that is masked.
pub const CASCADE: u16 = 1 << CASCADE_LINE;

/// The masks found by [`init`].
static FIRMWARE_MASKS: AtomicU16 = AtomicU16::new(ALL);
/// Ends signalled, and spurious interrupts, at the master and at the slave.
static ENDED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
static SPURIOUS: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

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
    FIRMWARE_MASKS.store(masks(), Ordering::Relaxed);
    remap();
    set_masks(ALL);
}

/// Moves both controllers to vectors 0x20..0x2f, and forgets requests and interrupts in service. The masks, which this
/// clears, are saved and restored. With interrupts off.
pub fn remap() {
    let masks = masks();
    initialise(MASTER_COMMAND, vector::LEGACY, 1 << CASCADE_LINE);
    initialise(SLAVE_COMMAND, vector::LEGACY + 8, CASCADE_LINE);
    set_masks(masks);
}

fn initialise(command: u16, first_vector: u8, cascade: u8) {
    let data = command + 1;
    write(command, INITIALISE);
    write(data, first_vector);
    write(data, cascade);
    write(data, MODE_8086);
}

/// Whether there are any: whether a mask can be read back. With all lines masked.
pub fn is_there() -> bool {
    set_masks(ALL & !CASCADE);
    let there = masks() == ALL & !CASCADE;
    set_masks(ALL);
    there
}

/// The lines that firmware had masked.
pub fn firmware_masks() -> u16 {
    FIRMWARE_MASKS.load(Ordering::Relaxed)
}

/// The lines that are masked.
pub fn masks() -> u16 {
    u16::from_le_bytes([read(MASTER_DATA), read(SLAVE_DATA)])
}

/// Masks these lines and no others. The others interrupt a CPU whose local APIC lets them through
/// ([`crate::apic::set_virtual_wire`]).
pub fn set_masks(masks: u16) {
    let [master, slave] = masks.to_le_bytes();
    write(MASTER_DATA, master);
    write(SLAVE_DATA, slave);
}

/// The lines that ask, masked or not. With interrupts off.
pub fn requests() -> u16 {
    status(READ_REQUESTS)
}

/// The lines whose interrupts were delivered and not ended. With interrupts off.
pub fn in_service() -> u16 {
    status(READ_IN_SERVICE)
}

fn status(register: u8) -> u16 {
    let of = |command| {
        write(command, register);
        read(command)
    };
    u16::from_le_bytes([of(MASTER_COMMAND), of(SLAVE_COMMAND)])
}

/// What was done at a pair of controllers, the master's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Ends of interrupts that were signalled.
    pub ended: [u64; 2],
    /// Spurious interrupts.
    pub spurious: [u64; 2],
}

/// All of it since boot.
pub fn tally() -> Tally {
    let read = |counts: &[AtomicU64; 2]| array::from_fn(|at| counts[at].load(Ordering::Relaxed));
    Tally { ended: read(&ENDED), spurious: read(&SPURIOUS) }
}

/// Signals the end of an interrupt of `line` to those controllers that wait for it, or counts it as spurious.
///
/// A spurious 7 needs no signal. A spurious 15 is the slave's: the master did see a real request on its cascade line.
pub(crate) fn end_of_interrupt(line: u8) {
    let is_slaves = line >= 8;
    let spurious = line & 7 == 7 && in_service() & 1 << line == 0;
    if spurious {
        SPURIOUS[usize::from(is_slaves)].fetch_add(1, Ordering::Relaxed);
    }
    if is_slaves && !spurious {
        end_at(SLAVE_COMMAND);
    }
    if is_slaves || !spurious {
        end_at(MASTER_COMMAND);
    }
}

fn end_at(command: u16) {
    write(command, END_OF_INTERRUPT);
    ENDED[usize::from(command == SLAVE_COMMAND)].fetch_add(1, Ordering::Relaxed);
}
