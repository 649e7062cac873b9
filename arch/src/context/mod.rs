//! Switching from one thread's registers to another's.
//!
//! [`switch`] is a function call that returns on another stack. The caller has, by the ABI, already given up every
//! register but rbx, rbp, r12 to r15, rsp, the control bits of MXCSR and the x87 control word; so these are saved, on the
//! stack that is left, and a [`Context`] is one stack pointer. Vector registers are *not* saved: to the compiler a switch is a
//! call, across which none of them lives.
//!
//! That argument fails for a thread that was interrupted: it gave up nothing. [`preempt_switch`] saves the rest.

pub mod xstate;

use core::arch::naked_asm;
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
    mxcsr: u32,
    x87_control: u32,
    r15: usize,
    r14: usize,
    r13: usize,
    r12: usize,
    rbx: usize,
    rbp: usize,
    rip: usize,
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
                mxcsr: xstate::DEFAULT_MXCSR,
                x87_control: DEFAULT_X87_CONTROL,
                r15: 0,
                r14: 0,
                r13: argument,
                r12: entry as usize,
                rbx: 0,
                rbp: 0,
                rip: first_entry as *const () as usize,
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

/// Where a new thread begins: `prepare` left its function in r12 and the argument in r13.
#[unsafe(naked)]
unsafe extern "C" fn first_entry() -> ! {
    // rsp is a multiple of 16 here, so that the call leaves it as the ABI has it at a function's entry.
    naked_asm!("mov rdi, r13", "call r12", "ud2")
}

/// Leaves the running thread, which is `previous`, and continues `next` where it left.
///
/// Returns when somebody switches back to `previous`, maybe on another CPU. 22 instructions.
///
/// # Safety
/// 1. Interrupts are off (on the host, in tests: nobody else knows the contexts).
/// 2. `previous` is the running thread's context and stays valid until it has been switched back to or is given up.
/// 3. `next` was prepared, or left by `switch`, and that write happened before this call.
/// 4. Nobody else switches to `next`, and nobody switches to `previous` before this call has stored into it: the one who
///    runs next tells the others, after the switch.
#[unsafe(naked)]
pub unsafe extern "C" fn switch(previous: *const Context, next: *const Context) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, {words}",
        "stmxcsr [rsp + {mxcsr}]",
        "fnstcw [rsp + {x87}]",
        "mov [rdi], rsp",
        "mov rsp, [rsi]",
        "ldmxcsr [rsp + {mxcsr}]",
        "fldcw [rsp + {x87}]",
        "add rsp, {words}",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        words = const offset_of!(Saved, r15),
        mxcsr = const offset_of!(Saved, mxcsr),
        x87 = const offset_of!(Saved, x87_control),
    )
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
    fn saved_frame_is_whole_words() {
        assert_eq!(size_of::<Saved>(), 8 * 8);
        assert_eq!(offset_of!(Saved, r15), 8);
    }
}
