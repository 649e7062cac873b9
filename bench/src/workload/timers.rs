//! `timers/N`: to set a timer and take it back, among N that one thread has set.
//!
//! Scenario: a thread on CPU 0 sets N timers for times within the hour to come, in no order. A sample is one more, set
//! and cancelled, at a time of no order either. Expected: the growth of a logarithm: from 10 to 100,000 timers, five times
//! at most.
//! A miss: something walks the timers, or those that were cancelled stay.

use alloc::format;
use alloc::vec::Vec;

use super::timing::{in_thread, median, timed};
use super::{Effort, Lab, NO_ICOUNT, Timed, Trouble};
use crate::os::{Os, Spec};
use crate::random::Random;
use crate::report::Report;
use crate::verdict::Judgement;

/// What growth is against.
const FEW: usize = 10;
/// The number of timers whose growth is judged.
const MANY: usize = 100_000;
/// log(100,000) over log(10).
const GROWTH: f64 = 5.0;
const HOUR_NS: u64 = 3_600_000_000_000;

pub fn run<O: Os>(name: &str, set: usize, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let (mut timed, kept) = among::<O>(set, lab.effort)?;
    let judgement = if set == MANY {
        let few = median(&mut among::<O>(FEW, lab.effort)?.0);
        let growth = median(&mut timed) / few;
        Judgement::new()
            .at_most(&format!("growth from {FEW} to {MANY} timers"), growth, GROWTH, " times")
            .gating_if(lab.icount, NO_ICOUNT)
    } else {
        Judgement::without_limit("compare timers/100000, which has a limit to its growth")
    };
    let text = format!("{kept} timers were cancelled in the end");
    report.latency(timed, &judgement.check(kept == set, text))
}

/// The samples, and how many of the timers that were set first were set still.
fn among<O: Os>(set: usize, effort: Effort) -> Result<(Timed, usize), Trouble> {
    in_thread::<O, _, _>(&Spec::new("timers").pinned(0), move || {
        let (mut timers, mut at, start) = (O::timers(), Random::new(1), O::now() + HOUR_NS);
        let mut first = Vec::with_capacity(set);
        first.extend((0..set).map(|_| O::set_timer(&mut timers, start + at.within(0..HOUR_NS))));
        let timed = timed::<O>(&effort, 1, || {
            let timer = O::set_timer(&mut timers, start + at.within(0..HOUR_NS));
            O::cancel_timer(&mut timers, timer);
        });
        let kept = first.into_iter().filter(|timer| O::cancel_timer(&mut timers, *timer)).count();
        (timed, kept)
    })
}
