//! The text of a fault report.

use super::backtrace::backtrace;
use super::{Registers, machine_check};
use crate::cause::Cause;
use crate::percpu;
use crate::symbols::At;
use core::fmt::{Result, Write};

/// Who runs, as far as somebody knows; asked late, in case asking is what faults next.
type ThreadName = fn() -> Option<&'static str>;

/// Writes the whole report. Errors of `out` are ignored: there is nobody left to tell.
pub(super) fn write(out: &mut dyn Write, registers: &Registers, cause: &Cause, thread: ThreadName) {
    // The other CPUs may have stopped in the middle of a line.
    _ = writeln!(out, "\nFAULT: {cause}");
    _ = write_place(out, registers, thread);
    _ = write_registers(out, registers);
    if cause.is_machine_check() {
        _ = machine_check::write_banks(out);
    }
    backtrace(registers.rbp, registers.rip, out);
}

/// A fault inside of the report: one line, reading nothing that might fault again.
pub(super) fn write_nested(out: &mut dyn Write, registers: &Registers, cause: &Cause) {
    _ = writeln!(out, "\nFAULT: {cause}, while reporting another one; rip {:#018x}", registers.rip);
}

fn write_place(out: &mut dyn Write, registers: &Registers, thread: ThreadName) -> Result {
    write!(out, "  on CPU {}", percpu::index())?;
    if let Some(thread) = thread() {
        write!(out, ", thread \"{thread}\"")?;
    }
    writeln!(out, ", at {}", At(registers.rip))
}

fn write_registers(out: &mut dyn Write, registers: &Registers) -> Result {
    let Registers { rip, rsp, rbp, rflags, cs, ss, .. } = *registers;
    writeln!(out, "  rip {rip:016x}  rsp {rsp:016x}  rbp {rbp:016x}  rflags {rflags:08x}")?;
    let Registers { rax, rbx, rcx, rdx, rsi, rdi, .. } = *registers;
    writeln!(out, "  rax {rax:016x}  rbx {rbx:016x}  rcx {rcx:016x}  rdx {rdx:016x}")?;
    let Registers { r8, r9, r10, r11, r12, r13, r14, r15, .. } = *registers;
    writeln!(out, "  rsi {rsi:016x}  rdi {rdi:016x}  r8  {r8:016x}  r9  {r9:016x}")?;
    writeln!(out, "  r10 {r10:016x}  r11 {r11:016x}  r12 {r12:016x}  r13 {r13:016x}")?;
    writeln!(out, "  r14 {r14:016x}  r15 {r15:016x}  cs {cs:04x}  ss {ss:04x}  cr2 {:016x}", cr2())
}

fn cr2() -> u64 {
    x86_64::registers::control::Cr2::read_raw()
}
