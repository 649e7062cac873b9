//! The exponentially decaying measure of CPU time, in integers.
//!
//! A task's measure at time `t` is the CPU time over weight that it used, each moment weighted by
//! `exp(-(t - moment) / tau)`. Instead of letting every measure decay, the present is made to grow: time run
//! at `t` is added times `2^(t / half_life)`, and a measure's value is its sum over the present scale. Sums
//! of different tasks then compare without touching them, as in OSv (core/sched.cc, `thread_runtime`).
//!
//! Scales are powers of two, so that renormalising is a shift and can't drift: every 16 half-lives a new
//! epoch begins, and a sum of an older epoch is shifted down when it's next used. The scale is evaluated once
//! a window (about tau / 128); within one it's constant, which errs by at most half a window's growth: 0.3%.
//! Spans longer than a window are integrated exactly. What a task runs is added to its virtual time at once,
//! and folded into the sum when the window ends, or when the task comes back after it blocked in an earlier
//! one, so that a switch or a short block costs no more than that. See the test for the stated bound against `f64`.

use crate::task::Task;
use crate::time::Nanos;

/// Half-lives an epoch, and so the bits that an epoch shifts by.
const EPOCH_BITS: u32 = 16;
/// Fixed point of the scale: 2^24 at the start of an epoch, just under 2^40 at its end.
const SCALE_BITS: u32 = 24;
/// Fixed point of the scale's inverse, so that `sum * inverse >> INVERSE_BITS` is the value.
const INVERSE_BITS: u32 = 63 - SCALE_BITS;
/// ln 2 in 2^-32.
const LN_2: u64 = 2_977_044_472;

/// One CPU's view of the decay: the scale of the present window.
#[derive(Debug)]
pub struct Decay {
    tau: u64,
    epoch_length: u64,
    window_shift: u32,
    window_end: u64,
    epoch: u64,
    scale: u64,
    inverse: u64,
}

impl Decay {
    /// A decay with the time constant `tau`.
    pub fn new(tau: Nanos) -> Self {
        let half_life = ((u128::from(tau.0) * u128::from(LN_2)) >> 32) as u64;
        let window_shift = (tau.0 / 128).max(1).ilog2();
        let mut decay = Self {
            tau: tau.0,
            // A whole number of windows, so that no window lies in two epochs.
            epoch_length: ((half_life << 4) >> window_shift).max(1) << window_shift,
            window_shift,
            window_end: 0,
            epoch: 0,
            scale: 0,
            inverse: 0,
        };
        decay.enter_window(0);
        decay
    }

    /// Counts that a task ran from `from` to `to`, which is no earlier. A multiplication and two additions, but once a window.
    #[inline]
    pub fn charge(&mut self, task: &Task, from: Nanos, to: Nanos) {
        if to.0 >= self.window_end {
            self.charge_across(task, from.0, to.0);
        } else {
            task.virtual_time.add(task.weighted(to.0.wrapping_sub(from.0)));
        }
    }

    /// The same where the window ends: what the task ran before is folded in at that window's scale, or at that of
    /// `from` where this CPU has been idle since.
    #[cold]
    fn charge_across(&mut self, task: &Task, from: u64, to: u64) {
        self.advance(Nanos(from));
        Self::fold(task, (self.epoch, self.scale));
        self.enter_window(to);
        let ran = to.saturating_sub(from);
        task.virtual_time.add(task.weighted(ran));
        if ran >> self.window_shift != 0 {
            let sum = Self::sum_in(task, self.epoch) + self.integral(task, from, to);
            set_sum(task, sum, self.epoch);
        }
    }

    /// Notes that a task blocks: from now on what it ran lately fades. It's folded in when the task is back.
    #[inline]
    pub fn leave(&self, task: &Task) {
        task.blocked_in.set(self.window_end);
    }

    /// Whether a task blocked in the present window, so that nothing has faded since.
    #[inline]
    pub fn left_just_now(&self, task: &Task) -> bool {
        task.blocked_in.get() == self.window_end
    }

    /// Folds in what a task ran before it blocked, at the scale of that time; a new one ran nothing.
    pub fn come_back(&self, task: &Task) {
        if task.virtual_time.get() == task.folded.get() {
            return;
        }
        let middle = task.blocked_in.get().saturating_sub(1 << self.window_shift >> 1);
        Self::fold(task, self.scale_at(middle));
    }

