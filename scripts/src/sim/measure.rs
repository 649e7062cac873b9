//! What a case showed: who got how much of its window, and what went on in all.

use bench::fairness::{Claim, Division, ideal};
use bench::os::{Counters, Usage};
use bench::workload::{ThreadWindow, Window};
use sched::{CpuId, Shared};

use super::case::Case;
use super::check::{Invariant, Violation};
use super::program::{Plan, Step};
use super::world::{BOOT, World};

/// How often the lag is looked at.
const SAMPLE: u64 = 1_000_000;

/// More events a microsecond than this, for each CPU up to so many, are a storm that the scheduler makes.
const BUSIEST: u64 = 5;
/// Of large machines not all CPUs are at their busiest.
const BUSY_CPUS: usize = 16;

/// What a case that violated nothing showed.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What its threads got in the window, and what its CPUs did.
    pub window: Window,
    /// The largest lag of any thread at any time of it, in nanoseconds; only if shares are judged.
    pub max_lag: f64,
    /// What went on, from boot to end.
    pub totals: Totals,
}

/// Sums and extremes, of a case or of many.
#[derive(Clone, Copy, Default, Debug)]
pub struct Totals {
    /// Cases.
    pub cases: u64,
    /// Events handled.
    pub events: u64,
    /// Invariants checked, each for one CPU or thread.
    pub checks: u64,
    /// Virtual time in nanoseconds, summed over cases.
    pub virtual_time: u64,
    /// The longest that a CPU idled while a thread waited that could have moved there.
    pub longest_waste: u64,
    /// The most that a waiting thread was owed, in nanoseconds.
    pub worst_lag: f64,
    /// The largest relative error of a share, where shares are judged.
    pub worst_share: f64,
}

impl Totals {
    /// Adds what other cases showed.
    pub fn add(&mut self, other: &Self) {
        self.cases += other.cases;
        self.events += other.events;
        self.checks += other.checks;
        self.virtual_time += other.virtual_time;
        self.longest_waste = self.longest_waste.max(other.longest_waste);
        self.worst_lag = self.worst_lag.max(other.worst_lag);
        self.worst_share = self.worst_share.max(other.worst_share);
    }
}

impl Case {
    /// What each of the case's threads should get of `among` CPUs: by weight, and no more than it wants.
    pub fn expecting_shares(mut self, among: usize) -> Self {
        let claims: Vec<Claim> = self.threads.iter().map(claim).collect();
        self.expected = ideal(&claims, among);
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// The first violation.
    pub fn run(&self) -> Result<Outcome, Violation> {
        self.attempt(false).map_err(|(violation, _)| violation)
    }

    /// Runs it; if something is violated, tells also what went before.
    ///
    /// # Errors
    /// The first violation, and the last decisions that lead to it.
    pub fn attempt(&self, traced: bool) -> Result<Outcome, (Violation, String)> {
        let shared = Shared::on(self.shape.topology(self.cpus), self.slots(), self.config());
        let mut world = World::new(&shared, self);
        world.trace.on = traced;
        let outcome = world.watch(self);
        outcome.map_err(|why| (why, format!("{}at {} ns, {}", world.trace, world.now, self.name)))
    }

    /// Slots for its threads, and for some that they start.
    fn slots(&self) -> usize {
        self.threads.len() + 16 + self.threads.len() / 2
    }
}

/// What a thread wants: all it can get, unless it runs and sleeps by turns for spans that are always the same.
fn claim(plan: &Plan) -> Claim {
    let most = match plan.steps[..] {
        [Step::Run(run), Step::Sleep(sleep)] if run.least == run.most && sleep.least == sleep.most => {
            run.most as f64 / (run.most + sleep.most) as f64
        }
        _ => 1.0,
    };
    Claim { weight: f64::from(plan.weight), most }
}

/// How much a thread counts, against a normal one.
pub fn weight_of(plan: &Plan) -> f64 {
    f64::from(plan.weight) / f64::from(sched::NORMAL_WEIGHT)
}

/// All that is read at one end of a window.
struct Reading {
    threads: Vec<Usage>,
    cpus: Vec<Counters>,
}

impl World<'_> {
    /// Runs a case's settling and its window.
    fn watch(&mut self, case: &Case) -> Result<Outcome, Violation> {
        self.run(case.settle)?;
        let before = self.reading(case);
        let max_lag = self.run_window(case, &before)?;
        self.check_conserved()?;
        let window = self.window(case, &before);
        let totals = self.totals(case, &window);
        let outcome = Outcome { window, max_lag, totals };
        Self::check_shares(case, &outcome)?;
        Ok(outcome)
    }

