//! Earliest eligible virtual deadline first: what Linux has run since 6.6.
//!
//! After I. Stoica and H. Abdel-Wahab, "Earliest eligible virtual deadline first" (1995), with Linux's choices
//! (`kernel/sched/fair.c`) where the paper leaves any. A task asks for a slice of CPU time at a time, a *request*. Its
//! virtual time is what it has had over its weight; the CPU's is the average of all runnable tasks', by weight, and so that
//! of a task that has had exactly its share. Who has had no more than that is *eligible*. A request's *deadline* is
//! the virtual time at which a task that gets its share has been served: a slice over the weight after it began. Of the
//! eligible tasks the one with the earliest deadline runs, until its request is served, or until one
//! that arrives is to run instead. So nobody is ever owed more than about a slice, and who asks for little at
//! a time is served soon.
//!
//! **Who is eligible** changes while tasks wait. Those that aren't yet are held by the run queue, ordered by virtual
//! time; [`RunQueue::sort`] lets them go when their time has come. To compare with the average no division is
//! needed: the sum of virtual times times weights is kept, as the CPU's tasks come, run and go. It is exact.
//!
//! **Lag.** What a task is owed, the average less its own virtual time, is kept while it sleeps, up to a slice. What it
//! has had too much is forgiven as the average passes it, as if it had waited for that in the queue (Linux leaves it there:
//! "delayed dequeue"). Between CPUs, virtual times are compared as they are, as for every policy here, so that a
//! task that moves is still owed what it was; it keeps the rest of its request, too. So does one whose weight
//! changes: lag and request stay the same CPU time.

use super::{Arrival, Policy, Promise, Running, promise};
use crate::config::Config;
use crate::cpu::SLACK;
use crate::queue::{HELD, RunQueue};
use crate::task::Task;
use crate::time::Nanos;

/// Of a task's own words: the deadline of its request.
const DEADLINE: usize = 0;
/// This CPU's virtual time when the task left it.
const LEFT_AT: usize = 1;

/// See the module's documentation.
#[derive(Debug)]
pub struct Eevdf {
    slice: u64,
    /// How far behind or ahead a task from another CPU may be.
    limit: u64,
    /// The runnable tasks' weights, summed; the running one's included.
    weight: u64,
    /// Their virtual times, each times its weight, summed.
    sum: u128,
    /// The virtual time at which the last of them left.
    floor: u64,
}

fn deadline(task: &Task) -> u64 {
    task.own[DEADLINE].get()
}

/// `span` of virtual time at the weight `before`, as the same CPU time at the present weight.
fn rescaled(task: &Task, span: i128, before: u32) -> i128 {
    span * i128::from(before) / i128::from(task.weight())
}

impl Eevdf {
    fn count(&mut self, task: &Task) {
        self.weight += u64::from(task.weight());
        self.sum += u128::from(task.virtual_time.get()) * u128::from(task.weight());
    }

    /// Takes a task out of the sums, and notes when it left.
    fn discount(&mut self, task: &Task) {
        task.own[LEFT_AT].set(self.average());
        self.weight -= u64::from(task.weight());
        self.sum -= u128::from(task.virtual_time.get()) * u128::from(task.weight());
        self.floor = self.floor.max(task.own[LEFT_AT].get());
    }

    /// The CPU's virtual time.
    fn average(&self) -> u64 {
        if self.weight == 0 { self.floor } else { (self.sum / u128::from(self.weight)) as u64 }
    }

    /// Whether a task has had no more than its share.
    fn is_eligible(&self, task: &Task) -> bool {
        u128::from(task.virtual_time.get()) * u128::from(self.weight) <= self.sum
    }

    fn key(&self, task: &Task) -> u64 {
        if self.is_eligible(task) { deadline(task) } else { HELD | task.virtual_time.get() }
    }

    /// Begins a new request if the last one is served.
    fn renew(&self, task: &Task) {
        let now = task.virtual_time.get();
        if deadline(task) <= now {
            task.own[DEADLINE].set(now + task.weighted(self.slice).max(1));
        }
    }

