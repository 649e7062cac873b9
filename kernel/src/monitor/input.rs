//! What is typed: from the serial port through the I/O APIC, a handler and a queue to the monitor's thread.
//!
//! Nothing is lost: while the queue is full the port isn't read, and whoever sends waits.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use arch::acpi::Acpi;
use arch::apic::io::{self, NoRoute};
use arch::interrupts::{self, vector};
use arch::serial;
use crossbeam_queue::ArrayQueue;
use sched::TaskId;
use spin::Once;

use crate::{dispatch, thread};

/// Bytes that are kept until the thread comes for them: some lines.
const ROOM: usize = 256;

/// The CPU that is interrupted.
const CPU: u32 = 0;

struct Input {
    queue: ArrayQueue<u8>,
    reader: TaskId,
}

static INPUT: Once<Input> = Once::new();

/// Whether the port isn't read since the queue was full.
static HELD: AtomicBool = AtomicBool::new(false);

/// Why nothing can be typed.
#[derive(Debug)]
pub enum NoInput {
    /// There is no serial port.
    NoPort,
    /// Its interrupt reaches no CPU.
    NoRoute(NoRoute),
}

impl fmt::Display for NoInput {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPort => out.write_str("there is no serial port"),
            Self::NoRoute(why) => why.fmt(out),
        }
    }
}

/// Lets what the port receives interrupt a CPU, once the thread `reader` listens to it. At boot.
pub fn route(acpi: &Acpi, reader: TaskId) -> Result<(), NoInput> {
    if !serial::is_there() {
        return Err(NoInput::NoPort);
    }
    INPUT.call_once(|| Input { queue: ArrayQueue::new(ROOM), reader });
    io::route(&acpi.io_apics, acpi.isa[serial::IRQ], vector::SERIAL, CPU).map_err(NoInput::NoRoute)
}

/// Waits for a byte. Only the reader.
pub fn next() -> u8 {
    let queue = &INPUT.get().expect("boot routes before it starts the reader").queue;
    loop {
        // The queue waits for a half-done peer: on this CPU that must not be what the handler interrupted.
        let flags = interrupts::disable_save();
        let byte = queue.pop();
        interrupts::restore(flags);
        match byte {
            Some(byte) => return byte,
            None if HELD.swap(false, Ordering::Relaxed) => serial::listen(),
            None => thread::park(),
        }
    }
}

/// The port's interrupt, before its end: takes what there is room for.
pub fn take() {
    let Some(input) = INPUT.get() else { return };
    while !input.queue.is_full() {
        match serial::receive() {
            Some(byte) => _ = input.queue.push(byte),
            None => return,
        }
    }
    serial::stop_listening();
    HELD.store(true, Ordering::Relaxed);
}

/// The same, after its end: wakes the reader.
pub fn wake() {
    if let Some(input) = INPUT.get() {
        dispatch::wake_by_interrupt(input.reader);
    }
}
