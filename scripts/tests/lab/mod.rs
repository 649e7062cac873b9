//! A place to run `xtask` in, with a shell script for QEMU.
//!
//! The script answers `--version`, finds the log that it should write, and then plays the guest.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use tempfile::TempDir;

const PROLOGUE: &str = r#"#!/bin/sh
[ "$1" = --version ] && { echo "QEMU emulator version VERSION (fake)"; exit; }
for word in "$@"; do
    case $word in file,id=serial,path=*|stdio,id=serial,*logfile=*) log=${word##*=} ;; esac
done
say() { printf '%s\r\n' "$*" >> "$log"; }
record() { say "@tacet {\"v\":1,$*}"; }
verdict() { record "\"name\":\"$1\",\"kind\":\"verdict\",\"pass\":$2,\"why\":\"$3\""; }
end() { record "\"name\":\"quick\",\"kind\":\"end\",\"passed\":$1,\"failed\":$2"; }
"#;

/// A directory with a fake QEMU and a fake kernel.
pub struct Lab {
    directory: TempDir,
}

/// What a command printed, on both outputs, and how it ended.
pub struct Ended {
    pub text: String,
    pub status: ExitStatus,
}

impl Lab {
    /// With a guest that does what `script` says.
    pub fn new(script: &str) -> Self {
        Self::with_version("10.0.2", script)
    }

    /// The same with a QEMU of this version.
    pub fn with_version(version: &str, script: &str) -> Self {
        let lab = Self { directory: tempfile::tempdir().unwrap() };
        let qemu = lab.path("qemu");
        fs::write(&qemu, PROLOGUE.replace("VERSION", version) + script).unwrap();
        fs::set_permissions(&qemu, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(lab.path("kernel"), b"\x7fELF, says its first line").unwrap();
        lab
    }

    /// A file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What a file in the directory holds.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// `xtask` in the directory, with its output in a file there.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let output = fs::File::create(self.path("output")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).env("TACET_INVOKED_FROM", self.directory.path());
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        command
    }

    /// Runs `xtask run` with these arguments beside those that every run here needs.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let needed = ["run", "--qemu", "./qemu", "--kernel", "kernel", "--log", "log", "--accel", "tcg"];
        self.end(&[&needed, arguments].concat())
    }

    /// Runs `xtask` with these arguments and nothing else.
    pub fn end(&self, arguments: &[&str]) -> Ended {
        let status = self.command(arguments).status().unwrap();
        Ended { text: self.read("output"), status }
    }
}

impl Ended {
    /// Asserts the exit status and that each of `parts` was printed.
    #[track_caller]
    pub fn expect(&self, status: i32, parts: &[&str]) {
        assert_eq!(self.status.code(), Some(status), "{}", self.text);
        for part in parts {
            assert!(self.text.contains(part), "no {part:?} in:\n{}", self.text);
        }
    }
}