    /// Where a task starts that slept or is new.
    fn by_lag(&self, task: &Task) -> u64 {
        let (own, average) = (task.virtual_time.get(), self.average());
        let limit = task.weighted(self.slice);
        let Some(owed) = task.own[LEFT_AT].get().checked_sub(own) else {
            return own.clamp(average, average + limit);
        };
        // It brings the average down by its part of what it's owed, and is to be owed as much as before after that.
        let (owed, others) = (u128::from(owed.min(limit)), u128::from(self.weight.max(1)));
        let inflated = owed * (others + u128::from(task.weight())) / others;
        average.saturating_sub(inflated as u64)
    }

    /// Puts a task at `start` with what is left of its request.
    fn place(task: &Task, start: u64) {
        let left = deadline(task).saturating_sub(task.virtual_time.get());
        task.own[DEADLINE].set(start + left);
        task.virtual_time.set(start);
    }

    /// The running task gives up what is left of its request, and what it's owed if the one that it gives way to isn't
    /// eligible otherwise. Its next request ends a slice later, but however often it does so, no later than two from now.
    fn forfeit(&mut self, task: &Task, first: u64) {
        let (own, slice) = (task.virtual_time.get(), task.weighted(self.slice).max(1));
        let ahead = if first & HELD == 0 { own } else { own.max(first & !HELD) };
        self.sum += u128::from(ahead - own) * u128::from(task.weight());
        task.virtual_time.set(ahead);
        task.own[DEADLINE].set((deadline(task).max(ahead) + slice).min(ahead + 2 * slice));
    }
}

impl Policy for Eevdf {
    const PROMISE: Promise = Promise::Shares {
        // Served within a slice once it's eligible, by the paper's bound; it may have begun to wait a slice ahead, and
        // one that comes from another CPU is served first, up to the limit.
        owed: promise::two_arrivals,
        remembers: false,
    };

    const HOLDS: bool = true;

    fn new(config: &Config) -> Self {
        Self { slice: config.slice().0, limit: config.tau.0, weight: 0, sum: 0, floor: 0 }
    }

    #[inline]
    fn charge(&mut self, task: &Task, from: Nanos, to: Nanos) {
        let ran = task.weighted(to.since(from).0);
        task.virtual_time.add(ran);
        self.sum += u128::from(ran) * u128::from(task.weight());
    }

    fn arrive(&mut self, task: &Task, why: Arrival, _least: Option<&Task>, _now: Nanos) -> u64 {
        match why {
            Arrival::Preempted => self.renew(task),
            Arrival::Yielded(first) => self.forfeit(task, first),
            Arrival::Changed => self.count(task),
            Arrival::Migrated => {
                let (own, average) = (task.virtual_time.get(), self.average());
                Self::place(task, own.clamp(average.saturating_sub(self.limit), average + self.limit));
                self.count(task);
            }
            Arrival::New | Arrival::Woken => {
                task.virtual_time.set(self.by_lag(task));
                task.own[DEADLINE].set(0);
                self.count(task);
            }
        }
        self.renew(task);
        self.key(task)
    }

    fn depart(&mut self, task: &Task) {
        self.discount(task);
    }

    fn withdraw(&mut self, task: &Task) {
        self.discount(task);
    }

    fn alone(&mut self, task: &Task, why: Arrival, _now: Nanos) -> u64 {
        if why != Arrival::Migrated {
            task.virtual_time.set(self.floor);
            task.own[DEADLINE].set(0);
        }
        self.renew(task);
        self.count(task);
        self.key(task)
    }

    /// What is left of its request.
    #[inline]
    fn remaining(&self, running: Running<'_>, _least_key: u64) -> Nanos {
        let left = deadline(running.task).saturating_sub(running.task.virtual_time.get());
        Nanos(running.task.unweighted(left))
    }

    /// One that goes on with a request may have little of it left.
    fn shortest_slice(_config: &Config) -> Nanos {
        Nanos::ZERO
    }

