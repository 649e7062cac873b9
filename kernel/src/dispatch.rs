//! Carrying out what the scheduler decides: timer, kicks, context switches.
//!
//! Everything here runs with interrupts off between asking for a decision and having carried it out. A
//! thread that calls [`reschedule`] comes back later, possibly on another CPU.

use arch::context::{self, Context};
use arch::{apic, interrupts, percpu, timer};
use sched::{Affinity, After, Arm, Class, CpuId, Nanos, Next, Reason, Rest, TaskId, WakeOutcome};

use crate::asked;
use crate::idle;
use crate::local::{Local, now};
use crate::record::Scheduler;

/// How a switch leaves the thread that ran.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// At a call, where the compiler has saved what it needs.
    Voluntarily,
    /// At any instruction: its full vector state must be kept.
    Preempted,
}

/// The running thread says what it does; returns when it runs again. Interrupts on, preemption on.
///
/// Inlined, so that each reason has a path of its own.
#[inline(always)]
pub fn reschedule(reason: Reason) {
    interrupts::disable();
    debug_assert_eq!(percpu::preempt_count(), 0, "a thread that keeps preemption off may not give way");
    look(reason, Leave::Voluntarily);
    interrupts::enable();
}

/// The same from the idle task, with interrupts off before and after.
#[inline]
pub fn look_for_work() {
    look(Reason::Preempt, Leave::Voluntarily);
}

/// Preemption was just turned on and somebody had asked for a reschedule.
#[cold]
pub fn preempt_point() {
    // A kick may have found preemption off.
    asked::answer();
    if interrupts::enabled() {
        preempt();
    } else {
        // Whoever has interrupts off looks for itself when it's done.
        percpu::need_resched_set();
    }
}

/// One decision and what follows from it, until nothing more does. Interrupts off.
#[inline(always)]
fn look(reason: Reason, leave: Leave) {
    if step(reason, leave) {
        look_again(leave);
    }
}

/// Something arrived while the last switch was made. A thread that was preempted still is, at the same instruction: its
/// vector state is in registers again, and must be kept again.
#[cold]
#[inline(never)]
fn look_again(leave: Leave) {
    while step(Reason::Preempt, leave) {}
}

/// One decision; whether another look is needed.
#[inline(always)]
fn step(reason: Reason, leave: Leave) -> bool {
    percpu::resched_clear();
    let local = Local::here();
    // SAFETY: interrupts are off, and the reference ends before the switch.
    let cpu = unsafe { local.cpu() };
    let decision = cpu.reschedule(now(), reason);
    if let Arm::At(deadline) = decision.arm {
        timer::arm(deadline.0);
    }
    match decision.next {
        Next::Stay => {
            send_kicks(cpu);
            false
        }
        // Kicks that came with it are sent on the other side: a few instructions later.
        Next::Switch(next) => {
            switch(local, next, leave);
            finish_switch()
        }
    }
}

/// Continues with the task in slot `next`; returns when the one that runs now does so again.
#[inline]
fn switch(local: &Local, next: usize, leave: Leave) {
    let next = local.threads.context(next);
    // SAFETY: `Local::install` set it to a context of the thread table, which lives for ever, and so did every switch since.
    let prev = unsafe { &*percpu::running().cast::<Context>() };
    percpu::set_running(core::ptr::from_ref(next).cast());
    // SAFETY: interrupts are off. The scheduler hands out a task to one CPU at a time and `next` only once its
    // context was saved (`Cpu::switched` on the CPU that it left), so nobody else uses `next`, and nobody
    // uses `prev` before this CPU calls `switched` on the new stack.
    unsafe {
        match leave {
            Leave::Voluntarily => context::switch(prev, next),
            Leave::Preempted => context::preempt_switch(prev, next),
        }
    }
}

/// First thing on the new stack: completes the switch on whatever CPU this is now. Interrupts off. Answers
/// whether something should run before this thread.
#[inline(always)]
pub fn finish_switch() -> bool {
    let local = Local::here();
    // SAFETY: interrupts are off, and this is the only reference.
    let cpu = unsafe { local.cpu() };
    let after = cpu.switched();
    send_kicks(cpu);
    match after {
        After::Run => false,
        After::Reschedule => true,
        After::Reap(gone) => {
            local.threads.reap(local.shared, gone);
            false
        }
    }
}

#[inline]
fn send_kicks(cpu: &mut Scheduler) {
    while let Some(target) = cpu.take_kick() {
        apic::kick(target.0);
    }
}

/// Wakes a task. From threads, with interrupts on.
#[inline(never)]
pub fn wake(task: TaskId) {
    interrupts::disable();
    // SAFETY: interrupts are off, and this is the only reference.
    match unsafe { Local::here().cpu() }.wake(task) {
        Err(Rest::Claimed) => return send(task),
        Err(Rest::Unclaimed) => return notice(task),
        Ok(WakeOutcome::Kick(CpuId(target))) => apic::kick(target),
        Ok(_) => {}
    }
    interrupts::enable();
}

/// The rest of a wake whose task's CPU is busy, mostly with the waker. A tail call, so that the short way saves
/// no registers.
#[inline(never)]
fn send(task: TaskId) {
    let now = now();
    // SAFETY: `wake` turned interrupts off, and this is the only reference.
    match unsafe { Local::here().cpu() }.take_claimed(task, now) {
        Some(false) => interrupts::enable(),
        Some(true) => preempt_soon(),
        None => send_away(task, now),
    }
}

