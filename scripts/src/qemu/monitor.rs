//! QEMU's monitor (QMP): what only somebody outside of the machine can do to it, such as an NMI or a pause.
//!
//! The protocol is JSON, a line a message. QEMU greets, is asked for its capabilities, and answers each command; events,
//! which it may send at any time, are skipped.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

/// How long an answer may take. A host that is that busy is no place for a test.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a QEMU listens; the file goes when this does.
#[derive(Debug)]
pub struct Socket(PathBuf);

impl Socket {
    /// One that no other run uses. Short, as a socket's path must be.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(format!("tacet-{process}-{number}.qmp")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // QEMU removes it at its end, unless it was killed.
        let _ = fs::remove_file(&self.0);
    }
}

/// A connection. QEMU takes one at a time.
#[derive(Debug)]
pub struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    /// Connects to the QEMU that listens there.
    ///
    /// # Errors
    /// None does, or it does not speak as QEMU does.
    pub fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).context("QEMU's monitor does not listen")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut monitor = Self { stream: BufReader::new(stream) };
        let greeting = monitor.receive()?;
        ensure!(greeting.get("QMP").is_some(), "no greeting from QEMU's monitor");
        monitor.execute("qmp_capabilities", None)?;
        Ok(monitor)
    }

    /// Has QEMU do something, and gives its answer.
    ///
    /// # Errors
    /// QEMU refuses, or is gone.
    pub fn execute(&mut self, command: &str, arguments: Option<&Value>) -> Result<Value> {
        let mut message = json!({ "execute": command });
        if let Some(arguments) = arguments {
            message["arguments"] = arguments.clone();
        }
        let sent = self.stream.get_mut().write_all(format!("{message}\n").as_bytes());
        sent.with_context(|| format!("QEMU's monitor does not take `{command}`"))?;
        loop {
            let mut answer = self.receive()?;
            if let Some(value) = answer.remove("return") {
                return Ok(value);
            }
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses `{command}`: {}", error["desc"].as_str().unwrap_or_default());
            }
        }
    }

    fn receive(&mut self) -> Result<Map<String, Value>> {
        let mut line = String::new();
        let length = self.stream.read_line(&mut line).context("QEMU's monitor does not answer")?;
        ensure!(length > 0, "QEMU closed its monitor");
        serde_json::from_str(&line).context("QEMU's monitor does not speak JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// A monitor that answers with these lines, whatever it's asked, and tells what it was asked.
    fn played(answers: &'static [&'static str]) -> (Socket, thread::JoinHandle<Vec<String>>) {
        let socket = Socket::new();
        let listener = UnixListener::bind(socket.path()).unwrap();
        let player = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut asked = vec![];
            writeln!(stream, r#"{{"QMP": {{"version": {{}}}}}}"#).unwrap();
            for answer in answers {
                asked.push(heard.next().unwrap().unwrap());
                writeln!(stream, "{answer}").unwrap();
            }
            asked
        });
        (socket, player)
    }

    #[test]
    fn events_between_command_and_answer_are_skipped() {
        let answers = &[r#"{"return": {}}"#, "{\"event\": \"STOP\"}\n{\"return\": 7}"];
        let (socket, player) = played(answers);
        let mut monitor = Monitor::connect(socket.path()).unwrap();
        assert_eq!(monitor.execute("stop", Some(&json!({"a": 1}))).unwrap(), 7);
        let asked = player.join().unwrap();
        assert_eq!(asked[0], r#"{"execute":"qmp_capabilities"}"#);
        assert_eq!(asked[1], r#"{"arguments":{"a":1},"execute":"stop"}"#);
    }

    #[test]
    fn refusals_and_silence_are_errors() {
        let (socket, player) =
            played(&[r#"{"return": {}}"#, r#"{"error": {"class": "X", "desc": "no such thing"}}"#]);
        let mut monitor = Monitor::connect(socket.path()).unwrap();
        assert!(monitor.execute("walk", None).unwrap_err().to_string().contains("no such thing"));
        player.join().unwrap();
        assert!(monitor.execute("stop", None).is_err());
        assert!(Monitor::connect(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn a_socket_goes_with_its_owner() {
        let socket = Socket::new();
        fs::write(socket.path(), "").unwrap();
        let path = socket.path().to_owned();
        drop(socket);
        assert!(!path.exists());
    }
}