    #[inline]
    fn preempts(&self, key: u64, running: Running<'_>) -> bool {
        key & HELD == 0 && (!self.is_eligible(running.task) || key < deadline(running.task))
    }

    fn is_over(&mut self, running: Running<'_>, queue: &mut RunQueue, tasks: &[Task], urged: bool) -> bool {
        let served = self.remaining(running, 0) <= SLACK;
        if !served && !urged {
            return false;
        }
        if served {
            let now = deadline(running.task).max(running.task.virtual_time.get());
            running.task.own[DEADLINE].set(now + running.task.weighted(self.slice).max(1));
        }
        self.sort(queue, tasks);
        // Of equal deadlines the other one's counts as the earlier.
        let first = queue.first().map(|(key, _)| if served { key.saturating_sub(1) } else { key });
        first.is_some_and(|key| self.preempts(key, running))
    }

    fn sort(&mut self, queue: &mut RunQueue, tasks: &[Task]) {
        queue.sort(|slot| self.key(&tasks[slot as usize]));
    }

    #[inline]
    fn progress(&self, task: &Task) -> Option<u64> {
        Some(task.virtual_time.get())
    }

    fn virtual_time(&self, _running: &Task, _first: Option<u64>) -> Option<u64> {
        Some(self.average())
    }

    fn floor(&self) -> u64 {
        self.average()
    }

    fn reweigh(&mut self, task: &Task, before: u32, _frame: u64, runs: bool) {
        let own = task.virtual_time.get();
        let average = if runs { self.average() } else { task.own[LEFT_AT].get() };
        let owed = rescaled(task, i128::from(average) - i128::from(own), before);
        let left = rescaled(task, i128::from(deadline(task)) - i128::from(own), before).max(0);
        let start = (i128::from(average) - owed).clamp(0, i128::from(HELD - 1)) as u64;
        task.virtual_time.set(start);
        task.own[DEADLINE].set(start + left as u64);
        if runs {
            self.weight = self.weight + u64::from(task.weight()) - u64::from(before);
            self.sum += u128::from(start) * u128::from(task.weight());
            self.sum -= u128::from(own) * u128::from(before);
        }
    }

    fn catch_up(&mut self, progress: u64) {
        self.floor = self.floor.max(progress);
    }

