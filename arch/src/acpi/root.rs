//! The root pointer, and the root table that it leads to.

use super::{MAX_TABLE, Problem};

/// Where the BIOS keeps the root pointer (ACPI 6.5, 5.2.5.1).
const BIOS_AREA: (u64, usize) = (0xe_0000, 0x2_0000);
/// The segment of the extended BIOS data area, whose first KiB is the other place.
const EBDA_SEGMENT: u64 = 0x40e;
const HEADER_BYTES: usize = 36;

/// A root table whose header was looked at.
#[derive(Debug)]
pub(super) struct Root {
    /// 0: an RSDT, with 32-bit entries; else an XSDT.
    pub(super) revision: u8,
    /// Its physical address.
    pub(super) table: u64,
}

/// Follows the loader's root pointer, or else searches the BIOS areas for one.
pub(super) fn find<R>(rsdp: Option<u64>, read: &R) -> Result<Root, Problem>
where
    R: Fn(u64, usize) -> Option<&'static [u8]>,
{
    let at = rsdp.or_else(|| search(read)).ok_or(Problem::NoRootPointer)?;
    let root = parse(at, read).ok_or(Problem::BadRootTable)?;
    let header = read(root.table, HEADER_BYTES).ok_or(Problem::BadRootTable)?;
    let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
    let sound = (HEADER_BYTES..=MAX_TABLE).contains(&length);
    if sound { Ok(root) } else { Err(Problem::BadRootTable) }
}

fn search<R>(read: &R) -> Option<u64>
where
    R: Fn(u64, usize) -> Option<&'static [u8]>,
{
    let ebda = read(EBDA_SEGMENT, 2).map(|bytes| u64::from(u16::from_le_bytes([bytes[0], bytes[1]])) << 4);
    let areas = [ebda.map(|base| (base, 1024)), Some(BIOS_AREA)];
    areas.into_iter().flatten().find_map(|(base, len)| {
        let candidates = read(base, len)?.chunks_exact(16).zip((base..).step_by(16));
        let mut pointers = candidates.filter(|(bytes, _)| bytes.starts_with(b"RSD PTR "));
        pointers.find(|&(_, at)| parse(at, read).is_some()).map(|(_, at)| at)
    })
}

/// Checks a root pointer (ACPI 6.5, 5.2.5.3): 20 bytes that sum to 0; from revision 2 on, 36 that do.
fn parse<R>(at: u64, read: &R) -> Option<Root>
where
    R: Fn(u64, usize) -> Option<&'static [u8]>,
{
    let first = read(at, 20)?;
    if !first.starts_with(b"RSD PTR ") || !sums_to_zero(first) {
        return None;
    }
    let old = Root { revision: 0, table: u64::from(u32::from_le_bytes(first[16..20].try_into().ok()?)) };
    if first[15] < 2 {
        return Some(old);
    }
    let whole = read(at, 36)?;
    let table = u64::from_le_bytes(whole[24..32].try_into().ok()?);
    let usable = sums_to_zero(whole) && table != 0;
    Some(if usable { Root { revision: first[15], table } } else { old })
}

fn sums_to_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0_u8, |sum, &byte| sum.wrapping_add(byte)) == 0
}
