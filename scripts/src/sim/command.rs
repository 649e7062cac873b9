//! `sim`: run cases on the simulator, and say what failed and how to see it again.

use std::fmt::Write;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use anstream::println;
use anyhow::{Context, Result, ensure};
use clap::Args;
use sched::policy::PolicyKind;

use super::case::{Case, MOST_CPUS};
use super::machine::Machine;
use super::plant::Plant;
use super::program::Plan;
use super::series::{Findings, Series, Span};
use super::{fairness, panic, regressions, report};
use crate::style::{BAD, GOOD, paint};

/// `sim`.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Sim {
    /// Of the fairness cases, or the regressions, only those whose name contains this
    #[arg(value_name = "CASE", default_value = "")]
    filter: String,

    /// Run storms of random threads, so many, instead of the fairness cases
    #[arg(long, value_name = "N")]
    storms: Option<u64>,

    /// Have real-time and background threads in the storms
    #[arg(long)]
    ranked: bool,

    /// Run loops of random weights, so many
    #[arg(long, value_name = "N", conflicts_with = "storms")]
    weights: Option<u64>,

    /// Run both, under every policy, on machines plain and rough, of every size, until interrupted
    #[arg(long, conflicts_with_all = ["storms", "weights"])]
    sweep: bool,

    /// Run a case that was written to a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["storms", "weights", "sweep"])]
    case: Option<PathBuf>,

    /// Run the cases that went wrong once
    #[arg(long, conflicts_with_all = ["storms", "weights", "sweep", "case"])]
    regressions: bool,

    /// Where all chance comes from: the first seed, others count on from it
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// End a sweep after so many cases
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// End it after so many minutes
    #[arg(long, value_name = "N")]
    minutes: Option<f64>,

    /// Run the i-th of n parts of the seeds
    #[arg(long, value_name = "I/N", default_value = "1/1", value_parser = shard)]
    shard: (u64, u64),

    /// How many CPUs, as 4 or 1..1024
    #[arg(long, value_name = "N|N..N", value_parser = sizes)]
    cpus: Option<RangeInclusive<usize>>,

    /// The policy; decay if it isn't a sweep
    #[arg(long, value_parser = policy)]
    policy: Option<PolicyKind>,

    /// Let the machine do everything that it may: late and spurious timers, stalls, skewed clocks
    #[arg(long)]
    rough: bool,

    /// Let the machine do some of it
    #[arg(long, value_name = "EFFECT", value_delimiter = ',', value_parser = Machine::EFFECTS)]
    effect: Vec<String>,

    /// Plant a fault into the simulated kernel, to see it caught
    #[arg(long, value_name = "FAULT")]
    plant: Option<Plant>,

    /// Make failing cases small for so many seconds each
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    shrink: u32,
}

fn policy(name: &str) -> Result<PolicyKind, String> {
    PolicyKind::from_name(name).ok_or_else(|| format!("the policies are {}", PolicyKind::LIST))
}

fn sizes(text: &str) -> Result<RangeInclusive<usize>, String> {
    let number = |text: &str| text.parse().ok().filter(|cpus| (1..=MOST_CPUS).contains(cpus));
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let range = number(least).zip(number(most)).filter(|(least, most)| least <= most);
    range.map(|(least, most)| least..=most).ok_or_else(|| format!("N or N..N, from 1 to {MOST_CPUS} CPUs"))
}

fn shard(text: &str) -> Result<(u64, u64), String> {
    let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    numbers.filter(|(i, n)| (1..=*n).contains(i)).ok_or_else(|| "I/N, such as 2/8".into())
}

impl Sim {
    /// Runs what was asked for; the status is 1 if anything was violated or unfair.
    pub fn execute(&self) -> Result<u8> {
        if self.regressions {
            return Ok(self.regressions());
        }
        panic::tell(self.again());
        let findings = match &self.case {
            Some(file) => {
                let text = std::fs::read_to_string(file);
                let text = text.with_context(|| format!("cannot read {}", file.display()))?;
                Self::each(vec![Case::read(&text)?])
            }
            None if self.is_series() => self.series().run(self.span()),
            None => Self::each(self.fairness()?),
        };
        self.conclude(&findings)
    }

