//! Stride scheduling: every task has a pass, which advances as it runs, the slower the more it weighs; the one with the
//! least pass runs, for a quantum.
//!
//! After C. Waldspurger and W. Weihl, "Stride scheduling: deterministic proportional-share resource management"
//! (1995). A task's tickets are its weight, its stride their inverse, and its pass is kept as virtual time: CPU time over
//! weight. So a task that blocks in the middle of its quantum has paid for what it used only, which the paper calls
//! fractional quanta.
//!
//! This is the example of the book's chapter "Write a policy". It's complete, and remembers nothing: who sleeps starts
//! again where the others are. Compare `suite=share/intermittent` with the default to see what that costs.

use super::{Arrival, Policy, Promise, Running, promise};
use crate::config::Config;
use crate::task::Task;
use crate::time::Nanos;

/// See the module's documentation.
#[derive(Debug)]
pub struct Stride {
    quantum: Nanos,
    /// The pass of the last task that left, for whoever comes where nothing else is runnable.
    floor: u64,
    /// How far behind or ahead a task from another CPU may be.
    limit: u64,
}

impl Policy for Stride {
    const PROMISE: Promise = Promise::Shares {
        // Nobody starts behind all others but one that comes from another CPU, within the limit; one such may have
        // come, and each of those that run before it a quantum too long.
        owed: promise::two_arrivals,
        remembers: false,
    };

    fn new(config: &Config) -> Self {
        Self { quantum: config.slice(), floor: 0, limit: config.tau.0 }
    }

    /// The pass advances by what was used over the weight.
    #[inline]
    fn charge(&mut self, task: &Task, from: Nanos, to: Nanos) {
        task.virtual_time.add(task.weighted(to.since(from).0));
    }

    /// The key is the pass: the least runs first.
    #[inline]
    fn arrive(&mut self, task: &Task, why: Arrival, least: Option<&Task>, _now: Nanos) -> u64 {
        let pass = task.virtual_time.get();
        let start = least.map_or(self.floor, |least| least.virtual_time.get());
        let pass = match why {
            Arrival::Preempted | Arrival::Changed => pass,
            // After the one that it gives way to, or it would be the first again.
            Arrival::Yielded(first) => pass.max(first + 1),
            // What it's owed, or has had too much, on the way is owed here.
            Arrival::Migrated => pass.clamp(start.saturating_sub(self.limit), start + self.limit),
            // Sleeping earns nothing, but what was used is used.
            Arrival::New | Arrival::Woken => pass.clamp(start, start + task.weighted(self.quantum.0)),
        };
        task.virtual_time.set(pass);
        pass
    }

    #[inline]
    fn depart(&mut self, task: &Task) {
        self.floor = task.virtual_time.get();
    }

    /// A quantum at least, and until its pass is the least no more.
    #[inline]
    fn remaining(&self, running: Running<'_>, least_key: u64) -> Nanos {
        let behind = least_key.saturating_sub(running.task.virtual_time.get());
        self.quantum.since(running.ran()).max(Nanos(running.task.unweighted(behind)))
    }

    /// A quantum isn't cut short.
    #[inline]
    fn preempts(&self, _key: u64, _running: Running<'_>) -> bool {
        false
    }

    #[inline]
    fn progress(&self, task: &Task) -> Option<u64> {
        Some(task.virtual_time.get())
    }

    fn floor(&self) -> u64 {
        self.floor
    }

    /// What it's ahead or behind stays the same CPU time.
    fn reweigh(&mut self, task: &Task, before: u32, frame: u64, _runs: bool) {
        let lead = i128::from(task.virtual_time.get()) - i128::from(frame);
        let pass = i128::from(frame) + lead * i128::from(before) / i128::from(task.weight());
        task.virtual_time.set(pass.clamp(0, i128::from(u64::MAX >> 1)) as u64);
    }

    fn catch_up(&mut self, progress: u64) {
        self.floor = self.floor.max(progress);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::policy::tests::task;
    use crate::task::MAX_WEIGHT;

    #[test]
    fn at_another_weight_a_task_is_ahead_or_behind_by_the_same_cpu_time() {
        let task = task(1024);
        for (pass, before, after) in [(1_030, 2_048, 1_060), (1_030, 512, 1_015), (970, 2_048, 940)] {
            task.virtual_time.set(pass);
            Stride::new(&Config::default()).reweigh(&task, before, 1_000, false);
            assert_eq!(task.virtual_time.get(), after);
        }
    }

    #[test]
    fn however_light_it_becomes_its_pass_leaves_the_highest_bit_alone() {
        let (task, pass) = (task(1), 1 << 62);
        task.virtual_time.set(pass);
        Stride::new(&Config::default()).reweigh(&task, MAX_WEIGHT, 0, false);
        assert_eq!(task.virtual_time.get(), u64::MAX >> 1);
    }

    /// Catches: one that gives way and is first again; one that brings more along than the limit.
    #[test]
    fn who_gives_way_comes_after_the_next_and_others_within_their_limits() {
        let mut stride = Stride::new(&Config::default());
        let ([task, least], limit) = ([1024; 2].map(task), stride.limit);
        let mut arrive = |pass, why| {
            task.virtual_time.set(pass);
            stride.arrive(&task, why, Some(&least), Nanos::ZERO)
        };
        assert_eq!(arrive(10, Arrival::Yielded(1_000)), 1_001);
        assert_eq!(arrive(2_000, Arrival::Yielded(1_000)), 2_000);
        least.virtual_time.set(3 * limit);
        assert_eq!(arrive(5 * limit, Arrival::Migrated), 4 * limit);
        assert_eq!(arrive(limit, Arrival::Migrated), 2 * limit);
        assert_eq!(arrive(3 * limit + 7, Arrival::Migrated), 3 * limit + 7);
        assert_eq!(arrive(limit, Arrival::Woken), 3 * limit);
        assert_eq!(arrive(5 * limit, Arrival::Woken), 3 * limit + Config::default().slice().0);
    }

    #[test]
    fn the_floor_is_where_the_last_one_left_or_what_was_caught_up_with() {
        let (mut stride, task) = (Stride::new(&Config::default()), task(1024));
        task.virtual_time.set(70);
        stride.depart(&task);
        assert_eq!((stride.floor(), stride.progress(&task)), (70, Some(70)));
        stride.catch_up(60);
        assert_eq!(stride.floor(), 70);
        stride.catch_up(80);
        assert_eq!(stride.floor(), 80);
    }

    #[test]
    fn a_quantum_is_not_cut_short() {
        let (stride, task) = (Stride::new(&Config::default()), task(1024));
        task.virtual_time.set(1_000);
        let running = Running { task: &task, since: Nanos::ZERO, now: Nanos(1_000) };
        assert!(!stride.preempts(0, running));
    }
}
