//! COM1: the log goes out by it, and what is typed comes in.
//!
//! The log is polled, so that it works before anything else is set up, after everything broke, with interrupts off and in a
//! fault; and a serial interrupt would be noise in a kernel that counts its interrupts. Where there is no UART, bytes go
//! to the debug console of Bochs and QEMU.
//! Nothing here takes a lock: the caller serialises lines. Only what is received interrupts, and only if somebody asked for
//! it ([`listen`]).

use core::sync::atomic::{AtomicU8, Ordering};
use x86_64::instructions::port::Port;

use crate::debug_console;

/// COM1's base port; the registers below are offsets from it (16550 data sheet).
const COM1: u16 = 0x3f8;
const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;
const SCRATCH: u16 = 7;

/// Interrupt enable: when something was received.
const RECEIVED: u8 = 1 << 0;
/// Modem control: the UART's interrupt reaches the bus (a wiring of the PC, called OUT2).
const INTERRUPT_OUT: u8 = 1 << 3;
/// Modem control: terminal ready, request to send.
const READY: u8 = 0b11;
/// Line status: a byte has come in.
const DATA_READY: u8 = 1 << 0;
/// Line status: the transmitter takes more.
const TRANSMITTER_EMPTY: u8 = 1 << 5;
/// Line status: what the transmitter took is on the wire.
const LINE_IDLE: u8 = 1 << 6;
/// Interrupt identification: both bits are set where the FIFOs exist and are on.
const FIFOS_ON: u8 = 0b1100_0000;
/// What a 16550A takes whenever its transmitter is empty.
const FIFO_BYTES: u8 = 16;

/// A UART that has not drained after this many polls is broken; the byte is given up rather than the boot.
const PATIENCE: u32 = 10_000_000;

/// What [`init`] found: how many bytes COM1 takes at once, or one of the two values below.
static BURST: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0xff;
const NO_UART: u8 = 0;

fn write(port: u16, value: u8) {
    // SAFETY: COM1's registers, which don't reach memory.
    unsafe { Port::new(port).write(value) }
}

fn read(register: u16) -> u8 {
    // SAFETY: COM1's registers; reading them has no effect on memory.
    unsafe { Port::new(COM1 + register).read() }
}

/// Sets COM1 to 115200 baud, 8N1, FIFOs on, no interrupts. Called by the first write, if not before.
pub fn init() {
    BURST.store(detect(), Ordering::Relaxed);
}

fn detect() -> u8 {
    write(COM1 + SCRATCH, 0x5a);
    if read(SCRATCH) != 0x5a {
        return NO_UART;
    }
    write(COM1 + INTERRUPT_ENABLE, 0);
    write(COM1 + LINE_CONTROL, 0x80); // divisor latch: the next two writes set the speed
    write(COM1 + DATA, 1); // 115200 baud
    write(COM1 + INTERRUPT_ENABLE, 0);
    write(COM1 + LINE_CONTROL, 0x03); // 8 bits, no parity, one stop bit
    write(COM1 + FIFO_CONTROL, 0x07); // on, and both emptied
    write(COM1 + MODEM_CONTROL, READY);
    if read(FIFO_CONTROL) & FIFOS_ON == FIFOS_ON { FIFO_BYTES } else { 1 }
}

/// Sends `bytes` as they are. Any context; returns once the UART has taken the last of them.
///
/// Two callers at once interleave, but do no other harm.
pub fn write_bytes(bytes: &[u8]) {
    if BURST.load(Ordering::Relaxed) == UNKNOWN {
        init();
    }
    match BURST.load(Ordering::Relaxed) {
        NO_UART => debug_console::write_bytes(bytes),
        burst => bytes.chunks(usize::from(burst)).for_each(send_burst),
    }
}

/// Returns once the last byte has left the machine: to be called before it's turned off.
pub fn drain() {
    if BURST.load(Ordering::Relaxed) != NO_UART {
        await_status(LINE_IDLE);
    }
}

fn await_status(wanted: u8) {
    for _ in 0..PATIENCE {
        if read(LINE_STATUS) & wanted != 0 {
            break;
        }
        core::hint::spin_loop();
    }
}

fn send_burst(burst: &[u8]) {
    await_status(TRANSMITTER_EMPTY);
    for &byte in burst {
        write(COM1 + DATA, byte);
    }
}

/// The ISA interrupt of COM1.
pub const IRQ: usize = 4;

/// Whether there is a UART. After [`init`].
pub fn is_there() -> bool {
    !matches!(BURST.load(Ordering::Relaxed), NO_UART | UNKNOWN)
}

/// Lets what is received interrupt, from now on, or again after [`stop_listening`]: also what has come in already. Any
/// context; only if [`is_there`].
pub fn listen() {
    write(COM1 + MODEM_CONTROL, READY | INTERRUPT_OUT);
    write(COM1 + INTERRUPT_ENABLE, RECEIVED);
}

/// What is received waits in the UART, and then in the sender. Any context.
pub fn stop_listening() {
    write(COM1 + INTERRUPT_ENABLE, 0);
}

/// Takes a byte that was received. One caller at a time.
pub fn receive() -> Option<u8> {
    (read(LINE_STATUS) & DATA_READY != 0).then(|| read(DATA))
}

/// [`core::fmt::Write`] on the serial log, with LF sent as CR LF. Not locked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl core::fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => {
                    write_bytes(line.as_bytes());
                    write_bytes(b"\r\n");
                }
                None => write_bytes(line.as_bytes()),
            }
        }
        Ok(())
    }
}
