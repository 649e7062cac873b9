//! The steps that boot the kernel: one for each file in `scripts/expected`.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::case::Case;
use super::step::{Report, Step};
use super::{host, pattern};
use crate::emulator::Emulator;
use crate::guest;
use crate::image::{self, Flavour};
use crate::qemu::Qemu;
use crate::run::Run;
use crate::{compare, place};

/// How many of the guest's last lines a failure shows.
const LAST_LINES: usize = 12;
const LAST_LINES_FOLLOW: &str = "the last lines:";

/// With this no run in which a timer ended a slice comes out the same.
const OTHER_SLICE: &str = "sched.hysteresis=50ms";

/// What the user names of the host.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// QEMU, when not the first on the path.
    pub qemu: Option<PathBuf>,
    /// The directory of Limine's files.
    pub limine: Option<PathBuf>,
}

impl Host {
    /// The boot test of a file, to be run here.
    fn case(&self, file: &Path) -> Result<Case> {
        let text =
            fs::read_to_string(file).with_context(|| format!("no boot test {}", place::shown(file)))?;
        let mut case =
            Case::parse(&text).with_context(|| format!("{} is no boot test", place::shown(file)))?;
        case.run.set_limine(self.limine.clone());
        case.run.machine.qemu.clone_from(&self.qemu);
        Ok(case)
    }

    /// Why `case` can't be run here, if it can't.
    fn lacks(&self, case: &Case) -> Result<Option<String>> {
        let qemu = Qemu::find(self.qemu.as_deref())?;
        Ok(case.needs.iter().find_map(|need| need.lacks(&qemu, self.limine.is_some())))
    }

    /// Why the boot test of that name can't be run here, if it can't.
    ///
    /// # Errors
    /// There is none of that name, or no QEMU.
    pub fn lacks_for(&self, name: &str) -> Result<Option<String>> {
        self.lacks(&self.case(&file(name))?)
    }
}

/// What all boot tests share.
struct Bench {
    host: Host,
    kernel: OnceCell<PathBuf>,
    recording_kernel: OnceCell<PathBuf>,
}

/// One step a file, in the order of their names.
pub fn steps(host: Host) -> Result<Vec<Step>> {
    let bench = Rc::new(Bench { host, kernel: OnceCell::new(), recording_kernel: OnceCell::new() });
    Ok(files()?.into_iter().map(|file| step(&bench, file)).collect())
}

/// The file of a boot test.
fn file(name: &str) -> PathBuf {
    place::root().join("scripts/expected").join(name).with_extension("txt")
}

/// Their files, in the order of their names.
pub fn files() -> Result<Vec<PathBuf>> {
    let directory = place::root().join("scripts/expected");
    let entries = fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    Ok(files)
}

fn step(bench: &Rc<Bench>, file: PathBuf) -> Step {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = format!("boot {stem}");
    let (bench, title) = (Rc::clone(bench), name.clone());
    let action = Box::new(move |_: Instant| bench.run(&title, &file));
    // The guest's own limits are tighter; the first step also builds the kernel.
    Step { name, limit: Duration::from_mins(10), action }
}

impl Bench {
    fn run(&self, name: &str, file: &Path) -> Result<Report> {
        let case = self.host.case(file)?;
        if let Some(why) = self.host.lacks(&case)? {
            return Ok(Report::skipped(why));
        }
        judge(&case, self.kernel(&case.run)?, &host::log_file(name)?)
    }

    /// Built by the first test that needs it.
    fn kernel(&self, run: &Run) -> Result<&Path> {
        let flavour = flavour_of(run);
        let kernel = if flavour == Flavour::Recording { &self.recording_kernel } else { &self.kernel };
        if let Some(kernel) = kernel.get() {
            return Ok(kernel);
        }
        let built = image::build(flavour)?;
        Ok(kernel.get_or_init(|| built))
    }
}

fn flavour_of(run: &Run) -> Flavour {
    if run.records() { Flavour::Recording } else { Flavour::Release }
}

