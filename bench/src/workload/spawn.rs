//! `spawn`: create a thread, let it run, join it.
//!
//! Scenario: a thread on CPU 0 spawns an empty one on CPU 0 and joins it. Expected: 1,500 instructions, 3,000 at most,
//! two switches, no interrupt. A miss: stacks are mapped or zeroed for each thread instead of recycled, the heap is
//! slow, or names are formatted.

use alloc::format;

use super::timing::{in_thread, instructions, timed};
use super::{Effort, Lab, Timed, Trouble};
use crate::os::{Os, SpawnError, Spec};
use crate::report::Report;

const LIMIT: u64 = 3_000;

pub fn run<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let (mut timed, refused) =
        in_thread::<O, _, _>(&Spec::new("parent").pinned(0), move || spawns::<O>(&effort))?;
    let mut judgement = instructions(lab, &mut timed, LIMIT);
    let text = match refused {
        None => format!("{} threads created and joined", timed.operations),
        Some(error) => format!("a thread was refused: {error}"),
    };
    judgement = judgement.check(refused.is_none(), text);
    report.latency(timed, &judgement)
}

fn spawns<O: Os>(effort: &Effort) -> (Timed, Option<SpawnError>) {
    let spec = Spec::new("child").pinned(0);
    let mut refused = None;
    let timed = timed::<O>(effort, 1, || match O::spawn(&spec, || ()) {
        Ok(child) => O::join(child),
        Err(error) => refused = Some(error),
    });
    (timed, refused)
}
