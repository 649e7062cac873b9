//! Switching from one thread's registers to another's.
//!
//! [`switch`] is like a function call that returns on another stack. The caller has, by the ABI, already given up every
//! register but rbx, rbp, r12 to r15, rsp, the control bits of MXCSR and the x87 control word; so these are saved, on the
//! stack that is left, and a [`Context`] is one stack pointer. Vector registers are *not* saved: to the compiler a switch is a
//! call, across which none of them lives.
//!
//! That argument fails for a thread that was interrupted: it gave up nothing. [`preempt_switch`] saves the rest.

pub mod xstate;

use core::arch::{asm, naked_asm};
use core::cell::UnsafeCell;
use core::mem::{offset_of, size_of};
pub use xstate::preempt_switch;

/// A thread that is not running: where its stack pointer was when it was switched away from.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct Context {
    rsp: UnsafeCell<usize>,
}

// SAFETY: the cell is touched only by `prepare`, which has the thread to itself, and by `switch`, whose contract makes
// the two CPUs take turns.
unsafe impl Sync for Context {}

/// What `switch` leaves on a stack, lowest address first.
#[repr(C)]
struct Saved {
    rip: usize,
    mxcsr: u32,
    x87_control: u32,
    rbx: usize,
    rbp: usize,
}

/// All x87 exceptions masked, extended precision, round to nearest: what FNINIT sets.
const DEFAULT_X87_CONTROL: u32 = 0x037f;

impl Context {
    /// A context that nobody may switch to yet; the right one for the thread that a CPU boots on.
    pub const fn new() -> Self {
        Self { rsp: UnsafeCell::new(0) }
    }

    /// Makes the context one that, when first switched to, calls `entry(argument)` on the stack that ends at `stack_top`.
    ///
    /// The thread starts as `switch` leaves it: with interrupts as they are then, and default control words. Backtraces end
    /// at `entry`.
    ///
    /// # Safety
    /// 1. `stack_top` is a multiple of 16 and the memory below it is writable, unused, and the thread's alone.
    /// 2. Nobody switches to or from this context at the same time.
    pub unsafe fn prepare(&self, stack_top: usize, entry: extern "C" fn(usize) -> !, argument: usize) {
        debug_assert_eq!(stack_top % 16, 0);
        // Below the top, 16 bytes of zeros: where a backtrace would look for a caller.
        let saved = stack_top - 16 - size_of::<Saved>();
        // SAFETY: by condition 1, room for the zeros and for a `Saved`; `Saved` is 8-aligned and so is `saved`.
        unsafe {
            ((stack_top - 16) as *mut [usize; 2]).write([0, 0]);
            (saved as *mut Saved).write(Saved {
                rip: first_entry as *const () as usize,
                mxcsr: xstate::DEFAULT_MXCSR,
                x87_control: DEFAULT_X87_CONTROL,
                rbx: argument,
                rbp: entry as usize,
            });
            self.rsp.get().write(saved);
        }
    }

    /// The saved stack pointer, for a look at a thread that does not run. Meaningless while it does.
    pub fn stack_pointer(&self) -> usize {
        // SAFETY: an aligned word that is always initialised. A racing `switch` makes the value stale, not undefined, on
        // the one machine that this crate is for.
        unsafe { self.rsp.get().read_volatile() }
    }
}

/// Where a new thread begins: `prepare` left its argument in rbx's place and its function in rbp's.
#[unsafe(naked)]
unsafe extern "C" fn first_entry() -> ! {
    // `switch` returned here with the rest of a `Saved` still on the stack. After it rsp is a multiple of 16, so that
    // the call leaves it as the ABI has it at a function's entry; rbp is zero, where backtraces end.
    naked_asm!(
        "ldmxcsr [rsp + {mxcsr} - 8]",
        "fldcw [rsp + {x87} - 8]",
        "add rsp, 8",
        "pop rdi",
        "pop rax",
        "xor ebp, ebp",
        "call rax",
        "ud2",
        mxcsr = const offset_of!(Saved, mxcsr),
        x87 = const offset_of!(Saved, x87_control),
    )
}

/// Leaves the running thread, which is `previous`, and continues `next` where it left.
///
/// Returns when somebody switches back to `previous`, maybe on another CPU. 16 instructions, in line: the compiler saves
/// of the other callee-saved registers those that the caller uses, and no more.
///
/// # Safety
/// 1. Interrupts are off (on the host, in tests: nobody else knows the contexts).
/// 2. `previous` is the running thread's context and stays valid until it has been switched back to or is given up.
/// 3. `next` was prepared, or left by `switch`, and that write happened before this call.
/// 4. Nobody else switches to `next`, and nobody switches to `previous` before this call has stored into it: the one who
///    runs next tells the others, after the switch.
#[inline(always)]
pub unsafe fn switch(previous: *const Context, next: *const Context) {
    // SAFETY: by the contract the asm block comes back, if it does, with the stack pointer that it left with and all that
    // it doesn't declare as lost: rbx, rbp and the control words by the frame, nothing else being promised to survive.
    unsafe {
        asm!(
            "push rbp",
            "push rbx",
            "sub rsp, 8",
            "stmxcsr [rsp]",
            "fnstcw [rsp + 4]",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov [rdi], rsp",
            "mov rsp, [rsi]",
            // Not RET: it would not match any call, and spoil the prediction of all that follow.
            "pop rax",
            "jmp rax",
            "2:",
            "ldmxcsr [rsp]",
            "fldcw [rsp + 4]",
            "add rsp, 8",
            "pop rbx",
            "pop rbp",
            inout("rdi") previous => _,
            inout("rsi") next => _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("C"),
        );
    }
}

/// [`switch`] as a function, for assembly.
unsafe extern "C" fn switch_call(previous: *const Context, next: *const Context) {
    // SAFETY: the caller keeps `switch`'s contract.
    unsafe { switch(previous, next) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering};

    static MAIN: Context = Context::new();
    static OTHER: Context = Context::new();
    static SEEN: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn other(argument: usize) -> ! {
        loop {
            SEEN.fetch_add(argument, Ordering::Relaxed);
            // SAFETY: `MAIN` was left by the switch that led here.
            unsafe { switch(&raw const OTHER, &raw const MAIN) };
        }
    }

    #[test]
    fn switches_there_and_back_with_alignment_for_sse() {
        let mut stack = vec![0_u128; 4096];
        let top = stack.as_mut_ptr_range().end as usize;
        // SAFETY: the stack is ours, outlives every switch, and its end is a multiple of 16.
        unsafe { OTHER.prepare(top, other, 7) };
        for round in 1..=3 {
            // SAFETY: `OTHER` was prepared, or left by its own switch.
            unsafe { switch(&raw const MAIN, &raw const OTHER) };
            assert_eq!(SEEN.load(Ordering::Relaxed), 7 * round);
        }
    }

    #[test]
    fn saved_frame_is_what_switch_pushes() {
        assert_eq!(size_of::<Saved>(), 4 * 8);
        assert_eq!((offset_of!(Saved, rip), offset_of!(Saved, mxcsr), offset_of!(Saved, rbp)), (0, 8, 24));
    }
}
