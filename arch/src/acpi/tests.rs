//! Tables as firmware writes them, and as it should not.

use super::*;

const RSDP: u64 = 0x100;
const XSDT: u64 = 0x200;
const MADT: u64 = 0x400;
const FADT: u64 = 0x1000;
const HPET: u64 = 0x1400;

/// Physical memory of 8 KiB that is only ever read through `get`.
struct Firmware(Vec<u8>);

impl Firmware {
    fn new(madt_entries: &[u8]) -> Self {
        let mut firmware = Self(vec![0; 0x2000]);
        let mut madt = [0xfee0_0000_u32.to_le_bytes(), 1_u32.to_le_bytes()].concat();
        madt.extend(madt_entries);
        firmware.table(MADT, *b"APIC", 5, &madt);
        let mut fadt = vec![0; 244 - 36];
        fadt[76 - 36..80 - 36].copy_from_slice(&0x608_u32.to_le_bytes());
        fadt[91 - 36] = 4;
        fadt[113 - 36] = 1; // TMR_VAL_EXT
        firmware.table(FADT, *b"FACP", 3, &fadt);
        let mut hpet = vec![0; 56 - 36];
        hpet[8..16].copy_from_slice(&0xfed0_0000_u64.to_le_bytes());
        firmware.table(HPET, *b"HPET", 1, &hpet);
        firmware.table(XSDT, *b"XSDT", 1, &[MADT, FADT, HPET].map(u64::to_le_bytes).concat());
        firmware.root_pointer(RSDP);
        firmware
    }

    fn table(&mut self, at: u64, signature: [u8; 4], revision: u8, body: &[u8]) {
        let mut table =
            [&signature[..], &(36 + body.len() as u32).to_le_bytes(), &[revision, 0], &[b' '; 26], body]
                .concat();
        table[9] = checksum(&table);
        self.put(at, &table);
    }

    fn root_pointer(&mut self, at: u64) {
        let mut pointer =
            [b"RSD PTR ", &[0; 7][..], &[2], &0_u32.to_le_bytes(), &36_u32.to_le_bytes()].concat();
        pointer.extend([&XSDT.to_le_bytes()[..], &[0; 4]].concat());
        pointer[8] = checksum(&pointer[..20]);
        pointer[32] = checksum(&pointer);
        self.put(at, &pointer);
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        self.0[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }

    fn parse(self, rsdp: Option<u64>) -> Acpi {
        let memory: &'static [u8] = self.0.leak();
        parse(rsdp, move |at, len| memory.get(usize::try_from(at).ok()?..(at as usize).checked_add(len)?))
    }
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, &byte| sum.wrapping_sub(byte))
}

fn local_apic(id: u8, flags: u8) -> [u8; 8] {
    [0, 8, id, id, flags, 0, 0, 0]
}

fn x2apic(id: u32, flags: u32) -> Vec<u8> {
    [&[9, 16, 0, 0][..], &id.to_le_bytes(), &flags.to_le_bytes(), &[0; 4]].concat()
}

#[test]
fn reads_well_formed_tables() {
    let io_apic = [&[1, 12, 0, 0][..], &0xfec0_0000_u32.to_le_bytes(), &[0; 4]].concat();
    let entries =
        [&local_apic(0, 1)[..], &local_apic(2, 1), &local_apic(3, 0), &x2apic(300, 1), &io_apic].concat();
    let found = Firmware::new(&entries).parse(Some(RSDP));
    assert_eq!(found.cpus[..], [0, 2, 300], "the disabled one is left out");
    assert_eq!(found.io_apics[..], [IoApic { physical: 0xfec0_0000, first_interrupt: 0 }]);
    assert_eq!(found.hpet, Some(0xfed0_0000));
    assert_eq!(found.pm_timer, Some(PmTimer { register: PmTimerRegister::Port(0x608), bits: 32 }));
    assert_eq!((found.has_8259, found.problem), (true, None));
}

fn isa_override(irq: u8, interrupt: u32, flags: u16) -> Vec<u8> {
    [&[2, 10, 0, irq][..], &interrupt.to_le_bytes(), &flags.to_le_bytes()].concat()
}

