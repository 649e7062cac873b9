//! What the firmware says: ACPI's tables, from the root pointer on, and the MADT's entries by themselves.

use arch::acpi::{self, Acpi, MAX_CPUS};

/// Where the tables of the seeds are.
const RSDP: usize = 0x100;
const XSDT: usize = 0x200;
const MADT: usize = 0x400;
const FADT: usize = 0x800;
const HPET: usize = 0xa00;
const BYTES: usize = 0xb00;

const HEADER: usize = 36;

/// Physical memory that begins with these bytes; nothing is at 0.
pub fn acpi(data: &[u8]) {
    let mut memory = data.to_vec();
    // Checksums that hold, so that what is damaged gets to where it could hurt.
    for table in [XSDT, MADT, FADT, HPET] {
        repair(&mut memory, table);
    }
    read(memory, Some(RSDP as u64));
}

/// The entries of a MADT that is otherwise well-formed.
pub fn madt(data: &[u8]) {
    let mut memory = whole(&[]);
    memory.truncate(MADT);
    let (fixed, entries) = ([0_u8; 8], &data[..data.len().min(0x4000)]);
    put_table(&mut memory, MADT, *b"APIC", 5, &[&fixed[..], entries].concat());
    memory.resize(memory.len().max(BYTES), 0);
    read(memory, Some(RSDP as u64));
}

/// Reads all tables, and checks what was found.
fn read(memory: Vec<u8>, rsdp: Option<u64>) {
    let memory = Box::leak(memory.into_boxed_slice());
    let all: *mut [u8] = memory;
    // SAFETY: leaked just now, and taken back below, after the last reader is gone: what is found holds copies.
    let bytes: &'static [u8] = unsafe { &*all };
    let found = acpi::parse(rsdp, move |at, len| {
        let at = usize::try_from(at).ok()?;
        bytes.get(at..at.checked_add(len)?)
    });
    check(&found);
    // SAFETY: it's the box that was leaked, and nothing borrows from it any more.
    drop(unsafe { Box::from_raw(all) });
}

fn check(found: &Acpi) {
    assert!(found.cpus.len() <= MAX_CPUS && !found.cpus.contains(&u32::MAX));
    let mut ids = found.cpus.to_vec();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), found.cpus.len(), "each CPU once");
    assert!(found.lapic_phys != 0 && found.hpet != Some(0));
    assert!(found.io_apics.iter().all(|io| io.physical != 0));
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, &byte| sum.wrapping_sub(byte))
}

fn repair(memory: &mut [u8], at: usize) {
    let Some(length) = memory.get(at + 4..at + 8) else { return };
    let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
    if at.checked_add(length.max(HEADER)).is_some_and(|end| end <= memory.len()) {
        memory[at + 9] = 0;
        memory[at + 9] = checksum(&memory[at..at + length]);
    }
}

fn put_table(memory: &mut Vec<u8>, at: usize, signature: [u8; 4], revision: u8, body: &[u8]) {
    let length = (HEADER + body.len()) as u32;
    let table = [&signature[..], &length.to_le_bytes(), &[revision, 0], &[b' '; 26], body].concat();
    memory.resize(memory.len().max(at + table.len()), 0);
    memory[at..at + table.len()].copy_from_slice(&table);
    repair(memory, at);
}

/// Tables as firmware writes them, with these entries in the MADT.
fn whole(entries: &[u8]) -> Vec<u8> {
    let mut memory = vec![0; BYTES];
    put_table(&mut memory, MADT, *b"APIC", 5, &[&[0; 8][..], entries].concat());
    let mut fadt = vec![0; 244 - HEADER];
    fadt[76 - HEADER..80 - HEADER].copy_from_slice(&0x608_u32.to_le_bytes());
    fadt[91 - HEADER] = 4;
    put_table(&mut memory, FADT, *b"FACP", 3, &fadt);
    let mut hpet = vec![0; 56 - HEADER];
    hpet[8..16].copy_from_slice(&0xfed0_0000_u64.to_le_bytes());
    put_table(&mut memory, HPET, *b"HPET", 1, &hpet);
    let tables = [MADT, FADT, HPET].map(|table| (table as u64).to_le_bytes()).concat();
    put_table(&mut memory, XSDT, *b"XSDT", 1, &tables);
    let mut pointer = [b"RSD PTR ", &[0; 7][..], &[2], &[0; 4], &36_u32.to_le_bytes()].concat();
    pointer.extend([&(XSDT as u64).to_le_bytes()[..], &[0; 4]].concat());
    pointer[8] = checksum(&pointer[..20]);
    pointer[32] = checksum(&pointer);
    memory[RSDP..RSDP + pointer.len()].copy_from_slice(&pointer);
    memory
}

pub fn madt_seeds() -> Vec<Vec<u8>> {
    let x2apic = [&[9, 16, 0, 0][..], &300_u32.to_le_bytes(), &1_u32.to_le_bytes(), &[0; 4]].concat();
    let io_apic = [&[1, 12, 0, 0][..], &0xfec0_0000_u32.to_le_bytes(), &[0; 4]].concat();
    let moved = [&[5, 12, 0, 0][..], &0xfee0_0000_u64.to_le_bytes()].concat();
    vec![[&[0, 8, 0, 0, 1, 0, 0, 0][..], &[0, 8, 1, 1, 1, 0, 0, 0], &x2apic, &io_apic, &moved].concat()]
}

pub fn seeds() -> Vec<Vec<u8>> {
    madt_seeds().iter().map(|entries| whole(entries)).collect()
}
