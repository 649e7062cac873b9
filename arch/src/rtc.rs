//! The real-time clock (MC146818): its periodic interrupt, by line 8, the first of the slave 8259. For the demonstration of
//! the legacy controllers; nobody here asks for the time of day.

use x86_64::instructions::port::Port;

/// How often it asks.
pub const HERTZ: u32 = 32_768 >> (RATE - 1);
const RATE: u8 = 9;

const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;

const SECONDS: u8 = 0;
/// The rate is in the low four bits.
const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
/// Why it interrupted. Reading ends the request: without that there is no other one.
const STATUS_C: u8 = 0x0c;
/// Of status B: the periodic interrupt.
const PERIODIC: u8 = 1 << 6;

fn write(register: u8, value: u8) {
    // SAFETY: ports of the clock, which reach no memory; the index's upper bit, which holds off NMIs, stays clear. Its
    // interrupt is masked, or has a handler.
    unsafe {
        Port::new(INDEX).write(register);
        Port::new(DATA).write(value);
    }
}

fn read(register: u8) -> u8 {
    // SAFETY: as in `write`.
    unsafe {
        Port::new(INDEX).write(register);
        Port::new(DATA).read()
    }
}

/// Whether there is one: all ones are no seconds.
pub fn is_there() -> bool {
    read(SECONDS) != 0xff
}

/// From now on line 8 asks [`HERTZ`] times a second, as long as each request is [answered](answer).
pub fn start() {
    write(STATUS_A, read(STATUS_A) & 0xf0 | RATE);
    write(STATUS_B, read(STATUS_B) | PERIODIC);
    answer();
}

/// No more.
pub fn stop() {
    write(STATUS_B, read(STATUS_B) & !PERIODIC);
    answer();
}

/// Ends a request, so that another one can come.
pub fn answer() {
    read(STATUS_C);
}
