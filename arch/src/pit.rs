//! The interval timer of the first PC (8254): the counter that interrupts by line 0 of the 8259s. No part of this kernel
//! wants a periodic interrupt but the demonstration of the legacy controllers.

use x86_64::instructions::port::Port;

/// Its clock, in Hz: a twelfth of the first PC's 14.31818 MHz.
pub const FREQUENCY: u32 = 1_193_182;

const COUNTER_0: u16 = 0x40;
const COMMAND: u16 = 0x43;
/// Counter 0, low byte then high, over and over (mode 2).
const PERIODIC: u8 = 0b0011_0100;
/// Counter 0, low byte then high, once (mode 0): its output is low from now on, and without a count it stays so.
const ONCE: u8 = 0b0011_0000;
/// Keeps the present count of counter 0 for the next two reads.
const LATCH: u8 = 0b0000_0000;

fn write(port: u16, value: u8) {
    // SAFETY: a port of the timer, which reaches no memory; its interrupt is masked, or has a handler.
    unsafe { Port::new(port).write(value) }
}

fn read(port: u16) -> u8 {
    // SAFETY: as in `write`.
    unsafe { Port::new(port).read() }
}

/// What the counter starts from, for so many times a second: 19 or more.
fn divisor(hertz: u32) -> u16 {
    u16::try_from(FREQUENCY / hertz).unwrap_or(u16::MAX)
}

/// Whether there is one: it counts below what it was told to start from. Stops it.
pub fn is_there() -> bool {
    const HERTZ: u32 = 100;
    start(HERTZ);
    let count = count();
    stop();
    count <= divisor(HERTZ)
}

/// From now on line 0 asks so many times a second: 19 or more.
pub fn start(hertz: u32) {
    let [low, high] = divisor(hertz).to_le_bytes();
    write(COMMAND, PERIODIC);
    write(COUNTER_0, low);
    write(COUNTER_0, high);
}

/// No more; it may ask once more.
pub fn stop() {
    write(COMMAND, ONCE);
}

/// All ones where there is no timer.
fn count() -> u16 {
    write(COMMAND, LATCH);
    u16::from_le_bytes([read(COUNTER_0), read(COUNTER_0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_hertz_is_what_the_tutorials_say() {
        assert_eq!((divisor(100), divisor(19), divisor(18)), (11_931, 62_799, u16::MAX));
    }
}
