//! Child processes that cannot outlive their welcome.
//!
//! Each runs in a process group of its own, so that a `cargo test` that hangs goes together with
//! the test binaries that it started.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::interrupt;

const POLL: Duration = Duration::from_millis(20);

/// A child process with its group; killed when dropped.
#[derive(Debug)]
pub struct Group(Child);

impl Group {
    /// Starts `command` in a new process group.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        command.process_group(0).spawn().map(Self)
    }

    /// The child itself, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// How the child ended, or `None` while it runs.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Kills the whole group and collects the child.
    pub fn kill(&mut self) {
        if let Some(group) = Pid::from_raw(self.0.id().cast_signed()) {
            // An error means that the group is gone already, which is what was wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }

    /// Waits until the child ends, `deadline` passes, or the user interrupts.
    pub fn wait_until(&mut self, deadline: Instant) -> io::Result<Finish> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(Finish::Exited(status));
            }
            if interrupt::asked() || Instant::now() >= deadline {
                self.kill();
                return Ok(if interrupt::asked() { Finish::Interrupted } else { Finish::TimedOut });
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(None) = self.try_wait() {
            self.kill();
        }
    }
}

/// How a wait for a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// By itself.
    Exited(ExitStatus),
    /// Killed at its deadline.
    TimedOut,
    /// Killed because the user asked to stop.
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_kills_grandchildren_too() {
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        let script = format!("sleep 60 & echo $! > {}; wait", pid.display());
        let mut group = Group::spawn(Command::new("sh").args(["-c", &script])).unwrap();
        let deadline = Instant::now() + Duration::from_millis(400);
        assert_eq!(group.wait_until(deadline).unwrap(), Finish::TimedOut);

        let grandchild = std::fs::read_to_string(&pid).unwrap();
        let status = format!("/proc/{}/status", grandchild.trim());
        let gone = || std::fs::read_to_string(&status).is_ok_and(|s| s.contains("Z (zombie)"));
        let limit = Instant::now() + Duration::from_secs(5);
        while std::path::Path::new(&status).exists() && !gone() {
            assert!(Instant::now() < limit, "the grandchild lives");
            std::thread::sleep(POLL);
        }
    }
}
