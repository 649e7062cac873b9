//! The tree without a fault: every check must pass there, and the time that it takes sets the limit for the faulty ones.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use indicatif::ProgressBar;

use super::check::Check;
use super::mutant::Mutant;
use super::trial::{Site, Verdict};

/// What a check may take beyond three times what it takes without a fault: the machine may be busy.
const SPARE: Duration = Duration::from_mins(1);

/// How long each check may take, as far as it has been run without a fault.
#[derive(Default)]
pub struct Baseline(Mutex<HashMap<Check, Duration>>);

impl Baseline {
    /// Runs the first check of each fault. The others are run when a fault gets past the first.
    ///
    /// # Errors
    /// A check fails, or runs nothing.
    pub fn prepare(&self, site: &Site, mutants: &[Mutant], bar: &ProgressBar) -> Result<()> {
        let first: BTreeSet<&Check> = mutants.iter().filter_map(|mutant| mutant.checks.first()).collect();
        for check in first {
            bar.set_message(format!("without a fault: {check}"));
            if !self.learn(check, site)? {
                break;
            }
        }
        Ok(())
    }

    /// The limit for a check, if it's known.
    pub fn limit(&self, check: &Check) -> Option<Duration> {
        self.0.lock().ok()?.get(check).copied()
    }

    /// Runs a check in a tree without a fault; whether it came to its end.
    pub fn learn(&self, check: &Check, site: &Site) -> Result<bool> {
        let build = match site.build(check)? {
            Ok(build) => build,
            Err(Verdict::Refused(why)) => bail!("the tree doesn't build for {check}: {why}"),
            Err(_) => return Ok(false),
        };
        let started = Instant::now();
        match site.run(check, &build, None)? {
            Verdict::Passed(tests) => ensure!(tests > 0, "the list is stale: {check} runs no test"),
            Verdict::Failed(by) => bail!("the tree fails without a fault: {check}: {by}"),
            Verdict::Hung => bail!("the tree fails without a fault: {check} doesn't end"),
            Verdict::Refused(_) | Verdict::Interrupted => return Ok(false),
        }
        if let Ok(mut limits) = self.0.lock() {
            limits.insert(check.clone(), started.elapsed() * 3 + SPARE);
        }
        Ok(true)
    }
}
