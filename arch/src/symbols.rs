//! Names for addresses, from a table that the build tool writes into the linked image.
//!
//! The linker script reserves the section `.symbols`. After linking, xtask fills it:
//!
//! ```text
//! u32 magic 0x54534d53 ("SMST")   u32 count
//! count times, sorted by offset:  u32 offset of a function from __text_start   u32 offset of its name in this table
//! names, demangled, each ended by a NUL
//! ```
//!
//! All little-endian. An image that nobody filled in has a count of zero, and its reports show bare addresses. The table is
//! read in faults: nothing in it is trusted enough to panic over.

use core::fmt;

/// "SMST" in memory.
pub const MAGIC: u32 = 0x5453_4d53;

/// A parsed table.
#[derive(Clone, Copy, Debug)]
pub struct Symbols<'a> {
    table: &'a [u8],
    count: usize,
}

const HEADER_BYTES: usize = 8;
const ENTRY_BYTES: usize = 8;

fn u32_at(table: &[u8], offset: usize) -> Option<u32> {
    let bytes = table.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

impl<'a> Symbols<'a> {
    /// The table in these bytes, if they are one.
    pub fn parse(table: &'a [u8]) -> Option<Self> {
        if u32_at(table, 0)? != MAGIC {
            return None;
        }
        let count = u32_at(table, 4)? as usize;
        let end = count.checked_mul(ENTRY_BYTES)?.checked_add(HEADER_BYTES)?;
        (end <= table.len()).then_some(Self { table, count })
    }

    /// The function that `offset` is in, and how far into it.
    pub fn lookup(&self, offset: u32) -> Option<(&'a str, u32)> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.entry(middle)?.0 <= offset { low = middle + 1 } else { high = middle }
        }
        let (start, name) = self.entry(low.checked_sub(1)?)?;
        Some((self.name(name)?, offset - start))
    }

    fn entry(&self, index: usize) -> Option<(u32, u32)> {
        let at = HEADER_BYTES + index * ENTRY_BYTES;
        Some((u32_at(self.table, at)?, u32_at(self.table, at + 4)?))
    }

    fn name(&self, offset: u32) -> Option<&'a str> {
        let rest = self.table.get(offset as usize..)?;
        let len = rest.iter().position(|&byte| byte == 0)?;
        core::str::from_utf8(&rest[..len]).ok()
    }
}

/// Shows a code address as "address name+offset", or alone where no name is known.
#[derive(Clone, Copy, Debug)]
pub struct At(pub u64);

impl fmt::Display for At {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{:#018x}", self.0)?;
        match find(self.0) {
            Some((name, offset)) => write!(out, " {name}+{offset:#x}"),
            None => Ok(()),
        }
    }
}

/// The kernel function that an address is in, and how far into it.
#[cfg(all(feature = "freestanding", not(test)))]
pub fn find(address: u64) -> Option<(&'static str, u32)> {
    unsafe extern "C" {
        static __symbols_start: u8;
        static __symbols_end: u8;
        static __text_start: u8;
        static __text_end: u8;
    }
    // Addresses of linker symbols are their values; nothing is read through them but the table.
    let (text, text_end) = (&raw const __text_start as u64, &raw const __text_end as u64);
    let (start, end) = (&raw const __symbols_start, &raw const __symbols_end);
    // SAFETY: the linker script puts the section between these two symbols, mapped read-only for ever.
    let table = unsafe { core::slice::from_raw_parts(start, end as usize - start as usize) };
    let offset = (text..text_end).contains(&address).then(|| (address - text) as u32)?;
    Symbols::parse(table)?.lookup(offset)
}

/// On the host there is no image, and no table.
#[cfg(not(all(feature = "freestanding", not(test))))]
pub fn find(_address: u64) -> Option<(&'static str, u32)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(functions: &[(u32, &str)]) -> Vec<u8> {
        let mut names = Vec::new();
        let mut table = Vec::from(MAGIC.to_le_bytes());
        table.extend((functions.len() as u32).to_le_bytes());
        let names_at = table.len() + functions.len() * ENTRY_BYTES;
        for (offset, name) in functions {
            table.extend(offset.to_le_bytes());
            table.extend(((names_at + names.len()) as u32).to_le_bytes());
            names.extend(name.bytes().chain([0]));
        }
        table.extend(names);
        table
    }

    #[test]
    fn finds_the_function_around_an_offset() {
        let table = table(&[(0x10, "first"), (0x40, "second"), (0x100, "third")]);
        let symbols = Symbols::parse(&table).unwrap();
        assert_eq!(symbols.lookup(0xf), None);
        assert_eq!(symbols.lookup(0x10), Some(("first", 0)));
        assert_eq!(symbols.lookup(0x3f), Some(("first", 0x2f)));
        assert_eq!(symbols.lookup(0x40), Some(("second", 0)));
        assert_eq!(symbols.lookup(0x1_0000), Some(("third", 0xff00)));
    }

    #[test]
    fn an_unfilled_or_damaged_table_has_no_names() {
        assert!(Symbols::parse(&[0; 64]).is_none());
        assert!(Symbols::parse(&MAGIC.to_le_bytes()).is_none());
        let whole = table(&[(0, "a"), (8, "b")]);
        for len in 0..whole.len() {
            if let Some(cut) = Symbols::parse(&whole[..len]) {
                _ = cut.lookup(4);
                _ = cut.lookup(u32::MAX);
            }
        }
        assert_eq!(Symbols::parse(&table(&[])).unwrap().lookup(5), None);
    }
}
