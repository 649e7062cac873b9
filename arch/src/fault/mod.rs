//! The end of everything: one complete report of what went wrong, from one CPU, and nothing after it.
//!
//! Whoever first wins [`claim`] stops the other CPUs and writes. A second fault of the same CPU, inside the report, says so
//! in one line and ends; one of another CPU halts silently. Nothing here allocates or takes a lock, and whatever is read
//! is checked against the page tables first.

mod backtrace;
pub(crate) mod machine_check;
pub mod plant;
mod report;
pub mod states;

pub use backtrace::{backtrace, backtrace_here};

use crate::cause::{self, Cause};
use crate::exit::{self, Exit};
use crate::{apic, interrupts, memory, percpu, serial};
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// The interrupted CPU's registers as the exception stub pushed them, lowest address first.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Registers {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    pub vector: u64,
    pub error_code: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// No CPU has claimed the report.
const NOBODY: u32 = u32::MAX;
static REPORTER: AtomicU32 = AtomicU32::new(NOBODY);
static STOPPED: AtomicUsize = AtomicUsize::new(0);

/// The kernel's `fn(&[u8])` and `fn() -> &'static str`, as pointers; null until set.
static WRITER: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
static THREAD_NAME: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
/// The kernel's `fn()`.
static SETTLE: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Where reports go; the serial log by default. The function may neither fault, allocate nor take a lock that a stopped CPU
/// could hold.
pub fn set_writer(writer: fn(&[u8])) {
    WRITER.store(writer as *mut (), Ordering::Relaxed);
}

/// How reports learn the running thread's name. Called in faults and NMIs, maybe before there are threads.
pub fn set_thread_name_hook(name: fn() -> &'static str) {
    THREAD_NAME.store(name as *mut (), Ordering::Relaxed);
}

/// What the reporter does before it stops the other CPUs: it lets them end the line of the log that they may be writing,
/// and keeps them from another. Called in faults; may not wait for long.
pub fn set_settle_hook(settle: fn()) {
    SETTLE.store(settle as *mut (), Ordering::Relaxed);
}

/// What [`claim`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "only the first may report"]
pub enum Claim {
    /// This CPU reports; all others have stopped.
    First,
    /// This CPU was already reporting when something else went wrong.
    Again,
}

/// Asks for the right to make the last report, for a panic or a fault. Does not return if another CPU has it.
///
/// Turns interrupts off, for good.
pub fn claim() -> Claim {
    interrupts::disable();
    let this = percpu::index();
    match REPORTER.compare_exchange(NOBODY, this, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {
            settle();
            stop_others();
            Claim::First
        }
        Err(other) if other == this => Claim::Again,
        Err(_) => stopped(),
    }
}

fn settle() {
    let hook = SETTLE.load(Ordering::Relaxed);
    if !hook.is_null() {
        // SAFETY: only `set_settle_hook` stores here, and only functions of this type.
        unsafe { core::mem::transmute::<*mut (), fn()>(hook)() };
    }
}

/// Sends NMIs and waits, though not for ever, until all other CPUs have stopped.
fn stop_others() {
    /// Spins; enough for CPUs that an emulator runs in turns. One that is stuck with NMIs blocked never comes.
    const PATIENCE: u32 = 1_000_000;
    apic::nmi_others(|_| ());
    let others = apic::online().saturating_sub(1);
    for _ in 0..PATIENCE {
        if STOPPED.load(Ordering::Relaxed) >= others {
            break;
        }
        core::hint::spin_loop();
    }
}

/// Stops this CPU, which may have stopped already: an NMI also finds those that lost in [`claim`].
fn stopped() -> ! {
    if percpu::this().stop() {
        STOPPED.fetch_add(1, Ordering::Relaxed);
    }
    exit::halt()
}

/// Where a CPU goes that finds out by itself that another one reports the end.
pub fn await_stop() -> ! {
    interrupts::disable();
    stopped()
}

/// The report's output.
#[derive(Clone, Copy, Debug, Default)]
pub struct Output;

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let writer = WRITER.load(Ordering::Relaxed);
        if writer.is_null() {
            return serial::Serial.write_str(text);
        }
        // SAFETY: only `set_writer` stores here, and only functions of this type.
        let writer = unsafe { core::mem::transmute::<*mut (), fn(&[u8])>(writer) };
        writer(text.as_bytes());
        Ok(())
    }
}

/// The running thread's name, if the kernel said how to find it. Any context.
fn thread_name() -> Option<&'static str> {
    let hook = THREAD_NAME.load(Ordering::Relaxed);
    // SAFETY: only `set_thread_name_hook` stores here, and only functions of this type.
    let hook =
        (!hook.is_null()).then(|| unsafe { core::mem::transmute::<*mut (), fn() -> &'static str>(hook) });
    hook.map(|name| name())
}

/// All NMIs come here: another CPU is about to report, or asks what this one does, or somebody outside pressed a button.
pub(crate) fn on_nmi(registers: &mut Registers) {
    percpu::this().bump(cause::NMI.into());
    let reporter = REPORTER.load(Ordering::Relaxed);
    if reporter != NOBODY && reporter != percpu::index() {
        stopped();
    }
    leave_halt(registers);
    if percpu::this().state().is_asked() {
        states::answer(registers);
    } else {
        (interrupts::handlers().nmi)(registers);
    }
}

/// An NMI may come between STI and HLT or MWAIT, and an interrupt right after it: the wait, which that interrupt was to
/// end, would begin only then. So it's skipped, and who waits looks again, as after any interrupt.
fn leave_halt(registers: &mut Registers) {
    const WAITS: [&[u8]; 2] = [&[0xf4], &[0x0f, 0x01, 0xc9]];
    for wait in WAITS {
        let next = registers.rip + wait.len() as u64;
        let in_text = memory::image::text().contains(&registers.rip) && next <= memory::image::text().end;
        // SAFETY: code is mapped and readable, and nobody writes it.
        if in_text && unsafe { core::slice::from_raw_parts(registers.rip as *const u8, wait.len()) } == wait {
            registers.rip = next;
            return;
        }
    }
}

/// All exceptions end here.
pub(crate) fn on_exception(registers: &Registers) -> ! {
    let vector = registers.vector as u8;
    percpu::this().bump(vector.into());
    let cause = Cause::of(vector, registers.error_code, faulting_address());
    match claim() {
        Claim::First => report::write(&mut Output, registers, &cause, thread_name),
        Claim::Again => report::write_nested(&mut Output, registers, &cause),
    }
    exit::qemu(Exit::Fault)
}

/// CR2, and the stack whose guard page it is in.
fn faulting_address() -> (u64, Option<u64>) {
    let address = x86_64::registers::control::Cr2::read_raw();
    (address, memory::is_guard(address))
}