#[test]
fn isa_interrupts_are_where_the_firmware_says() {
    let entries = [isa_override(0, 2, 0), isa_override(4, 36, 0b1111), isa_override(9, 9, 0b1101)].concat();
    let found = Firmware::new(&entries).parse(Some(RSDP));
    let line = |interrupt, is_active_low, is_level| IsaLine { interrupt, is_active_low, is_level };
    assert_eq!(found.isa[0], line(2, false, false));
    assert_eq!(found.isa[3], line(3, false, false), "as the bus has it");
    assert_eq!(found.isa[4], line(36, true, true));
    assert_eq!(found.isa[9], line(9, false, true));
    let absurd = Firmware::new(&isa_override(200, 2, 0)).parse(Some(RSDP));
    assert_eq!((absurd.isa, absurd.problem), (Acpi::default().isa, None));
}

#[test]
fn a_cpu_that_is_listed_twice_counts_once() {
    let entries = [&local_apic(1, 1)[..], &x2apic(1, 1), &local_apic(0xff, 1)].concat();
    assert_eq!(Firmware::new(&entries).parse(Some(RSDP)).cpus[..], [1]);
}

#[test]
fn more_cpus_than_fit_are_counted() {
    let entries: Vec<u8> = (0..MAX_CPUS as u32 + 3).flat_map(|id| x2apic(id, 1)).collect();
    let mut firmware = Firmware::new(&[]);
    firmware.0.resize(0x8000, 0);
    firmware.table(0x3000, *b"APIC", 5, &[&[0; 8][..], &entries].concat());
    firmware.table(XSDT, *b"XSDT", 1, &0x3000_u64.to_le_bytes());
    let found = firmware.parse(Some(RSDP));
    assert_eq!((found.cpus.len(), found.cpus_ignored), (MAX_CPUS, 3));
}

#[test]
fn entries_of_no_length_or_too_much_make_the_madt_invalid() {
    for entries in [&[0, 0, 0, 0][..], &[0, 200, 0, 0], &[0, 2], &[2, 4, 0, 0], &[9], &[77, 1, 0]] {
        let found = Firmware::new(entries).parse(Some(RSDP));
        assert_eq!((found.problem, found.cpus.len()), (Some(Problem::NoMadt), 0), "{entries:?}");
        assert!(found.hpet.is_some(), "the other tables still count");
    }
}

#[test]
fn no_root_pointer_and_bad_root_tables_are_told_apart() {
    assert_eq!(Firmware::new(&[]).parse(None).problem, Some(Problem::NoRootPointer));
    assert_eq!(Firmware::new(&[]).parse(Some(0x1ff8)).problem, Some(Problem::BadRootTable));
    for length in [0_u32, 8, 35, u32::MAX] {
        let mut firmware = Firmware::new(&[]);
        firmware.put(XSDT + 4, &length.to_le_bytes());
        assert_eq!(firmware.parse(Some(RSDP)).problem, Some(Problem::BadRootTable), "{length}");
    }
}

#[test]
fn the_bios_area_is_searched() {
    let mut firmware = Firmware::new(&local_apic(0, 1));
    firmware.0.resize(0x10_0000, 0);
    firmware.put(0xf_5aa0, b"RSD PTR but not really");
    firmware.root_pointer(0xf_5ab0 + 0x20);
    assert_eq!(firmware.parse(None).cpus[..], [0]);
}

/// Whatever single byte of the tables is damaged, reading them ends, and without a panic.
#[test]
fn any_damage_is_survived() {
    let entries = [&local_apic(0, 1)[..], &x2apic(300, 1)].concat();
    for at in (0x100..0x480).chain(0x1000..0x1440) {
        for value in [0, 1, 0x7f, 0xff] {
            let mut firmware = Firmware::new(&entries);
            firmware.0[at] = value;
            // Repaired checksums let the damage through to where it could hurt.
            for table in [XSDT, MADT, FADT, HPET] {
                firmware.repair(table as usize);
            }
            firmware.parse(Some(RSDP));
        }
    }
}

impl Firmware {
    fn repair(&mut self, at: usize) {
        let length = u32::from_le_bytes(self.0[at + 4..at + 8].try_into().expect("four bytes")) as usize;
        self.0[at + 9] = 0;
        if let Some(table) = self.0.get(at..at.saturating_add(length)) {
            self.0[at + 9] = checksum(table);
        }
    }
}
