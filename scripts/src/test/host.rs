//! The steps that need no guest: format, lints, unit tests and models, each a cargo command.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::step::{Report, Step};
use super::tally::Tally;
use crate::image::cargo;
use crate::process::{Finish, Group};
use crate::{mutants, place};

/// How much of a failed command's output the table shows.
const SHOWN_LINES: usize = 40;

/// The crates with host tests.
const TESTED: [&str; 5] = ["sched", "bench", "arch", "fuzz", "xtask"];

/// The profile of what runs here.
pub const HOST: &str = "host";

/// All of them, cheapest first.
pub fn steps() -> Vec<Step> {
    vec![
        check("format", 60, &["fmt", "--all", "--check"]),
        lints("lints", &TESTED, &["--profile", HOST, "--all-targets"]),
        // By itself: the tests' dependencies would turn on `std` in the image's.
        lints("lints image", &["kernel"], &[]),
        lints("lints recording image", &["kernel"], &["--features", "record"]),
        unit(),
        models(),
        mutants(),
    ]
}

/// One fault of each kind, put into a copy of the tree: whether the tests and models above notice.
fn mutants() -> Step {
    let action = |over| {
        let (tally, wrong) = mutants::quick(over)?;
        let (passed, failed) = ((tally.caught + tally.known) as u64, tally.wrong() as u64);
        Ok(Report { tally: Tally { passed, failed, skipped: 0 }, said: wrong })
    };
    Step { name: "mutants".into(), limit: Duration::from_mins(8), action: Box::new(action) }
}

/// A command that is one check: its status says all.
fn check(name: &str, seconds: u64, arguments: &[&str]) -> Step {
    let mut command = cargo();
    command.args(arguments);
    step(name.to_owned(), seconds, command, |succeeded, _| Tally {
        passed: u64::from(succeeded),
        failed: u64::from(!succeeded),
        skipped: 0,
    })
}

/// Clippy, with warnings as errors.
fn lints(name: &str, packages: &[&str], targets: &[&str]) -> Step {
    let mut arguments = vec!["clippy", "--quiet"];
    arguments.extend(packages.iter().flat_map(|package| ["--package", package]));
    arguments.extend_from_slice(targets);
    arguments.extend_from_slice(&["--", "-D", "warnings"]);
    check(name, 300, &arguments)
}

/// In one command: cargo would build shared dependencies anew for each set of packages.
fn unit() -> Step {
    let mut command = cargo();
    command.args(["test", "--quiet", "--profile", HOST, "--no-fail-fast"]).env("RUST_BACKTRACE", "0");
    for package in TESTED {
        command.args(["--package", package]);
    }
    step("unit".into(), 900, command, count)
}

/// How loom's models are built: optimised, but without the whole-program optimisation that takes longer than they do.
pub const LOOM: [(&str, &str); 3] = [
    ("RUSTFLAGS", "--cfg loom"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

/// Loom's models are built with another configuration, and so in a directory of their own.
fn models() -> Step {
    let mut command = cargo();
    command
        .args(["test", "--quiet", "--package", "sched", "--profile", "models", "--tests"])
        .arg("--target-dir")
        .arg(place::target().join("loom"))
        .env("RUST_BACKTRACE", "0")
        .envs(LOOM);
    step("models".into(), 600, command, count)
}

/// A failure that no test accounts for, such as a build that fails, is one more.
/// So is a success without a test: it checked nothing.
fn count(succeeded: bool, output: &str) -> Tally {
    let mut tally = Tally::of_cargo(output);
    if (!succeeded && tally.failed == 0) || (succeeded && tally.passed == 0) {
        tally.failed += 1;
    }
    tally
}

/// A command whose output is counted by `tally`.
pub fn step(
    name: String,
    seconds: u64,
    command: Command,
    tally: impl Fn(bool, &str) -> Tally + 'static,
) -> Step {
    let title = name.clone();
    let action = Box::new(move |deadline| run(&title, command, deadline, tally));
    Step { name, limit: Duration::from_secs(seconds), action }
}

fn run(
    name: &str,
    mut command: Command,
    deadline: Instant,
    tally: impl Fn(bool, &str) -> Tally,
) -> Result<Report> {
    let log = log_file(name)?;
    let sink = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdin(std::process::Stdio::null()).stdout(sink.try_clone()?).stderr(sink);
    let finish = Group::spawn(&mut command).context("cannot start cargo")?.wait_until(deadline)?;
    let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    Ok(match finish {
        Finish::TimedOut => cut("not done in time", &output, &log),
        Finish::Interrupted => cut("interrupted", &output, &log),
        Finish::Exited(status) => finished(tally(status.success(), &output), &output, &log),
    })
}

/// Where the output of the step called `name` goes.
pub fn log_file(name: &str) -> Result<PathBuf> {
    Ok(place::logs("test")?.join(name.replace([' ', '/'], "-") + ".log"))
}

fn cut(why: &str, output: &str, log: &Path) -> Report {
    let mut tally = Tally::of_cargo(output);
    tally.failed += 1;
    Report { tally, said: format!("{why}\n{}", shown(output, log)) }
}

fn finished(tally: Tally, output: &str, log: &Path) -> Report {
    let said = if tally.failed == 0 { String::new() } else { shown(output, log) };
    Report { tally, said }
}

/// The end of the output, and where the rest is.
fn shown(output: &str, log: &Path) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    format!("{}\nlog: {}", last.join("\n"), place::shown(log))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured\n";

    #[test]
    fn a_suite_must_run_something() {
        assert_eq!(count(true, TWO), Tally { passed: 2, failed: 0, skipped: 0 });
        assert_eq!(count(true, "").failed, 1);
        assert_eq!(count(false, "error: could not compile").failed, 1);
        assert_eq!(count(false, TWO).failed, 1);
        assert_eq!(count(false, &TWO.replace("0 failed", "1 failed")).failed, 1);
    }

    #[test]
    fn a_step_that_hangs_is_a_failure_and_keeps_its_count() {
        let report = cut("not done in time", TWO, Path::new("x.log"));
        assert_eq!(report.tally, Tally { passed: 2, failed: 1, skipped: 0 });
        assert!(report.said.starts_with("not done in time"));
    }

    #[test]
    fn only_the_end_of_a_long_output_is_shown() {
        let output: Vec<String> = (0..100).map(|i| format!("line {i}")).collect();
        let shown = shown(&output.join("\n"), Path::new("x.log"));
        assert!(shown.starts_with("line 60\n") && shown.contains("line 99") && shown.ends_with("x.log"));
    }
}