    /// Folds what a task ran lately into its measure, at the scale of an epoch.
    fn fold(task: &Task, (epoch, scale): (u64, u64)) {
        let ran = task.virtual_time.get().wrapping_sub(task.folded.get());
        set_sum(task, Self::sum_in(task, epoch) + scaled(ran, scale), epoch);
    }

    /// Brings the scale to the window of `now`.
    #[inline]
    pub fn advance(&mut self, now: Nanos) {
        if now.0 >= self.window_end {
            self.enter_window(now.0);
        }
    }

    #[cold]
    fn enter_window(&mut self, now: u64) {
        let window = now >> self.window_shift;
        let middle = (window << self.window_shift) + (1 << self.window_shift >> 1);
        self.window_end = (window + 1) << self.window_shift;
        (self.epoch, self.scale) = self.scale_at(middle);
        self.inverse = (1 << 63) / self.scale;
    }

    /// The epoch of a moment, and the scale within it.
    fn scale_at(&self, moment: u64) -> (u64, u64) {
        let into = u128::from(moment % self.epoch_length);
        let half_lives = ((into << (32 + 4)) / u128::from(self.epoch_length)) as u64;
        let whole = half_lives >> 32;
        let scale = exp2_fraction(half_lives & 0xffff_ffff) >> (32 - SCALE_BITS) << whole;
        (moment / self.epoch_length, scale)
    }

    /// Weighted time over a long span: `tau * (scale(to) - scale(from))`.
    fn integral(&self, task: &Task, from: u64, to: u64) -> u64 {
        let (epoch, scale) = self.scale_at(from);
        let begin = shifted(scale, self.epoch.saturating_sub(epoch));
        let (_, end) = self.scale_at(to);
        scaled(task.weighted(self.tau), end.saturating_sub(begin))
    }

    /// The task's sum in the scale of `epoch`. One of a later epoch comes from a CPU whose clock is ahead.
    #[inline]
    fn sum_in(task: &Task, epoch: u64) -> u64 {
        let (sum, of) = (task.measure.get(), task.epoch.get());
        match epoch.checked_sub(of) {
            Some(passed) => shifted(sum, passed),
            None => sum.saturating_mul(1 << EPOCH_BITS),
        }
    }

    /// The task's measure now, in nanoseconds over weight: from 0 to `tau` for a task of normal weight.
    #[inline]
    pub fn value(&self, task: &Task) -> u64 {
        let folded = (u128::from(Self::sum_in(task, self.epoch)) * u128::from(self.inverse)) >> INVERSE_BITS;
        folded as u64 + task.virtual_time.get().wrapping_sub(task.folded.get())
    }
}

/// Counts what a task used at the weight `before` at its present one instead.
pub fn reweigh(task: &Task, before: u32) {
    let rescale = |weighted: u64| {
        let scaled = u128::from(weighted) * u128::from(before) / u128::from(task.weight());
        u64::try_from(scaled).unwrap_or(u64::MAX)
    };
    let unfolded = task.virtual_time.get().wrapping_sub(task.folded.get());
    task.measure.set(rescale(task.measure.get()));
    task.folded.set(task.virtual_time.get().wrapping_sub(rescale(unfolded)));
}

fn set_sum(task: &Task, sum: u64, epoch: u64) {
    task.measure.set(sum);
    task.epoch.set(epoch);
    task.folded.set(task.virtual_time.get());
}

/// Sets a task's virtual time to `to` without counting the difference as run.
#[inline]
pub fn displace(task: &Task, to: u64) {
    let unfolded = task.virtual_time.get().wrapping_sub(task.folded.get());
    task.virtual_time.set(to);
    task.folded.set(to.wrapping_sub(unfolded));
}

#[inline]
fn scaled(weighted: u64, scale: u64) -> u64 {
    ((u128::from(weighted) * u128::from(scale)) >> SCALE_BITS) as u64
}

fn shifted(sum: u64, epochs: u64) -> u64 {
    if epochs >= 4 { 0 } else { sum >> (epochs as u32 * EPOCH_BITS) }
}

