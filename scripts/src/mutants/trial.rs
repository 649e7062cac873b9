//! One fault against its checks, in one copy of the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::baseline::Baseline;
use super::cargo::{self, Build, Targets};
use super::check::Check;
use super::libtest;
use super::mutant::Mutant;
use super::tree::Tree;
use crate::process::{Finish, Group};
use crate::test::boot::{self, Host};
use crate::{image, place};

/// What a check said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// So many tests passed.
    Passed(usize),
    /// This failed: a test, a simulation, a boot.
    Failed(String),
    /// It was not done in time.
    Hung,
    /// The tree doesn't build: the check wasn't run.
    Refused(String),
    /// The user asked to stop.
    Interrupted,
}

/// What became of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// A check failed, as it should.
    Caught {
        /// Which.
        check: Check,
        /// What of it; `None`: it didn't end.
        by: Option<String>,
    },
    /// Every check passed.
    Survived,
    /// It's no fault that could be made: the compiler refuses it.
    Refused(String),
    /// The user asked to stop.
    Interrupted,
}

/// Executables, each with the directory of its package.
pub type Made = Vec<(PathBuf, PathBuf)>;

/// Where all of it happens.
pub fn home() -> PathBuf {
    place::target().join("mutants")
}

/// A place to try faults in.
pub struct Site {
    tree: Tree,
    targets: Targets,
    log: PathBuf,
    host: Host,
}

impl Site {
    /// The place of a number, in the build directory, with a copy of what `original` holds.
    pub fn new(number: usize, original: &Tree, host: Host) -> Result<Self> {
        let home = home().join(number.to_string());
        let tree = Tree::copy(original.root(), &home.join("tree"))?;
        Ok(Self { tree, targets: Targets::new(&home, number == 0), log: home.join("log"), host })
    }

    /// Tries one fault and takes it out again.
    pub fn try_one(&self, mutant: &Mutant, baseline: &Baseline) -> Result<End> {
        let end = self.try_checks(mutant, baseline);
        self.tree.restore()?;
        if matches!(end, Ok(End::Survived | End::Refused(_))) {
            self.keep_log(&mutant.name)?;
        }
        end
    }

    fn try_checks(&self, mutant: &Mutant, baseline: &Baseline) -> Result<End> {
        for check in &mutant.checks {
            let by = match self.try_check(mutant, check, baseline)? {
                Verdict::Passed(_) => continue,
                Verdict::Failed(by) => Some(by),
                Verdict::Hung => None,
                Verdict::Refused(why) => return Ok(End::Refused(why)),
                Verdict::Interrupted => return Ok(End::Interrupted),
            };
            return Ok(End::Caught { check: check.clone(), by });
        }
        Ok(End::Survived)
    }

    fn try_check(&self, mutant: &Mutant, check: &Check, baseline: &Baseline) -> Result<Verdict> {
        if baseline.limit(check).is_none() {
            self.tree.restore()?;
            if !baseline.learn(check, self)? {
                return Ok(Verdict::Interrupted);
            }
        }
        self.tree.put(mutant)?;
        match self.build(check)? {
            Ok(made) => self.run(check, &made, baseline.limit(check)),
            Err(refused) => Ok(refused),
        }
    }

    /// What is to be read by who looks for the test that's missing.
    fn keep_log(&self, name: &str) -> Result<()> {
        let kept = place::logs("mutants")?.join(name.replace('/', "-") + ".log");
        fs::copy(&self.log, kept)?;
        Ok(())
    }

    /// Builds what a check runs, from the tree as it is.
    pub fn build(&self, check: &Check) -> Result<Result<Made, Verdict>> {
        Ok(match cargo::build(check, self.tree.root(), &self.targets, &self.log)? {
            Build::Made(made) => Ok(made),
            Build::Refused(why) => Err(Verdict::Refused(why)),
            Build::Interrupted => Err(Verdict::Interrupted),
        })
    }

    /// Runs one check that was built.
    pub fn run(&self, check: &Check, made: &Made, limit: Option<Duration>) -> Result<Verdict> {
        let deadline = Instant::now() + limit.unwrap_or(Duration::from_mins(15));
        match check {
            Check::Unit(tests) | Check::Loom(tests) => self.run_tests(made, &tests.filter, deadline),
            Check::Sim(arguments) => self.simulate(the_one(made)?, arguments, deadline),
            Check::Boot(case) => self.boot(the_one(made)?, case),
        }
    }

    fn run_tests(&self, made: &[(PathBuf, PathBuf)], filter: &str, deadline: Instant) -> Result<Verdict> {
        let mut passed = 0;
        for (executable, directory) in made {
            match libtest::run(executable, filter, directory, deadline, &self.log)? {
                Verdict::Passed(more) => passed += more,
                other => return Ok(other),
            }
        }
        Ok(Verdict::Passed(passed))
    }

    fn simulate(&self, program: &Path, arguments: &str, deadline: Instant) -> Result<Verdict> {
        let words = shlex::split(arguments).context("unbalanced quotes")?;
        let log = fs::File::create(&self.log)?;
        let mut command = Command::new(program);
        command.arg("sim").args(words).stdin(std::process::Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        Ok(match Group::spawn(&mut command)?.wait_until(deadline)? {
            Finish::Exited(status) if status.success() => Verdict::Passed(1),
            Finish::Exited(status) => Verdict::Failed(status.to_string()),
            Finish::TimedOut => Verdict::Hung,
            Finish::Interrupted => Verdict::Interrupted,
        })
    }

    fn boot(&self, kernel: &Path, case: &str) -> Result<Verdict> {
        let kernel = image::bootable(kernel, "tacet")?;
        Ok(match boot::verdict(case, &kernel, &self.host, &self.log)? {
            _ if crate::interrupt::asked() => Verdict::Interrupted,
            Ok(()) => Verdict::Passed(1),
            Err(why) => Verdict::Failed(why),
        })
    }
}

fn the_one(made: &[(PathBuf, PathBuf)]) -> Result<&Path> {
    match made {
        [(program, _)] => Ok(program),
        _ => bail!("cargo built {} programs instead of one", made.len()),
    }
}
