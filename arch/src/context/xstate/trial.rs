//! Whether a CPU gives back what it took.
//!
//! Bochs 2.7 does not: its XSAVEC puts the AVX state over the header, unless the SSE state is asked for, too (cured in
//! e54048c16, January 2024). Emulators may err here unnoticed, since most kernels save all or nothing.

use super::{LEGACY_BYTES, SSE, X87};
use core::arch::asm;
use core::arch::x86_64::__cpuid_count;

/// More than the standard format takes with AVX-512: 2,688 bytes and what lies between (MPX, 128).
const ROOM: usize = 4096;

/// The header follows the legacy region: `XSTATE_BV`, then `XCOMP_BV` (SDM 1 13.4.2).
const XSTATE_BV: usize = LEGACY_BYTES as usize;
/// Where the header ends, 48 bytes of which must be zero.
const HEADER_END: usize = XSTATE_BV + 64;
/// MXCSR, which XRSTOR loads along with AVX (SDM 1 13.8.1).
const MXCSR: usize = 24;

/// Registers, as the instructions keep them in memory.
#[repr(C, align(64))]
struct Area([u8; ROOM]);

impl Area {
    /// All registers in their initial state.
    fn initial() -> Self {
        let mut area = Self([0; ROOM]);
        area.0[MXCSR..MXCSR + 4].copy_from_slice(&super::DEFAULT_MXCSR.to_le_bytes());
        area
    }

    /// The components of `mask` in no state that they'd be in by chance, in the standard format.
    fn marked(mask: u64) -> Self {
        let mut area = Self::initial();
        area.0[XSTATE_BV..XSTATE_BV + 8].copy_from_slice(&mask.to_le_bytes());
        for byte in components(mask).flatten() {
            area.0[byte] = (byte % 251) as u8; // a prime, so that no other place looks alike
        }
        area
    }

    /// Whether XRSTOR takes it, rather than faults.
    fn has_sound_header(&self) -> bool {
        self.0[XSTATE_BV + 16..HEADER_END].iter().all(|&byte| byte == 0)
    }
}

/// Where the standard format has each component of `mask`.
fn components(mask: u64) -> impl Iterator<Item = core::ops::Range<usize>> {
    (2..32).filter(move |component| mask & 1 << component != 0).map(|component| {
        let place = __cpuid_count(0xd, component);
        place.ebx as usize..(place.ebx + place.eax) as usize
    })
}

/// Whether XRSTOR finds all that XSAVEC (`compact`) or XSAVE, which the CPU must have, makes of `mask`, which XCR0 must
/// enable.
///
/// Leaves the registers of `mask` in their initial state, as any call may. Marks neither x87 nor SSE, whose place is the same
/// in every format. `false` also for a CPU whose areas are larger than any known one.
pub(super) fn gives_back(compact: bool, mask: u64) -> bool {
    let marks = || components(mask & !(X87 | SSE));
    marks().all(|place| place.end <= ROOM) && {
        let marked = Area::marked(mask & !(X87 | SSE));
        let taken = taken(&marked, compact, mask);
        taken.has_sound_header() && {
            let found = given_back(&taken, mask);
            marks().all(|place| found.0[place.clone()] == marked.0[place])
        }
    }
}

/// What the CPU saves of `mask` while the `marked` components are in the registers.
fn taken(marked: &Area, compact: bool, mask: u64) -> Area {
    let initial = Area::initial();
    let mut taken = Area::initial();
    // SAFETY: the CPU has what saves, by the caller's contract; the areas are aligned, large enough and, as they hold zeros
    // where nothing was put, valid for XRSTOR. The registers that change are a call's to change.
    unsafe {
        asm!(
            "xrstor64 [{marked}]",
            "test ecx, ecx",
            "jz 2f",
            "xsavec64 [{taken}]",
            "jmp 3f",
            "2:",
            "xsave64 [{taken}]",
            "3:",
            "xrstor64 [{initial}]",
            marked = in(reg) marked,
            taken = in(reg) &raw mut taken,
            initial = in(reg) &raw const initial,
            in("ecx") u32::from(compact),
            in("eax") mask as u32,
            in("edx") 0,
            clobber_abi("C"),
            options(nostack),
        );
    }
    taken
}

/// What is in the registers of `mask` after `taken` was restored.
fn given_back(taken: &Area, mask: u64) -> Area {
    let initial = Area::initial();
    let mut found = Area::initial();
    // SAFETY: as in `taken`, whose result has a sound header.
    unsafe {
        asm!(
            "xrstor64 [{taken}]",
            "xsave64 [{found}]",
            "xrstor64 [{initial}]",
            taken = in(reg) taken,
            found = in(reg) &raw mut found,
            initial = in(reg) &raw const initial,
            in("eax") mask as u32,
            in("edx") 0,
            clobber_abi("C"),
            options(nostack),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::supported_mask;
    use super::*;

    fn avx() -> Option<u64> {
        supported_mask().filter(|mask| mask & !(X87 | SSE) != 0)
    }

    #[test]
    fn this_cpu_gives_back_what_it_took() {
        let Some(mask) = avx() else { return };
        assert!(gives_back(false, mask & !SSE), "XSAVE");
        assert!(!std::is_x86_feature_detected!("xsavec") || gives_back(true, mask & !SSE), "XSAVEC");
    }

    #[test]
    fn what_was_not_taken_is_not_found() {
        let Some(mask) = avx() else { return };
        let marked = Area::marked(mask & !(X87 | SSE));
        let found = given_back(&taken(&marked, false, X87), mask & !SSE);
        assert!(components(mask & !(X87 | SSE)).all(|place| found.0[place.clone()] != marked.0[place]));
    }

    #[test]
    fn a_header_that_xrstor_would_refuse_is_seen() {
        assert!(Area::initial().has_sound_header());
        for byte in [XSTATE_BV + 16, XSTATE_BV + 40, HEADER_END - 1] {
            let mut area = Area::initial();
            area.0[byte] = 1;
            assert!(!area.has_sound_header(), "{byte}");
        }
    }
}
