//! Counters of a known rate, to measure the TSC by: HPET, ACPI PM timer, PIT.

use crate::pit;
use x86_64::instructions::port::Port;

/// A running counter. It counts up, modulo `mask + 1`.
pub(super) trait Reference {
    /// Counts a second.
    fn hz(&self) -> u64;
    /// All bits that count.
    fn mask(&self) -> u64;
    /// The present count.
    fn read(&self) -> u64;
}

/// The high-precision event timer (IA-PC HPET specification 1.0a, 2.3).
pub(super) struct Hpet {
    registers: *mut u32,
    hz: u64,
}

impl Hpet {
    // Offsets in 32-bit words.
    const PERIOD: usize = 1;
    const CONFIGURATION: usize = 4;
    const COUNTER: usize = 60;
    /// The specification allows at most 100 ns a count.
    const SLOWEST_FEMTOSECONDS: u32 = 100_000_000;

    /// Starts the counter, if these are registers of an HPET: `registers` is an uncached mapping of 1 KiB, or wrong.
    pub fn new(registers: *mut u32) -> Option<Self> {
        let register = |offset| registers.wrapping_add(offset);
        // SAFETY: the caller mapped these registers; reading them has no side effect, and bit 0 of the configuration starts
        // the counter, from which nobody takes interrupts.
        unsafe {
            let femtoseconds = register(Self::PERIOD).read_volatile();
            if femtoseconds == 0 || femtoseconds > Self::SLOWEST_FEMTOSECONDS {
                return None;
            }
            let configuration = register(Self::CONFIGURATION);
            configuration.write_volatile(configuration.read_volatile() | 1);
            let femtoseconds = u64::from(femtoseconds);
            Some(Self { registers, hz: (1_000_000_000_000_000 + femtoseconds / 2) / femtoseconds })
        }
    }
}

impl Reference for Hpet {
    fn hz(&self) -> u64 {
        self.hz
    }

    fn mask(&self) -> u64 {
        u32::MAX.into() // the upper half may not exist, and we don't wait that long
    }

    fn read(&self) -> u64 {
        // SAFETY: as in `new`.
        u64::from(unsafe { self.registers.add(Self::COUNTER).read_volatile() })
    }
}

/// The ACPI power-management timer (ACPI 6.5, 4.8.2.1). 24 bits are always there.
pub(super) struct PmTimer {
    pub port: u16,
}

impl Reference for PmTimer {
    fn hz(&self) -> u64 {
        3_579_545
    }

    fn mask(&self) -> u64 {
        (1 << 24) - 1
    }

    fn read(&self) -> u64 {
        // SAFETY: the port is the PM timer's, by the firmware's FADT; reading has no side effect.
        u64::from(unsafe { Port::<u32>::new(self.port).read() })
    }
}

/// Channel 2 of the 8254, which makes no interrupts.
pub(super) struct Pit;

impl Pit {
    const CHANNEL_2: u16 = 0x42;
    const COMMAND: u16 = 0x43;
    const GATE: u16 = 0x61;

    /// Lets channel 2 count down from 65536 over and over, its speaker off.
    pub fn start() -> Self {
        let gate = Self::get(Self::GATE) & !2 | 1;
        Self::put(Self::GATE, gate);
        Self::put(Self::COMMAND, 0b1011_0100); // channel 2, low then high byte, mode 2
        Self::put(Self::CHANNEL_2, 0);
        Self::put(Self::CHANNEL_2, 0);
        Self
    }

    fn put(port: u16, value: u8) {
        // SAFETY: a port of the 8254 or the system control port, whose upper bits the caller kept.
        unsafe { Port::new(port).write(value) }
    }

    fn get(port: u16) -> u8 {
        // SAFETY: as in `put`.
        unsafe { Port::new(port).read() }
    }
}

impl Reference for Pit {
    fn hz(&self) -> u64 {
        pit::FREQUENCY.into()
    }

    fn mask(&self) -> u64 {
        0xffff
    }

    fn read(&self) -> u64 {
        Self::put(Self::COMMAND, 0b1000_0000); // latch channel 2
        let low = Self::get(Self::CHANNEL_2);
        let high = Self::get(Self::CHANNEL_2);
        u64::from(u16::from_le_bytes([low, high]).wrapping_neg())
    }
}
