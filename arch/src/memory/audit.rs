//! Whether the page tables keep their promises: no page both writable and executable, nothing in the lower half, code
//! where the code is, guard pages absent. Checked by walking them, since that is what the CPU does.

use super::DIRECT_MAP;
use super::image;
use super::space::page_table_root;
use super::walk::{entries, is_mapped, physical};
use core::fmt;
use core::ops::Range;

/// Bits of an entry (SDM 3A 4.5).
const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// What is wrong with a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// It can be written and executed.
    WritableCode(u64),
    /// It's executable and not the kernel's code.
    StrayCode(u64),
    /// User code could reach it, if there were any, or it's in the half that would be user code's.
    UserPage(u64),
    /// A guard page is there.
    GuardPage(u64),
    /// The image can be reached by the direct map, which is writable.
    Alias(u64),
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::WritableCode(at) => write!(out, "the page at {at:#x} is both writable and executable"),
            Self::StrayCode(at) => {
                write!(out, "the page at {at:#x} is executable and none of the kernel's code")
            }
            Self::UserPage(at) => write!(out, "the page at {at:#x} is open to user code"),
            Self::GuardPage(at) => write!(out, "the guard page at {at:#x} is mapped"),
            Self::Alias(at) => write!(out, "the kernel's image is mapped a second time, at {at:#x}"),
        }
    }
}

/// Checks the page tables that all CPUs run on; gives the number of their mappings. After `init`. Takes no lock.
///
/// The tables that a starting CPU passes through are others: there the page that it starts on is executable where it is.
///
/// # Errors
/// The first violation.
pub fn audit() -> Result<usize, Violation> {
    let mut mappings = 0;
    walk(page_table_root(), 39, 0, Rights::ALL, &mut |mapping| {
        mappings += 1;
        check(mapping, &image::text())
    })?;
    let guard = image::boot_stack_guard();
    if is_mapped(guard) {
        return Err(Violation::GuardPage(guard));
    }
    // Wherever the image is, the direct map leaves it out.
    let pages = [image::start(), image::text().start, image::text().end - 1];
    let mut aliases = pages.iter().filter_map(|page| physical(*page)).map(|page| DIRECT_MAP + page);
    match aliases.find(|at| is_mapped(*at)) {
        Some(at) => Err(Violation::Alias(at)),
        None => Ok(mappings),
    }
}

/// What all entries on the way to a page allow together.
#[derive(Clone, Copy)]
struct Rights {
    write: bool,
    execute: bool,
    user: bool,
}

impl Rights {
    const ALL: Self = Self { write: true, execute: true, user: true };

    fn under(self, entry: u64) -> Self {
        Self {
            write: self.write && entry & WRITABLE != 0,
            execute: self.execute && entry & NO_EXECUTE == 0,
            user: self.user && entry & USER != 0,
        }
    }
}

/// A page of any size.
struct Mapping {
    at: u64,
    len: u64,
    rights: Rights,
}

fn check(mapping: &Mapping, text: &Range<u64>) -> Result<(), Violation> {
    let Mapping { at, len, rights } = *mapping;
    match rights {
        Rights { write: true, execute: true, .. } => Err(Violation::WritableCode(at)),
        Rights { execute: true, .. } if at < text.start || at + len > text.end => {
            Err(Violation::StrayCode(at))
        }
        Rights { user: true, .. } => Err(Violation::UserPage(at)),
        _ if at < DIRECT_MAP => Err(Violation::UserPage(at)),
        _ => Ok(()),
    }
}

type Visit<'a> = dyn FnMut(&Mapping) -> Result<(), Violation> + 'a;

fn walk(table: u64, shift: u32, base: u64, rights: Rights, visit: &mut Visit<'_>) -> Result<(), Violation> {
    for (index, entry) in entries(table).filter(|(_, entry)| entry & PRESENT != 0) {
        let at = canonical(base | index << shift);
        let rights = rights.under(entry);
        if shift == 12 || entry & LARGE != 0 {
            visit(&Mapping { at, len: 1 << shift, rights })?;
        } else {
            walk(entry & ADDRESS, shift - 9, at, rights, visit)?;
        }
    }
    Ok(())
}

/// Bit 47 is repeated in those above.
fn canonical(address: u64) -> u64 {
    ((address << 16) as i64 >> 16) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Range<u64> = 0xffff_ffff_8010_0000..0xffff_ffff_8020_0000;

    fn checked(at: u64, write: bool, execute: bool, user: bool) -> Result<(), Violation> {
        check(&Mapping { at, len: 4096, rights: Rights { write, execute, user } }, &TEXT)
    }

    #[test]
    fn only_code_is_executable_and_no_code_is_writable() {
        assert_eq!(checked(TEXT.start, false, true, false), Ok(()));
        assert_eq!(checked(TEXT.start, true, true, false), Err(Violation::WritableCode(TEXT.start)));
        assert_eq!(checked(TEXT.end, false, true, false), Err(Violation::StrayCode(TEXT.end)));
        assert_eq!(checked(TEXT.end, true, false, false), Ok(()));
    }

    #[test]
    fn nothing_is_for_user_code() {
        assert_eq!(checked(DIRECT_MAP, true, false, true), Err(Violation::UserPage(DIRECT_MAP)));
        assert_eq!(checked(0x1000, true, false, false), Err(Violation::UserPage(0x1000)));
    }

    #[test]
    fn a_right_is_one_only_if_every_table_grants_it() {
        let rights = Rights::ALL.under(PRESENT | WRITABLE).under(PRESENT | WRITABLE | NO_EXECUTE);
        assert!(rights.write && !rights.execute && !rights.user);
        assert!(!rights.under(PRESENT).write);
    }

    #[test]
    fn addresses_are_canonical() {
        assert_eq!(canonical(256 << 39), DIRECT_MAP);
        assert_eq!(canonical(255 << 39), 255 << 39);
    }
}
