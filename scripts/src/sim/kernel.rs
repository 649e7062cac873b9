//! What a kernel does around the scheduler, on each event: the calls of `kernel`, in the same order.
//!
//! An interrupt handler, a switch's two halves and the idle loop are written as the kernel writes them, with
//! the machine replaced by events. Whatever happens at one instant on one CPU happens with interrupts off.

use sched::{After, Arm, CpuId, Next, Reason, WakeOutcome};

use super::events::{Event, What};
use super::program::{Plan, Step};
use super::world::{Doing, Phase, World};

/// A thread that does so many things without using CPU time is caught in a loop of the scenario's making.
const ENDLESS: u32 = 10_000;

impl World<'_> {
    /// Handles one event.
    pub fn handle(&mut self, event: Event) {
        self.now = event.at;
        let Event { cpu, what, .. } = event;
        if self.cpus[cpu].stalled_until > self.now && !matches!(what, What::Start(_)) {
            return self.events.add(self.cpus[cpu].stalled_until, cpu, what);
        }
        self.totals.events += 1;
        match what {
            What::Timer(number) => {
                if self.cpus[cpu].timer.is_some_and(|(_, armed)| armed == number) {
                    self.cpus[cpu].timer = None;
                    self.interrupt(cpu, what);
                }
            }
            What::Spurious => {
                self.foresee_random(cpu, What::Spurious, self.machine.spurious);
                self.cpus[cpu].timer = None;
                self.interrupt(cpu, what);
            }
            What::Kick => {
                self.cpus[cpu].kicks -= 1;
                self.interrupt(cpu, what);
            }
            What::Done(turn) if turn == self.cpus[cpu].turn => self.done(cpu),
            What::Notice(turn) if turn == self.cpus[cpu].turn => self.reschedule(cpu, Reason::Preempt),
            What::Done(_) | What::Notice(_) => {}
            What::Stall => self.stall(cpu),
            What::Start(thread) => self.start(thread),
        }
        self.let_polling_cpus_notice();
    }

    /// An interrupt: at once, or when the switch is done.
    fn interrupt(&mut self, cpu: usize, what: What) {
        self.trace.note(self.now, cpu, || format!("interrupt {what:?}"));
        if self.cpus[cpu].phase == Phase::Switching {
            return self.cpus[cpu].pending.push(what);
        }
        if what != What::Kick {
            self.cpus[cpu].sched.timer_fired();
        }
        self.reschedule(cpu, Reason::Preempt);
    }

    /// What the CPU was doing is done.
    fn done(&mut self, cpu: usize) {
        match self.cpus[cpu].phase {
            Phase::Running => self.go_on(cpu),
            Phase::Polling => self.halt(cpu),
            Phase::Switching => self.switched(cpu),
            Phase::Halted => {}
        }
    }

    /// The hypervisor takes the CPU away for a while: nothing happens on it, and its thread is charged.
    fn stall(&mut self, cpu: usize) {
        self.account(cpu);
        let until = self.now + self.machine.stall.draw(&mut self.rng);
        self.cpus[cpu].stalled_until = until;
        self.cpus[cpu].since = until;
        if self.cpus[cpu].phase == Phase::Running {
            self.begin_run(cpu);
        }
        self.foresee_random(cpu, What::Stall, self.machine.stall_every);
    }

    /// The scenario starts a thread, on CPU 0 and in an interrupt as it were.
    fn start(&mut self, thread: usize) {
        if self.cpus[0].phase == Phase::Switching || self.cpus[0].stalled_until > self.now {
            return self.events.add(self.now + 1_000, 0, What::Start(thread));
        }
        self.threads[thread].doing = Doing::Runnable;
        let now = self.local(0);
        let outcome = self.cpus[0].sched.start(self.threads[thread].task, now);
        if self.carry_out(outcome) {
            self.reschedule(0, Reason::Preempt);
        }
    }

    /// Lets the scheduler decide and does what it says.
    pub fn reschedule(&mut self, cpu: usize, reason: Reason) {
        self.account(cpu);
        let now = self.local(cpu);
        let decision = self.cpus[cpu].sched.reschedule(now, reason);
        self.trace.note(self.now, cpu, || format!("{reason:?}: {decision:?}"));
        self.arm(cpu, decision.arm);
        self.send_kicks(cpu);
        match decision.next {
            Next::Stay if self.cpus[cpu].sched.is_idle() => self.idle(cpu),
            Next::Stay => self.go_on(cpu),
            Next::Switch(slot) => {
                self.cpus[cpu].thread = self.tenants[slot];
                let takes = self.machine.switch.draw(&mut self.rng);
                self.begin(cpu, Phase::Switching, Some(takes));
            }
        }
    }

    /// The second half of a switch, on the new stack.
    fn switched(&mut self, cpu: usize) {
        let after = self.cpus[cpu].sched.switched();
        self.send_kicks(cpu);
        if let After::Reap(task) = after {
            self.tenants[task.index()] = None;
            self.free.push(task.index());
            self.shared.release(task);
        }
        self.cpus[cpu].since = self.now;
        self.cpus[cpu].phase = Phase::Running;
        let pending = std::mem::take(&mut self.cpus[cpu].pending);
        if !pending.is_empty() {
            // Interrupts go on again: each takes its turn; one is enough for the scheduler to look.
            if pending.iter().any(|what| *what != What::Kick) {
                self.cpus[cpu].sched.timer_fired();
            }
            self.reschedule(cpu, Reason::Preempt);
        } else if after == After::Reschedule || self.cpus[cpu].sched.is_idle() {
            self.reschedule(cpu, Reason::Preempt);
        } else {
            self.go_on(cpu);
        }
    }

    /// The idle loop, from where a reschedule found nothing.
    pub fn idle(&mut self, cpu: usize) {
        let now = self.local(cpu);
        self.cpus[cpu].sched.enter_idle(now);
        self.send_kicks(cpu);
        let poll = self.shared.config().poll.0;
        self.begin(cpu, Phase::Polling, Some(poll));
    }

    /// Polling ends.
    fn halt(&mut self, cpu: usize) {
        let now = self.local(cpu);
        if self.cpus[cpu].sched.may_halt(now) {
            self.begin(cpu, Phase::Halted, None);
        } else {
            self.reschedule(cpu, Reason::Preempt);
        }
    }

    /// The CPU begins something that takes so long, or has no end of its own.
    fn begin(&mut self, cpu: usize, phase: Phase, takes: Option<u64>) {
        let state = &mut self.cpus[cpu];
        state.phase = phase;
        state.turn += 1;
        if let Some(takes) = takes {
            self.events.add(self.now + takes, cpu, What::Done(state.turn));
        }
    }

    /// The current thread's step takes what remains of it.
    fn begin_run(&mut self, cpu: usize) {
        let thread = self.cpus[cpu].thread.expect("a thread runs");
        let from = self.cpus[cpu].since.max(self.now) - self.now;
        let takes = Some(self.threads[thread].remaining).filter(|&left| left != u64::MAX);
        self.begin(cpu, Phase::Running, takes.map(|takes| from + takes));
    }

    /// Notes what the current thread got done.
    fn account(&mut self, cpu: usize) {
        let state = &mut self.cpus[cpu];
        if let (Phase::Running, Some(thread)) = (state.phase, state.thread) {
            let thread = &mut self.threads[thread];
            let done = self.now.saturating_sub(state.since);
            thread.work += done;
            if thread.remaining != u64::MAX {
                thread.remaining -= done.min(thread.remaining);
            }
            state.since = state.since.max(self.now);
        }
    }

    /// The current thread goes on: with the rest of its step, or with the next ones.
    fn go_on(&mut self, cpu: usize) {
        self.account(cpu);
        let thread = self.cpus[cpu].thread.expect("a thread runs");
        if let Doing::Sleeping(until) = self.threads[thread].doing {
            if until > self.local(cpu).0 {
                // Woken early, by someone else or by a CPU whose clock is ahead. The timer may be used up.
                return self.sleep(cpu, thread, until);
            }
            // Woken at its time but by someone else, perhaps: the timer must not leave a permit.
            self.cpus[cpu].sched.cancel_timer();
        }
        self.threads[thread].doing = Doing::Runnable;
        self.threads[thread].repinned = false;
        for _ in 0..ENDLESS {
            if self.threads[thread].remaining > 0 {
                return self.begin_run(cpu);
            }
            let step = self.take_step(thread);
            if !self.perform(cpu, thread, step) {
                return;
            }
        }
        panic!("thread {thread} does {ENDLESS} things in no time");
    }

    /// Performs one step of the current thread; whether the thread goes on.
    fn perform(&mut self, cpu: usize, thread: usize, step: Step) -> bool {
        match step {
            Step::Run(span) => self.threads[thread].remaining = span.draw(&mut self.rng),
            Step::Loop => self.threads[thread].remaining = u64::MAX,
            Step::Sleep(span) => {
                let until = self.local(cpu).0 + span.draw(&mut self.rng);
                self.sleep(cpu, thread, until);
                return false;
            }
            Step::Yield => return self.leave(cpu, Reason::Yield),
            Step::Park => return self.park(cpu, thread),
            Step::Wake(other) => return self.wake(cpu, other),
            Step::WakeAny => {
                let other = self.rng.usize(0..self.threads.len());
                return self.wake(cpu, other);
            }
            Step::Spawn(plan) => return self.spawn(cpu, *plan),
            Step::Pin(other, affinity) => return self.pin(cpu, other.unwrap_or(thread), affinity),
            Step::Exit => {
                self.threads[thread].doing = Doing::Gone;
                self.threads[thread].accounted = self.accounted(thread);
                return self.leave(cpu, Reason::Exit);
            }
        }
        true
    }

    fn leave(&mut self, cpu: usize, reason: Reason) -> bool {
        self.reschedule(cpu, reason);
        false
    }

    fn sleep(&mut self, cpu: usize, thread: usize, until: u64) {
        self.cpus[cpu].sched.set_timer(sched::Nanos(until));
        self.threads[thread].doing = Doing::Sleeping(until);
        self.threads[thread].permit = false;
        self.reschedule(cpu, Reason::Block);
    }

    fn park(&mut self, cpu: usize, thread: usize) -> bool {
        if !std::mem::take(&mut self.threads[thread].permit) {
            self.threads[thread].doing = Doing::Parked;
        }
        self.reschedule(cpu, Reason::Block);
        // A park may return without a wake: a timer that fires while its thread is about to run leaves a permit.
        let parked = self.threads[thread].doing == Doing::Parked;
        if parked && !self.shared.task(self.threads[thread].task.index()).is_blocked() {
            self.threads[thread].doing = Doing::Runnable;
        }
        false
    }

    fn wake(&mut self, cpu: usize, other: usize) -> bool {
        let now = self.local(cpu);
        let (task, scheduler) = (self.threads[other].task, &mut self.cpus[cpu].sched);
        let outcome = scheduler.wake_at_once(task, now);
        let woken = &mut self.threads[other];
        if woken.doing == Doing::Parked {
            // Whatever the scheduler says: if it's now nowhere, the wakeup is lost.
            woken.doing = Doing::Runnable;
        } else if outcome == WakeOutcome::Already {
            woken.permit = true;
        }
        self.trace.note(self.now, cpu, || format!("wakes thread {other}: {outcome:?}"));
        self.after_wake(cpu, outcome)
    }

    fn spawn(&mut self, cpu: usize, plan: Plan) -> bool {
        if self.free.is_empty() {
            return true;
        }
        let now = self.local(cpu);
        let thread = self.admit(plan);
        self.threads[thread].doing = Doing::Runnable;
        let outcome = self.cpus[cpu].sched.start(self.threads[thread].task, now);
        self.trace.note(self.now, cpu, || format!("starts thread {thread}: {outcome:?}"));
        self.after_wake(cpu, outcome)
    }

    fn pin(&mut self, cpu: usize, other: usize, affinity: sched::Affinity) -> bool {
        if self.threads[other].doing == Doing::Gone {
            return true;
        }
        self.threads[other].plan.affinity = affinity;
        self.threads[other].repinned = true;
        let now = self.local(cpu);
        let outcome = self.cpus[cpu].sched.set_affinity(self.threads[other].task, affinity, now);
        self.trace.note(self.now, cpu, || format!("confines thread {other} to {affinity:?}: {outcome:?}"));
        self.after_wake(cpu, outcome)
    }

    fn after_wake(&mut self, cpu: usize, outcome: WakeOutcome) -> bool {
        if self.carry_out(outcome) { self.leave(cpu, Reason::Preempt) } else { true }
    }

    /// Does what a wake asks for; whether the CPU must reschedule.
    fn carry_out(&mut self, outcome: WakeOutcome) -> bool {
        match outcome {
            WakeOutcome::Kick(target) => self.kick(target),
            WakeOutcome::Local { preempt } => return preempt,
            WakeOutcome::Gone | WakeOutcome::Already | WakeOutcome::Noticed => {}
        }
        false
    }

    fn send_kicks(&mut self, cpu: usize) {
        while let Some(target) = self.cpus[cpu].sched.take_kick() {
            self.kick(target);
        }
    }

    fn kick(&mut self, target: CpuId) {
        self.totals.kicks += 1;
        let twice = self.machine.kick_twice > 0 && self.rng.u32(0..self.machine.kick_twice) == 0;
        for _ in 0..=u32::from(twice) {
            self.cpus[target.index()].kicks += 1;
            let at = self.now + self.machine.kick.draw(&mut self.rng);
            self.events.add(at, target.index(), What::Kick);
        }
    }

    fn arm(&mut self, cpu: usize, arm: Arm) {
        let Arm::At(deadline) = arm else { return };
        let late = self.machine.late.draw(&mut self.rng);
        self.armings += 1;
        let state = &mut self.cpus[cpu];
        state.timer = Some((deadline.0, self.armings));
        let due = deadline.0.saturating_sub(state.skew).max(self.now) + late;
        self.events.add(due, cpu, What::Timer(self.armings));
    }

    /// A post to a polling CPU is noticed a moment later.
    fn let_polling_cpus_notice(&mut self) {
        for cpu in 0..self.cpus.len() {
            let state = &self.cpus[cpu];
            if state.phase == Phase::Polling && state.noticed != state.turn && state.sched.has_work() {
                let at = self.now + self.machine.notice.draw(&mut self.rng);
                self.events.add(at, cpu, What::Notice(state.turn));
                self.cpus[cpu].noticed = self.cpus[cpu].turn;
            }
        }
    }
}
