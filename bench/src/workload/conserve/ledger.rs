//! When threads ran and when they could have, and what that says of the CPUs.

use alloc::vec::Vec;
use core::ops::Range;

/// Stints of a line of threads in its time; no more are noted.
const ROOM: usize = 8_192;

/// A thread's uninterrupted stay on a CPU, and its wait before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stint {
    /// From when on it could have run.
    pub ready: u64,
    /// From when on it ran.
    pub began: u64,
    /// Until when.
    pub ended: u64,
}

/// What a line of threads did.
pub struct Ledger {
    /// Threads.
    pub lives: u64,
    /// What they noted.
    pub stints: Vec<Stint>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { lives: 0, stints: Vec::with_capacity(ROOM) }
    }
}

impl Ledger {
    /// Notes a stint if there is room: never allocates.
    pub fn note(&mut self, stint: Stint) {
        if self.stints.len() < self.stints.capacity() {
            self.stints.push(stint);
        }
    }

    /// Whether half of the room is left: more than a thread needs.
    pub fn has_room(&self) -> bool {
        self.stints.len() < ROOM / 2
    }
}

/// How long each episode was in which fewer threads ran than there are CPUs while one waited, as far as it lay in `window`.
pub fn episodes(stints: &[Stint], cpus: usize, window: Range<u64>) -> Vec<u64> {
    let within = |at: u64| at.clamp(window.start, window.end);
    let mut events: Vec<(u64, i64, i64)> = Vec::with_capacity(3 * stints.len());
    for stint in stints {
        // A clock that is behind another CPU's: who ran before it was ready didn't wait.
        events.push((within(stint.ready.min(stint.began)), 0, 1));
        events.push((within(stint.began), 1, -1));
        events.push((within(stint.ended), -1, 0));
    }
    events.sort_unstable_by_key(|&(at, ..)| at);
    let (mut running, mut waiting) = (0, 0);
    let mut since = None;
    let mut episodes = Vec::new();
    for same in events.chunk_by(|one, other| one.0 == other.0) {
        let at = same[0].0;
        running += same.iter().map(|event| event.1).sum::<i64>();
        waiting += same.iter().map(|event| event.2).sum::<i64>();
        let wasted = running < cpus as i64 && waiting > 0;
        match (since, wasted) {
            (None, true) => since = Some(at),
            (Some(began), false) => {
                episodes.push(at - began);
                since = None;
            }
            _ => {}
        }
    }
    episodes
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Range<u64> = 0..1_000;

    fn stint(ready: u64, began: u64, ended: u64) -> Stint {
        Stint { ready, began, ended }
    }

    #[test]
    fn a_wait_while_all_cpus_run_is_none() {
        let all = [stint(0, 0, 100), stint(5, 5, 50), stint(20, 50, 80)];
        assert!(episodes(&all, 2, ALL).is_empty());
    }

    #[test]
    fn a_wait_while_a_cpu_is_idle_is_one_until_either_ends() {
        assert_eq!(episodes(&[stint(0, 0, 100), stint(20, 50, 80)], 2, ALL), [30], "until it runs");
        let taken = [stint(0, 0, 100), stint(20, 90, 95), stint(60, 60, 90)];
        assert_eq!(episodes(&taken, 2, ALL), [40], "until another one runs on the CPU");
    }

    #[test]
    fn one_that_is_switched_away_waits() {
        assert_eq!(episodes(&[stint(0, 0, 10), stint(10, 40, 60)], 1, ALL), [30]);
    }

    #[test]
    fn what_lies_outside_of_the_window_is_left_out() {
        let all = [stint(0, 0, 10), stint(10, 40, 60), stint(60, 100, 120)];
        assert_eq!(episodes(&all, 1, 20..80), [20, 20], "cut at both ends");
        assert!(episodes(&all, 1, 42..58).is_empty());
    }

    #[test]
    fn a_wait_that_ends_before_it_began_takes_no_time() {
        assert!(episodes(&[stint(7, 5, 9)], 1, ALL).is_empty());
    }
}
