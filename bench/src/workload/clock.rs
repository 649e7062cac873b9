//! `clock`: reading the clock.
//!
//! Scenario: one thread on CPU 0 reads the clock 64 times in a row. Expected: 6 instructions (read the counter, join
//! its halves, scale), 12 at most; the loop around it adds less than one.
//! A miss: a call that was not inlined, a division, a lock or a sequence counter around the scale, or a scale that is
//! loaded through pointers.

use super::timing::{batched, in_thread, instructions};
use super::{Lab, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;

const LIMIT: u64 = 12;

pub fn run<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let mut timed =
        in_thread::<O, _, _>(&Spec::new(name).pinned(0), move || batched::<O, _>(&effort, O::now))?;
    let judgement = instructions(lab, &mut timed, LIMIT);
    report.latency(timed, &judgement)
}
