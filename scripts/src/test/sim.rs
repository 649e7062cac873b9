//! The steps that simulate: storms and random weights of a fixed series, so that every run of the tests sees the same.
//!
//! By this very program, which is built with the scheduler's own assertions. `cargo xtask sim --sweep` goes on where
//! these stop.

use std::process::Command;

use anyhow::{Context, Result};

use super::host::step;
use super::step::Step;
use super::tally::Tally;
use crate::place;

/// Small machines under every policy, plain and rough in turn; a large one of either kind; and the largest, plain.
const SERIES: [(&str, &[&str]); 3] = [
    ("sim small", &["--cpus", "1..16", "--count", "200"]),
    ("sim large", &["--cpus", "512", "--count", "2"]),
    ("sim largest", &["--cpus", "1024", "--count", "1"]),
];

/// All of them.
///
/// # Errors
/// This program can't be found.
pub fn steps() -> Result<Vec<Step>> {
    let program = place::program().context("cannot find this program")?;
    let series = SERIES.iter().map(|(name, arguments)| {
        let mut command = Command::new(&program);
        command.args(["sim", "--sweep", "--shrink", "5"]).args(*arguments);
        step((*name).to_owned(), 400, command, count)
    });
    Ok(series.collect())
}

/// The summary's last line, `passed  120 passed, 0 failed`. One that ends without it has failed.
fn count(succeeded: bool, output: &str) -> Tally {
    let last = output.lines().rev().find_map(tallied).unwrap_or_default();
    let failed = if succeeded { last.failed } else { last.failed.max(1) };
    let none = succeeded && last.passed == 0;
    Tally { failed: failed + u64::from(none), ..last }
}

fn tallied(line: &str) -> Option<Tally> {
    let (passed, failed) = line.split_once(" passed, ")?;
    let passed = passed.rsplit(' ').next()?.parse().ok()?;
    let failed = failed.strip_suffix(" failed")?.parse().ok()?;
    Some(Tally { passed, failed, skipped: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_and_its_lack_is_a_failure() {
        assert_eq!(
            count(true, "x\npassed  120 passed, 0 failed\n"),
            Tally { passed: 120, failed: 0, skipped: 0 }
        );
        assert_eq!(count(false, "failed  3 passed, 2 failed\n"), Tally { passed: 3, failed: 2, skipped: 0 });
        assert_eq!(count(false, "again: cargo xtask sim --seed 7").failed, 1);
        assert_eq!(count(true, "").failed, 1);
    }
}
