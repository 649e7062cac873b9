//! Controls: another affinity or weight for a task, whatever it does and wherever it is.
//!
//! The wish itself is in the task's [`crate::terms`]. What remains is to make its owner look. The task names the
//! CPU that took it in last, so news goes there; a CPU that finds the task gone on sends the news after it.
//! A CPU that takes a task in from elsewhere first says so and then looks at the terms, one that has news first
//! makes the wish visible and then looks where the task is. So one of the two sees the other, and a task
//! that is blocked, or on its way, needs no news at all: it's looked at wherever it arrives.

use super::Cpu;
use super::ranked::Admission;
use super::wake::WakeOutcome;
use crate::affinity::Affinity;
use crate::class::Class;
use crate::decay::displace;
use crate::id::{CpuId, TaskId};
use crate::policy::Arrival;
use crate::sync::{Ordering, fence};
use crate::task::Task;
use crate::time::Nanos;

impl Cpu<'_> {
    /// Changes where a task may run. It leaves a CPU that isn't allowed any more at that CPU's next decision,
    /// which this asks for. A range without any CPU of the machine leaves it where it is.
    pub fn set_affinity(&mut self, id: TaskId, affinity: Affinity, now: Nanos) -> WakeOutcome {
        let wished = self.task(id.slot).terms.want_affinity(id.generation, affinity);
        self.announce(id, wished, now)
    }

    /// Changes how much a task counts, from now on: what it's ahead or behind stays the same CPU time.
    /// Weights outside `1..=MAX_WEIGHT` are brought into it.
    pub fn set_weight(&mut self, id: TaskId, weight: u32, now: Nanos) -> WakeOutcome {
        let wished = self.task(id.slot).terms.want_weight(id.generation, weight);
        self.announce(id, wished, now)
    }

    /// Changes the class of a task. One that waits goes behind its new equals; one that runs goes on unless something of
    /// higher rank waits. Its weight counts again once it's a fair one again.
    pub fn set_class(&mut self, id: TaskId, class: Class, now: Nanos) -> WakeOutcome {
        let wished = self.task(id.slot).terms.want_class(id.generation, class);
        self.announce(id, wished, now)
    }

    /// Makes the owner of a task look at its terms: a rank was lent to it, or returned.
    pub fn reconsider(&mut self, id: TaskId, now: Nanos) -> WakeOutcome {
        self.announce(id, true, now)
    }

    /// Lets the running task hold on to this CPU, once more: it's as if it were pinned here, whatever is wished.
    #[inline]
    pub fn hold(&mut self) {
        self.running.terms.hold(self.id);
    }

    /// Undoes one [`Cpu::hold`] of the running task. Answers whether it must leave: then reschedule.
    #[inline]
    #[must_use = "a task that must leave does so at the next decision"]
    pub fn let_go(&mut self) -> bool {
        self.running.terms.let_go();
        !self.running.affinity().allows(self.id)
    }

    /// Makes the task's owner look at its terms.
    fn announce(&mut self, id: TaskId, wished: bool, now: Nanos) -> WakeOutcome {
        let task = self.task(id.slot);
        if !wished || !task.state.is_alive(id.generation) {
            return WakeOutcome::Gone;
        }
        self.pursue(id.slot, task, now)
    }

    /// Acts on news about a task if it's here, else sends the news where the task is.
    fn pursue(&mut self, slot: u32, task: &Task, now: Nanos) -> WakeOutcome {
        // Pairs with the fence in `welcome`: either the CPU that takes the task in sees the new terms, or this
        // one sees that CPU.
        fence(Ordering::SeqCst);
        let at = task.cpu();
        if at == self.id { self.enforce(slot, task, now) } else { self.post_news(slot, task, at, now) }
    }

    /// Posts news about a task, unless some is on its way already, which will do for this as well.
    fn post_news(&mut self, slot: u32, task: &Task, target: CpuId, now: Nanos) -> WakeOutcome {
        // Acquire pairs with the Release in `take_news`: the link is read there before it's written here. That the news
        // which is on its way shows this wish, too, needs no Release: the fence in `pursue` comes before this, the
        // same fence of whoever takes the news comes after its swap, and that swap follows this one, so the fences
        // synchronise.
        if task.announced.swap(true, Ordering::Acquire) {
            return WakeOutcome::Noticed;
        }
        let notice = self.outboxes[target.index()].post_news(task, slot);
        self.kick_unless_noticed(target, notice, now)
    }

    /// Acts on the news that others posted, and on a question.
    #[cold]
    #[inline(never)]
    pub(super) fn take_news(&mut self, now: Nanos) {
        let shared = self.shared;
        for slot in self.mailbox.news().take(&shared.tasks) {
            let task = &shared.tasks[slot as usize];
            // Before the look at the task, so that who comes later posts again. Release pairs with the Acquire in
            // `post_news`: the link, which was read, may be written. What was wished before is seen by the fence in
            // `pursue`.
            task.announced.swap(false, Ordering::Release);
            let outcome = self.pursue(slot, task, now);
            self.remember_kick(outcome);
        }
        self.hear_question();
    }

    /// Makes a task of this CPU follow its terms: now if it waits, at the next decision if it runs. One that is blocked
    /// or on its way follows when it arrives.
    fn enforce(&mut self, slot: u32, task: &Task, now: Nanos) -> WakeOutcome {
        if slot == self.current {
            return WakeOutcome::Local { preempt: true };
        }
        if !self.waiting_slots().any(|waiting| waiting == slot) {
            return WakeOutcome::Noticed;
        }
        self.charge_unless(self.is_idle(), now);
        self.remove_waiting(slot);
        self.load_changed = true;
        self.renew(task);
        if !task.affinity().allows(self.id) {
            return self.pass_on(slot, now);
        }
        if task.is_ranked() {
            self.enqueue_ranked(slot, task);
            return WakeOutcome::Local { preempt: true };
        }
        self.enqueue(slot, task, Arrival::Changed, now);
        WakeOutcome::Local { preempt: self.is_idle() || self.must_reschedule() }
    }

    /// What a task that this CPU owns is to it, by its latest terms.
    #[inline(always)]
    pub(super) fn admission(&mut self, task: &Task) -> Admission {
        if task.terms.admit(self.id) { Admission::Fair } else { self.admission_renewed(task) }
    }

    #[cold]
    #[inline(never)]
    fn admission_renewed(&mut self, task: &Task) -> Admission {
        if task.terms.are_changed() {
            self.renew(task);
        }
        match task.affinity().allows(self.id) {
            false => Admission::Refused,
            true if task.is_ranked() => Admission::Ranked,
            true => Admission::Fair,
        }
    }

    /// Takes over the terms that are wanted for a task that this CPU owns and has charged.
    fn renew(&mut self, task: &Task) {
        let (before, was_ranked) = (task.weight(), task.is_ranked());
        let runs = core::ptr::eq(task, self.running);
        let wanted = task.terms.take_wanted();
        if runs && !was_ranked && wanted.is_ranked() {
            // The policy knows it, by the terms that it had.
            self.policy.depart(task);
        }
        task.terms.adopt(wanted);
        if task.is_ranked() {
            return;
        }
        let frame = self.frame();
        if was_ranked {
            // It's neither owed anything nor in debt, and the policy has yet to note anything of it.
            displace(task, frame);
            task.own.iter().for_each(|word| word.set(0));
        } else if task.weight() != before {
            self.policy.reweigh(task, before, frame, runs);
            self.load_changed = true;
        }
    }

    /// This CPU's virtual time, whether anything runs or not.
    pub(super) fn frame(&self) -> u64 {
        let waiting = self.queue.first().map(|(key, _)| key);
        let least = if self.is_idle() { waiting } else { self.virtual_time() };
        least.unwrap_or_else(|| self.policy.floor())
    }

    /// Notes that a task has come here from elsewhere. To be called before its terms are looked at.
    pub(super) fn welcome(&self, task: &Task) {
        task.set_cpu(self.id);
        // Pairs with the fence in `pursue`.
        fence(Ordering::SeqCst);
        task.migrations.add(1);
        self.mailbox.stats.migrations.add(1);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::class::{Priority, Rank};
    use crate::cpu::tests::two_cpus;
    use crate::cpu::{After, Next, Reason};
    use crate::policy::PolicyKind;
    use crate::{Config, Shared, Spec};
    use std::vec::Vec;

    const MS: u64 = 1_000_000;
    const ONE: CpuId = CpuId(1);
    const FIFO: Class = Class::Fifo(Priority::LOWEST);

    fn start(cpu: &mut Cpu<'_>, count: usize) -> Vec<TaskId> {
        let shared = cpu.shared();
        let spec = Spec { affinity: Affinity::one(cpu.id()), ..Spec::default() };
        let here = cpu.id();
        let tasks: Vec<TaskId> = (0..count).map(|number| shared.create(2 + number, spec, here)).collect();
        for &task in &tasks {
            let _ = cpu.start(task, Nanos(0));
        }
        look(cpu, 0, Reason::Preempt);
        tasks
    }

    /// One decision and, if it's a switch, its completion; what is reaped then.
    fn look(cpu: &mut Cpu<'_>, now: u64, reason: Reason) -> Option<TaskId> {
        let decision = cpu.reschedule(Nanos(now), reason);
        if decision.next == Next::Stay {
            return None;
        }
        if let After::Reap(gone) = cpu.switched() { Some(gone) } else { None }
    }

    fn shares(shared: &Shared, tasks: &[TaskId], now: u64) -> Vec<u64> {
        tasks.iter().map(|&task| shared.cpu_time(task, Nanos(now)).unwrap().0 / MS).collect()
    }

    /// Runs the CPU by its timer until `end`.
    fn run_until(cpu: &mut Cpu<'_>, end: u64) {
        while cpu.armed().0 <= end {
            let now = cpu.armed().0;
            cpu.timer_fired();
            look(cpu, now, Reason::Preempt);
        }
    }

    #[test]
    fn a_running_task_leaves_for_where_another_cpu_sends_it() {
        let shared = Shared::new(2, 4, Config::default());
        let [mut zero, mut one] = two_cpus(&shared);
        let tasks = start(&mut zero, 1);
        assert_eq!(one.set_affinity(tasks[0], Affinity::one(ONE), Nanos(MS)), WakeOutcome::Kick(CpuId(0)));
        look(&mut zero, MS, Reason::Preempt);
        assert!(zero.is_idle());
        look(&mut one, MS, Reason::Preempt);
        assert_eq!(one.current(), tasks[0]);
    }

    #[test]
    fn a_waiting_task_leaves_at_once_for_where_another_cpu_sends_it() {
        let shared = Shared::new(2, 4, Config::default());
        let [mut zero, mut one] = two_cpus(&shared);
        let tasks = start(&mut zero, 2);
        let waiting = *tasks.iter().find(|&&task| task != zero.current()).unwrap();
        assert_eq!(one.set_affinity(waiting, Affinity::one(ONE), Nanos(MS)), WakeOutcome::Kick(CpuId(0)));
        look(&mut zero, MS, Reason::Preempt);
        assert_eq!((zero.waiting(), zero.is_idle()), (0, false));
        look(&mut one, MS, Reason::Preempt);
        assert_eq!(one.current(), waiting);
    }

    #[test]
    fn a_blocked_task_is_woken_where_it_was_sent_meanwhile() {
        let shared = Shared::new(2, 4, Config::default());
        let [mut zero, mut one] = two_cpus(&shared);
        let tasks = start(&mut zero, 1);
        look(&mut zero, 0, Reason::Block);
        let _ = zero.set_affinity(tasks[0], Affinity::one(ONE), Nanos(MS));
        let rest = zero.wake(tasks[0]);
        let _ = rest.unwrap_or_else(|rest| zero.wake_rest(tasks[0], rest, Nanos(MS)));
        look(&mut zero, MS, Reason::Preempt);
        look(&mut one, MS, Reason::Preempt);
        assert!(zero.is_idle() && one.current() == tasks[0]);
    }

    #[test]
    fn news_follows_a_task_that_went_on() {
        let shared = Shared::new(2, 4, Config::default());
        let [mut zero, mut one] = two_cpus(&shared);
        let task = start(&mut zero, 1)[0];
        let _ = one.set_affinity(task, Affinity::one(ONE), Nanos(0));
        look(&mut zero, 0, Reason::Preempt);
        // In CPU 1's inbox, but still said to be on CPU 0.
        let _ = one.set_affinity(task, Affinity::one(CpuId(0)), Nanos(0));
        look(&mut one, 0, Reason::Preempt);
        assert!(one.is_idle(), "it went back at once, without having run where it may not");
        look(&mut zero, 0, Reason::Preempt);
        assert_eq!(zero.current(), task);
    }

    #[test]
    fn a_wish_by_a_stale_id_is_refused() {
        let shared = Shared::new(2, 4, Config::default());
        let [mut zero, mut one] = two_cpus(&shared);
        let task = start(&mut zero, 1)[0];
        let gone = look(&mut zero, 0, Reason::Exit).expect("it exits");
        assert_eq!(one.set_weight(task, 1, Nanos(0)), WakeOutcome::Gone);
        shared.release(gone);
        shared.create(2, Spec::default(), CpuId(0));
        assert_eq!(one.set_affinity(task, Affinity::one(ONE), Nanos(0)), WakeOutcome::Gone);
        assert_eq!(shared.task(2).affinity(), Affinity::ANY);
    }

    /// Both the running task's and the waiting one's weight change in turn; shares follow from then on.
    #[test]
    fn shares_follow_a_weight_from_when_it_changes() {
        let shared = Shared::new(2, 4, Config::default());
        let [mut zero, mut one] = two_cpus(&shared);
        let tasks = start(&mut zero, 2);
        let mut before = shares(&shared, &tasks, 0);
        for (round, (index, weight, expected)) in
            [(0, 3072, [3000, 1000]), (1, 3072, [2000, 2000]), (0, 1024, [1000, 3000])]
                .into_iter()
                .enumerate()
        {
            let start = round as u64 * 4_000 * MS;
            let _ = one.set_weight(tasks[index], weight, Nanos(start));
            look(&mut zero, start, Reason::Preempt);
            run_until(&mut zero, start + 4_000 * MS);
            let after = shares(&shared, &tasks, start + 4_000 * MS);
            let got: Vec<u64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
            let near = got.iter().zip(expected).all(|(got, expected)| got.abs_diff(expected) <= 20);
            assert!(near, "round {round}: {got:?} ms, not {expected:?}");
            before = after;
        }
    }

    /// Whoever is now light, now heavy gets no more than if it were always heavy, and no less than if always light.
    #[test]
    fn toggling_the_weight_pays_nothing() {
        for (running, waiting) in [(2048, 512), (512, 2048)] {
            let shared = Shared::new(2, 4, Config::default());
            let [mut zero, _] = two_cpus(&shared);
            let tasks = start(&mut zero, 2);
            for now in (0..4_000 * MS).step_by(MS as usize) {
                let weight = if zero.current() == tasks[0] { running } else { waiting };
                let _ = zero.set_weight(tasks[0], weight, Nanos(now));
                look(&mut zero, now, Reason::Preempt);
            }
            let share = shares(&shared, &tasks, 4_000 * MS)[0];
            assert!((800 - 20..=2_667 + 20).contains(&share), "{running}, {waiting}: {share} ms of 4,000");
        }
    }

    /// Catches: a rank that is lent to a task that waits, and whose CPU isn't made to look.
    #[test]
    fn a_waiting_task_that_was_lent_a_rank_runs_once_its_cpu_is_told() {
        let shared = Shared::new(2, 4, Config::default());
        let [mut zero, mut one] = two_cpus(&shared);
        let tasks = start(&mut zero, 2);
        let waiting = *tasks.iter().find(|&&task| task != zero.current()).unwrap();
        assert_eq!(shared.task(waiting.index()).terms.lend(Rank::IDLE, FIFO.rank()), Ok(true));
        assert_eq!(one.reconsider(waiting, Nanos(MS)), WakeOutcome::Kick(CpuId(0)));
        look(&mut zero, MS, Reason::Preempt);
        assert_eq!(zero.current(), waiting);
    }

    /// Catches: a background task that is owed what others had while it waited, once it's a fair one.
    #[test]
    fn a_task_that_waits_starts_anew_when_it_becomes_a_fair_one() {
        let shared = Shared::new(2, 4, Config::default());
        let [mut zero, _] = two_cpus(&shared);
        let tasks = start(&mut zero, 2);
        let _ = zero.set_class(tasks[0], Class::Background, Nanos(0));
        look(&mut zero, 0, Reason::Preempt);
        assert_eq!(zero.current(), tasks[1]);
        run_until(&mut zero, 500 * MS);
        let _ = zero.set_class(tasks[0], Class::Fair, Nanos(500 * MS));
        look(&mut zero, 500 * MS, Reason::Preempt);
        run_until(&mut zero, 700 * MS);
        let [had, other] = shares(&shared, &tasks, 700 * MS)[..] else { panic!("two tasks") };
        assert!(had.abs_diff(100) <= 10 && other.abs_diff(600) <= 10, "{had} and {other} ms");
    }

    /// Catches: a task that comes back to the policy with what it noted on another CPU, or long ago.
    #[test]
    fn who_becomes_fair_begins_anew() {
        let shared = Shared::new(1, 4, Config { policy: PolicyKind::Eevdf, ..Config::default() });
        let mut cpu = Cpu::new(&shared, CpuId(0), Nanos(0));
        let spec = Spec { class: FIFO, ..Spec::default() };
        let tasks = [1, 2].map(|slot| shared.create(slot, spec, CpuId(0)));
        let _ = tasks.map(|task| cpu.start(task, Nanos(0)));
        look(&mut cpu, 0, Reason::Preempt);
        let waits = shared.task(tasks[1].index());
        waits.own[0].set(90_000 * MS);
        let _ = cpu.set_class(tasks[1], Class::Fair, Nanos(MS));
        let request = waits.own[0].get() - waits.virtual_time.get();
        assert!(request <= shared.config().slice().0, "{request} ns to run");
    }
}
