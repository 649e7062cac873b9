//! The fairness cases of the report, and random ones.

use fastrand::Rng;

use super::case::Case;
use super::program::{Cpus, Plan, Span, Step};

const MS: u64 = 1_000_000;

fn loops(weights: &[u32]) -> Vec<Plan> {
    weights.iter().map(|&weight| Plan::looping().weighing(weight)).collect()
}

/// A case whose shares are judged, after half a second and for five.
fn shares(name: impl Into<String>, cpus: usize, threads: Vec<Plan>, among: usize) -> Case {
    let case = Case::new(name, cpus, threads).expecting_shares(among);
    Case { settle: 500 * MS, window: 5_000 * MS, ..case }
}

/// The fairness cases of the report, threads in an order and at times drawn from the seed.
pub fn cases(seed: u64) -> Vec<Case> {
    let mut rng = Rng::with_seed(seed);
    let mut cases = Vec::new();
    for count in 1..=9 {
        cases.push(shares(format!("share/equal {count} on 4"), 4, loops(&vec![1; count]), 4));
    }
    let confined = loops(&[1; 3]).into_iter().map(|plan| plan.on(Cpus::Range(0, 2))).collect();
    cases.push(shares("share/equal 3 on 2 of 4", 4, confined, 2));
    cases.push(shares("share/weighted 1:2:4 on 1", 1, loops(&[1, 2, 4]), 1));
    for (cpus, mut weights) in [(2, vec![1, 1, 2, 2, 4, 4]), (4, [1, 2, 4].repeat(4))] {
        rng.shuffle(&mut weights);
        cases.push(shares(format!("share/weighted {weights:?} on {cpus}"), cpus, loops(&weights), cpus));
    }
    for burst in [1, 2, 4, 8, 16, 32] {
        let span = Span::exactly(burst * MS);
        let half = Plan::repeat(vec![Step::Run(span), Step::Sleep(span)]);
        cases.push(shares(format!("share/intermittent {burst} ms"), 1, vec![Plan::looping(), half], 1));
    }
    cases.push(shares("timeslice", 1, loops(&[1, 1]), 1));
    for count in [2, 4, 3] {
        cases.push(shares(format!("balance/{count}on2"), 2, loops(&vec![1; count]), 2));
    }
    cases.push(shares("balance/weighted3on2", 2, loops(&[2, 1, 1]), 2));
    for count in [2, 4] {
        let nap = vec![Step::Run(Span::exactly(MS)), Step::Sleep(Span::exactly(10 * MS))];
        let threads = loops(&vec![1; count]).into_iter().chain([Plan::repeat(nap)]).collect();
        cases.push(shares(format!("balance/{count}+1"), 2, threads, 2));
    }
    cases.push(reweighted());
    cases.push(pinned());
    for case in &mut cases {
        case.seed = seed;
        scatter(case, &mut rng);
    }
    cases
}

/// Three equal loops on one CPU, one of which gives the others, as they wait, twice and four times its weight.
fn reweighted() -> Case {
    let weigh = |thread, times| Step::Weigh { thread: Some(thread), weight: times * sched::NORMAL_WEIGHT };
    let threads = changed_by_the_first(loops(&[1; 3]), [weigh(1, 2), weigh(2, 4)]);
    let case = shares("share/reweighted 1:1:1 made 1:2:4 on 1", 1, threads, 1);
    Case { expected: [1.0, 2.0, 4.0].map(|part| part / 7.0).into(), ..case }
}

/// Four loops on two CPUs, one of which pins three to the first and one to the other, running or waiting.
fn pinned() -> Case {
    let pin = |thread, cpu| Step::Pin { thread: Some(thread), cpus: Cpus::One(cpu) };
    let threads = changed_by_the_first(loops(&[1; 4]), [pin(1, 0), pin(2, 0), pin(3, 1), pin(0, 0)]);
    let case = shares("balance/pinned 3 and 1 of 4 on 2", 2, threads, 2);
    Case { expected: vec![1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0], ..case }
}

/// The first of some loops does this once it has run for a while, before what it gets is watched.
fn changed_by_the_first<const N: usize>(mut threads: Vec<Plan>, changes: [Step; N]) -> Vec<Plan> {
    let begun = [Step::Run(Span::exactly(50 * MS))];
    threads[0].steps = begun.into_iter().chain(changes).chain([Step::Loop]).collect();
    threads
}

/// Loops of random weights on `cpus` CPUs, to find where shares stray.
pub fn random(seed: u64, cpus: usize) -> Case {
    let mut rng = Rng::with_seed(seed);
    let weights: Vec<u32> = (0..rng.usize(1..=3 * cpus + 1)).map(|_| rng.u32(1..=8)).collect();
    let mut case = shares(format!("share/random {} on {cpus}", weights.len()), cpus, loops(&weights), cpus);
    case.seed = seed;
    scatter(&mut case, &mut rng);
    case
}

/// Threads start at different times.
fn scatter(case: &mut Case, rng: &mut Rng) {
    for plan in &mut case.threads {
        plan.start = rng.u64(0..20 * MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::Invariant;
    use sched::policy::PolicyKind;

    #[test]
    fn shares_are_fair_and_the_same_seed_repeats() {
        for case in cases(3) {
            let received =
                || case.run().unwrap_or_else(|why| panic!("{}: {why}", case.name)).window.received();
            assert_eq!(received(), received(), "{}", case.name);
        }
    }

    #[test]
    fn loops_share_what_a_napper_leaves() {
        let all = cases(1);
        let beside = all.iter().find(|case| case.name == "balance/4+1").expect("it's in the report");
        let ratios: Vec<f64> = beside.expected.iter().map(|cpus| 1.0 / cpus).collect();
        assert!((ratios[4] - 11.0).abs() < 1e-6, "{ratios:?}");
        assert!(ratios[..4].iter().all(|ratio| (ratio - 2.095).abs() < 1e-3), "{ratios:?}");
    }

    #[test]
    fn round_robin_knows_no_weights() {
        let case =
            Case { policy: PolicyKind::RoundRobin, ..shares("unfair on purpose", 1, loops(&[1, 4]), 1) };
        assert_eq!(case.run().unwrap_err().invariant, Invariant::Shares);
    }
}
