//! What a fair division would have been, and how far the one that was measured is from it.
//!
//! M CPUs serve threads in proportion to their weights, but no thread can run on two CPUs at once, and one that
//! sleeps takes no more than it asks for. What such threads leave is divided among the others: *water-filling*. So
//! weights 4 : 1 : 1 on two CPUs deserve 1, ½ and ½, not 4/3, 1/3 and 1/3.

use alloc::vec;
use alloc::vec::Vec;

/// What one thread may claim.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// Its weight against the others', in any unit.
    pub weight: f64,
    /// The most that it takes, in CPUs: 1 for a loop, less for one that sleeps.
    pub most: f64,
}

impl Claim {
    /// A thread that never stops wanting to run.
    pub const fn endless(weight: f64) -> Self {
        Self { weight, most: 1.0 }
    }
}

/// What each of `claims` deserves of `cpus`, in CPUs, in the same order.
///
/// Every round grants its cap to whoever would get more than it; the last round divides what is left by weight.
pub fn ideal(claims: &[Claim], cpus: usize) -> Vec<f64> {
    let mut granted = vec![None; claims.len()];
    loop {
        let left = cpus as f64 - granted.iter().flatten().sum::<f64>();
        let open = || claims.iter().zip(&granted).filter(|(_, grant)| grant.is_none());
        let level = left / open().map(|(claim, _)| claim.weight).sum::<f64>();
        let capped: Vec<usize> = (0..claims.len())
            .filter(|&i| granted[i].is_none() && claims[i].weight * level >= claims[i].most)
            .collect();
        if capped.is_empty() {
            let rest = |(claim, grant): (&Claim, &Option<f64>)| grant.unwrap_or(claim.weight * level);
            return claims.iter().zip(&granted).map(rest).collect();
        }
        for i in capped {
            granted[i] = Some(claims[i].most);
        }
    }
}

/// Jain's index of fairness: (Σx)² / (n Σx²), from 1/n (one has all) to 1 (all have the same). 1 for nobody.
///
/// R. Jain, D. Chiu, W. Hawe: A Quantitative Measure of Fairness and Discrimination (DEC-TR-301, 1984).
pub fn jain(values: &[f64]) -> f64 {
    let sum: f64 = values.iter().sum();
    let squares: f64 = values.iter().map(|value| value * value).sum();
    if squares == 0.0 {
        return 1.0;
    }
    sum * sum / (values.len() as f64 * squares)
}

/// How CPU time was divided, against how it should have been.
#[derive(Clone, Debug, PartialEq)]
pub struct Division {
    /// Each thread's part of all that these threads got. They add up to 1, unless nobody got anything.
    pub shares: Vec<f64>,
    /// The parts that they deserved.
    pub expected: Vec<f64>,
    /// What each was owed at the end, in ns: positive when it got too little.
    pub lags: Vec<f64>,
    /// Jain's index of share over expected share.
    pub jain: f64,
    /// The smallest share over expected share, over the largest.
    pub min_over_max: f64,
}

impl Division {
    /// Judges `received` ns against what was `deserved`, in any unit. One entry a thread in both.
    pub fn new(received: &[u64], deserved: &[f64]) -> Self {
        let total = received.iter().map(|&ns| ns as f64).sum::<f64>();
        let claim = deserved.iter().sum::<f64>();
        let shares: Vec<f64> = received.iter().map(|&ns| over(ns as f64, total)).collect();
        let expected: Vec<f64> = deserved.iter().map(|part| over(*part, claim)).collect();
        let scaled: Vec<f64> =
            shares.iter().zip(&expected).map(|(share, should)| over(*share, *should)).collect();
        let lags = shares.iter().zip(&expected).map(|(share, should)| (should - share) * total).collect();
        let least = scaled.iter().copied().fold(f64::INFINITY, f64::min);
        let most = scaled.iter().copied().fold(0.0, f64::max);
        Self {
            jain: jain(&scaled),
            min_over_max: if scaled.is_empty() { 1.0 } else { over(least, most) },
            shares,
            expected,
            lags,
        }
    }

    /// The largest lag in ns, whichever its sign.
    pub fn max_lag(&self) -> f64 {
        self.lags.iter().map(|lag| lag.abs()).fold(0.0, f64::max)
    }

    /// The largest relative error of a share: 0.02 when some thread got 2% more or less than it deserved.
    pub fn max_error(&self) -> f64 {
        let error = |(share, should): (&f64, &f64)| (over(*share, *should) - 1.0).abs();
        self.shares.iter().zip(&self.expected).map(error).fold(0.0, f64::max)
    }
}

/// The time in ns that CPUs idled although a loop waited for one: the idle time beyond what `loops` endless threads
/// leave to as many CPUs as `idle` has entries, over a window of `window` ns.
pub fn idle_while_overloaded(idle: &[u64], loops: usize, window: u64) -> u64 {
    let spare = idle.len().saturating_sub(loops) as u64;
    idle.iter().sum::<u64>().saturating_sub(spare * window)
}

