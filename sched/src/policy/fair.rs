//! Fair share by decaying average, corrected by lag: the default policy.
//!
//! Two measures tell how much a task has had. The **decaying measure** (see [`crate::decay`]) says what it had
//! lately, and fades. The **virtual time** is CPU time over weight and doesn't fade. OSv orders its queue by
//! the decaying measure alone; but the difference between two waiting tasks' measures then fades too, so that
//! hysteresis biases the result: at weights 4 : 1 it settles at 3.82. Here the queue is ordered by virtual
//! time, whose differences don't fade: what a runnable task is owed (its lag) stays owed, and shares are
//! exact. The decaying measure has its say when a task arrives: it decides how far behind or ahead of the
//! others' virtual time the task starts, which is what recent history is for.
//!
//! **Arrival.** Against the runnable task with the least virtual time, an arriving one with the smaller
//! measure starts behind: by what it's behind in virtual time or by the difference of their measures,
//! whichever is more (the one doesn't fade, the other is right whatever CPU the task comes from), but by at
//! most one slice plus its own measure. A task earns credit by what it ran lately, so that one that wants
//! half the CPU gets half in bursts of any length, while neither sleeping for long nor spawning pays more
//! than a slice. One with the larger measure starts ahead by at most one slice, so that a wakeup never waits for
//! long.
//!
//! **Running.** A task runs until it is ahead of the next by the hysteresis. That moment is known exactly, so
//! the timer is set for it. A woken task that is behind the running one by the switch penalty preempts it at
//! once and is charged the penalty; hysteresis never delays it.

use super::{Arrival, Policy, Promise, Running, promise};
use crate::config::Config;
use crate::decay::{Decay, displace, reweigh};
use crate::task::Task;
use crate::time::Nanos;

/// See the module's documentation.
#[derive(Debug)]
pub struct Fair {
    decay: Decay,
    hysteresis: u64,
    penalty: u64,
    /// A slice: twice the hysteresis.
    slice: u64,
    /// How far behind a task may be when it migrates.
    lag_limit: u64,
    /// The virtual time at which the last runnable task stopped being so.
    floor: u64,
}

impl Fair {
    /// Where a task that is new here starts.
    fn newcomer(&mut self, task: &Task, least: &Task, now: Nanos) -> u64 {
        self.decay.advance(now);
        self.by_history(task, least, false)
    }

    /// Where a task starts by its recent history against `least`'s, and by its lag if it has one here.
    #[inline(never)]
    fn by_history(&self, task: &Task, least: &Task, has_lag: bool) -> u64 {
        self.decay.come_back(task);
        let (mine, theirs) = (self.decay.value(task), self.decay.value(least));
        let slice = task.weighted(self.slice);
        let start = least.virtual_time.get();
        if mine <= theirs {
            let behind = if has_lag { start.saturating_sub(task.virtual_time.get()) } else { 0 };
            start.saturating_sub((theirs - mine).max(behind).min(slice + mine))
        } else {
            start + (mine - theirs).min(slice)
        }
    }

    /// Where a task that waited elsewhere starts: its lag is carried, within the limit.
    fn by_lag(&self, task: &Task, least: &Task) -> u64 {
        let start = least.virtual_time.get();
        let limit = self.lag_limit;
        task.virtual_time.get().clamp(start.saturating_sub(limit), start + limit)
    }
}

impl Policy for Fair {
    const PROMISE: Promise = Promise::Shares {
        // One that comes back may be owed what history counts, a time constant, and a slice; another such one may
        // come before it's served.
        owed: promise::two_arrivals,
        remembers: true,
    };

    fn new(config: &Config) -> Self {
        Self {
            decay: Decay::new(config.tau),
            hysteresis: config.hysteresis.0,
            penalty: config.penalty.0,
            slice: config.slice().0,
            lag_limit: config.tau.0,
            floor: 0,
        }
    }

    #[inline]
    fn charge(&mut self, task: &Task, from: Nanos, to: Nanos) {
        self.decay.charge(task, from, to);
    }

    #[inline]
    fn arrive(&mut self, task: &Task, why: Arrival, least: Option<&Task>, now: Nanos) -> u64 {
        let key = match (why, least) {
            (Arrival::Preempted | Arrival::Changed, _) => return task.virtual_time.get(),
            (Arrival::Yielded(next), _) => task.virtual_time.get().max(next + 1),
            (Arrival::Migrated, Some(least)) => self.by_lag(task, least),
            (Arrival::Woken, Some(least)) => return self.back(task, least, now),
            (Arrival::New, Some(least)) => self.newcomer(task, least, now),
            (_, None) => return self.alone(task, why, now),
        };
        displace(task, key);
        key
    }

