//! From samples to the ten numbers of a latency row.
//!
//! Quantiles are by nearest rank: each is a value that was measured, never one between two, so that "p99.9" of a
//! cost in instructions is an execution that took place. The standard deviation is the sample's (n − 1).

/// The order statistics and moments of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names of order statistics are their own explanation")]
pub struct Summary {
    pub n: usize,
    pub min: u64,
    pub q1: u64,
    pub median: u64,
    pub mean: f64,
    pub q3: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
    pub stddev: f64,
}

impl Summary {
    /// Sums up `samples`, which end up sorted; `None` if there are none. Does not allocate.
    pub fn of(samples: &mut [u64]) -> Option<Self> {
        samples.sort_unstable();
        let (&min, &max) = (samples.first()?, samples.last()?);
        let mean = mean(samples);
        Some(Self {
            n: samples.len(),
            min,
            q1: quantile(samples, 250),
            median: quantile(samples, 500),
            mean,
            q3: quantile(samples, 750),
            p99: quantile(samples, 990),
            p999: quantile(samples, 999),
            max,
            stddev: deviation(samples, mean),
        })
    }
}

/// The smallest sample that at least `permille` of all don't exceed.
fn quantile(sorted: &[u64], permille: usize) -> u64 {
    let rank = (sorted.len() * permille).div_ceil(1000);
    sorted[rank.max(1) - 1]
}

fn mean(samples: &[u64]) -> f64 {
    let sum: u128 = samples.iter().map(|&sample| u128::from(sample)).sum();
    sum as f64 / samples.len() as f64
}

fn deviation(samples: &[u64], mean: f64) -> f64 {
    if samples.len() < 2 {
        return 0.0;
    }
    let squares: f64 = samples.iter().map(|&sample| (sample as f64 - mean) * (sample as f64 - mean)).sum();
    libm::sqrt(squares / (samples.len() - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!(Summary::of(&mut []), None);
    }

    #[test]
    fn one_sample_is_every_quantile() {
        let summary = Summary::of(&mut [7]).unwrap();
        assert_eq!((summary.min, summary.q1, summary.median, summary.p999, summary.max), (7, 7, 7, 7, 7));
        assert_eq!((summary.mean, summary.stddev), (7.0, 0.0));
    }

    #[test]
    fn a_thousand_and_one_to_check_by_hand() {
        let mut samples: Vec<u64> = (1..=1000).rev().collect();
        let summary = Summary::of(&mut samples).unwrap();
        assert_eq!((summary.min, summary.q1, summary.median, summary.q3), (1, 250, 500, 750));
        assert_eq!((summary.p99, summary.p999, summary.max), (990, 999, 1000));
        assert_eq!(summary.mean, 500.5);
        assert!((summary.stddev - 288.819).abs() < 0.001);
    }

    #[test]
    fn the_largest_samples_do_not_overflow() {
        let summary = Summary::of(&mut [u64::MAX, u64::MAX, u64::MAX]).unwrap();
        assert_eq!((summary.max, summary.stddev), (u64::MAX, 0.0));
    }

    proptest! {
        #[test]
        fn quantiles_are_ordered_samples(mut samples in prop::collection::vec(any::<u64>(), 1..200)) {
            let summary = Summary::of(&mut samples).unwrap();
            let order = [summary.min, summary.q1, summary.median, summary.q3, summary.p99, summary.p999, summary.max];
            prop_assert!(order.is_sorted());
            prop_assert!(order.iter().all(|value| samples.contains(value)));
            prop_assert!(summary.mean >= summary.min as f64 * 0.999_999 && summary.mean <= summary.max as f64 * 1.000_001);
        }
    }
}
