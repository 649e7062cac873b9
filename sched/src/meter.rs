//! A clock that runs while its task does, in one word that any CPU may read.
//!
//! Stopped, the word is the time used. Running, it's a flag and the moment at which the task would have
//! started had it run without a break; the time used is then the distance to now. Starting and stopping are
//! single stores, charging a running task needs none, and a reader never sees half an update.

use crate::sync::Tally;
use crate::time::Nanos;

const RUNNING: u64 = 1 << 63;

/// CPU time used, exact while it runs.
#[derive(Debug)]
pub struct Meter(Tally);

impl Meter {
    /// A stopped meter at zero.
    pub fn new() -> Self {
        Self(Tally::new(0))
    }

    /// Starts at `now`. Only the owner, while stopped.
    #[inline]
    pub fn start(&self, now: Nanos) {
        self.0.set(RUNNING | now.0.wrapping_sub(self.0.get()) & !RUNNING);
    }

    /// Stops at `now`, which is no earlier than the start. Only the owner, while running.
    #[inline]
    pub fn stop(&self, now: Nanos) {
        self.0.set(now.0.wrapping_sub(self.0.get()) & !RUNNING);
    }

    /// Whether it runs. Any CPU.
    #[inline]
    pub fn is_running(&self) -> bool {
        self.0.get() & RUNNING != 0
    }

    /// Stops at `now` if it runs. Only the owner.
    #[inline]
    pub fn stop_if_running(&self, now: Nanos) {
        if self.0.get() & RUNNING != 0 {
            self.stop(now);
        }
    }

    /// Back to zero, stopped. Only the owner.
    pub fn reset(&self) {
        self.0.set(0);
    }

    /// The time used by `now`. Any CPU, any time.
    #[inline]
    pub fn read(&self, now: Nanos) -> Nanos {
        let word = self.0.get();
        let used = if word & RUNNING == 0 { word } else { now.0.wrapping_sub(word) & !RUNNING };
        // A reader whose clock is behind the owner's sees a "negative" time just after a start from zero; so
        // does anyone if the owner's own clock went back before it stopped.
        Nanos(if used > RUNNING / 2 { 0 } else { used })
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn time_counts_only_while_running() {
        let meter = Meter::new();
        meter.start(Nanos(100));
        assert_eq!((meter.read(Nanos(130)), meter.is_running()), (Nanos(30), true));
        meter.stop(Nanos(150));
        assert!(!meter.is_running());
        assert_eq!(meter.read(Nanos(900)), Nanos(50));
        meter.start(Nanos(1_000));
        assert_eq!(meter.read(Nanos(1_001)), Nanos(51));
        assert_eq!(meter.read(Nanos(900)), Nanos(0), "a clock that is behind never shows a huge time");
    }

    #[test]
    fn a_meter_stops_once_and_begins_anew() {
        let meter = Meter::new();
        meter.stop_if_running(Nanos(50));
        assert_eq!(meter.read(Nanos(60)), Nanos(0), "it never ran");
        meter.start(Nanos(100));
        meter.stop_if_running(Nanos(130));
        meter.stop_if_running(Nanos(190));
        assert_eq!(meter.read(Nanos(200)), Nanos(30));
        meter.reset();
        assert_eq!(meter.read(Nanos(300)), Nanos(0));
    }

    #[test]
    fn a_clock_that_goes_back_takes_no_time_and_none_is_lost() {
        let meter = Meter::new();
        meter.start(Nanos(100));
        meter.stop(Nanos(95));
        assert_eq!(meter.read(Nanos(95)), Nanos(0), "a stop before the start never shows a huge time");
        meter.start(Nanos(95));
        assert_eq!(meter.read(Nanos(120)), Nanos(20), "in all it ran from 100 to 120");
    }
}
