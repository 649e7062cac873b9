//! `conserve`: how long a CPU has nothing to run while a thread waits for one.
//!
//! Scenario: two lines of threads a CPU, pinned nowhere. A thread runs and sleeps a few times, for spans drawn at random,
//! and ends, having started its successor: so threads come and go, and half of the time there are fewer than CPUs. Each notes
//! when it ran and when it could have: from the moment that it was to wake at, or the call that created it,
//! to its first instruction; and from the last one before it was switched away to the next. Afterwards the notes
//! of all are put in order. An *episode* lasts as long as fewer of them run than there are CPUs while one waits. The thread
//! that starts them all and reads their notes uses a CPU too: what happens before it sleeps and from the end on doesn't count.
//! A sample is the length of one. The way into a thread and out of it counts as if the CPU did nothing, so an
//! episode is never longer than it seems; every wake-up of an idle CPU is a short one.
//! Expected: none above 100 µs. With `-icount` the longest is some 45 µs: an idle CPU takes one thread after the other from the busy
//! ones, and up to nine have but a few instructions left before they sleep. Each takes it 2 µs, and as much until its turn.
//! A miss by milliseconds: a thread waits behind another one while a CPU is idle, which was not told, or did not ask.

mod ledger;

use alloc::format;
use alloc::vec::Vec;
use core::hint::black_box;

use self::ledger::{Ledger, Stint, episodes};
use super::timing::{all_cpus, in_thread};
use super::{Effort, Lab, NO_ICOUNT, Timed, Trouble};
use crate::os::{Os, SpawnError, Spec};
use crate::random::Random;
use crate::report::Report;
use crate::units::Time;
use crate::verdict::Judgement;

const LINES_PER_CPU: usize = 2;
const LIMIT_US: f64 = 100.0;
const RUN_NS: u64 = 2_000_000;
const SLEEP_NS: u64 = 2_000_000;
/// One in so many naps is the last of a thread.
const LIFE: u64 = 4;
/// Steps between two hints that a thread spins: a microsecond or so, for the turns of virtual CPUs.
const TURN: u32 = 200;

pub fn run<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let (effort, seed) = (lab.effort, O::env().seed);
    let timed = in_thread::<O, _, _>(&Spec::new("control"), move || come_and_go::<O>(seed, &effort))??;
    let longest = timed.samples.iter().max().copied().unwrap_or(0);
    let total = timed.samples.iter().sum::<u64>();
    let judgement = Judgement::new()
        .at_most("longest episode", longest as f64 / 1e3, LIMIT_US, " µs")
        .check(true, format!("{} in all of {}", Time(total), Time(effort.second_ns)))
        .all_gating_if(lab.icount, NO_ICOUNT);
    report.latency(timed, &judgement)
}

/// A thread that comes and goes.
struct Life {
    ledger: Ledger,
    random: Random,
    end: u64,
}

fn come_and_go<O: Os>(seed: u64, effort: &Effort) -> Result<Timed, Trouble> {
    let lines = O::cpus() * LINES_PER_CPU;
    let (done, ledgers) = O::channel::<Result<Ledger, SpawnError>>(lines);
    let before = all_cpus::<O>();
    let end = O::now() + effort.second_ns;
    for line in 0..lines as u64 {
        let random = Random::new(seed.wrapping_mul(lines as u64).wrapping_add(line));
        start::<O>(Life { ledger: Ledger::default(), random, end }, done.clone());
    }
    let started = O::now();
    drop(done);
    let mut stints = Vec::new();
    let mut threads = 0;
    for _ in 0..lines {
        let ledger = O::receive(&ledgers).ok_or_else(|| Trouble::Failed("a thread is lost".into()))??;
        threads += ledger.lives;
        stints.extend(ledger.stints);
    }
    let spent = all_cpus::<O>().since(&before);
    Ok(Timed { samples: episodes(&stints, O::cpus(), started.min(end)..end), spent, operations: threads })
}

/// Creates a thread of the line whose ledger is in `life`; who can't says so instead.
fn start<O: Os>(mut life: Life, done: O::Sender<Result<Ledger, SpawnError>>) {
    let born = O::now();
    let refused = done.clone();
    let thread = O::spawn(&Spec::new("come and go"), move || {
        life.live::<O>(born);
        if O::now() < life.end && life.ledger.has_room() {
            start::<O>(life, done);
        } else {
            O::send(&done, Ok(life.ledger));
        }
    });
    if let Err(error) = thread {
        O::send(&refused, Err(error));
    }
}

impl Life {
    /// Runs and sleeps until the end.
    fn live<O: Os>(&mut self, born: u64) {
        self.ledger.lives += 1;
        let mut ready = born;
        loop {
            let span = self.random.within(0..RUN_NS);
            self.compute::<O>(ready, span);
            if self.random.within(0..LIFE) == 0 || O::now() >= self.end {
                return;
            }
            let nap = self.random.within(0..SLEEP_NS);
            ready = O::now() + nap;
            O::sleep(nap);
        }
    }

    /// Runs for `span` ns by the clock, and notes each time that it was kept from it.
    fn compute<O: Os>(&mut self, ready: u64, span: u64) {
        let me = O::current();
        let mut now = O::now();
        let mut switches = O::usage(&me).switches;
        let mut stint = Stint { ready, began: now, ended: now };
        let end = now + span;
        while now < end {
            (0..TURN).for_each(|step| _ = black_box(step));
            O::relax();
            now = O::now();
            let seen = O::usage(&me).switches;
            if seen != switches {
                self.ledger.note(stint);
                stint = Stint { ready: stint.ended, began: now, ended: now };
                switches = seen;
            }
            stint.ended = now;
        }
        self.ledger.note(stint);
    }
}
