//! Registers that the kernel's own code never uses, but threads may: whether a preemption keeps them.
//!
//! The compiler leaves nothing in the x87 stack, the upper halves of YMM and what AVX-512 added, so no computation in Rust finds out.

use arch::context::xstate;
use core::arch::asm;

/// Rounds of two instructions for which values stay in registers.
const ROUNDS: u32 = 10_000;

/// Whether values made from `seed` stay in the registers for a while.
pub fn keep(seed: u64) -> bool {
    let kept = xstate::kept();
    keep_x87(seed) && (!kept.avx || keep_ymm(seed)) && (!kept.avx512 || keep_zmm(seed))
}

fn keep_x87(seed: u64) -> bool {
    let values: [f64; 8] = core::array::from_fn(|i| seed as f64 + i as f64 / 8.0);
    let mut found = [0.0_f64; 8];
    // SAFETY: eight values are pushed on the x87 stack, which is empty at any call, and popped; only `found` is written.
    unsafe {
        asm!(
            "fld qword ptr [{values}]",
            "fld qword ptr [{values} + 8]",
            "fld qword ptr [{values} + 16]",
            "fld qword ptr [{values} + 24]",
            "fld qword ptr [{values} + 32]",
            "fld qword ptr [{values} + 40]",
            "fld qword ptr [{values} + 48]",
            "fld qword ptr [{values} + 56]",
            "2: dec {rounds:e}",
            "jnz 2b",
            "fstp qword ptr [{found} + 56]",
            "fstp qword ptr [{found} + 48]",
            "fstp qword ptr [{found} + 40]",
            "fstp qword ptr [{found} + 32]",
            "fstp qword ptr [{found} + 24]",
            "fstp qword ptr [{found} + 16]",
            "fstp qword ptr [{found} + 8]",
            "fstp qword ptr [{found}]",
            values = in(reg) values.as_ptr(),
            found = in(reg) found.as_mut_ptr(),
            rounds = inout(reg) ROUNDS => _,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            options(nostack),
        );
    }
    found.map(f64::to_bits) == values.map(f64::to_bits)
}

/// The same of YMM, of which the first, the last, and two in between must do.
fn keep_ymm(seed: u64) -> bool {
    let values: [[u64; 4]; 4] = core::array::from_fn(|i| [seed ^ i as u64; 4]);
    let mut found = [[0_u64; 4]; 4];
    // SAFETY: the CPU has AVX, and the kernel enabled it; only `found` is written.
    unsafe {
        asm!(
            "vmovdqu ymm0, [{values}]",
            "vmovdqu ymm5, [{values} + 32]",
            "vmovdqu ymm10, [{values} + 64]",
            "vmovdqu ymm15, [{values} + 96]",
            "2: dec {rounds:e}",
            "jnz 2b",
            "vmovdqu [{found}], ymm0",
            "vmovdqu [{found} + 32], ymm5",
            "vmovdqu [{found} + 64], ymm10",
            "vmovdqu [{found} + 96], ymm15",
            "vzeroupper",
            values = in(reg) values.as_ptr(),
            found = in(reg) found.as_mut_ptr(),
            rounds = inout(reg) ROUNDS => _,
            out("xmm0") _, out("xmm5") _, out("xmm10") _, out("xmm15") _,
            options(nostack),
        );
    }
    found == values
}

/// The same of ZMM, of which two must do that are old registers' widening, and two new ones; and of two opmasks.
fn keep_zmm(seed: u64) -> bool {
    let values: [[u64; 8]; 4] = core::array::from_fn(|i| [!seed ^ i as u64; 8]);
    let mut found = [[0_u64; 8]; 4];
    let masks = [seed as u16, !seed as u16];
    let mut found_masks = [0_u16; 2];
    // SAFETY: the CPU has AVX-512, and the kernel enabled it; the compiler, to which it's unknown, uses none of it.
    unsafe {
        asm!(
            "vmovdqu64 zmm0, [{values}]",
            "vmovdqu64 zmm15, [{values} + 64]",
            "vmovdqu64 zmm16, [{values} + 128]",
            "vmovdqu64 zmm31, [{values} + 192]",
            "kmovw k1, [{masks}]",
            "kmovw k7, [{masks} + 2]",
            "2: dec {rounds:e}",
            "jnz 2b",
            "vmovdqu64 [{found}], zmm0",
            "vmovdqu64 [{found} + 64], zmm15",
            "vmovdqu64 [{found} + 128], zmm16",
            "vmovdqu64 [{found} + 192], zmm31",
            "kmovw [{found_masks}], k1",
            "kmovw [{found_masks} + 2], k7",
            "vzeroupper",
            values = in(reg) values.as_ptr(),
            found = in(reg) found.as_mut_ptr(),
            masks = in(reg) masks.as_ptr(),
            found_masks = in(reg) found_masks.as_mut_ptr(),
            rounds = inout(reg) ROUNDS => _,
            out("xmm0") _, out("xmm15") _,
            options(nostack),
        );
    }
    found == values && found_masks == masks
}
