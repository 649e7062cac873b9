//! What a kernel does around the scheduler, on each event: the calls of `kernel`, in the same order.
//!
//! An interrupt handler, a switch's two halves and the idle loop are written as the kernel writes them, with
//! the machine replaced by events. Whatever happens at one instant on one CPU happens with interrupts off.

use sched::{After, Arm, CpuId, Next, Reason, WakeOutcome};

use super::events::{Event, What};
use super::machine::{KICK, LATE, NOTICE, RUNS, SWITCH, until_random};
use super::plant::Plant;
use super::world::{Doing, Phase, World};

/// By how much a planted late timer is late.
const VERY_LATE: u64 = 25_000_000;

impl World<'_> {
    /// Handles one event; whether anything happened.
    pub fn handle(&mut self, event: Event) -> bool {
        self.now = event.at;
        let Event { cpu, what, .. } = event;
        if self.cpus[cpu].stalled_until > self.now && !matches!(what, What::Start(_)) {
            self.events.add(self.cpus[cpu].stalled_until, cpu, what);
            return false;
        }
        if self.is_void(cpu, what) {
            return false;
        }
        self.events_handled += 1;
        self.check_before(cpu);
        match what {
            What::Timer(_) => {
                (self.cpus[cpu].timer, self.cpus[cpu].leftover) = (None, None);
                self.interrupt(cpu, what);
            }
            What::Spurious => {
                self.foresee_random(cpu, What::Spurious, self.machine.spurious_every);
                let timer = self.cpus[cpu].timer.take();
                self.cpus[cpu].leftover = timer.map(|(_, number)| number).or(self.cpus[cpu].leftover);
                self.interrupt(cpu, what);
            }
            What::Kick => {
                self.cpus[cpu].kicks -= 1;
                self.interrupt(cpu, what);
            }
            What::Done(_) => self.done(cpu),
            What::Notice(_) => self.reschedule(cpu, Reason::Preempt),
            What::Stall => self.stall(cpu),
            What::Start(thread) => self.start(thread),
        }
        self.let_polling_cpus_notice(cpu);
        true
    }

    /// Whether what was foreseen has been overtaken by something else.
    fn is_void(&self, cpu: usize, what: What) -> bool {
        let state = &self.cpus[cpu];
        match what {
            What::Done(turn) | What::Notice(turn) => turn != state.turn,
            What::Timer(number) => {
                state.timer.is_none_or(|(_, armed)| armed != number) && state.leftover != Some(number)
            }
            What::Spurious | What::Kick | What::Stall | What::Start(_) => false,
        }
    }

    /// An interrupt: at once, or when the switch is done.
    fn interrupt(&mut self, cpu: usize, what: What) {
        self.trace.note(self.now, cpu, || format!("interrupt {what:?}"));
        self.cpus[cpu].interrupts += 1;
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
        let until = self.now + self.machine.stall.draw(&mut self.cpus[cpu].rng);
        self.trace.note(self.now, cpu, || format!("stalls until {until}"));
        self.cpus[cpu].stalled_until = until;
        self.cpus[cpu].since = until;
        if self.cpus[cpu].phase == Phase::Running {
            self.begin_run(cpu);
        }
        let runs = RUNS + until_random(&mut self.cpus[cpu].rng, self.machine.stall_every);
        self.events.add(until + runs, cpu, What::Stall);
    }

    /// The scenario starts a thread, on CPU 0 and in an interrupt as it were.
    fn start(&mut self, thread: usize) {
        if self.cpus[0].phase == Phase::Switching || self.cpus[0].stalled_until > self.now {
            let again = self.cpus[0].stalled_until.max(self.now + 1_000);
            return self.events.add(again, 0, What::Start(thread));
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
        if self.look(cpu, reason) {
            self.go_on(cpu);
        }
    }

    /// The same, but for going on with the current thread: whether that's what is to be done.
    pub fn look(&mut self, cpu: usize, reason: Reason) -> bool {
        self.account(cpu);
        let now = self.local(cpu);
        let decision = self.cpus[cpu].sched.reschedule(now, reason);
        self.trace.note(self.now, cpu, || format!("{reason:?}: {decision:?}"));
        self.arm(cpu, decision.arm);
        self.send_kicks(cpu);
        match decision.next {
            Next::Stay if self.cpus[cpu].sched.is_idle() => self.idle(cpu),
            Next::Stay => return true,
            Next::Switch(slot) => {
                self.cpus[cpu].left = self.cpus[cpu].thread;
                if reason == Reason::Block {
                    self.count_block(cpu);
                }
                self.cpus[cpu].thread = self.tenants[slot];
                let takes = SWITCH + self.machine.slow_switch.draw(&mut self.cpus[cpu].rng);
                self.begin(cpu, Phase::Switching, Some(takes));
            }
        }
        false
    }

    /// The thread that's being left said that it blocks. With a permit it needn't, and may be preempted all the same.
    fn count_block(&mut self, cpu: usize) {
        let left = self.cpus[cpu].left.expect("who blocks runs");
        if self.shared.task(self.threads[left].task.index()).is_blocked() {
            self.threads[left].blocks += 1;
            self.cpus[cpu].blocks += 1;
        }
    }

    /// The second half of a switch, on the new stack.
    fn switched(&mut self, cpu: usize) {
        let after =
            if self.goes_wrong(Plant::SkipSwitched) { After::Run } else { self.cpus[cpu].sched.switched() };
        self.send_kicks(cpu);
        if let Some(left) = self.cpus[cpu].left.take() {
            self.threads[left].leaving = false;
        }
        if let After::Reap(task) = after {
            self.checker.forgets(task.index());
            let thread = self.tenants[task.index()].take();
            self.gone += thread.map_or(0, |thread| self.threads[thread].accounted);
            self.free.push(task.index());
            self.shared.release(task);
        }
        if self.goes_wrong(Plant::ClockJump) {
            self.cpus[cpu].skew += 1_000;
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
        while let Some(victim) = self.cpus[cpu].sched.take_kick() {
            if !self.goes_wrong(Plant::DropQuestion) {
                self.kick(victim);
            }
        }
        if self.goes_wrong(Plant::NeedlessTimer) {
            let arm = self.cpus[cpu].sched.put_off(now);
            self.arm(cpu, arm);
        }
        let poll = self.cpus[cpu].sched.poll_time().0;
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
    pub fn begin(&mut self, cpu: usize, phase: Phase, takes: Option<u64>) {
        let state = &mut self.cpus[cpu];
        match (state.phase, phase) {
            (Phase::Polling, Phase::Polling) => {}
            (Phase::Polling, _) => {
                self.polling.remove(&cpu);
            }
            (_, Phase::Polling) => {
                self.polling.insert(cpu);
            }
            _ => {}
        }
        state.phase = phase;
        state.turn += 1;
        if let Some(takes) = takes {
            self.events.add(self.now + takes, cpu, What::Done(state.turn));
        }
    }

    /// The current thread's step takes what remains of it.
    pub fn begin_run(&mut self, cpu: usize) {
        let thread = self.cpus[cpu].thread.expect("a thread runs");
        let from = self.cpus[cpu].since.max(self.now) - self.now;
        let takes = Some(self.threads[thread].remaining).filter(|&left| left != u64::MAX);
        self.begin(cpu, Phase::Running, takes.map(|takes| from + takes));
    }

    /// Notes what the current thread got done.
    pub fn account(&mut self, cpu: usize) {
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

    /// Does what a wake asks for; whether the CPU must reschedule.
    pub fn carry_out(&mut self, outcome: WakeOutcome) -> bool {
        match outcome {
            WakeOutcome::Kick(_) if self.goes_wrong(Plant::DropKick) => {}
            WakeOutcome::Kick(target) => self.kick(target),
            WakeOutcome::Local { preempt: true } if self.goes_wrong(Plant::LosePreemption) => {}
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
        let target = target.index();
        let state = &mut self.cpus[target];
        let twice = self.machine.kick_twice > 0 && state.rng.u32(0..self.machine.kick_twice) == 0;
        for _ in 0..=u32::from(twice) {
            state.kicks += 1;
            let at = self.now + KICK + self.machine.slow_kick.draw(&mut state.rng);
            self.events.add(at, target, What::Kick);
        }
    }

    fn arm(&mut self, cpu: usize, arm: Arm) {
        let Arm::At(deadline) = arm else { return };
        self.checker.arms(cpu, deadline.0, self.cpus[cpu].sched.waiting());
        if self.goes_wrong(Plant::ForgetTimer) {
            return;
        }
        let very_late = if self.goes_wrong(Plant::LateTimer) { VERY_LATE } else { 0 };
        self.armings += 1;
        let state = &mut self.cpus[cpu];
        let late = LATE + self.machine.late.draw(&mut state.rng) + very_late;
        // One register: what was left in it is gone.
        (state.timer, state.leftover) = (Some((deadline.0, self.armings)), None);
        let due = deadline.0.saturating_sub(state.skew).max(self.now) + late;
        self.events.add(due, cpu, What::Timer(self.armings));
    }

    /// A post to a polling CPU is noticed a moment later. `cpu` is the one on which something just happened.
    fn let_polling_cpus_notice(&mut self, cpu: usize) {
        let posts = self.cpus[cpu].sched.mailbox().stats.kicks_saved.get();
        if std::mem::replace(&mut self.cpus[cpu].posts, posts) == posts {
            return;
        }
        for &cpu in &self.polling {
            let state = &mut self.cpus[cpu];
            if state.noticed != state.turn && state.sched.has_work() {
                let at = self.now + NOTICE + self.machine.slow_notice.draw(&mut state.rng);
                self.events.add(at, cpu, What::Notice(state.turn));
                state.noticed = state.turn;
            }
        }
    }
}