/// The image that the boot test of that name boots.
///
/// # Errors
/// There is none of that name.
pub fn flavour(name: &str) -> Result<Flavour> {
    Ok(flavour_of(&Host::default().case(&file(name))?.run))
}

/// Boots `kernel` as the boot test of that name says, and judges it: `Err` with the reason if it fails.
///
/// # Errors
/// There is none of that name, or QEMU can't be started.
pub fn verdict(name: &str, kernel: &Path, host: &Host, log: &Path) -> Result<Result<(), String>> {
    let report = judge(&host.case(&file(name))?, kernel, log)?;
    // What was expected, or which row failed, is in the second line.
    let reasons = report.said.lines().take_while(|line| *line != LAST_LINES_FOLLOW).take(2);
    let why = reasons.map(str::trim).collect::<Vec<_>>().join(" ");
    Ok(if report.tally.failed == 0 { Ok(()) } else { Err(why) })
}

fn judge(case: &Case, kernel: &Path, log: &Path) -> Result<Report> {
    let emulator = Emulator::find(&case.run.machine)?;
    let boot = |log: &Path| case.run.boot(&emulator, kernel, log, &mut |_| ());
    let first = boot(log)?;
    if let Err(why) = check(case, &first) {
        return Ok(Report::failed(describe(&why, &first, log)));
    }
    if let Some(least) = case.replays {
        return replay(&case.run.tape(log).context("`--record` names a tape")?, least);
    }
    let Some(limit) = case.repeats else { return Ok(Report::passed()) };
    let second = boot(&log.with_extension("again.log"))?;
    let drift = compare::drift(&first.transcript.records, &second.transcript.records, limit);
    Ok(if drift.is_empty() { Report::passed() } else { Report::failed(drift.join("\n")) })
}

/// Plays `tape` back: every decision must be the same, and with another slice some must not be.
///
/// By a process of its own, since a scheduler that gives up takes the process with it.
fn replay(tape: &Path, least: u64) -> Result<Report> {
    let play = |arguments: &[&str]| {
        let mut command = Command::new(place::program()?);
        command.arg("replay").arg(tape).args(arguments).output()
    };
    let same = play(&["--at-least", &least.to_string()])?;
    if !same.status.success() {
        let said = [same.stdout, same.stderr].concat();
        return Ok(Report::failed(format!("a replay isn't the same\n{}", String::from_utf8_lossy(&said))));
    }
    let other = play(&[OTHER_SLICE])?;
    if other.status.code() != Some(1) {
        return Ok(Report::failed(format!("a replay with {OTHER_SLICE} finds no difference")));
    }
    Ok(Report::passed())
}

fn check(case: &Case, report: &guest::Report) -> Result<(), String> {
    let word = report.outcome.word();
    if word != case.outcome {
        return Err(format!("expected {}, got {word}: {}", case.outcome, report.outcome.sentence()));
    }
    pattern::check(&case.pattern, &report.transcript.raw)
}

fn describe(why: &str, report: &guest::Report, log: &Path) -> String {
    let lines = match report.transcript.last_lines(LAST_LINES)[..] {
        [] => "it printed nothing".to_owned(),
        ref lines => format!("{LAST_LINES_FOLLOW}\n  {}", lines.join("\n  ")),
    };
    let verdicts: Vec<String> = report
        .transcript
        .verdicts()
        .filter(|(_, verdict)| !verdict.pass)
        .map(|(name, verdict)| format!("failed: {name} {}\n", verdict.why))
        .collect();
    format!("{why}\n{}{lines}\nlog: {}", verdicts.concat(), place::shown(log))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_in_the_tree_is_a_boot_test() {
        let files = files().unwrap();
        assert!(!files.is_empty());
        for file in files {
            let parsed = Case::parse(&fs::read_to_string(&file).unwrap());
            assert!(parsed.is_ok(), "{}: {:#}", file.display(), parsed.unwrap_err());
        }
    }
}
