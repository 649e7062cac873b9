//! What the firmware says about the machine: CPUs, interrupt controllers, timers.
//!
//! The tables are walked by the `acpi` crate, which trusts them. So whatever the crate would stumble
//! over (a table shorter than its header, an entry of length 0, an address out of reach) is checked
//! here first, on bytes, and a table that fails is treated as missing. Everything that is taken from
//! the tables is copied.

mod madt;
mod root;

use ::acpi::address::AddressSpace;
use ::acpi::fadt::Fadt;
use ::acpi::madt::{Madt, MadtEntry};
use ::acpi::sdt::{SdtHeader, Signature};
use ::acpi::{AcpiHandler, AcpiTable, AcpiTables, PhysicalMapping};
use arrayvec::ArrayVec;
use core::fmt;
use core::ptr::NonNull;

use crate::boot::memory_map::PHYSICAL_LIMIT;

/// The most CPUs that are kept, and the most that can be started.
pub const MAX_CPUS: usize = 512;

/// Where every PC's local APIC is unless it was moved (SDM 3A 11.4.1).
const DEFAULT_LOCAL_APIC: u64 = 0xfee0_0000;

/// The longest table that is believed.
const MAX_TABLE: usize = 1 << 20;

/// An I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Physical address of its registers.
    pub physical: u64,
    /// The global system interrupt of its first input.
    pub first_interrupt: u32,
}

/// How one of the 16 interrupts of the ISA bus reaches the I/O APICs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsaLine {
    /// The global system interrupt: the input, counted through all I/O APICs.
    pub interrupt: u32,
    /// Whether the line is active low; high is what the bus has.
    pub is_active_low: bool,
    /// Whether it asks as long as it's active; by its edge is what the bus has.
    pub is_level: bool,
}

/// Where the ACPI power-management timer's counter is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PmTimerRegister {
    /// An I/O port, read as 32 bits.
    Port(u16),
    /// A physical address, read as 32 bits.
    Memory(u64),
}

/// The ACPI power-management timer, which counts at 3,579,545 Hz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PmTimer {
    /// Where to read it.
    pub register: PmTimerRegister,
    /// Significant bits of the counter: 24 or 32.
    pub bits: u32,
}

/// What the tables say, as far as Tacet cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acpi {
    /// Local APIC ids of all enabled CPUs, in the firmware's order, each once. Empty without a MADT.
    pub cpus: ArrayVec<u32, MAX_CPUS>,
    /// Enabled CPUs that were left out since there were more than [`MAX_CPUS`].
    pub cpus_ignored: usize,
    /// Physical address of the local APICs' registers.
    pub lapic_phys: u64,
    /// The I/O APICs.
    pub io_apics: ArrayVec<IoApic, 64>,
    /// The ISA interrupts, by number: each at the input of its number, unless the firmware says otherwise.
    pub isa: [IsaLine; 16],
    /// Whether a pair of 8259s exists beside the APICs. True without a MADT.
    pub has_8259: bool,
    /// Physical address of the HPET's registers.
    pub hpet: Option<u64>,
    /// The power-management timer.
    pub pm_timer: Option<PmTimer>,
    /// What is wrong or missing, if anything, for the report.
    pub problem: Option<Problem>,
}

/// Why less is known than should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Neither the loader nor a search of the BIOS areas found the root pointer.
    NoRootPointer,
    /// The root pointer, or the table that it leads to, is damaged.
    BadRootTable,
    /// There is no interrupt-controller table (MADT), or it is damaged: only the first CPU is known.
    NoMadt,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRootPointer => "no ACPI root pointer",
            Self::BadRootTable => "damaged ACPI root table",
            Self::NoMadt => "no valid ACPI MADT",
        })
    }
}

impl Default for Acpi {
    fn default() -> Self {
        Self {
            cpus: ArrayVec::new(),
            cpus_ignored: 0,
            lapic_phys: DEFAULT_LOCAL_APIC,
            io_apics: ArrayVec::new(),
            isa: core::array::from_fn(|irq| IsaLine {
                interrupt: irq as u32,
                is_active_low: false,
                is_level: false,
            }),
            has_8259: true,
            hpet: None,
            pm_timer: None,
            problem: None,
        }
    }
}

