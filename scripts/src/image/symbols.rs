//! Fills the kernel's `.symbols` section after linking, so that its backtraces have names.
//!
//! The section is reserved by the linker script and read by the fault report. All numbers are
//! little-endian `u32`: the magic, a count, then for each function its offset from `__text_start`
//! and the offset of its name from the start of the section, in ascending order of address; then the names,
//! demangled and NUL-terminated.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use object::{File, Object, ObjectSection, ObjectSymbol, SymbolKind};

const MAGIC: u32 = 0x5453_4d53;
const SECTION: &str = ".symbols";
const TEXT_START: &str = "__text_start";

/// Names are cut here: generic code can have names longer than a screen is wide.
const LONGEST: usize = 120;

/// Returns `elf` with its symbols filled in.
///
/// # Errors
/// It is no ELF file, lacks the section or the start of its text, or has more symbols than fit.
pub fn fill(mut elf: Vec<u8>) -> Result<Vec<u8>> {
    let (start, room, table) = {
        let file = File::parse(&*elf).context("not an ELF file")?;
        let section = file.section_by_name(SECTION).with_context(|| format!("no `{SECTION}`"))?;
        let (start, room) =
            section.file_range().with_context(|| format!("`{SECTION}` is not in the file"))?;
        (start as usize, room as usize, encode(&functions(&file)?))
    };
    ensure!(
        table.len() <= room,
        "the symbols take {} bytes and `{SECTION}` has {room}: enlarge it in the linker script",
        table.len()
    );
    elf[start..][..table.len()].copy_from_slice(&table);
    Ok(elf)
}

/// Names by offset from the start of the text.
fn functions(file: &File) -> Result<BTreeMap<u32, String>> {
    let base = file
        .symbols()
        .find(|symbol| symbol.name() == Ok(TEXT_START))
        .with_context(|| format!("no symbol `{TEXT_START}`"))?
        .address();
    let mut names = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let offset = symbol.address().checked_sub(base).and_then(|offset| u32::try_from(offset).ok());
        let (Some(offset), Ok(name)) = (offset, symbol.name()) else { continue };
        names.entry(offset).or_insert_with(|| readable(name));
    }
    Ok(names)
}

/// Demangled, without the hash, not too long, and without NULs.
fn readable(name: &str) -> String {
    let full = format!("{:#}", rustc_demangle::demangle(name)).replace('\0', "");
    match full.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &full[..end]),
        None => full,
    }
}

fn encode(functions: &BTreeMap<u32, String>) -> Vec<u8> {
    let mut index = words([MAGIC, functions.len() as u32]);
    let mut names = Vec::new();
    let names_start = index.len() + functions.len() * 8;
    for (&offset, name) in functions {
        index.extend(words([offset, (names_start + names.len()) as u32]));
        names.extend_from_slice(name.as_bytes());
        names.push(0);
    }
    index.extend(names);
    index
}

fn words(pair: [u32; 2]) -> Vec<u8> {
    pair.into_iter().flat_map(u32::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::write::{Object as Writer, Symbol, SymbolSection};
    use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolScope};

    /// An object file with a text, these functions in it, and `room` bytes for the symbols.
    fn elf(functions: &[(&str, u64)], room: u64) -> Vec<u8> {
        let mut file = Writer::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = file.add_section(vec![], b".text".to_vec(), SectionKind::Text);
        file.append_section_data(text, &[0x90; 256], 16);
        let table = file.add_section(vec![], SECTION.into(), SectionKind::ReadOnlyData);
        file.append_section_data(table, &vec![0; room as usize], 16);
        for (name, value) in functions {
            file.add_symbol(Symbol {
                name: name.as_bytes().to_vec(),
                value: *value,
                size: 1,
                kind: SymbolKind::Text,
                scope: SymbolScope::Linkage,
                weak: false,
                section: SymbolSection::Section(text),
                flags: SymbolFlags::None,
            });
        }
        file.write().unwrap()
    }

    /// What a reader of the section finds: offsets and names.
    fn read(elf: &[u8]) -> Vec<(u32, String)> {
        let file = File::parse(elf).unwrap();
        let table = file.section_by_name(SECTION).unwrap().data().unwrap();
        let word = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().unwrap());
        assert_eq!(word(0), MAGIC);
        let name = |at: usize| {
            let bytes = table[at..].split(|&byte| byte == 0).next().unwrap();
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        (0..word(4) as usize).map(|i| (word(8 + i * 8), name(word(12 + i * 8) as usize))).collect()
    }

    #[test]
    fn functions_are_sorted_demangled_and_relative_to_the_text() {
        let names = [
            ("_ZN5sched5inbox4push17h0123456789abcdefE", 0x40),
            (TEXT_START, 0x10),
            ("below_the_text", 0x8),
            ("entry", 0x20),
        ];
        let expected =
            [(0, TEXT_START), (0x10, "entry"), (0x30, "sched::inbox::push")].map(|(o, n)| (o, n.into()));
        assert_eq!(read(&fill(elf(&names, 256)).unwrap()), expected);
    }

    #[test]
    fn long_names_are_cut() {
        let long = "x".repeat(500);
        let filled = fill(elf(&[(TEXT_START, 0), (&long, 4)], 512)).unwrap();
        assert_eq!(read(&filled)[1].1.chars().count(), LONGEST + 1);
    }

    #[test]
    fn what_cannot_be_filled_is_an_error() {
        let error = |bytes| format!("{:#}", fill(bytes).unwrap_err());
        assert!(error(elf(&[(TEXT_START, 0)], 8)).contains("enlarge it"));
        assert!(error(elf(&[("entry", 0)], 64)).contains(TEXT_START));
        assert!(error(b"not an image".to_vec()).contains("not an ELF"));
    }
}