/// The same where the task goes to another CPU.
#[inline(never)]
fn send_away(task: TaskId, now: Nanos) {
    // SAFETY: `wake` turned interrupts off, and this is the only reference.
    let outcome = unsafe { Local::here().cpu() }.wake_rest(task, Rest::Claimed, now);
    follow(outcome);
}

/// The rest of a wake whose task isn't blocked.
#[inline(never)]
fn notice(task: TaskId) {
    // SAFETY: `wake` turned interrupts off, and this is the only reference.
    let outcome = unsafe { Local::here().cpu() }.wake_rest(task, Rest::Unclaimed, now());
    follow(outcome);
}

/// Wakes a task. The last that an interrupt's handler does.
pub fn wake_by_interrupt(task: TaskId) {
    // SAFETY: interrupts are off in a handler, and this is the only reference.
    let outcome = unsafe { Local::here().cpu() }.wake_by_interrupt(task, now());
    if let WakeOutcome::Kick(CpuId(target)) = outcome {
        apic::kick(target);
    }
    look_from_interrupt();
}

/// [`wake`] by a thread that holds a lock which the woken one is about to take: it isn't preempted at once, but
/// has a few microseconds to release it.
#[inline(never)]
pub fn notify(task: TaskId) {
    interrupts::disable();
    // SAFETY: interrupts are off, and this is the only reference.
    match unsafe { Local::here().cpu() }.wake(task) {
        Err(Rest::Claimed) => return send_later(task),
        Err(Rest::Unclaimed) => return notice(task),
        Ok(WakeOutcome::Kick(CpuId(target))) => apic::kick(target),
        Ok(_) => {}
    }
    interrupts::enable();
}

/// [`send`] for [`notify`].
#[inline(never)]
fn send_later(task: TaskId) {
    let now = now();
    // SAFETY: `notify` turned interrupts off, and this is the only reference.
    match unsafe { Local::here().cpu() }.take_claimed(task, now) {
        Some(false) => interrupts::enable(),
        Some(true) => put_off(now),
        None => send_away(task, now),
    }
}

/// What was woken should run here soon. Turns interrupts on.
#[inline(always)]
fn put_off(now: Nanos) {
    // SAFETY: `notify` turned interrupts off, and this is the only reference.
    if let Arm::At(deadline) = unsafe { Local::here().cpu() }.put_off(now) {
        timer::arm(deadline.0);
    }
    interrupts::enable();
}

/// Changes how much a task counts. From threads, with interrupts on.
pub fn set_weight(task: TaskId, weight: u32) {
    control(|cpu, now| cpu.set_weight(task, weight, now));
}

/// Changes a task's class. From threads, with interrupts on.
pub fn set_class(task: TaskId, class: Class) {
    control(|cpu, now| cpu.set_class(task, class, now));
}

/// Changes where a task may run. From threads, with interrupts on.
pub fn set_affinity(task: TaskId, affinity: Affinity) {
    control(|cpu, now| cpu.set_affinity(task, affinity, now));
}

/// Makes the scheduler look at a rank that was lent to a task, or returned. From threads, with interrupts on.
pub fn reconsider(task: TaskId) {
    control(|cpu, now| cpu.reconsider(task, now));
}

#[inline(always)]
fn control(change: impl FnOnce(&mut Scheduler, Nanos) -> WakeOutcome) {
    interrupts::disable();
    // SAFETY: interrupts are off, and this is the only reference.
    let outcome = change(unsafe { Local::here().cpu() }, now());
    follow(outcome);
}

/// Starts a task that was just made. From threads with interrupts on, and from boot with interrupts off.
pub fn start(task: TaskId) {
    let flags = interrupts::disable_save();
    // SAFETY: interrupts are off, and this is the only reference.
    let outcome = unsafe { Local::here().cpu() }.start(task, now());
    if flags.were_enabled() {
        return follow(outcome);
    }
    // At boot, this CPU is about to look by itself.
    if let WakeOutcome::Kick(CpuId(target)) = outcome {
        apic::kick(target);
    }
}

/// Does what a wake's outcome asks for, and turns interrupts on.
#[inline(always)]
fn follow(outcome: WakeOutcome) {
    match outcome {
        WakeOutcome::Kick(CpuId(target)) => apic::kick(target),
        WakeOutcome::Local { preempt: true } => return preempt_soon(),
        _ => {}
    }
    interrupts::enable();
}

/// What was woken should run here and now, or as soon as preemption is on. Turns interrupts on.
#[inline(never)]
fn preempt_soon() {
    percpu::need_resched_set();
    interrupts::enable();
    if percpu::resched_due() {
        preempt();
    }
}

/// The running thread asks whether it should go on.
#[inline(never)]
pub fn preempt() {
    reschedule(Reason::Preempt);
}

/// The timer interrupt.
pub fn on_timer() {
    // SAFETY: interrupts are off in a handler, and this is the only reference.
    unsafe { Local::here().cpu() }.timer_fired();
    look_from_interrupt();
}

/// The kick interrupt.
pub fn on_kick() {
    // A question's kick and that of a wakeup may have come as one.
    asked::answer();
    look_from_interrupt();
}

/// The end of an interrupt: look, unless the interrupted thread keeps preemption off.
#[inline(always)]
fn look_from_interrupt() {
    // SAFETY: interrupts are off in a handler, and this is the only reference.
    let idle = unsafe { Local::here().cpu() }.is_idle();
    match (percpu::interrupt_may_look(), idle) {
        (false, _) => {}
        (true, true) => idle::interrupted(),
        (true, false) => look_preempted(),
    }
}

/// Whether the interrupted thread should go on.
#[inline(never)]
fn look_preempted() {
    look(Reason::Preempt, Leave::Preempted);
}
