//! The Multiboot2 door: the boot information of the Multiboot2 specification, version 2.0, section 3.6.
//!
//! It is one block of tags, which GRUB puts into free memory. The ACPI root pointer in it is a copy, so
//! the block has to stay as it is until the tables have been read.

use super::memory_map::MemoryMap;
use super::pvh::e820_kind;
use super::reader::{u32_at, u64_at};

/// The longest boot information that is believed.
const MAX_BYTES: u32 = 1 << 20;
const HEADER_BYTES: usize = 8;

const END: u32 = 0;
const COMMAND_LINE: u32 = 1;
const MEMORY_MAP: u32 = 6;
const ACPI_OLD: u32 = 14;
const ACPI_NEW: u32 = 15;

/// What the door takes from the boot information.
pub struct Information<'a> {
    /// The command line, up to a NUL at the latest.
    pub command_line: &'a [u8],
    /// Where the root pointer's copy begins in the block: the newer one's, if there are two.
    pub rsdp_offset: Option<usize>,
    /// Bytes of the block.
    pub len: usize,
    /// The memory map as GRUB gives it. The types are those of E820.
    pub memory: MemoryMap,
}

/// Reads the boot information at physical address `at`; `None` if there is none, or its length is absurd.
///
/// Tags end at the first one that does not lie within the block.
pub fn parse<'a>(at: u64, read: &impl Fn(u64, u64) -> Option<&'a [u8]>) -> Option<Information<'a>> {
    let len = u32_at(read(at, HEADER_BYTES as u64)?, 0)?;
    if !(HEADER_BYTES as u32..=MAX_BYTES).contains(&len) {
        return None;
    }
    let block = read(at, u64::from(len))?;
    let mut information =
        Information { command_line: &[], rsdp_offset: None, len: block.len(), memory: MemoryMap::new() };
    let mut offset = HEADER_BYTES;
    while let Some((kind, body, next)) = tag_at(block, offset) {
        information.take(kind, body, offset + HEADER_BYTES);
        offset = next;
    }
    Some(information)
}

/// A tag's type and body, and where the next one begins: at a multiple of 8.
fn tag_at(block: &[u8], offset: usize) -> Option<(u32, &[u8], usize)> {
    let kind = u32_at(block, offset)?;
    let size = u32_at(block, offset.checked_add(4)?)? as usize;
    let end = offset.checked_add(size)?;
    let body = block.get(offset + HEADER_BYTES..end)?;
    (kind != END).then_some((kind, body, end.checked_next_multiple_of(8)?))
}

impl<'a> Information<'a> {
    fn take(&mut self, kind: u32, body: &'a [u8], offset: usize) {
        match kind {
            COMMAND_LINE => self.command_line = body,
            MEMORY_MAP => self.take_memory_map(body),
            ACPI_NEW => self.rsdp_offset = Some(offset),
            ACPI_OLD => self.rsdp_offset = self.rsdp_offset.or(Some(offset)),
            _ => {}
        }
    }

    /// The size of an entry, its version, then entries, which later versions may make longer.
    fn take_memory_map(&mut self, body: &[u8]) {
        let size = u32_at(body, 0).unwrap_or_default() as usize;
        let entries = body.get(8..).unwrap_or_default();
        if size < 24 {
            return;
        }
        for entry in entries.chunks_exact(size) {
            if let (Some(base), Some(len), Some(kind)) =
                (u64_at(entry, 0), u64_at(entry, 8), u32_at(entry, 16))
            {
                self.memory.push(base, len, e820_kind(kind));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::Kind;

    const AT: u64 = 0x1_0000;

    fn tag(kind: u32, body: &[u8]) -> Vec<u8> {
        let mut tag = [&kind.to_le_bytes()[..], &(8 + body.len() as u32).to_le_bytes(), body].concat();
        tag.resize(tag.len().next_multiple_of(8), 0);
        tag
    }

    fn block(tags: &[Vec<u8>]) -> Vec<u8> {
        let tags = tags.concat();
        [&(8 + tags.len() as u32).to_le_bytes()[..], &[0; 4], &tags].concat()
    }

    fn memory_map(entry_size: u32) -> Vec<u8> {
        let mut body = [entry_size.to_le_bytes(), 0_u32.to_le_bytes()].concat();
        for (base, kind) in [(0x10_0000_u64, 1_u32), (0x20_0000, 3)] {
            let entry = [&base.to_le_bytes()[..], &0x1000_u64.to_le_bytes(), &kind.to_le_bytes()].concat();
            body.extend(entry);
            body.resize(body.len().next_multiple_of(8), 0);
        }
        tag(MEMORY_MAP, &body)
    }

    fn parsed(bytes: &[u8]) -> Option<Information<'_>> {
        parse(AT, &move |at, len| {
            let start = usize::try_from(at.checked_sub(AT)?).ok()?;
            bytes.get(start..start.checked_add(usize::try_from(len).ok()?)?)
        })
    }

    #[test]
    fn reads_well_formed_information() {
        let old = tag(ACPI_OLD, &[1; 20]);
        let bytes = block(&[
            tag(COMMAND_LINE, b"suite=quick\0"),
            memory_map(24),
            old,
            tag(ACPI_NEW, &[2; 36]),
            tag(END, &[]),
        ]);
        let found = parsed(&bytes).expect("well formed");
        assert_eq!(found.command_line, b"suite=quick\0");
        assert_eq!(bytes[found.rsdp_offset.expect("has a root pointer")], 2, "the newer one");
        let kinds: Vec<_> = found.memory.regions().iter().map(|r| (r.base, r.kind)).collect();
        assert_eq!(kinds, [(0x10_0000, Kind::Usable), (0x20_0000, Kind::Acpi)]);
    }

    #[test]
    fn absurd_lengths_are_refused() {
        for len in [0_u32, 7, MAX_BYTES + 1, u32::MAX, 100] {
            assert!(parsed(&[&len.to_le_bytes()[..], &[0; 12]].concat()).is_none(), "{len}");
        }
    }

    #[test]
    fn a_tag_that_leaves_the_block_ends_it() {
        let mut bytes = block(&[tag(COMMAND_LINE, b"a=b\0"), memory_map(24)]);
        let map_size = 8 + 16 + 4;
        bytes[map_size..map_size + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let found = parsed(&bytes).expect("has a header");
        assert_eq!((found.command_line, found.memory.regions().len()), (&b"a=b\0"[..], 0));
    }

    #[test]
    fn any_damage_is_survived() {
        let bytes = block(&[
            tag(COMMAND_LINE, b"a=b\0"),
            memory_map(24),
            memory_map(0),
            memory_map(u32::MAX),
            tag(ACPI_NEW, &[]),
        ]);
        for at in 0..bytes.len() {
            for value in [0, 1, 7, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                parsed(&damaged);
            }
        }
    }
}