/// `part / whole`, and 0 of nothing.
fn over(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn loops(weights: &[f64]) -> Vec<Claim> {
        weights.iter().copied().map(Claim::endless).collect()
    }

    fn close(left: &[f64], right: &[f64]) -> bool {
        left.len() == right.len() && left.iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-9)
    }

    #[test]
    fn equal_loops_divide_equally_but_never_get_more_than_a_cpu() {
        assert!(close(&ideal(&loops(&[1.0; 3]), 2), &[2.0 / 3.0; 3]));
        assert!(close(&ideal(&loops(&[1.0; 3]), 4), &[1.0; 3]));
        assert!(ideal(&[], 4).is_empty());
    }

    #[test]
    fn what_a_heavy_thread_cannot_use_goes_to_the_others() {
        assert!(close(&ideal(&loops(&[2.0, 1.0, 1.0]), 2), &[1.0, 0.5, 0.5]));
        assert!(close(&ideal(&loops(&[9.0, 4.0, 1.0]), 2), &[1.0, 0.8, 0.2]));
        assert!(close(&ideal(&loops(&[1.0, 2.0, 4.0]), 1), &[1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0]));
    }

    #[test]
    fn a_sleeper_takes_what_it_asks_for() {
        let claims = [Claim::endless(1.0), Claim::endless(1.0), Claim { weight: 1.0, most: 1.0 / 11.0 }];
        let parts = ideal(&claims, 2);
        assert!((1.0 / parts[0] - 1.0476).abs() < 0.001);
        assert!((parts[2] - 1.0 / 11.0).abs() < 1e-9);
    }

    #[test]
    fn jain_knows_the_extremes() {
        assert_eq!(jain(&[3.0, 3.0, 3.0]), 1.0);
        assert_eq!(jain(&[1.0, 0.0, 0.0, 0.0]), 0.25);
        assert_eq!(jain(&[]), 1.0);
        // One of three gets twice what the others get: Linux's 3 loops on 2 CPUs.
        assert!((jain(&[1.0, 0.5, 0.5]) - 0.889).abs() < 0.001);
    }

    #[test]
    fn a_biased_division_shows_in_every_figure() {
        let division = Division::new(&[2_000, 1_000, 1_000], &[1.0, 1.0, 1.0]);
        assert!(close(&division.shares, &[0.5, 0.25, 0.25]));
        assert!((division.min_over_max - 0.5).abs() < 1e-9);
        assert!((division.max_lag() - 2_000.0 / 3.0).abs() < 1e-6);
        assert!((division.max_error() - 0.5).abs() < 1e-9);
        assert!(division.lags[0] < 0.0 && division.lags[1] > 0.0);
    }

    #[test]
    fn starved_and_empty_divisions_have_figures_too() {
        assert_eq!(Division::new(&[5, 0], &[1.0, 1.0]).min_over_max, 0.0);
        assert_eq!(Division::new(&[0, 0], &[1.0, 1.0]).min_over_max, 0.0);
        assert_eq!(Division::new(&[], &[]).min_over_max, 1.0);
    }

    #[test]
    fn idling_counts_only_while_someone_waits() {
        assert_eq!(idle_while_overloaded(&[0, 100, 100, 100], 1, 100), 0);
        assert_eq!(idle_while_overloaded(&[0, 100, 100, 100], 2, 100), 100);
        assert_eq!(idle_while_overloaded(&[3, 4], 5, 100), 7);
    }

    proptest! {
        #[test]
        fn water_fills_the_cpus_and_overflows_nobody(
            weights in prop::collection::vec(0.01_f64..100.0, 1..20),
            cpus in 1_usize..8,
        ) {
            let parts = ideal(&loops(&weights), cpus);
            let total: f64 = parts.iter().sum();
            prop_assert!((total - cpus.min(weights.len()) as f64).abs() < 1e-6);
            prop_assert!(parts.iter().all(|&part| part > 0.0 && part <= 1.0 + 1e-9));
            // Of two threads below the cap, each has as much as the other, by weight.
            let level: Vec<f64> = parts.iter().zip(&weights).filter(|(part, _)| **part < 1.0 - 1e-6)
                .map(|(part, weight)| part / weight).collect();
            prop_assert!(level.iter().all(|value| (value / level[0] - 1.0).abs() < 1e-6));
        }

        #[test]
        fn shares_add_up(received in prop::collection::vec(1_u64..1 << 40, 1..20)) {
            let division = Division::new(&received, &vec![1.0; received.len()]);
            prop_assert!((division.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            prop_assert!(division.lags.iter().sum::<f64>().abs() < 1e-3 * (1_u64 << 40) as f64);
            prop_assert!(division.jain <= 1.0 + 1e-9 && division.jain >= 1.0 / received.len() as f64 - 1e-9);
        }
    }
}
