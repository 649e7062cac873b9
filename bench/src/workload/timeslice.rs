//! `timeslice`: how long one of two loops runs before the other takes over.
//!
//! Scenario: two equal loops on CPU 0 write their own number into a common word; whoever finds the other's number
//! there has just taken over, and notes the clock. So a slice ends where a switch took place, and not where the host
//! paused the virtual CPU. Expected: 2 × hysteresis: from one hysteresis behind the other to one ahead; within 10%.
//! Where timers fire late it informs.
//! A miss by a factor: the timer is set for something else than the moment of being overtaken. Slices that scatter: leftover
//! timers preempt, or spurious ones do.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::timing::{all_cpus, in_thread, median};
use super::{Effort, LATE, Lab, Timed, Trouble, UNFAIR};
use crate::os::{Os, SpawnError, Spec};
use crate::report::Report;
use crate::verdict::Judgement;

const TOLERANCE: f64 = 0.1;
/// Room for the slices of a loop; a window has about fifty.
const SLICES: usize = 4_096;

/// What the two loops share.
#[derive(Default)]
struct Turns {
    /// The loop that ran last, 1 or 2.
    runs: AtomicU32,
    /// When it took over.
    since: AtomicU64,
    /// When slices begin to count, and when the loops end.
    opens: AtomicU64,
    closes: AtomicU64,
}

pub fn run<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let mut timed = in_thread::<O, _, _>(&Spec::new("control").pinned(0), move || slices::<O>(&effort))??;
    let slice = lab.slice_ns() as f64 / 1e6;
    let judgement = Judgement::new()
        .near("median slice", median(&mut timed) / 1e6, slice, TOLERANCE, " ms")
        .gating_if(lab.punctual, LATE)
        .all_gating_if(lab.is_fair(), UNFAIR);
    report.latency(timed, &judgement)
}

fn slices<O: Os>(effort: &Effort) -> Result<Timed, SpawnError> {
    let turns = Arc::new(Turns::default());
    let opens = O::now() + effort.settle_ns;
    turns.opens.store(opens, Relaxed);
    turns.closes.store(opens + effort.second_ns, Relaxed);
    let before = all_cpus::<O>();
    let loops = [1, 2].map(|number| {
        let turns = turns.clone();
        O::spawn(&Spec::new("loop").pinned(0), move || turns.take::<O>(number))
    });
    let mut timed = Timed::default();
    let mut trouble = None;
    for handle in loops {
        match handle {
            Ok(handle) => {
                let (slices, turns) = O::join(handle);
                timed.samples.extend(slices);
                timed.operations += turns;
            }
            Err(error) => trouble = Some(error),
        }
    }
    timed.spent = all_cpus::<O>().since(&before);
    trouble.map_or(Ok(timed), Err)
}

impl Turns {
    /// Loops until the end; returns the slices of the *other* loop, since who takes over knows when it ended, and how
    /// often it took over.
    fn take<O: Os>(&self, number: u32) -> (Vec<u64>, u64) {
        let mut slices = Vec::with_capacity(SLICES);
        let mut turns = 0;
        let (opens, closes) = (self.opens.load(Relaxed), self.closes.load(Relaxed));
        while O::now() < closes {
            if self.runs.load(Relaxed) == number {
                continue;
            }
            // Read anew: between the loop's reading and the word's, the other one may have had its turn.
            let now = O::now();
            let since = self.since.load(Relaxed);
            self.runs.store(number, Relaxed);
            self.since.store(now, Relaxed);
            turns += 1;
            if since >= opens && slices.len() < SLICES {
                slices.push(now.saturating_sub(since));
            }
        }
        (slices, turns)
    }
}
