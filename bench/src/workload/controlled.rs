//! `share/reweighted` and `balance/pinned`: threads whose weight and CPUs change while they want the CPU.
//!
//! Scenario: three loops of weight 1 on one CPU, running or waiting as it happens, are given the weights 1 : 2 : 4.
//! And four loops that run anywhere on two CPUs: three are pinned to CPU 0, one to CPU 1.
//! Expected: from then on shares as if it had always been so (see `weighted` for the limits); elapsed over accounted CPU
//! time ×3 for the three, ×1 for the one, within 3%.
//! A miss of the shares: the change reached only the running thread, or only at its next wakeup, or what a thread was
//! ahead at its old weight was counted at its new one. Of the ratios: a waiting thread stayed where it was.

use alloc::vec::Vec;

use super::loops::Loops;
use super::{Lab, Trouble, balance};
use crate::fairness::Claim;
use crate::os::Os;
use crate::report::{Report, Shared};
use crate::units::Time;
use crate::verdict::Judgement;

const WEIGHTS: [u32; 3] = [1, 2, 4];
/// The CPU that each of four loops is pinned to.
const PINS: [usize; 4] = [0, 0, 0, 1];

pub fn reweighted<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let running = Loops::<O>::start(&[1; WEIGHTS.len()], 1)?;
    O::sleep(lab.effort.settle_ns);
    running.reweigh(&WEIGHTS);
    let window = running.watch(lab.effort.settle_ns, lab.effort.weighted_ns);
    drop(running);
    let claims: Vec<Claim> = WEIGHTS.iter().map(|&weight| Claim::endless(f64::from(weight))).collect();
    let shared = Shared::new(&window, &claims, 1, lab.slice_ns());
    let error = shared.division.max_error() * 100.0;
    let case = alloc::format!("1:1:1 made 1:2:4 on 1, {}", Time(window.ns));
    let judgement = Judgement::of_case(case).at_most("largest error", error, lab.limits(&window).weight, "%");
    report.share(&shared, &lab.judge_shares(judgement.served(&shared), &window));
    Ok(())
}

pub fn pinned<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let running = Loops::<O>::start(&[1; PINS.len()], balance::CPUS)?;
    O::sleep(lab.effort.settle_ns);
    running.pin(&PINS);
    let window = running.watch(lab.effort.settle_ns, lab.effort.balance_ns);
    drop(running);
    let sharers = |cpu| PINS.iter().filter(|&&other| other == cpu).count() as f64;
    let expected: Vec<f64> = PINS.iter().map(|&cpu| sharers(cpu)).collect();
    let judgement = balance::judge(&window, &expected, PINS.len(), lab.limits(&window).ratio);
    report.ratio(&window, &expected, &lab.judge_shares(judgement, &window));
    Ok(())
}
