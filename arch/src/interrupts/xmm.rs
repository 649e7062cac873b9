//! XMM0 to 15 at the stack pointer, which is aligned to 16: every entry that returns keeps them, since the kernel's own code
//! uses them.

/// `xmm!(save)` or `xmm!(restore)`: sixteen instructions, for `asm!` and its kin.
macro_rules! xmm {
    (save) => {
        xmm!("movaps [rsp + 16 * \\n], xmm\\n")
    };
    (restore) => {
        xmm!("movaps xmm\\n, [rsp + 16 * \\n]")
    };
    // `\n` is the assembler's name for the register's number.
    ($instruction:literal) => {
        concat!(".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n", $instruction, "\n.endr")
    };
}

pub(super) use xmm;