/// Reads the machine's tables; what is missing or damaged is left out. Needs `memory::init`.
pub fn find(info: &crate::boot::BootInfo) -> Acpi {
    parse(info.rsdp, crate::memory::firmware_bytes)
}

/// Reads tables out of physical memory that `read` shows.
///
/// `read` gives `None` for what is out of reach, and shows the same bytes each time.
pub fn parse<R>(rsdp: Option<u64>, read: R) -> Acpi
where
    R: Fn(u64, usize) -> Option<&'static [u8]> + Clone,
{
    let mut found = Acpi::default();
    let tables = root::find(rsdp, &read).and_then(|root| {
        // SAFETY: `Reader` gives the crate readable memory for every address, and `root::find` checked the root table.
        let tables = unsafe { AcpiTables::from_rsdt(Reader(read), root.revision, root.table as usize) };
        tables.map_err(|_| Problem::BadRootTable)
    });
    match tables {
        Ok(tables) => found.fill(&tables),
        Err(problem) => found.problem = Some(problem),
    }
    found
}

impl Acpi {
    fn fill<H: AcpiHandler>(&mut self, tables: &AcpiTables<H>) {
        match tables.find_table::<Madt>() {
            Ok(madt) if madt::is_sound(bytes_of(&madt)) => self.fill_from_madt(&madt),
            _ => self.problem = Some(Problem::NoMadt),
        }
        self.hpet = tables.find_table::<Hpet>().ok().and_then(|table| hpet_base(bytes_of(&table)));
        self.pm_timer = tables.find_table::<Fadt>().ok().and_then(|table| pm_timer(&table));
    }

    fn fill_from_madt<H: AcpiHandler>(&mut self, madt: &PhysicalMapping<H, Madt>) {
        let madt = madt.get();
        self.lapic_phys = u64::from(madt.local_apic_address);
        self.has_8259 = madt.supports_8259();
        for entry in madt.entries() {
            match entry {
                // 255 addresses all APICs at once, so it can't be one of them.
                MadtEntry::LocalApic(cpu) if cpu.apic_id != 0xff => {
                    self.add_cpu(u32::from(cpu.apic_id), cpu.flags);
                }
                MadtEntry::LocalX2Apic(cpu) => self.add_cpu(cpu.x2apic_id, cpu.flags),
                MadtEntry::IoApic(io) => {
                    self.add_io_apic(u64::from(io.io_apic_address), io.global_system_interrupt_base);
                }
                MadtEntry::InterruptSourceOverride(line) => {
                    self.move_isa(line.irq, line.global_system_interrupt, line.flags);
                }
                MadtEntry::LocalApicAddressOverride(entry) => self.lapic_phys = entry.local_apic_address,
                _ => {}
            }
        }
        if self.lapic_phys == 0 || self.lapic_phys >= PHYSICAL_LIMIT - 4096 {
            self.lapic_phys = DEFAULT_LOCAL_APIC;
        }
    }

    /// Bit 0 of the flags: enabled (ACPI 6.5, 5.2.12.2). A CPU may have an entry of either kind, or both.
    fn add_cpu(&mut self, apic_id: u32, flags: u32) {
        if flags & 1 == 0 || apic_id == u32::MAX || self.cpus.contains(&apic_id) {
            return;
        }
        if self.cpus.try_push(apic_id).is_err() {
            self.cpus_ignored += 1;
        }
    }

    /// An ISA interrupt that isn't where, or not as, the bus has it. Of one that there is no such line for, nothing is kept.
    fn move_isa(&mut self, irq: u8, interrupt: u32, flags: u16) {
        if let Some(line) = self.isa.get_mut(usize::from(irq)) {
            let (is_active_low, is_level) = (flags & POLARITY == ACTIVE_LOW, flags & TRIGGER == LEVEL);
            *line = IsaLine { interrupt, is_active_low, is_level };
        }
    }

