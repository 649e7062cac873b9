//! How fair a window of time was: what each thread got, what it should have got, and the way there.

use super::world::World;

/// How often the lag is looked at.
const SAMPLE: u64 = 1_000_000;

/// More events a CPU and microsecond than this, for a millisecond, are a storm that the scheduler makes.
const BUSIEST: u64 = 5;

/// What a window showed.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// CPU time over the window's length, one a thread.
    pub shares: Vec<f64>,
    /// What it should have been.
    pub expected: Vec<f64>,
    /// The largest lag of any thread at any time, in nanoseconds.
    pub max_lag: f64,
    /// Counts over all CPUs.
    pub counts: Counts,
}

/// Counts over all CPUs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Switches.
    pub switches: u64,
    /// Preemptions.
    pub preemptions: u64,
    /// Migrations.
    pub migrations: u64,
    /// Kicks sent.
    pub kicks: u64,
    /// Timer interrupts.
    pub timers: u64,
    /// Timer register writes.
    pub writes: u64,
}

impl Counts {
    /// The counts so far.
    pub fn of(world: &World<'_>) -> Self {
        let mut sum = Self::default();
        for cpu in &world.cpus {
            let stats = &cpu.sched.mailbox().stats;
            sum.switches += stats.switches.get();
            sum.preemptions += stats.preemptions.get();
            sum.migrations += stats.migrations.get();
            sum.kicks += stats.kicks_sent.get();
            sum.timers += stats.timer_interrupts.get();
            sum.writes += stats.timer_writes.get();
        }
        sum
    }

    fn since(self, before: Self) -> Self {
        Self {
            switches: self.switches - before.switches,
            preemptions: self.preemptions - before.preemptions,
            migrations: self.migrations - before.migrations,
            kicks: self.kicks - before.kicks,
            timers: self.timers - before.timers,
            writes: self.writes - before.writes,
        }
    }
}

impl Measured {
    /// Jain's index of the shares over what was expected.
    pub fn jain(&self) -> f64 {
        bench::fairness::jain(&self.ratios())
    }

    /// The smallest share over the largest, each over what was expected.
    pub fn min_over_max(&self) -> f64 {
        let ratios = self.ratios();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        least / ratios.iter().copied().fold(0.0, f64::max)
    }

    /// How far the share that's furthest off is off.
    pub fn worst(&self) -> f64 {
        self.ratios().iter().map(|ratio| (ratio - 1.0).abs()).fold(0.0, f64::max)
    }

    fn ratios(&self) -> Vec<f64> {
        self.shares.iter().zip(&self.expected).map(|(share, expected)| share / expected).collect()
    }
}

impl World<'_> {
    /// Runs on for `span`, checking after every event.
    ///
    /// # Errors
    /// The first violation.
    pub fn run(&mut self, span: u64) -> Result<(), String> {
        let end = self.now + span;
        let before = self.totals.events;
        while let Some(event) = self.events.next(end) {
            self.handle(event);
            self.check()?;
            if self.totals.events - before > BUSIEST * (span / 1_000 + 1) * self.cpus.len() as u64 {
                return Err("CPUs keep each other busy with events and get nothing done".into());
            }
        }
        self.now = end;
        Ok(())
    }

    /// Runs on for `window` and measures what the threads get of it against `expected`.
    ///
    /// # Errors
    /// The first violation.
    pub fn measure(&mut self, window: u64, expected: Vec<f64>) -> Result<Measured, String> {
        let counts = Counts::of(self);
        let used =
            |world: &Self| (0..expected.len()).map(|thread| world.accounted(thread)).collect::<Vec<_>>();
        let (start, before) = (self.now, used(self));
        let mut max_lag: f64 = 0.0;
        let mut shares = Vec::new();
        while self.now < start + window {
            self.run(SAMPLE.min(start + window - self.now))?;
            let passed = (self.now - start) as f64;
            let got =
                used(self).iter().zip(&before).map(|(now, then)| (now - then) as f64).collect::<Vec<_>>();
            for (got, share) in got.iter().zip(&expected) {
                max_lag = max_lag.max((share * passed - got).abs());
            }
            shares = got.iter().map(|got| got / passed).collect();
        }
        Ok(Measured { shares, expected, max_lag, counts: Counts::of(self).since(counts) })
    }
}
