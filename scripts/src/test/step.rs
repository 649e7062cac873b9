//! One row of the test table: something that runs until a deadline and reports.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::tally::Tally;

/// What a step does, given the moment at which it must be over.
pub type Action = Box<dyn FnOnce(Instant) -> Result<Report>>;

/// One row.
pub struct Step {
    /// What the table calls it, and what words on the command line are looked for in.
    pub name: String,
    /// The longest that it may take.
    pub limit: Duration,
    /// What it does.
    pub action: Action,
}

/// What came of a step.
#[derive(Debug, PartialEq)]
pub struct Report {
    /// The counts that it adds.
    pub tally: Tally,
    /// What there is to say; empty when all is well.
    pub said: String,
}

impl Report {
    /// One check passed.
    pub fn passed() -> Self {
        Self { tally: Tally { passed: 1, ..Tally::default() }, said: String::new() }
    }

    /// One check failed, and why.
    pub fn failed(why: impl Into<String>) -> Self {
        Self { tally: Tally { failed: 1, ..Tally::default() }, said: why.into() }
    }

    /// One check cannot run here, and why.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self { tally: Tally { skipped: 1, ..Tally::default() }, said: why.into() }
    }
}
