//! `share/equal`: N equal loops on M CPUs, N from 1 to 2M + 1, and three on two CPUs of more.
//!
//! Expected: each gets min(N, M)/N of a CPU: Jain's index ≥ 0.999, smallest over largest share ≥ 0.97 over 4 s after
//! half a second of settling (on a loaded host less, see `limits`), and the CPUs that can be busy are, for 98% of the
//! time.
//! The cases in which M does not divide N are the hard ones: nothing is fair unless threads move. A miss in Jain's
//! index with few migrations: the balancer counts queue entries instead of lag (Linux: 0.889 for three on two). A miss in what was
//! served: threads share a CPU while another idles; see "idle while overloaded".
//! Linux 6.12, 8 on 4: Jain 0.9990, largest over smallest 1.10; 5 on 4: 0.9961 to 0.9994, 1.07 to 1.21.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::loops::Loops;
use super::{Lab, Limits, Trouble};
use crate::fairness::Claim;
use crate::os::Os;
use crate::report::{Report, Shared};
use crate::verdict::Judgement;

/// Beyond this many CPUs not every N is taken: nobody waits for 513 windows.
const EVERY_N_UP_TO: usize = 4;

pub fn run<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    for (loops, cpus) in cases(O::cpus(), lab.effort.all_cases) {
        report.begin(name);
        let weights = vec![1; loops];
        let running = Loops::<O>::start(&weights, cpus)?;
        let window = running.watch(lab.effort.settle_ns, lab.effort.share_ns);
        drop(running);
        let shared = Shared::new(&window, &vec![Claim::endless(1.0); loops], cpus, lab.slice_ns());
        let Limits { jain, min_over_max, .. } = lab.limits(&window);
        let judgement = Judgement::of_case(format!("{loops} on {cpus}"))
            .at_least("Jain", shared.division.jain, jain, "")
            .at_least("smallest/largest", shared.division.min_over_max, min_over_max, "")
            .served(&shared);
        let judgement = lab.judge_shares(judgement, &window);
        report.share(&shared, &judgement);
    }
    Ok(())
}

/// Loops and the CPUs that they may run on.
fn cases(cpus: usize, all: bool) -> Vec<(usize, usize)> {
    let most = 2 * cpus + 1;
    let mut cases: Vec<(usize, usize)> = match (all, cpus) {
        (false, _) => vec![(cpus + 1, cpus), (2 * cpus, cpus)],
        (true, ..=EVERY_N_UP_TO) => (1..=most).map(|loops| (loops, cpus)).collect(),
        (true, _) => {
            [1, cpus - 1, cpus, cpus + 1, cpus + cpus / 2, 2 * cpus, most].map(|loops| (loops, cpus)).into()
        }
    };
    if all && cpus > 2 {
        cases.push((3, 2));
    }
    cases.dedup();
    cases
}

#[cfg(test)]
mod tests {
    use super::cases;

    #[test]
    fn a_thorough_run_takes_every_n_and_three_on_two() {
        let taken = cases(4, true);
        assert!((1..=9).all(|loops| taken.contains(&(loops, 4))));
        assert_eq!(taken.last(), Some(&(3, 2)));
        assert_eq!(cases(1, true), [(1, 1), (2, 1), (3, 1)]);
        assert!(cases(512, true).len() < 10);
    }

    #[test]
    fn a_quick_one_takes_the_hard_ones() {
        assert_eq!(cases(4, false), [(5, 4), (8, 4)]);
        assert_eq!(cases(1, false), [(2, 1)]);
    }
}
