//! `sim`: run cases on the simulator, and say what failed and how to see it again.

use anstream::println;
use anyhow::{Result, ensure};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use sched::Config;
use sched::policy::PolicyKind;

use super::machine::Machine;
use super::measure::Measured;
use super::scenario::{self, Case};
use crate::interrupt;
use crate::style::{BAD, GOOD, paint};

/// A share may be off by so much of what it should be.
const TOLERANCE: f64 = 0.02;

/// `sim`.
#[derive(Args, Debug)]
pub struct Sim {
    /// Only the cases whose name contains this
    #[arg(value_name = "CASE", default_value = "")]
    filter: String,

    /// Where all chance comes from; storms count on from here
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Run so many storms of random threads instead of the fairness cases
    #[arg(long, value_name = "N", conflicts_with = "weights")]
    storms: Option<u64>,

    /// Run so many cases of random weights instead
    #[arg(long, value_name = "N")]
    weights: Option<usize>,

    /// The policy to run
    #[arg(long, default_value = "decay", value_parser = policy)]
    policy: PolicyKind,

    /// Let the machine do everything that it may: late and spurious timers, stalls, skewed clocks
    #[arg(long)]
    rough: bool,
}

fn policy(name: &str) -> Result<PolicyKind, String> {
    let known = PolicyKind::ALL.map(PolicyKind::name).join(", ");
    PolicyKind::from_name(name).ok_or_else(|| format!("the policies are {known}"))
}

impl Sim {
    /// Runs what was asked for; the status is 1 if anything was violated or unfair.
    pub fn execute(&self) -> Result<u8> {
        let failures = match self.storms {
            Some(count) => self.storm(count),
            None => self.fairness()?,
        };
        for failure in &failures {
            println!("{} {failure}", paint(BAD, "x"));
        }
        let verdict = if failures.is_empty() { paint(GOOD, "passed") } else { paint(BAD, "failed") };
        println!(
            "{verdict} {}",
            paint(crate::style::DIM, format!("seed {}, {}", self.seed, self.policy.name()))
        );
        Ok(u8::from(!failures.is_empty()))
    }

    fn config(&self) -> Config {
        Config { policy: self.policy, ..Config::default() }
    }

    fn machine(&self) -> Machine {
        if self.rough { Machine::rough() } else { Machine::plain() }
    }

    fn fairness(&self) -> Result<Vec<String>> {
        let mut cases = match self.weights {
            Some(count) => scenario::random_weights(self.seed, count),
            None => scenario::fairness(self.seed),
        };
        cases.retain(|case| case.name.contains(&self.filter));
        ensure!(!cases.is_empty(), "no case has {:?} in its name", self.filter);
        let mut table = heading();
        let mut failures = Vec::new();
        for (case, bar) in watched(cases) {
            bar.set_message(case.name.clone());
            match case.run(self.config(), self.machine(), self.seed) {
                Ok(measured) => {
                    if measured.worst() > TOLERANCE {
                        failures.push(format!(
                            "{}: a share is off by {:.1}%",
                            case.name,
                            measured.worst() * 100.0
                        ));
                    }
                    table.add_row(row(&case, &measured));
                }
                Err(why) => failures.push(why),
            }
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        println!("{table}");
        Ok(failures)
    }

    fn storm(&self, count: u64) -> Vec<String> {
        let seeds: Vec<u64> = (self.seed..self.seed + count).collect();
        let mut failures = Vec::new();
        for (seed, _) in watched(seeds) {
            if let Err(why) = scenario::storm(seed).run(self.config(), self.machine(), seed) {
                let rough = if self.rough { " --rough" } else { "" };
                failures.push(format!("{why}again: cargo xtask sim --storms 1 --seed {seed}{rough}"));
            }
            if failures.len() == 5 {
                failures.push("and so on: stopped after five".into());
                break;
            }
        }
        failures
    }
}

/// The items, each with the progress bar that it moves; ends early when the user interrupts.
fn watched<T>(items: Vec<T>) -> impl Iterator<Item = (T, ProgressBar)> {
    let bar = ProgressBar::new(items.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    items.into_iter().take_while(|_| !interrupt::asked()).map(move |item| {
        bar.inc(1);
        (item, bar.clone())
    })
}

fn heading() -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_BORDERS_ONLY)
        .set_header(["case", "Jain", "min/max", "worst %", "lag ms", "migr.", "timer", "switch", "kicks"]);
    table
}

fn row(case: &Case, measured: &Measured) -> Vec<String> {
    let counts = measured.counts;
    let mut cells = vec![
        case.name.clone(),
        format!("{:.5}", measured.jain()),
        format!("{:.4}", measured.min_over_max()),
        format!("{:.2}", measured.worst() * 100.0),
        format!("{:.1}", measured.max_lag / 1e6),
    ];
    cells.extend([counts.migrations, counts.timers, counts.switches, counts.kicks].map(|n| n.to_string()));
    cells
}
