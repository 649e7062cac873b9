//! `vectors`: what a preempted thread finds in its vector registers.
//!
//! Scenario: two threads on CPU 0 compute, each from numbers of its own, and never give way: every thousand
//! steps they compare what came out with what came out first. In between, all that they know is in vector registers. In
//! turn with that, they look whether values stay in the registers that the compiler doesn't use. Expected: the same
//! each time, and preemptions, or nothing was tried. The computation is chaotic: the last bit of one register, wrong
//! once, is all of the result a hundred steps later.
//! A miss: an interrupt, or the switch that follows it, doesn't keep what the compiler leaves in vector registers at any
//! instruction.

use alloc::format;
use core::hint::black_box;

use super::timing::in_thread;
use super::{Effort, Lab, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;
use crate::verdict::Judgement;

/// Values that are alive all the time: they and the constants leave few of the 16 registers unused.
const LIVE: usize = 12;
const STEPS: u32 = 1_000;
const UNTRIED: &str = "not every policy preempts, nor does a timer that fires late";

/// How a thread fared.
struct Computed {
    results: u64,
    wrong: u64,
    preemptions: u64,
}

pub fn run<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let computed = in_thread::<O, _, _>(&Spec::new("control"), move || both::<O>(&effort))??;
    let sum = |figure: fn(&Computed) -> u64| computed.iter().map(figure).sum::<u64>();
    let (results, wrong, preemptions) = (sum(|c| c.results), sum(|c| c.wrong), sum(|c| c.preemptions));
    let judgement = Judgement::new()
        .check(wrong == 0, format!("{wrong} of {results} results differ after {preemptions} preemptions"))
        .check(preemptions > 0, format!("{preemptions} preemptions"))
        .gating_if(lab.punctual && lab.is_fair(), UNTRIED);
    report.count("wrong results", wrong, &judgement);
    Ok(())
}

fn both<O: Os>(effort: &Effort) -> Result<[Computed; 2], Trouble> {
    let end = O::now() + effort.budget_ns;
    let [first, second] =
        [0.1, 0.3].map(|seed| O::spawn(&Spec::new("vectors").pinned(0), move || compute::<O>(seed, end)));
    // Both are joined, whatever became of the other.
    let [first, second] = [first.map(O::join), second.map(O::join)];
    Ok([first?, second?])
}

fn compute<O: Os>(seed: f64, end: u64) -> Computed {
    let first = chaos(black_box(seed));
    let mut computed = Computed { results: 1, wrong: 0, preemptions: 0 };
    while O::now() < end {
        let same = chaos(black_box(seed)) == first;
        computed.results += 1;
        computed.wrong += u64::from(!(same && O::registers_keep(first)));
    }
    computed.preemptions = O::usage(&O::current()).preemptions;
    computed
}

/// The logistic map, from several numbers at once; all bits of them.
#[inline(never)]
fn chaos(seed: f64) -> u64 {
    let mut live: [f64; LIVE] = core::array::from_fn(|i| seed + i as f64 / 64.0);
    for _ in 0..STEPS {
        for x in &mut live {
            *x = 3.9 * *x * (1.0 - *x);
        }
    }
    live.iter().fold(0, |bits, x| bits.rotate_left(5) ^ x.to_bits())
}
