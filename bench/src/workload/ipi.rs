//! `ipi`: an interrupt from CPU to CPU (Skyloft, SOSP 2024, §4.6).
//!
//! Scenario: a thread on CPU 0 sends CPU 1, which idles, an interrupt whose handler reads the clock first thing.
//! Expected: a figure of the machine, not of the kernel, that bounds `wake/halted` from below; it informs.
//! A figure far above its neighbours: the target left a deep sleep state, or had interrupts off.

use alloc::string::ToString;

use super::timing::{all_cpus, in_thread};
use super::{Effort, Lab, Timed, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;
use crate::verdict::Judgement;

pub fn run<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let timed = in_thread::<O, _, _>(&Spec::new(name).pinned(0), move || probe::<O>(&effort))??;
    report.latency(timed, &Judgement::without_limit("a figure of the machine, not of the kernel"))
}

fn probe<O: Os>(effort: &Effort) -> Result<Timed, Trouble> {
    let mut timed = Timed::with_room(effort);
    let before = all_cpus::<O>();
    let end = O::now() + effort.budget_ns;
    while timed.samples.len() < effort.samples && O::now() < end {
        let Some(sample) = O::ipi_round(1) else {
            return Err(Trouble::Skipped(
                "this kernel has no interrupt probe, or CPU 1 did not answer".to_string(),
            ));
        };
        timed.keep(sample);
        timed.operations += 1;
    }
    timed.spent = all_cpus::<O>().since(&before);
    Ok(timed)
}
