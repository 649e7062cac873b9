//! The preempt word, instruction by instruction: an interrupt between any two finds a way to be looked at.
//!
//! No weak memory is at work here: one CPU writes the word, in single instructions, and what comes in between is an
//! interrupt. So the real instructions are run, on blocks that GS points at, and after each one every choice
//! is tried: no interrupt; one that brings something to look at; and where that makes the CPU look, whether the
//! thread goes on here or on another CPU.

use core::arch::asm;
use std::vec::Vec;

use super::{
    NOT_WANTED, PerCpu, interrupt_may_look, need_resched_set, preempt_count, preempt_disable, preempt_enable,
    preempt_word, resched_clear, resched_due,
};

/// Interrupts that come in one run.
const INTERRUPTS: usize = 2;

/// What a thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Disable,
    Enable,
    /// Wakes someone who is to run here at once.
    Wake,
}

/// The choices of one run, and which run comes next: every one of them in turn.
#[derive(Default)]
struct Choices {
    made: Vec<(usize, usize)>,
    next: usize,
}

impl Choices {
    fn choose(&mut self, among: usize) -> usize {
        if self.next == self.made.len() {
            self.made.push((0, among));
        }
        self.next += 1;
        self.made[self.next - 1].0
    }

    /// Sets up the next run; `false` if there's none.
    fn advance(&mut self) -> bool {
        self.next = 0;
        while let Some((choice, among)) = self.made.pop() {
            if choice + 1 < among {
                self.made.push((choice + 1, among));
                return true;
            }
        }
        false
    }
}

/// Points GS at a block, as the kernel does at boot; user code on Linux has no other use for it.
fn use_block(block: *const PerCpu) {
    const ARCH_PRCTL: u64 = 158;
    const ARCH_SET_GS: u64 = 0x1001;
    let result: i64;
    // SAFETY: the call changes this thread's GS base and nothing else.
    unsafe {
        asm!("syscall", inlateout("rax") ARCH_PRCTL => result, in("rdi") ARCH_SET_GS, in("rsi") block,
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    assert_eq!(result, 0);
}

/// Two CPUs, one thread that goes from one to the other, and what each has yet to look at.
struct Machine {
    blocks: [PerCpu; 2],
    cpu: usize,
    unseen: [usize; 2],
    interrupts: usize,
    choices: Choices,
}

impl Machine {
    /// A run with the given choices. Where the thread isn't, nothing happens: the other CPU keeps preemption on.
    fn run(program: &[Step], choices: Choices) -> Choices {
        let blocks = [PerCpu::new(), PerCpu::new()];
        let mut machine = Self { blocks, cpu: 0, unseen: [0; 2], interrupts: 0, choices };
        use_block(&raw const machine.blocks[0]);
        for &step in program {
            machine.step(step);
        }
        for cpu in 0..2 {
            use_block(&raw const machine.blocks[cpu]);
            assert_eq!(
                machine.unseen[cpu], 0,
                "nobody looks any more: {program:?} {:?}",
                machine.choices.made
            );
            assert_eq!(preempt_word(), NOT_WANTED, "a wish that's never granted: {program:?}");
        }
        use_block(core::ptr::null());
        machine.choices
    }

    /// One thing that the thread does, with a place for an interrupt after each instruction; as in `kernel`, where
    /// `preempt.rs` and `dispatch.rs` have the same calls.
    fn step(&mut self, step: Step) {
        match step {
            Step::Disable => preempt_disable(),
            Step::Enable => {
                let due = preempt_enable();
                self.boundary();
                if due {
                    self.look();
                }
            }
            Step::Wake => {
                // With interrupts off.
                self.unseen[self.cpu] += 1;
                need_resched_set();
                self.boundary();
                let due = resched_due();
                self.boundary();
                if due {
                    self.look();
                }
            }
        }
        self.boundary();
    }

    /// Maybe an interrupt.
    fn boundary(&mut self) {
        if self.interrupts < INTERRUPTS && self.choices.choose(2) == 1 {
            self.interrupts += 1;
            self.unseen[self.cpu] += 1;
            if interrupt_may_look() {
                self.look();
            }
        }
    }

    /// The scheduler's decision, with interrupts off.
    fn look(&mut self) {
        assert_eq!(preempt_count(), 0, "a thread that keeps preemption off was switched away");
        resched_clear();
        self.unseen[self.cpu] = 0;
        self.cpu = self.choices.choose(2);
        use_block(&raw const self.blocks[self.cpu]);
    }
}

/// Every well-nested program of up to `length` steps.
fn programs(length: usize) -> Vec<Vec<Step>> {
    let mut all = Vec::new();
    let mut open = std::vec![(Vec::new(), 0_usize)];
    while let Some((program, depth)) = open.pop() {
        if depth == 0 {
            all.push(program.clone());
        }
        for (step, next) in [
            (Step::Disable, Some(depth + 1)),
            (Step::Enable, depth.checked_sub(1)),
            (Step::Wake, Some(depth)),
        ] {
            if let Some(next) = next.filter(|next| program.len() + 1 + next <= length) {
                let longer = program.iter().copied().chain([step]).collect();
                open.push((longer, next));
            }
        }
    }
    all
}

/// Catches: `need_resched_set` that sets the bit instead of clearing it, `preempt_enable` that tests for anything but
/// zero, `interrupt_may_look` that doesn't note the wish (something is never looked at) or doesn't look at the count
/// (a thread that keeps preemption off is switched away), `resched_clear` that does nothing (a wish never granted).
#[test]
fn an_interrupt_at_any_instruction_is_looked_at() {
    let (mut runs, programs) = (0_u64, programs(6));
    for program in &programs {
        let mut choices = Choices::default();
        loop {
            choices = Machine::run(program, choices);
            runs += 1;
            if !choices.advance() {
                break;
            }
        }
    }
    std::println!("{runs} runs of {} programs", programs.len());
    assert!(runs > 10_000, "{runs}");
}