    /// The summary and the verdict.
    fn conclude(&self, findings: &Findings) -> Result<u8> {
        if let Some((case, outcome)) = findings.least_fair.as_ref().filter(|_| self.is_series()) {
            println!("The case of shares that is furthest off:\n{}", report::shares(case, outcome));
        }
        report::totals(findings);
        for (case, violation) in &findings.failures {
            let again = format!("{} --seed {}", self.again(), case.seed);
            report::failure(case, violation, &again, self.shrink * 1_000)?;
        }
        let failed = findings.failures.len() as u64;
        let mark = if failed == 0 { paint(GOOD, "passed") } else { paint(BAD, "failed") };
        println!("{mark}  {} passed, {failed} failed", findings.total().cases);
        Ok(u8::from(failed > 0))
    }

    fn regressions(&self) -> u8 {
        let wanted = || regressions::ALL.iter().filter(|regression| regression.name.contains(&self.filter));
        let failures: Vec<String> = wanted().filter_map(|regression| regression.run().err()).collect();
        for failure in &failures {
            println!("{} {failure}", paint(BAD, "x"));
        }
        println!("{} passed, {} failed", wanted().count() - failures.len(), failures.len());
        u8::from(!failures.is_empty())
    }

    /// The fairness cases, under the policy and on the machine that were asked for.
    fn fairness(&self) -> Result<Vec<Case>> {
        let mut cases = fairness::cases(self.seed);
        cases.retain(|case| case.name.contains(&self.filter));
        ensure!(!cases.is_empty(), "no case has {:?} in its name", self.filter);
        let policy = self.policy.unwrap_or(PolicyKind::Fair);
        if !policy.promise().remembers() {
            // It promises sleepers nothing.
            cases.retain(|case| case.threads.iter().all(Plan::is_loop));
        }
        let (machine, plant) = (self.machine().unwrap_or_default(), self.plant);
        Ok(cases.into_iter().map(|case| Case { policy, machine: machine.clone(), plant, ..case }).collect())
    }

    /// Runs cases one by one and shows the shares of each.
    fn each(cases: Vec<Case>) -> Findings {
        let started = std::time::Instant::now();
        let mut findings = Findings::default();
        for case in cases {
            if crate::interrupt::asked() {
                break;
            }
            match case.run() {
                Ok(outcome) => {
                    if !case.expected.is_empty() {
                        println!("{}", report::shares(&case, &outcome).trim_end());
                    }
                    findings.add(case, outcome);
                }
                Err(violation) => findings.failures.push((case, violation)),
            }
        }
        findings.took = started.elapsed();
        findings
    }

    fn is_series(&self) -> bool {
        self.sweep || self.storms.is_some() || self.weights.is_some()
    }

    fn series(&self) -> Series {
        let usual = if self.sweep { 1..=MOST_CPUS } else { 1..=8 };
        Series {
            cpus: self.cpus.clone().unwrap_or(usual),
            policy: self.policy.or((!self.sweep).then_some(PolicyKind::Fair)),
            machine: self.machine().or_else(|| (!self.sweep).then(Machine::default)),
            shares: (!self.sweep).then_some(self.weights.is_some()),
            ranked: (!self.sweep || self.ranked).then_some(self.ranked),
            plant: self.plant,
        }
    }

    fn span(&self) -> Span {
        let count = self.storms.or(self.weights).or(self.count).unwrap_or(u64::MAX);
        Span {
            first: self.seed,
            count,
            part: self.shard.0 % self.shard.1,
            parts: self.shard.1,
            limit: self.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
        }
    }

    /// What was asked of the machine, if anything.
    fn machine(&self) -> Option<Machine> {
        if self.rough {
            return Some(Machine::rough());
        }
        let mut machine = Machine::default();
        for effect in &self.effect {
            machine.turn_on(effect);
        }
        (!self.effect.is_empty()).then_some(machine)
    }

    /// The command that runs one case again, but for its seed.
    fn again(&self) -> String {
        let mut words = String::from("cargo xtask sim");
        match (self.sweep, self.weights) {
            (true, _) => words.push_str(" --sweep --count 1"),
            (_, Some(_)) => words.push_str(" --weights 1"),
            _ if self.storms.is_some() => words.push_str(" --storms 1"),
            _ => {}
        }
        let mut option = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = write!(words, " --{name} {value}");
            }
        };
        option("cpus", self.cpus.as_ref().map(|cpus| format!("{}..{}", cpus.start(), cpus.end())));
        option("policy", self.policy.map(|policy| policy.name().to_owned()));
        option("effect", (!self.effect.is_empty()).then(|| self.effect.join(",")));
        option(
            "plant",
            self.plant.and_then(|plant| serde_json::to_string(&plant).ok()).map(|name| name.replace('"', "")),
        );
        if self.ranked {
            words.push_str(" --ranked");
        }
        if self.rough {
            words.push_str(" --rough");
        }
        words
    }
}