/// `2^fraction` in 2^-32, for a fraction in 2^-32: the Taylor series of `exp(fraction * ln 2)`, whose
/// remainder after eight terms is under 10^-6.
fn exp2_fraction(fraction: u64) -> u64 {
    let exponent = (fraction * (LN_2 >> 1)) >> 31;
    let (mut term, mut sum) = (1_u64 << 32, 1_u64 << 32);
    for order in 1..8 {
        term = ((u128::from(term) * u128::from(exponent)) >> 32) as u64 / order;
        sum += term;
    }
    sum
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::task::{MAX_WEIGHT, Spec};
    use crate::{affinity::Affinity, id::CpuId};
    use proptest::prelude::*;

    /// The stated bound: 1% of tau (over weight), at any time, for any history.
    const BOUND: f64 = 0.01;

    fn task(weight: u32) -> Task {
        let task = Task::new();
        task.create(0, Spec { weight, affinity: Affinity::ANY, ..Spec::default() }, CpuId(0));
        task
    }

    #[test]
    fn exp2_is_exact_to_a_millionth() {
        for step in 0..=1_000_u64 {
            let fraction = ((step << 32) / 1_000).min((1 << 32) - 1);
            let exact = (fraction as f64 / 2_f64.powi(32)).exp2();
            let error = exp2_fraction(fraction) as f64 / 2_f64.powi(32) / exact - 1.0;
            assert!(error.abs() < 2e-6, "2^({step}/1000) errs by {error}");
        }
    }

    /// Both what was folded in and what wasn't yet.
    #[test]
    fn what_was_used_is_counted_anew_when_the_weight_changes() {
        let (task, mut decay) = (task(1024), Decay::new(Nanos::from_millis(100)));
        decay.charge(&task, Nanos(0), Nanos::from_millis(50));
        let folded = decay.value(&task);
        decay.charge(&task, Nanos::from_millis(50), Nanos(50_010_000));
        let before = decay.value(&task);
        assert!(folded > 30_000_000 && before - folded == 10_000, "{folded}, then {before}");
        reweigh(&task, 4 * 1024);
        assert!(decay.value(&task).abs_diff(4 * before) <= 4, "{before} becomes {}", decay.value(&task));
        reweigh(&task, 256);
        assert!(decay.value(&task).abs_diff(before) <= 4, "and then {}", decay.value(&task));
    }

    /// Each too short to be counted at once.
    #[test]
    fn short_runs_add_up_and_fade() {
        let tau = Nanos::from_millis(100);
        let (task, mut decay) = (task(1024), Decay::new(tau));
        let window = 1 << decay.window_shift;
        for start in (0..20 * tau.0).step_by(window) {
            decay.charge(&task, Nanos(start), Nanos(start + window as u64 / 2));
        }
        let half = tau.0 / 2;
        assert!(decay.value(&task).abs_diff(half) < tau.0 / 100, "{} of {half}", decay.value(&task));
    }

    /// Wherever in a window it ends, of the last in an epoch, where sums are largest: those of the least weight.
    #[test]
    fn a_long_run_is_all_that_is_remembered() {
        let tau = Nanos::from_millis(10_000);
        for eighth in 0..8 {
            let (task, mut decay) = (task(1), Decay::new(tau));
            let end = 2 * decay.epoch_length - (((eighth + 1) << decay.window_shift) >> 3);
            decay.charge(&task, Nanos(0), Nanos(end));
            let of_tau = decay.value(&task) as f64 / (tau.0 * 1024) as f64;
            assert!((of_tau - 1.0).abs() < 0.005, "{of_tau}");
        }
    }

    #[test]
    fn what_was_used_is_worth_the_same_on_a_cpu_whose_clock_is_an_epoch_behind() {
        let (task, tau) = (task(1024), Nanos::from_millis(100));
        let [mut ahead, mut behind] = [0; 2].map(|_| Decay::new(tau));
        let turn = ahead.epoch_length;
        ahead.charge(&task, Nanos(0), Nanos(turn + 1_000));
        behind.advance(Nanos(turn - 1_000));
        assert_eq!((ahead.epoch, behind.epoch), (1, 0));
        let values = [&ahead, &behind].map(|decay| decay.value(&task));
        assert!(values[0].abs_diff(values[1]) < tau.0 / 100, "{values:?}");
    }

    #[test]
    fn a_short_run_fades_while_its_task_blocks() {
        let tau = Nanos::from_millis(100);
        let (task, mut decay) = (task(1024), Decay::new(tau));
        decay.charge(&task, Nanos(0), Nanos(100_000));
        decay.leave(&task);
        assert_eq!((decay.value(&task), decay.left_just_now(&task)), (100_000, true));
        decay.advance(tau + tau + tau);
        assert!(!decay.left_just_now(&task));
        decay.come_back(&task);
        assert!((4_500..5_500).contains(&decay.value(&task)), "{} of e^-3", decay.value(&task));
    }

    proptest! {
        /// Any history of running and waiting, of any weight, stays within the bound of an f64 reference.
        #[test]
        fn follows_the_reference(
            tau_ms in 1_u64..2_000,
            weight in prop::sample::select(std::vec![1_u32, 15, 512, 1024, 2048, 100_000]),
            start in 0_u64..1 << 50,
            steps in prop::collection::vec((any::<bool>(), 0_u32..30), 1..60),
        ) {
            let tau = Nanos::from_millis(tau_ms);
            let (task, mut decay) = (task(weight), Decay::new(tau));
            let (mut now, mut reference) = (start, 0.0_f64);
            for (runs, bits) in steps {
                let span = (1_u64 << bits) + 12_345 % (1 << bits);
                let faded = (-(span as f64) / tau.0 as f64).exp();
                reference *= faded;
                if runs {
                    reference += tau.0 as f64 * (1.0 - faded) * 1024.0 / f64::from(weight);
                    decay.charge(&task, Nanos(now), Nanos(now + span));
                    decay.leave(&task);
                }
                now += span;
                decay.advance(Nanos(now));
                if !decay.left_just_now(&task) {
                    decay.come_back(&task);
                }
                let error = (decay.value(&task) as f64 - reference).abs();
                let unit = tau.0 as f64 * 1024.0 / f64::from(weight);
                prop_assert!(error <= BOUND * unit + 64.0, "off by {} of tau", error / unit);
            }
        }

        /// The same where the task waits in between, and goes from CPU to CPU, whose clocks differ by a little and which
        /// may have been idle for many epochs. The bound is wider by a window, 1/128 of tau: what a task ran last
        /// before it waited doesn't fade until it runs on.
        #[test]
        fn follows_the_reference_from_cpu_to_cpu(
            tau_us in 1_000_u64..10_000_000,
            weight in prop::sample::select(std::vec![1_u32, 2, 1023, 1024, 100_000, MAX_WEIGHT]),
            start in 0_u64..1 << 62,
            skews in prop::array::uniform3(0_u64..2_000),
            steps in prop::collection::vec((0_usize..3, 0_u8..4, 0_u32..36), 1..60),
        ) {
            let tau = Nanos::from_micros(tau_us);
            let mut cpus = [0; 3].map(|_| Decay::new(tau));
            let (task, unit) = (task(weight), tau.0 as f64 * 1024.0 / f64::from(weight));
            let (mut now, mut reference, mut blocked) = (start, 0.0_f64, false);
            for (cpu, what, bits) in steps {
                let (decay, span, here) = (&mut cpus[cpu], 1_u64 << bits, Nanos(now + skews[cpu]));
                if what == 0 && blocked {
                    decay.advance(here);
                    if !decay.left_just_now(&task) {
                        decay.come_back(&task);
                    }
                    blocked = false;
                }
                let faded = (-(span as f64) / tau.0 as f64).exp();
                reference *= faded;
                now += span;
                if !blocked && what < 2 {
                    reference += unit * (1.0 - faded);
                    decay.charge(&task, here, here + Nanos(span));
                }
                if !blocked && what == 1 {
                    decay.leave(&task);
                    blocked = true;
                }
                if !blocked {
                    decay.advance(Nanos(now + skews[cpu]));
                    let error = (decay.value(&task) as f64 - reference).abs();
                    prop_assert!(error <= (BOUND + 1.0 / 128.0) * unit + 64.0, "off by {} of tau", error / unit);
                }
            }
        }
    }
}
