//! The PVH door: `struct hvm_start_info` (xen/include/public/arch-x86/hvm/start_info.h).
//!
//! The structure and what it points to lie anywhere below 4 GiB, so everything is read through a
//! function that turns a physical range into bytes, or into `None` where it is out of reach.

use super::memory_map::{Kind, MemoryMap};
use super::reader::{u32_at, u64_at};

const MAGIC: u32 = 0x336e_c578;
/// Bytes of version 1, the first with a memory map.
const START_INFO_BYTES: u64 = 56;
const ENTRY_BYTES: u64 = 24;

/// What the door takes from the start info.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartInfo {
    /// Physical address of the NUL-terminated command line; 0 for none.
    pub command_line: u64,
    /// Physical address of the ACPI root pointer; 0 where unknown.
    pub rsdp: u64,
    map: u64,
    map_entries: u32,
}

/// Reads the start info at physical address `at`, or `None` if it is not one with a memory map.
pub fn parse<'a>(at: u64, read: &impl Fn(u64, u64) -> Option<&'a [u8]>) -> Option<StartInfo> {
    let bytes = read(at, START_INFO_BYTES)?;
    if u32_at(bytes, 0)? != MAGIC || u32_at(bytes, 4)? < 1 {
        return None;
    }
    Some(StartInfo {
        command_line: u64_at(bytes, 24)?,
        rsdp: u64_at(bytes, 32)?,
        map: u64_at(bytes, 40)?,
        map_entries: u32_at(bytes, 48)?,
    })
}

impl StartInfo {
    /// Copies the memory map, as far as it can be read. The types are those of E820.
    pub fn memory_map<'a>(&self, read: &impl Fn(u64, u64) -> Option<&'a [u8]>) -> MemoryMap {
        let mut map = MemoryMap::new();
        let len = u64::from(self.map_entries) * ENTRY_BYTES;
        for entry in read(self.map, len).unwrap_or_default().chunks_exact(ENTRY_BYTES as usize) {
            if let (Some(base), Some(len), Some(kind)) =
                (u64_at(entry, 0), u64_at(entry, 8), u32_at(entry, 16))
            {
                map.push(base, len, e820_kind(kind));
            }
        }
        map
    }
}

/// The meaning of an E820 type (ACPI 6.5, table 15.8), which Multiboot2 uses too.
pub(super) fn e820_kind(kind: u32) -> Kind {
    match kind {
        1 => Kind::Usable,
        3 | 4 => Kind::Acpi,
        _ => Kind::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Physical memory that begins at 0x1000: start info, then a map of two entries at 0x1100.
    fn image() -> Vec<u8> {
        let mut image = vec![0; 0x200];
        image[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        image[4..8].copy_from_slice(&1_u32.to_le_bytes());
        image[24..32].copy_from_slice(&0x5000_u64.to_le_bytes());
        image[32..40].copy_from_slice(&0xf_1234_u64.to_le_bytes());
        image[40..48].copy_from_slice(&0x1100_u64.to_le_bytes());
        image[48..52].copy_from_slice(&2_u32.to_le_bytes());
        for (i, (base, len, kind)) in
            [(0_u64, 0x9_f000_u64, 1_u32), (0xe_0000, 0x2_0000, 2)].into_iter().enumerate()
        {
            let at = 0x100 + i * 24;
            image[at..at + 8].copy_from_slice(&base.to_le_bytes());
            image[at + 8..at + 16].copy_from_slice(&len.to_le_bytes());
            image[at + 16..at + 20].copy_from_slice(&kind.to_le_bytes());
        }
        image
    }

    fn reader<'a>(image: &'a [u8]) -> impl Fn(u64, u64) -> Option<&'a [u8]> {
        move |at, len| {
            let start = usize::try_from(at.checked_sub(0x1000)?).ok()?;
            image.get(start..start.checked_add(usize::try_from(len).ok()?)?)
        }
    }

    #[test]
    fn reads_a_well_formed_start_info() {
        let image = image();
        let info = parse(0x1000, &reader(&image)).expect("well formed");
        assert_eq!((info.command_line, info.rsdp), (0x5000, 0xf_1234));
        let map = info.memory_map(&reader(&image));
        assert_eq!(map.regions().len(), 2);
        assert_eq!((map.regions()[0].kind, map.regions()[1].kind), (Kind::Usable, Kind::Reserved));
    }

    #[test]
    fn refuses_what_is_no_start_info() {
        let mut image = image();
        assert_eq!(parse(0x9000, &reader(&image)), None);
        image[4] = 0;
        assert_eq!(parse(0x1000, &reader(&image)), None, "version 0 has no map");
        image[0] = 0;
        assert_eq!(parse(0x1000, &reader(&image)), None);
    }

    #[test]
    fn a_map_out_of_reach_is_empty() {
        let mut image = image();
        image[48..52].copy_from_slice(&u32::MAX.to_le_bytes());
        let info = parse(0x1000, &reader(&image)).expect("well formed");
        assert!(info.memory_map(&reader(&image)).regions().is_empty());
    }
}