    /// Loops got what they should.
    fn check_shares(case: &Case, outcome: &Outcome) -> Result<(), Violation> {
        let bounds = case.bounds();
        if outcome.max_lag > bounds.steady_lag {
            let found = format!("a thread strays {:.0} ns from its ideal", outcome.max_lag);
            return Err(Invariant::Shares.violated(found));
        }
        // A turn more or less of its own is a light thread's whole error.
        let turn = |thread: usize| bounds.slice * weight_of(&case.threads[thread]).max(1.0);
        for (thread, (&share, got)) in case.expected.iter().zip(outcome.window.received()).enumerate() {
            let deserved = share * case.window as f64;
            let off = (got as f64 - deserved).abs();
            if off > bounds.share * deserved + turn(thread) {
                let found = format!("thread {thread} got {got} ns of {deserved:.0}");
                return Err(Invariant::Shares.violated(found));
            }
        }
        Ok(())
    }

    /// Runs on for `span`, checking after every event.
    fn run(&mut self, span: u64) -> Result<(), Violation> {
        let end = self.now + span;
        let most = self.events_handled + BUSIEST * (span / 1_000 + 1) * self.cpus.len().min(BUSY_CPUS) as u64;
        while let Some(event) = self.events.next(end) {
            if self.handle(event) {
                self.check(event.cpu)?;
            }
            if self.events_handled > most {
                let found = "CPUs keep each other busy with events and get nothing done";
                return Err(Invariant::Progress.violated(found));
            }
        }
        self.now = end;
        Ok(())
    }

    /// Runs through the window; the largest lag against what's expected.
    fn run_window(&mut self, case: &Case, before: &Reading) -> Result<f64, Violation> {
        let start = self.now;
        if case.expected.is_empty() {
            return self.run(case.window).map(|()| 0.0);
        }
        let mut max_lag: f64 = 0.0;
        while self.now < start + case.window {
            self.run(SAMPLE.min(start + case.window - self.now))?;
            let passed = (self.now - start) as f64;
            for (thread, share) in case.expected.iter().enumerate() {
                let got = self.accounted(thread) - before.threads[thread].cpu_ns;
                max_lag = max_lag.max((share * passed - got as f64).abs());
            }
        }
        Ok(max_lag)
    }

    fn reading(&self, case: &Case) -> Reading {
        Reading {
            threads: (0..case.threads.len()).map(|thread| self.usage(thread)).collect(),
            cpus: (0..self.cpus.len()).map(|cpu| self.counters(cpu)).collect(),
        }
    }

    fn usage(&self, thread: usize) -> Usage {
        let task = self.shared.task(self.threads[thread].task.index());
        Usage {
            cpu_ns: self.accounted(thread),
            switches: task.switches.get(),
            preemptions: task.preemptions.get(),
            wakeups: task.wakeups(),
            migrations: task.migrations.get(),
        }
    }

    fn counters(&self, cpu: usize) -> Counters {
        let (mailbox, now) = (self.cpus[cpu].sched.mailbox(), self.local(cpu));
        let stats = &mailbox.stats;
        Counters {
            switches: stats.switches.get(),
            preemptions: stats.preemptions.get(),
            blocks: self.shared.blocks(CpuId(cpu as u32)),
            migrations: stats.migrations.get(),
            kicks_sent: stats.kicks_sent.get(),
            kicks_saved: stats.kicks_saved.get(),
            timer_interrupts: stats.timer_interrupts.get(),
            timer_writes: stats.timer_writes.get(),
            interrupts_total: self.cpus[cpu].interrupts,
            idle_ns: self.shared.idle_time(CpuId(cpu as u32), now).0,
            halted_ns: stats.halted.read(now).0,
            ..Counters::default()
        }
    }

    fn window(&self, case: &Case, before: &Reading) -> Window {
        let after = self.reading(case);
        let thread = |(number, (now, then)): (usize, (&Usage, &Usage))| ThreadWindow {
            name: format!("thread {number}"),
            usage: now.since(then),
            rounds: None,
        };
        Window {
            ns: case.window,
            blur_ns: 0,
            threads: after.threads.iter().zip(&before.threads).enumerate().map(thread).collect(),
            cpus: after.cpus.iter().zip(&before.cpus).map(|(now, then)| now.since(then)).collect(),
        }
    }

    fn totals(&self, case: &Case, window: &Window) -> Totals {
        let worst_share = if case.expected.is_empty() {
            0.0
        } else {
            let cpus = case.expected.iter().sum::<f64>();
            let used = window.received().iter().sum::<u64>() as f64;
            // What all got together counts as well: equal parts of too little aren't fair.
            let served = (used / (cpus * window.ns as f64) - 1.0).abs();
            Division::new(&window.received(), &case.expected).max_error().max(served)
        };
        Totals {
            cases: 1,
            events: self.events_handled,
            checks: self.checker.done,
            virtual_time: self.now - BOOT,
            longest_waste: self.checker.waste().0,
            worst_lag: self.checker.worst_lag(),
            worst_share,
        }
    }
}