    #[inline(always)]
    fn alone(&mut self, task: &Task, why: Arrival, _now: Nanos) -> u64 {
        if why != Arrival::Migrated {
            displace(task, self.floor);
        }
        task.virtual_time.get()
    }

    #[inline(always)]
    fn back(&mut self, task: &Task, least: &Task, now: Nanos) -> u64 {
        self.decay.advance(now);
        let (was, start) = (task.virtual_time.get(), least.virtual_time.get());
        let key = if self.decay.left_just_now(task) {
            // Nothing has faded: it goes on where it was.
            was.clamp(start.saturating_sub(self.lag_limit), start + self.slice)
        } else {
            // One that never was runnable isn't behind.
            self.by_history(task, least, was != 0)
        };
        if key != was {
            displace(task, key);
        }
        key
    }

    #[inline]
    fn depart(&mut self, task: &Task) {
        self.decay.leave(task);
        self.floor = task.virtual_time.get();
    }

    #[inline]
    fn remaining(&self, running: Running<'_>, least_key: u64) -> Nanos {
        let until = least_key + self.hysteresis;
        let virtual_left = until.saturating_sub(running.task.virtual_time.get());
        Nanos(running.task.unweighted(virtual_left))
    }

    #[inline]
    fn preempts(&self, key: u64, running: Running<'_>) -> bool {
        key + running.task.weighted(self.penalty) < running.task.virtual_time.get()
    }

    #[inline]
    fn preempted_by(&mut self, arrival: &Task) {
        // Charged as if it had run: history counts it, so that one that preempts at every wakeup soon doesn't.
        arrival.virtual_time.add(arrival.weighted(self.penalty));
    }

    #[inline]
    fn progress(&self, task: &Task) -> Option<u64> {
        Some(task.virtual_time.get())
    }

    fn floor(&self) -> u64 {
        self.floor
    }

    fn reweigh(&mut self, task: &Task, before: u32, frame: u64, _runs: bool) {
        // What it's ahead or behind stays the same CPU time, within the limit of what a migration carries.
        let lead = task.virtual_time.get().wrapping_sub(frame) as i64;
        let scaled = i128::from(lead) * i128::from(before) / i128::from(task.weight());
        let limit = i128::from(self.lag_limit);
        let start = i128::from(frame) + scaled.clamp(-limit, limit);
        reweigh(task, before);
        displace(task, start.max(0) as u64);
    }

    fn catch_up(&mut self, progress: u64) {
        self.floor = self.floor.max(progress);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::policy::tests::task;

    #[test]
    fn an_arrival_that_preempts_pays_the_penalty_by_its_weight() {
        let (mut fair, task) = (Fair::new(&Config::default()), task(2048));
        fair.preempted_by(&task);
        assert_eq!(task.virtual_time.get(), Config::default().penalty.0 / 2);
    }

    /// Catches: one that was created for this CPU and is taken for one that slept here since time began.
    #[test]
    fn a_new_task_is_owed_no_more_than_others_had_lately() {
        let (mut fair, lately) = (Fair::new(&Config::default()), Nanos::from_millis(1));
        let [new, old] = [task(1024), task(1024)];
        fair.floor = Nanos::from_millis(50).0;
        fair.alone(&old, Arrival::New, Nanos::ZERO);
        fair.charge(&old, Nanos::ZERO, lately);
        assert_eq!(fair.back(&new, &old, lately), Nanos::from_millis(50).0);
    }

    #[test]
    fn who_gives_way_to_one_that_had_more_comes_after_it() {
        let (mut fair, task) = (Fair::new(&Config::default()), task(1024));
        let key = fair.arrive(&task, Arrival::Yielded(1_000), None, Nanos::ZERO);
        assert_eq!((key, task.virtual_time.get()), (1_001, 1_001));
        let key = fair.arrive(&task, Arrival::Yielded(500), None, Nanos::ZERO);
        assert_eq!(key, 1_001, "one that had more anyway stays where it is");
    }

    /// Catches: a sum of the measures for their difference.
    #[test]
    fn a_new_task_that_had_more_lately_starts_ahead_by_the_difference() {
        let (mut fair, now) = (Fair::new(&Config::default()), Nanos::from_millis(5));
        let [new, least] = [task(1024), task(1024)];
        fair.charge(&new, Nanos::ZERO, Nanos::from_millis(3));
        fair.charge(&least, Nanos::from_millis(3), now);
        let ahead = fair.newcomer(&new, &least, now) - least.virtual_time.get();
        assert!(ahead.abs_diff(Nanos::from_millis(1).0) < Nanos::from_micros(100).0, "{ahead} ns");
    }
}