    fn add_io_apic(&mut self, physical: u64, first_interrupt: u32) {
        if physical != 0 {
            // More than there is room for would stay as the firmware left them: masked.
            _ = self.io_apics.try_push(IoApic { physical, first_interrupt });
        }
    }
}

/// What an override's flags say: polarity in the lowest two bits, trigger in the next two (ACPI 6.5, table 5.26).
const POLARITY: u16 = 0b0011;
const ACTIVE_LOW: u16 = 0b0011;
const TRIGGER: u16 = 0b1100;
const LEVEL: u16 = 0b1100;

/// The HPET's table, looked at as bytes, since the crate's type asserts what it should check.
#[repr(transparent)]
struct Hpet(SdtHeader);

// SAFETY: every table begins with the header.
unsafe impl AcpiTable for Hpet {
    const SIGNATURE: Signature = Signature::HPET;

    fn header(&self) -> &SdtHeader {
        &self.0
    }
}

/// The base address: a generic address structure at 40, which must name system memory (IA-PC HPET 1.0a, 3.2.4).
fn hpet_base(table: &[u8]) -> Option<u64> {
    let space = *table.get(40)?;
    let base = u64::from_le_bytes(table.get(44..52)?.try_into().ok()?);
    (space == 0 && base != 0 && base < PHYSICAL_LIMIT - 4096).then_some(base)
}

/// The FADT's extended timer field ends at byte 220, and is looked at from revision 2 on (ACPI 6.5, 5.2.9).
fn pm_timer<H: AcpiHandler>(table: &PhysicalMapping<H, Fadt>) -> Option<PmTimer> {
    let needed = if table.header().revision >= 2 { 220 } else { 116 };
    if table.region_length() < needed {
        return None;
    }
    let block = table.pm_timer_block().ok()??;
    let register = match block.address_space {
        AddressSpace::SystemIo => PmTimerRegister::Port(u16::try_from(block.address).ok()?),
        AddressSpace::SystemMemory if block.address < PHYSICAL_LIMIT - 4096 => {
            PmTimerRegister::Memory(block.address)
        }
        _ => return None,
    };
    let bits = if { table.flags }.pm_timer_is_32_bit() { 32 } else { 24 };
    Some(PmTimer { register, bits })
}

/// The bytes of a table, as many as its header claims and the reader gave.
fn bytes_of<H: AcpiHandler, T: AcpiTable>(table: &PhysicalMapping<H, T>) -> &[u8] {
    // SAFETY: `Reader` mapped `region_length` bytes there, or the table would not have passed validation.
    unsafe { core::slice::from_raw_parts(table.virtual_start().as_ptr().cast(), table.region_length()) }
}

/// Physical memory for the crate, which can't be told that an address is out of reach: it gets zeros
/// then, which are no table, as they lack the signature.
#[derive(Clone)]
struct Reader<R>(R);

#[repr(align(16))]
struct Zeros([u8; 512]);
static ZEROS: Zeros = Zeros([0; 512]);

impl<R> AcpiHandler for Reader<R>
where
    R: Fn(u64, usize) -> Option<&'static [u8]> + Clone,
{
    unsafe fn map_physical_region<T>(&self, physical: usize, size: usize) -> PhysicalMapping<Self, T> {
        const { assert!(size_of::<T>() <= size_of::<Zeros>()) };
        // A table may be shorter than the crate's type for it.
        let readable = size.max(size_of::<T>());
        let bytes = if readable <= MAX_TABLE { (self.0)(physical as u64, readable) } else { None };
        let start = NonNull::from(bytes.unwrap_or(&ZEROS.0)).cast();
        // SAFETY: `start` is readable for `size_of::<T>()` bytes, and for `size` where it isn't the zeros, of which the crate
        // looks at the header only.
        unsafe { PhysicalMapping::new(physical, start, size, size, self.clone()) }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}
}

#[cfg(test)]
mod tests;
