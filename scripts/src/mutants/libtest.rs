//! Running a test executable until its first failure.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::trial::Verdict;
use crate::interrupt;
use crate::process::Group;

const POLL: Duration = Duration::from_millis(50);

/// Property tests try the same cases every time, and stop at the first that fails; models on the host's threads, where a fault is seen
/// at once or by loom, run a few times.
const SETTINGS: [(&str, &str); 4] = [
    ("PROPTEST_RNG_SEED", "3"),
    ("PROPTEST_MAX_SHRINK_ITERS", "0"),
    ("MODEL_RUNS", "5"),
    ("RUST_BACKTRACE", "0"),
];

/// Runs the tests of `executable` whose names contain `filter`, in `directory`. What they print goes to `log`.
pub fn run(
    executable: &Path,
    filter: &str,
    directory: &Path,
    deadline: Instant,
    log: &Path,
) -> Result<Verdict> {
    let mut log = File::options().append(true).create(true).open(log)?;
    let mut command = Command::new(executable);
    command.args((!filter.is_empty()).then_some(filter)).current_dir(directory).envs(SETTINGS);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone()?);
    let mut group = Group::spawn(&mut command).context("cannot start the tests")?;
    let lines = lines(group.child().stdout.take().context("the tests have no output")?);
    let mut seen = Seen::default();
    let cut = follow(&lines, deadline, |line| {
        let _ = writeln!(log, "{line}");
        seen.note(line)
    });
    Ok(match cut {
        Some(cut) => cut,
        None => seen.verdict(group.child().wait()?),
    })
}

/// Reads a pipe line by line beside everything else.
fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        // The receiver is gone once a test has failed: no more is wanted then.
        BufReader::new(pipe).lines().map_while(Result::ok).all(|line| send.send(line).is_ok())
    });
    receive
}

/// Hands each line to `note` until that has a verdict; `None`: the output came to its end.
fn follow(
    lines: &Receiver<String>,
    deadline: Instant,
    mut note: impl FnMut(&str) -> Option<Verdict>,
) -> Option<Verdict> {
    loop {
        match lines.recv_timeout(POLL) {
            Ok(line) => {
                let verdict = note(&line);
                if verdict.is_some() {
                    return verdict;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if interrupt::asked() => return Some(Verdict::Interrupted),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => return Some(Verdict::Hung),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// What the tests have said so far.
#[derive(Default)]
struct Seen {
    passed: usize,
}

impl Seen {
    /// Takes a line; a verdict, if it tells of a failure.
    fn note(&mut self, line: &str) -> Option<Verdict> {
        let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
        match result {
            "ok" => self.passed += 1,
            "FAILED" => return Some(Verdict::Failed(name.to_owned())),
            _ => {}
        }
        None
    }

    /// What came of all, if no test said that it failed.
    fn verdict(&self, status: std::process::ExitStatus) -> Verdict {
        match status.signal() {
            Some(signal) => Verdict::Failed(format!("killed by signal {signal}")),
            None if status.success() => Verdict::Passed(self.passed),
            None => Verdict::Failed(format!("the tests ended with {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_script(script: &str, limit: Duration) -> Verdict {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("tests");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let log = directory.path().join("log");
        run(&program, "", directory.path(), Instant::now() + limit, &log).unwrap()
    }

    #[test]
    fn tests_end_at_the_first_failure_or_at_the_end() {
        let long = Duration::from_secs(20);
        let passes = "echo 'running 2 tests'; echo 'test a ... ok'; echo 'test b ... ok'";
        assert_eq!(run_script(passes, long), Verdict::Passed(2));
        let started = Instant::now();
        let fails = "echo 'test a ... ok'; echo 'test b::c ... FAILED'; sleep 60";
        assert_eq!(run_script(fails, long), Verdict::Failed("b::c".into()));
        assert!(started.elapsed() < long, "it isn't waited for");
        assert_eq!(run_script("kill -ABRT $$", long), Verdict::Failed("killed by signal 6".into()));
        assert!(matches!(run_script("exit 101", long), Verdict::Failed(_)));
        assert_eq!(run_script("sleep 60", Duration::from_millis(300)), Verdict::Hung);
    }
}
