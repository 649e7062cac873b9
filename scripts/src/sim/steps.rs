//! What the running thread does next: its program's steps, as calls of the scheduler.

use sched::{Reason, WakeOutcome};

use super::plant::Plant;
use super::program::{Class, Cpus, Plan, Step};
use super::world::{Channel, Doing, World};

/// A thread that does so many things without using CPU time is caught in a loop of the case's making.
const ENDLESS: u32 = 100;

/// What a thread wants changed.
#[derive(Clone, Copy, Debug)]
enum Terms {
    Cpus(Cpus),
    Weight(u32),
    Class(Class),
}

impl World<'_> {
    /// The current thread goes on: with the rest of its step, or with the next ones.
    pub fn go_on(&mut self, cpu: usize) {
        self.account(cpu);
        let thread = self.cpus[cpu].thread.expect("a thread runs");
        for _ in 0..ENDLESS {
            if !self.is_awake(cpu, thread) {
                return;
            }
            if self.threads[thread].remaining > 0 {
                return self.begin_run(cpu);
            }
            let (step, next) = self.threads[thread].plan.step(self.threads[thread].at);
            let step = step.clone();
            self.threads[thread].at = next;
            if !self.perform(cpu, thread, step) {
                return;
            }
        }
        // It gets nowhere, but the others do.
        self.threads[thread].remaining = 1_000;
        self.begin_run(cpu);
    }

    /// Whether a thread that was blocked may go on; a sleeper sleeps on until its time.
    fn is_awake(&mut self, cpu: usize, thread: usize) -> bool {
        while let Doing::Sleeping(until) = self.threads[thread].doing {
            if until <= self.local(cpu).0 {
                // Woken at its time but by someone else, perhaps: the timer must not leave a permit.
                self.cpus[cpu].sched.cancel_timer();
                break;
            }
            // Woken early, by someone else or by a CPU whose clock is ahead. The timer may be used up.
            if !self.sleep(cpu, thread, until) {
                return false;
            }
        }
        self.threads[thread].doing = Doing::Runnable;
        true
    }

    /// Performs one step of the current thread; whether the thread goes on.
    fn perform(&mut self, cpu: usize, thread: usize, step: Step) -> bool {
        match step {
            Step::Run(span) => self.threads[thread].remaining = span.draw(&mut self.threads[thread].rng),
            Step::Loop => self.threads[thread].remaining = u64::MAX,
            Step::Sleep(span) => {
                let until = self.local(cpu).0 + span.draw(&mut self.threads[thread].rng);
                return self.sleep(cpu, thread, until);
            }
            Step::Yield => return self.look(cpu, Reason::Yield),
            Step::Park => return self.park(cpu, thread),
            Step::Wake(other) => return self.wake(cpu, other % self.threads.len()),
            Step::WakeAny => {
                let others = self.threads.len();
                let other = self.threads[thread].rng.usize(0..others);
                return self.wake(cpu, other);
            }
            Step::Send(channel) => return self.put(cpu, channel),
            Step::Receive(channel) => return self.take(cpu, thread, channel),
            Step::Spawn(plan) => return self.spawn(cpu, thread, *plan),
            Step::Pin { thread: other, cpus } => {
                return self.control(cpu, other.unwrap_or(thread), Terms::Cpus(cpus));
            }
            Step::Weigh { thread: other, weight } => {
                return self.control(cpu, other.unwrap_or(thread), Terms::Weight(weight));
            }
            Step::Class { thread: other, class } => {
                return self.control(cpu, other.unwrap_or(thread), Terms::Class(class));
            }
            Step::Exit => {
                self.threads[thread].doing = Doing::Gone;
                self.threads[thread].accounted = self.accounted(thread);
                return self.look(cpu, Reason::Exit);
            }
        }
        true
    }

    /// Blocks until a time; whether it went on at once.
    fn sleep(&mut self, cpu: usize, thread: usize, until: u64) -> bool {
        self.cpus[cpu].sched.set_timer(sched::Nanos(until));
        self.checker.sets_timer(cpu, thread, until);
        self.threads[thread].doing = Doing::Sleeping(until);
        self.threads[thread].permit = false;
        let goes_on = self.look(cpu, Reason::Block);
        self.threads[thread].leaving = self.is_blocked(thread);
        goes_on
    }

    fn is_blocked(&self, thread: usize) -> bool {
        self.shared.task(self.threads[thread].task.index()).is_blocked()
    }

    fn park(&mut self, cpu: usize, thread: usize) -> bool {
        if !std::mem::take(&mut self.threads[thread].permit) {
            self.threads[thread].doing = Doing::Parked;
        }
        let goes_on = self.look(cpu, Reason::Block);
        // A park may return without a wake: a timer that fires while its thread is about to run leaves a permit.
        let blocked = self.is_blocked(thread);
        if self.threads[thread].doing == Doing::Parked && !blocked {
            self.threads[thread].doing = Doing::Runnable;
        }
        self.threads[thread].leaving = blocked;
        goes_on
    }

    fn wake(&mut self, cpu: usize, other: usize) -> bool {
        let now = self.local(cpu);
        let (task, scheduler) = (self.threads[other].task, &mut self.cpus[cpu].sched);
        let outcome = scheduler.wake_at_once(task, now);
        let woken = &mut self.threads[other];
        if woken.doing == Doing::Parked {
            // Whatever the scheduler says: if it's now nowhere, the wakeup is lost.
            woken.doing = Doing::Runnable;
        } else if outcome == WakeOutcome::Already && !woken.leaving {
            woken.permit = true;
        }
        self.trace.note(self.now, cpu, || format!("wakes thread {other}: {outcome:?}"));
        self.after_wake(cpu, outcome)
    }

    fn channel(&mut self, channel: usize) -> &mut Channel {
        if channel >= self.channels.len() {
            self.channels.resize(channel + 1, Channel::default());
        }
        &mut self.channels[channel]
    }

    /// A message into a channel.
    fn put(&mut self, cpu: usize, channel: usize) -> bool {
        let channel = self.channel(channel);
        channel.messages += 1;
        match channel.waiting.pop_front() {
            Some(receiver) => self.wake(cpu, receiver),
            None => true,
        }
    }

    /// A message out of a channel, or the wait for one: then the step is taken again.
    fn take(&mut self, cpu: usize, thread: usize, number: usize) -> bool {
        let channel = self.channel(number);
        if channel.messages > 0 {
            channel.messages -= 1;
            channel.waiting.retain(|&waiting| waiting != thread);
            return true;
        }
        if !channel.waiting.contains(&thread) {
            channel.waiting.push_back(thread);
        }
        self.threads[thread].at -= 1;
        self.park(cpu, thread)
    }

    fn spawn(&mut self, cpu: usize, parent: usize, plan: Plan) -> bool {
        if self.free.is_empty() {
            return true;
        }
        let now = self.local(cpu);
        let rng = self.threads[parent].rng.fork();
        let thread = self.admit(plan, rng);
        self.threads[thread].doing = Doing::Runnable;
        let task = self.threads[thread].task;
        let outcome = self.cpus[cpu].sched.start(task, now);
        self.trace.note(self.now, cpu, || format!("starts thread {thread}: {outcome:?}"));
        if self.goes_wrong(Plant::StartTwice) {
            let other = (cpu + 1) % self.cpus.len();
            let again = self.cpus[other].sched.start(task, now);
            let _ = self.carry_out(again);
        }
        self.after_wake(cpu, outcome)
    }

    /// Changes where a thread may run or how much it counts, whoever's it is and whatever it does.
    fn control(&mut self, cpu: usize, other: usize, terms: Terms) -> bool {
        let other = other % self.threads.len();
        let (task, now) = (self.threads[other].task, self.local(cpu));
        if matches!(self.threads[other].doing, Doing::Gone | Doing::New) {
            return true;
        }
        match terms {
            Terms::Cpus(cpus) => self.threads[other].plan.cpus = cpus,
            Terms::Weight(weight) => self.threads[other].plan.weight = weight,
            Terms::Class(class) => self.threads[other].plan.class = class,
        }
        self.checker.wishes(task.index(), self.now);
        if self.goes_wrong(Plant::ForgetControl) {
            return true;
        }
        let (cpus, scheduler) = (self.cpus.len(), &mut self.cpus[cpu].sched);
        let outcome = match terms {
            Terms::Cpus(wanted) => scheduler.set_affinity(task, wanted.affinity(cpus), now),
            Terms::Weight(weight) => scheduler.set_weight(task, weight, now),
            Terms::Class(class) => scheduler.set_class(task, class.into(), now),
        };
        self.trace.note(self.now, cpu, || format!("wants thread {other} to have {terms:?}: {outcome:?}"));
        self.after_wake(cpu, outcome)
    }

    fn after_wake(&mut self, cpu: usize, outcome: WakeOutcome) -> bool {
        if self.carry_out(outcome) { self.look(cpu, Reason::Preempt) } else { true }
    }
}
