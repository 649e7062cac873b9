//! How exactly shares of CPU time are judged.
//!
//! A share is as exact as the timer that ends a slice. On bare hardware, and with `-icount` on one CPU, a timer fires when it is
//! due, and the limits are what the scheduler promises. A virtual machine's timers fire when its host finds the time: tens of
//! ms late on a loaded one, which is several slices that some thread gets and another does not. With `-icount` QEMU runs the
//! CPUs in turns, each until the next timer that's due, shared by the number of CPUs: what is due on one comes after the turns of
//! those before it, ms late again. So timers' lateness is measured, and where they are late the limits are as wide as they can be without letting a broken policy pass: nobody moves (3 on 2: Jain 0.889, ratios ×1 and ×2 for
//! ×1.5; 5 on 4: smallest over largest 0.5), weights are ignored (1 : 2 is 50% off), a CPU is left out (4 on 2: ×3).

/// The limits of shares, by how punctual the machine is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The least Jain's index of equal loops.
    pub jain: f64,
    /// The least of their smallest over their largest share.
    pub min_over_max: f64,
    /// The largest error of a weighted share, in percent, over the usual window.
    pub weight: f64,
    /// The same over a window of twice the length.
    pub weight_twice: f64,
    /// The largest error of elapsed over accounted time, in percent.
    pub ratio: f64,
}

impl Limits {
    /// In percent of CPU time: however late timers are, if it's no more in all the wide limits hold. Else they're to be late by no
    /// more than a slice on average: what a host adds to one thread's slices is as much as the policy gives it then, and needn't be
    /// the same for another. At one slice and a half, a share was seen to be 26% off.
    pub const RARELY_LATE: f64 = 1.0;
    /// A timer is on time that is later by no more than this part of a slice.
    pub const PUNCTUAL_PART: u64 = 100;
    /// Where timers fire when they are due.
    pub const PUNCTUAL: Self =
        Self { jain: 0.999, min_over_max: 0.97, weight: 2.0, weight_twice: 1.0, ratio: 3.0 };
    /// Where they fire when a loaded host finds the time, or after other CPUs' turns.
    pub const LATE: Self =
        Self { jain: 0.99, min_over_max: 0.8, weight: 20.0, weight_twice: 20.0, ratio: 25.0 };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fairness::Division;

    fn of_loops(received: &[u64]) -> Division {
        Division::new(received, &vec![1.0; received.len()])
    }

    #[test]
    fn a_loaded_host_hides_no_broken_policy() {
        let late = Limits::LATE;
        let nobody_moves = of_loops(&[100, 50, 50]);
        assert!(nobody_moves.jain < late.jain && nobody_moves.min_over_max < late.min_over_max);
        let five_on_four = of_loops(&[100, 100, 100, 50, 50]);
        assert!(five_on_four.jain < late.jain && five_on_four.min_over_max < late.min_over_max);
        let weightless = Division::new(&[50, 50], &[1.0, 2.0]);
        assert!(weightless.max_error() * 100.0 > late.weight);
        assert!((1.0_f64 / 1.5 - 1.0).abs() * 100.0 > late.ratio, "×1 for ×1.5");
    }
}
