//! What an exception means, or an error of a local APIC, in words. Pure.

use core::fmt;

/// The vector of non-maskable interrupts.
pub const NMI: u8 = 2;
const DOUBLE_FAULT: u8 = 8;
const PAGE_FAULT: u8 = 14;
const MACHINE_CHECK: u8 = 18;

/// Names and mnemonics by vector (SDM 3A table 7-1; AMD's at 28 to 30).
const NAMES: [(&str, &str); 32] = [
    ("divide error", "#DE"),
    ("debug exception", "#DB"),
    ("non-maskable interrupt", "NMI"),
    ("breakpoint", "#BP"),
    ("overflow", "#OF"),
    ("bound range exceeded", "#BR"),
    ("invalid opcode", "#UD"),
    ("device not available", "#NM"),
    ("double fault", "#DF"),
    ("coprocessor segment overrun", "#9"),
    ("invalid TSS", "#TS"),
    ("segment not present", "#NP"),
    ("stack-segment fault", "#SS"),
    ("general protection fault", "#GP"),
    ("page fault", "#PF"),
    ("reserved exception", "#15"),
    ("x87 floating-point error", "#MF"),
    ("alignment check", "#AC"),
    ("machine check", "#MC"),
    ("SIMD floating-point exception", "#XM"),
    ("virtualization exception", "#VE"),
    ("control protection exception", "#CP"),
    ("reserved exception", "#22"),
    ("reserved exception", "#23"),
    ("reserved exception", "#24"),
    ("reserved exception", "#25"),
    ("reserved exception", "#26"),
    ("reserved exception", "#27"),
    ("hypervisor injection exception", "#HV"),
    ("VMM communication exception", "#VC"),
    ("security exception", "#SX"),
    ("reserved exception", "#31"),
];

/// Whether the CPU pushes an error code for this vector (SDM 3A 7.3).
pub const fn has_error_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

/// An exception and what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    vector: u8,
    error_code: u64,
    address: u64,
    overflowed_stack: Option<u64>,
}

impl Cause {
    /// `address` is CR2, and the lowest usable address of the stack whose guard page that is in, if it is in one.
    pub fn of(vector: u8, error_code: u64, address: (u64, Option<u64>)) -> Self {
        let (address, stack) = address;
        // A double fault follows a page fault that could not be delivered, whose address is still in CR2.
        let overflowed_stack = stack.filter(|_| matches!(vector, PAGE_FAULT | DOUBLE_FAULT));
        Self { vector, error_code, address, overflowed_stack }
    }

    /// Whether a thread ran over the end of its stack.
    pub fn is_stack_overflow(&self) -> bool {
        self.overflowed_stack.is_some()
    }

    /// Whether the hardware reported an error of its own.
    pub fn is_machine_check(&self) -> bool {
        self.vector == MACHINE_CHECK
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let (name, mnemonic) = NAMES[usize::from(self.vector) % NAMES.len()];
        let Self { vector, error_code, address, .. } = *self;
        match (vector, self.overflowed_stack) {
            (_, Some(bottom)) => write!(
                out,
                "stack overflow: {} {address:#x}, in the guard page below {bottom:#x} ({mnemonic}, vector {vector})",
                access(error_code),
            ),
            (PAGE_FAULT, None) => {
                write!(out, "{name}: {} {address:#x}, {} ", access(error_code), page(error_code))?;
                write!(out, "({mnemonic}, vector {vector}, error code {error_code:#x})")
            }
            _ if has_error_code(vector) => {
                write!(out, "{name} ({mnemonic}, vector {vector}, error code {error_code:#x})")
            }
            _ => write!(out, "{name} ({mnemonic}, vector {vector})"),
        }
    }
}

/// What a page fault's error code (SDM 3A 4.7) says was tried.
fn access(error_code: u64) -> &'static str {
    match error_code & (1 << 4 | 1 << 1) {
        0b0_0000 => "read from",
        0b0_0010 => "write to",
        _ => "instruction fetch from",
    }
}

/// And what it says of the page.
fn page(error_code: u64) -> &'static str {
    match error_code & (1 << 3 | 1) {
        0b0000 => "which is not mapped",
        0b0001 => "which is protected",
        _ => "whose page-table entry is malformed",
    }
}

/// What a local APIC found wrong, as its error status register has it (SDM 3A 12.5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApicErrors(pub u32);

/// By bit.
const APIC_ERRORS: [&str; 8] = [
    "send checksum",
    "receive checksum",
    "sent and not accepted",
    "received and not accepted",
    "redirectable interrupt",
    "illegal vector sent",
    "illegal vector received",
    "illegal register",
];

impl fmt::Display for ApicErrors {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let mut names = APIC_ERRORS.iter().enumerate().filter(|(bit, _)| self.0 & 1 << bit != 0);
        out.write_str(names.next().map_or("no cause given", |(_, name)| name))?;
        names.try_for_each(|(_, name)| write!(out, ", {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_faults_say_what_was_tried() {
        let text = |code| Cause::of(PAGE_FAULT, code, (0xdead_0000, None)).to_string();
        assert_eq!(
            text(0),
            "page fault: read from 0xdead0000, which is not mapped (#PF, vector 14, error code 0x0)"
        );
        assert!(text(0b11).starts_with("page fault: write to 0xdead0000, which is protected ("));
        assert!(
            text(0b1_0001).starts_with("page fault: instruction fetch from 0xdead0000, which is protected (")
        );
    }

    #[test]
    fn guard_page_makes_a_stack_overflow_of_a_page_fault_only() {
        let cause = |vector| Cause::of(vector, 0, (0x7ff8, Some(0x8000)));
        assert!(cause(PAGE_FAULT).to_string().starts_with("stack overflow: "));
        assert!(cause(PAGE_FAULT).is_stack_overflow() && cause(DOUBLE_FAULT).is_stack_overflow());
        assert!(!cause(13).is_stack_overflow());
    }

    #[test]
    fn every_error_of_an_apic_is_named() {
        assert_eq!(ApicErrors(0).to_string(), "no cause given");
        assert_eq!(ApicErrors(1 << 5).to_string(), "illegal vector sent");
        assert_eq!(ApicErrors(0x84).to_string(), "sent and not accepted, illegal register");
    }

    #[test]
    fn other_exceptions_show_their_error_code() {
        let text = Cause::of(13, 0x18, (0xdead_0000, None)).to_string();
        assert_eq!(text, "general protection fault (#GP, vector 13, error code 0x18)");
        assert_eq!(Cause::of(6, 0, (0, None)).to_string(), "invalid opcode (#UD, vector 6)");
    }
}
