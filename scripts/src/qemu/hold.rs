//! A virtual CPU that does not get to run while the others do, as when the host has other work for its core: its thread of
//! QEMU's is stopped, as a debugger stops one.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde_json::Value;

use super::monitor::Monitor;

/// Keeps a CPU of the QEMU that listens at `socket` from running for so long. Without a thread for each (`--icount`), all of
/// them.
///
/// # Errors
/// There is no such CPU, it's gone before the time is over, or the host lets nobody stop threads.
pub fn hold(socket: &Path, cpu: u32, time: Duration) -> Result<()> {
    let cpus = Monitor::connect(socket)?.execute("query-cpus-fast", None)?;
    let thread = thread_of(&cpus, cpu).with_context(|| format!("QEMU has no CPU {cpu} to hold"))?;
    ptrace::seize(thread, Options::empty()).context("this host lets nobody stop a thread of QEMU's")?;
    ptrace::interrupt(thread)?;
    waitpid(thread, Some(WaitPidFlag::__WALL))?;
    thread::sleep(time);
    if let Err(error) = ptrace::detach(thread, None) {
        // Whoever traces a thread that was killed must take note of it, or the process never ends.
        let _ = waitpid(thread, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG));
        return Err(error).context("QEMU ended while one of its CPUs was held");
    }
    Ok(())
}

/// Whether this host lets a process stop what it started. Containers may not.
pub fn is_allowed() -> bool {
    let Ok(mut child) = Command::new("cat").stdin(Stdio::piped()).spawn() else { return false };
    let seized = ptrace::seize(Pid::from_raw(child.id() as i32), Options::empty()).is_ok();
    let _ = child.kill();
    let _ = child.wait();
    seized
}

/// The thread that runs a CPU, by QEMU's list of them.
fn thread_of(cpus: &Value, cpu: u32) -> Option<Pid> {
    let entry = cpus.as_array()?.iter().find(|entry| entry["cpu-index"] == cpu)?;
    Some(Pid::from_raw(i32::try_from(entry["thread-id"].as_i64()?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cpus_thread_is_the_one_that_qemu_names() {
        let cpus = json!([{"cpu-index": 0, "thread-id": 70}, {"cpu-index": 1, "thread-id": 71}]);
        assert_eq!(thread_of(&cpus, 1), Some(Pid::from_raw(71)));
        assert_eq!(thread_of(&cpus, 2), None);
        assert_eq!(thread_of(&json!({}), 0), None);
    }
}