    fn shift(&mut self, task: &Task, gap: u64) {
        task.virtual_time.add(gap);
        task.own[DEADLINE].set(deadline(task) + gap);
        self.sum += u128::from(gap) * u128::from(task.weight());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::id::CpuId;
    use crate::task::Spec;

    const MS: u64 = 1_000_000;
    const SLICE: u64 = 10 * MS;

    fn task(virtual_time: u64, deadline: u64) -> Task {
        let task = Task::new();
        task.create(0, Spec::default(), CpuId(0));
        task.virtual_time.set(virtual_time);
        task.own[DEADLINE].set(deadline);
        task
    }

    /// A CPU that runs a task of normal weight whose virtual time is this.
    fn beside(virtual_time: u64) -> Eevdf {
        let mut eevdf = Eevdf::new(&Config::default());
        assert_eq!(eevdf.slice, SLICE);
        eevdf.count(&task(virtual_time, 0));
        eevdf
    }

    /// Catches: none, by which CPUs wouldn't be compared.
    #[test]
    fn the_virtual_time_is_the_average() {
        let (mut eevdf, other) = (beside(100 * MS), task(40 * MS, 0));
        eevdf.count(&other);
        assert_eq!((eevdf.virtual_time(&other, None), eevdf.floor()), (Some(70 * MS), 70 * MS));
    }

    /// Catches: a weight that multiplies what it's to divide, or is left out.
    #[test]
    fn at_another_weight_it_has_the_same_cpu_time_left_and_owed() {
        let task = task(7 * MS, 9 * MS);
        task.own[LEFT_AT].set(10 * MS);
        beside(10 * MS).reweigh(&task, 2048, 0, false);
        assert_eq!(
            (task.virtual_time.get(), deadline(&task)),
            (4 * MS, 8 * MS),
            "3 ms and 2 ms at twice the weight"
        );
    }

    /// The highest bit is the mark of those that are held.
    #[test]
    fn however_light_it_becomes_its_virtual_time_is_no_mark() {
        let task = task(1 << 62, 1 << 62);
        task.own[LEFT_AT].set(0);
        beside(0).reweigh(&task, crate::task::MAX_WEIGHT, 0, false);
        assert_eq!(task.virtual_time.get(), HELD - 1);
    }

    /// Catches: no limit, or none that holds, on what one that slept is ahead.
    #[test]
    fn who_slept_is_ahead_by_a_slice_at_most() {
        for (own, start) in [(5_000 * MS, 100 * MS + SLICE), (104 * MS, 104 * MS), (90 * MS, 100 * MS)] {
            let task = task(own, 0);
            beside(100 * MS).arrive(&task, Arrival::Woken, None, Nanos(0));
            assert_eq!(task.virtual_time.get(), start, "it left at {own}");
        }
    }

    /// Catches: a yield that puts the deadline off by two slices at once, or without end.
    #[test]
    fn a_yield_puts_the_deadline_off_by_a_slice_and_not_for_ever() {
        let task = task(50 * MS, 54 * MS);
        for deadline in [64, 70, 70] {
            beside(100 * MS).forfeit(&task, 0);
            assert_eq!((task.virtual_time.get(), self::deadline(&task)), (50 * MS, deadline * MS));
        }
    }

    /// Catches: no limit on what one that comes from another CPU is ahead or behind, a request that it doesn't bring along.
    #[test]
    fn who_migrates_brings_its_request_along_within_the_limit() {
        let limit = Config::default().tau.0;
        let at = 2 * limit;
        for (own, start) in [(at + limit + 9 * MS, at + limit), (at + MS, at + MS), (9 * MS, at - limit)] {
            let task = task(own, own + 3 * MS);
            beside(at).arrive(&task, Arrival::Migrated, None, Nanos(0));
            assert_eq!(
                (task.virtual_time.get(), deadline(&task)),
                (start, start + 3 * MS),
                "it was at {own}"
            );
        }
    }

    #[test]
    fn who_is_alone_begins_anew_where_the_last_one_left_unless_it_migrated() {
        for (why, start, end) in
            [(Arrival::Woken, 100 * MS, 100 * MS + SLICE), (Arrival::Migrated, 40 * MS, 45 * MS)]
        {
            let (mut eevdf, task) = (Eevdf::new(&Config::default()), task(40 * MS, 45 * MS));
            eevdf.catch_up(100 * MS);
            eevdf.alone(&task, why, Nanos(0));
            assert_eq!((task.virtual_time.get(), deadline(&task)), (start, end));
            assert_eq!((eevdf.progress(&task), eevdf.floor()), (Some(start), start));
        }
    }

    #[test]
    fn what_is_shifted_has_as_much_left_and_takes_the_average_along() {
        let (mut eevdf, task) = (beside(100 * MS), task(40 * MS, 45 * MS));
        eevdf.count(&task);
        eevdf.shift(&task, 20 * MS);
        assert_eq!((task.virtual_time.get(), deadline(&task)), (60 * MS, 65 * MS));
        assert_eq!(eevdf.floor(), 80 * MS);
    }

    /// Catches: an arrival that's urged and waits for the end of the request, a request that ends when nobody urges.
    #[test]
    fn an_unserved_request_is_over_for_an_earlier_deadline_that_urges() {
        let tasks = [task(40 * MS, 90 * MS), task(40 * MS, 60 * MS)];
        let mut eevdf = Eevdf::new(&Config::default());
        for task in &tasks {
            eevdf.count(task);
        }
        let mut queue = RunQueue::new(2, true);
        queue.push(&tasks[1], 1, eevdf.key(&tasks[1]));
        let running = Running { task: &tasks[0], since: Nanos(0), now: Nanos(MS) };
        for urged in [false, true] {
            assert_eq!(eevdf.is_over(running, &mut queue, &tasks, urged), urged);
        }
    }
}
