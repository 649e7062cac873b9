//! `balance/*`: loops on two CPUs, by how much longer each takes than alone (OSv `misc-loadbalance`).
//!
//! Scenario: on CPUs 0 and 1: two loops; four; three; one of double weight and two normal ones; two or four and a
//! thread that runs 1 ms and sleeps 10 ms. A thread's ratio is elapsed over accounted CPU time.
//! Expected, for **every** thread: ×1, ×2, ×1.5; ×1 for the heavy one and ×2 for the others; ×1.05 and ×2.1 for the
//! loops. Within 3% (on a loaded host less, see `limits`). CPU time is what the kernel accounts: under `-icount` CPUs
//! run in turns, so that two loops on two CPUs do half the work, but elapsed over accounted time is still ×1.
//!
//! The napper takes what it takes: it asks the clock when its 1 ms is over, and on a virtual CPU that is paused, by
//! `-icount` or by the host, it learns it late. So the loops share what it really left, and it is not judged.
//!
//! A miss of `3on2` with one thread at ×1 and two at ×2: nobody moves while run queues differ by less than two. Of
//! `2+1`: the napper is counted as load, and a loop is chased away for it.
//! OSv: 0.95 to 1.13, 1.95 to 2.13, 1.42 to 1.56, 1.08 to 1.26, 1.07 to 1.23, 2.08 to 2.38.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::loops::{Loops, ThreadWindow, Window};
use super::{Lab, MS, Trouble};
use crate::fairness::{Claim, ideal};
use crate::os::Os;
use crate::report::Report;
use crate::verdict::Judgement;

pub const CPUS: usize = 2;
const RUN_NS: u64 = MS;
const SLEEP_NS: u64 = 10 * MS;
/// The napper's ratio if nothing delays it.
const ASKED: f64 = (RUN_NS + SLEEP_NS) as f64 / RUN_NS as f64;

pub fn run<O: Os>(
    name: &str,
    weights: &[u32],
    naps: bool,
    lab: &Lab,
    report: &mut Report<'_>,
) -> Result<(), Trouble> {
    report.begin(name);
    let mut running = Loops::<O>::start(weights, CPUS)?;
    let mut claims: Vec<Claim> = weights.iter().map(|&weight| Claim::endless(f64::from(weight))).collect();
    if naps {
        running.add_napper(RUN_NS, SLEEP_NS, CPUS)?;
    }
    let window = running.watch(lab.effort.settle_ns, lab.effort.balance_ns);
    drop(running);
    let loops = weights.len();
    claims.extend(window.threads[loops..].iter().map(|napper| took(napper, &window)));
    let expected: Vec<f64> = ideal(&claims, CPUS).iter().map(|cpus| 1.0 / cpus).collect();
    let judgement = judge(&window, &expected, loops, lab.limits(&window).ratio);
    let mut judgement = lab.judge_shares(judgement, &window);
    if let Some(napper) = window.threads.get(loops) {
        let text = format!("×{:.2}, ×{ASKED:.2} if it woke on time", napper.ratio(window.ns));
        judgement = judgement.check(true, text).informing("the napper takes what it likes");
    }
    report.ratio(&window, &expected, &judgement);
    Ok(())
}

/// What the napper really claimed.
fn took(napper: &ThreadWindow, window: &Window) -> Claim {
    Claim { weight: 1.0, most: (1.0 / napper.ratio(window.ns)).min(1.0) }
}

/// The loop that is farthest from what it should be is judged; the napper is there to disturb.
pub fn judge(window: &Window, expected: &[f64], loops: usize, percent: f64) -> Judgement {
    let mut worst = (0.0, String::new());
    for (thread, &expected) in window.threads.iter().zip(expected).take(loops) {
        let ratio = thread.ratio(window.ns);
        let error = (ratio / expected - 1.0).abs();
        if error >= worst.0 {
            let name = &thread.name;
            let text = format!("{name} is farthest off, ×{ratio:.3} for ×{expected:.3}, {percent}% allowed");
            worst = (error, text);
        }
    }
    Judgement::new().check(worst.0 * 100.0 <= percent, worst.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::Usage;
    use crate::verdict::Mark;

    fn window(received_ms: &[u64]) -> Window {
        let thread = |(i, ms): (usize, &u64)| ThreadWindow {
            name: format!("loop {i}"),
            usage: Usage { cpu_ns: ms * MS, ..Usage::default() },
            rounds: None,
        };
        Window {
            ns: 1_200 * MS,
            threads: received_ms.iter().enumerate().map(thread).collect(),
            ..Window::default()
        }
    }

    #[test]
    fn every_loop_counts_and_the_napper_does_not() {
        assert_eq!(judge(&window(&[800, 800, 800]), &[1.5; 3], 3, 3.0).mark(), Mark::Ok);
        let biased = judge(&window(&[1_100, 600, 600]), &[1.5; 3], 3, 3.0);
        assert_eq!(biased.mark(), Mark::Fail);
        assert_eq!(biased.why(), "loop 2 is farthest off, ×2.000 for ×1.500, 3% allowed");
        assert_eq!(judge(&window(&[1_200, 1]), &[1.0, 11.0], 1, 3.0).mark(), Mark::Ok);
    }

    #[test]
    fn loops_share_what_the_napper_left() {
        let window = window(&[1_000, 1_000, 400]);
        let napper = took(&window.threads[2], &window);
        assert!((napper.most - 1.0 / 3.0).abs() < 1e-9);
        assert!(took(&window.threads[0], &window).most < 1.0);
    }

    #[test]
    fn a_starved_loop_fails() {
        let judgement = judge(&window(&[1_200, 0]), &[1.0; 2], 2, 3.0);
        assert_eq!(judgement.mark(), Mark::Fail);
        assert!(judgement.why().starts_with("loop 1 is farthest off"), "{}", judgement.why());
    }
}
