//! A series of cases, each from its seed: which ones, on which shard, until when, and what they add up to.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use sched::policy::PolicyKind;

use super::case::Case;
use super::check::Violation;
use super::machine::Machine;
use super::measure::{Outcome, Totals};
use super::plant::Plant;
use super::{fairness, storm};
use crate::interrupt;

/// A series ends with so many failures.
const MOST_FAILURES: usize = 5;
/// One seed in so many of a sweep is about shares, not a storm, where the policy promises any.
const SHARES: u64 = 8;
/// Cases of shares have so many CPUs at most: they take seconds of virtual time.
const SHARES_CPUS: usize = 8;

/// Which case a seed stands for.
#[derive(Clone, Debug)]
pub struct Series {
    /// How many CPUs the cases have.
    pub cpus: RangeInclusive<usize>,
    /// The policy; each in turn if there's none.
    pub policy: Option<PolicyKind>,
    /// The machine; plain and rough in turn if there's none.
    pub machine: Option<Machine>,
    /// Whether cases are about shares or storms; both in turn if that isn't said.
    pub shares: Option<bool>,
    /// Whether storms have real-time and background threads, too; both in turn if that isn't said.
    pub ranked: Option<bool>,
    /// A fault to plant.
    pub plant: Option<Plant>,
}

/// Which seeds, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Of the seeds, those that leave this remainder...
    pub part: u64,
    /// ...divided by this.
    pub parts: u64,
    /// No further one after this time.
    pub limit: Option<Duration>,
}

/// What a series showed.
#[derive(Default)]
pub struct Findings {
    /// By policy, and plain before rough.
    pub totals: Vec<(Kind, Totals)>,
    /// The case of shares that was furthest off.
    pub least_fair: Option<(Case, Outcome)>,
    /// The cases that violated something.
    pub failures: Vec<(Case, Violation)>,
    /// How long it took.
    pub took: Duration,
}

/// What totals are kept apart for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kind {
    /// The policy.
    pub policy: &'static str,
    /// Whether the machine is as good as can be.
    pub plain: bool,
    /// How many CPUs, by magnitude.
    pub size: &'static str,
}

impl Kind {
    fn of(case: &Case) -> Self {
        let size = match case.cpus {
            1..=8 => "1 to 8",
            9..=64 => "9 to 64",
            65..=256 => "65 to 256",
            _ => "257 to 1024",
        };
        Self { policy: case.policy.name(), plain: case.machine == Machine::default(), size }
    }
}

impl Series {
    /// The case of a seed.
    pub fn case(&self, seed: u64) -> Case {
        let turn = |count: usize, each: u64| (seed / each % count as u64) as usize;
        let policy = self.policy.unwrap_or(PolicyKind::ALL[turn(PolicyKind::ALL.len(), 1)]);
        let machines =
            || [Machine::default(), Machine::rough()][turn(2, PolicyKind::ALL.len() as u64)].clone();
        let machine = self.machine.clone().unwrap_or_else(machines);
        let mut rng = fastrand::Rng::with_seed(super::world::mixed(seed, 0));
        let shares = self.shares.unwrap_or_else(|| policy.promise().is_shares() && rng.u64(0..SHARES) == 0);
        let case = if shares {
            let most = (*self.cpus.end()).min(SHARES_CPUS);
            fairness::random(seed, rng.usize((*self.cpus.start()).min(most)..=most))
        } else {
            let ranked = self.ranked.unwrap_or_else(|| rng.bool());
            if ranked { storm::ranked(seed, &self.cpus) } else { storm::storm(seed, &self.cpus) }
        };
        Case { policy, machine, plant: self.plant, ..case }
    }

    /// Runs the cases of a span of seeds; ends early when it's interrupted or has found enough.
    pub fn run(&self, span: Span) -> Findings {
        let started = Instant::now();
        let mut findings = Findings::default();
        let bar = bar(span);
        for seed in span.seeds() {
            let over = span.limit.is_some_and(|limit| started.elapsed() >= limit);
            if over || interrupt::asked() || findings.failures.len() == MOST_FAILURES {
                break;
            }
            super::panic::running(seed);
            let case = self.case(seed);
            findings.note(case);
            bar.inc(1);
            findings.took = started.elapsed();
            bar.set_message(format!("seed {seed}, {:.0} events/s", findings.speed()));
        }
        bar.finish_and_clear();
        findings
    }
}

impl Span {
    fn seeds(self) -> impl Iterator<Item = u64> {
        let end = self.first.saturating_add(self.count);
        (self.first..end).filter(move |seed| seed % self.parts == self.part)
    }
}

fn bar(span: Span) -> ProgressBar {
    let endless = span.count == u64::MAX;
    let bar = if endless { ProgressBar::no_length() } else { ProgressBar::new(span.count / span.parts) };
    let template =
        if endless { "{spinner} {elapsed} {pos} cases, {msg}" } else { "{bar:30} {pos}/{len} {msg}" };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

impl Findings {
    /// Runs a case and takes note of it.
    pub fn note(&mut self, case: Case) {
        match case.run() {
            Ok(outcome) => self.add(case, outcome),
            Err(violation) => self.failures.push((case, violation)),
        }
    }

    /// Takes note of what a case showed.
    pub fn add(&mut self, case: Case, outcome: Outcome) {
        let kind = Kind::of(&case);
        match self.totals.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, totals)) => totals.add(&outcome.totals),
            None => self.totals.push((kind, outcome.totals)),
        }
        let worst = self.least_fair.as_ref().map_or(-1.0, |(_, outcome)| outcome.totals.worst_share);
        if !case.expected.is_empty() && outcome.totals.worst_share > worst {
            self.least_fair = Some((case, outcome));
        }
    }

    /// All totals together.
    pub fn total(&self) -> Totals {
        let mut sum = Totals::default();
        self.totals.iter().for_each(|(_, totals)| sum.add(totals));
        sum
    }

    /// Events a second.
    pub fn speed(&self) -> f64 {
        self.total().events as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_part_the_seeds() {
        let span = |part| Span { first: 5, count: 20, part, parts: 3, limit: None };
        let mut all: Vec<u64> = (0..3).flat_map(|part| span(part).seeds()).collect();
        all.sort_unstable();
        assert_eq!(all, (5..25).collect::<Vec<_>>());
    }

    #[test]
    fn a_sweep_has_everything() {
        let series =
            Series { cpus: 1..=1024, policy: None, machine: None, shares: None, ranked: None, plant: None };
        let cases: Vec<Case> = (0..200).map(|seed| series.case(seed)).collect();
        let some = |wanted: &dyn Fn(&Case) -> bool| cases.iter().any(wanted);
        assert!(some(&|case| case.cpus > 512) && some(&|case| case.cpus == 1));
        for policy in PolicyKind::ALL {
            for rough in [true, false] {
                assert!(some(&|case| case.policy == policy && (case.machine == Machine::rough()) == rough));
            }
        }
        assert!(some(&Case::is_ranked) && some(&|case| !case.is_ranked()));
        assert!(some(&|case| !case.expected.is_empty()) && some(&|case| case.expected.is_empty()));
        assert_eq!(cases, (0..200).map(|seed| series.case(seed)).collect::<Vec<_>>());
    }
}
