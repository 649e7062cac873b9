//! Building what a check runs: tests, models, the simulator, the kernel. Each kind in a build directory of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::check::{Check, Tests};
use crate::image::{self, Flavour};
use crate::place;
use crate::process::{Finish, Group};
use crate::test::boot;
use crate::test::host::{self, HOST};

/// No build takes longer, the first one's dependencies included.
const LIMIT: Duration = Duration::from_mins(15);

/// What became of a build.
#[derive(Debug)]
pub enum Build {
    /// The executables that it made, each with the directory of its package.
    Made(Vec<(PathBuf, PathBuf)>),
    /// The compiler's first complaint.
    Refused(String),
    /// The user asked to stop.
    Interrupted,
}

/// Where builds go: a directory for each kind.
#[derive(Debug)]
pub struct Targets {
    home: PathBuf,
    loom: PathBuf,
}

impl Targets {
    /// Those of a place. Only the first one shares the models' dependencies with `test`: cargo builds in a directory one
    /// at a time.
    pub fn new(home: &Path, is_first: bool) -> Self {
        let shared = place::target().join("loom");
        Self { home: home.to_owned(), loom: if is_first { shared } else { home.join("loom") } }
    }

    fn of(&self, check: &Check) -> PathBuf {
        match check {
            Check::Unit(_) => self.home.join("unit"),
            Check::Loom(_) => self.loom.clone(),
            Check::Sim(_) => self.home.join("sim"),
            Check::Boot(_) => self.home.join("image"),
        }
    }
}

/// Builds what `check` runs, from the tree at `root`, below `targets`. What cargo says goes to `log`.
pub fn build(check: &Check, root: &Path, targets: &Targets, log: &Path) -> Result<Build> {
    let mut command = command(check)?;
    command.env("CARGO_TARGET_DIR", targets.of(check));
    let messages = log.with_extension("json");
    command.current_dir(root).stdin(std::process::Stdio::null());
    command.stdout(File::create(&messages)?).stderr(File::create(log)?);
    let finish =
        Group::spawn(&mut command).context("cannot start cargo")?.wait_until(Instant::now() + LIMIT)?;
    let output = fs::read_to_string(&messages)?;
    fs::remove_file(&messages)?;
    Ok(match finish {
        Finish::Interrupted => Build::Interrupted,
        Finish::TimedOut => Build::Refused("it takes too long".into()),
        Finish::Exited(status) if status.success() => {
            Build::Made(output.lines().filter_map(executable).collect())
        }
        Finish::Exited(_) => Build::Refused(complaint(&fs::read_to_string(log)?)),
    })
}

fn command(check: &Check) -> Result<Command> {
    let mut command = image::cargo();
    if !matches!(check, Check::Boot(_)) {
        // Only the crate that the fault is in is compiled each time; what cargo does by default for released code is
        // meant for code that is built once. But a kernel whose instructions are counted is built as it's released.
        command.env("CARGO_INCREMENTAL", "1");
    }
    match check {
        Check::Unit(tests) => command.args(["test", "--no-run", "--profile", HOST]).args(of(tests)),
        Check::Loom(tests) => {
            command.envs(host::LOOM).args(["test", "--no-run", "--profile", "models"]).args(of(tests))
        }
        Check::Sim(_) => command.args(["build", "--profile", HOST, "--package", "xtask"]),
        Check::Boot(name) => {
            let recording: &[&str] =
                if boot::flavour(name)? == Flavour::Recording { &["--features", "record"] } else { &[] };
            command.args(["build", "--release", "--package", "kernel"]).args(recording)
        }
    };
    command.arg("--message-format=json-render-diagnostics");
    Ok(command)
}

fn of(tests: &Tests) -> [&str; 3] {
    ["--tests", "--package", &tests.package]
}

/// The executable that one of cargo's messages names, and its package's directory.
fn executable(line: &str) -> Option<(PathBuf, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let executable = message["executable"].as_str()?;
    let manifest = Path::new(message["manifest_path"].as_str()?);
    Some((executable.into(), manifest.parent()?.to_owned()))
}

fn complaint(output: &str) -> String {
    let first = output.lines().find(|line| line.starts_with("error"));
    first.unwrap_or("cargo says why in the log").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_among_cargos_messages() {
        let line = r#"{"reason":"compiler-artifact","manifest_path":"/w/sched/Cargo.toml","executable":"/t/sched-1"}"#;
        assert_eq!(executable(line), Some(("/t/sched-1".into(), "/w/sched".into())));
        assert_eq!(executable(&line.replace("\"/t/sched-1\"", "null")), None);
        assert_eq!(executable("Compiling"), None);
    }

    #[test]
    fn the_first_error_is_the_complaint() {
        assert_eq!(complaint("warning: x\nerror[E1]: y\nerror: z\n"), "error[E1]: y");
    }
}
