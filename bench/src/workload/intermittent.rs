//! `share/intermittent`: a loop, and a thread that wants half the CPU.
//!
//! Scenario: on CPU 0, one thread loops, another uses p of CPU time and sleeps p, for p = 4 ms; thoroughly 1 to 32 ms.
//! Expected: 50 : 50, each within 2%. Where timers fire late it informs: what the sleeper oversleeps goes to the loop.
//! A miss against the sleeper: waking puts it behind the loop (OSv: ×1.88 to ×1.93 for the loop, ×2.09 to ×2.11 for
//! the sleeper). A miss against the loop: sleeping earns credit.

use alloc::format;

use super::loops::Loops;
use super::{FORGETS, LATE, Lab, MS, Trouble};
use crate::fairness::Claim;
use crate::os::Os;
use crate::report::{Report, Shared};
use crate::verdict::Judgement;

const QUICK_MS: [u64; 1] = [4];
const ALL_MS: [u64; 6] = [1, 2, 4, 8, 16, 32];
/// The largest error, in percent.
const LIMIT: f64 = 2.0;

pub fn run<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    let periods: &[u64] = if lab.effort.all_cases { &ALL_MS } else { &QUICK_MS };
    for period_ms in periods {
        report.begin(name);
        let mut running = Loops::<O>::start(&[1], 1)?;
        running.add_napper(period_ms * MS, period_ms * MS, 1)?;
        let window = running.watch(lab.effort.settle_ns, lab.effort.balance_ns);
        drop(running);
        let shared =
            Shared::new(&window, &[Claim::endless(1.0), Claim { weight: 1.0, most: 0.5 }], 1, lab.slice_ns());
        let error = shared.division.max_error() * 100.0;
        let judgement = Judgement::of_case(format!("{period_ms} ms"))
            .at_most("largest error", error, LIMIT, "%")
            .gating_if(lab.punctual, LATE)
            .served(&shared)
            .all_gating_if(lab.remembers(), FORGETS);
        report.share(&shared, &judgement);
    }
    Ok(())
}
