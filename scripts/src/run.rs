//! `run`: boots the kernel in an emulator, shows its report, and exits with its verdict.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anstream::eprintln;
use anyhow::{Result, bail, ensure};
use bench::options::{Options, Switch};
use clap::Args;

use crate::bochs::Bochs;
use crate::emulator::Emulator;
use crate::guest::{self, Cue, Limits, Outside, Report};
use crate::image::{self, Flavour, Source, iso};
use crate::input::{self, Typist};
use crate::log::Line;
use crate::qemu::command::{Debugger, Medium, Setup};
use crate::qemu::machine::Kind;
use crate::qemu::monitor::Socket;
use crate::qemu::{Accel, Door, Machine, Qemu, accel};
use crate::screen::Screen;
use crate::{place, results, summary};

/// Where a waiting QEMU listens for gdb.
const GDB_PORT: &str = "tcp:127.0.0.1:1234";

/// `run`.
#[derive(Args, Debug, Clone)]
#[command(after_help = "\
Exit status: 0 every check passed, 1 a check failed, 2 bad input, 3 panic, 4 fault,
5 hang or time-out, 6 the guest or QEMU died, 130 interrupted.

Examples:
  scripts/run                                 the quick suite on 4 CPUs
  scripts/run --smp 2 -- suite=share          every fairness row on 2 CPUs
  scripts/run --icount -- suite=cost          costs in exact guest instructions
  scripts/run -- console=on                   type commands: help lists them, quit or Ctrl-] ends
  scripts/run --json results.json             keep the records for `cargo xtask compare`
  scripts/run --record=run.tape               keep every decision for `cargo xtask replay`")]
pub struct Run {
    #[command(flatten)]
    pub machine: Machine,

    #[command(flatten)]
    pub source: Source,

    #[command(flatten)]
    loader: iso::Loader,

    /// Give up after this long, in seconds or as in 5m; 0: never [default: 10m, 60m with --icount]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,

    /// Call it a hang when nothing new was printed for this long; 0: never [default: 90s, 10m with --icount]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    silence: Option<Duration>,

    /// Wait for gdb on port 1234 before the first instruction, and never give up
    #[arg(long)]
    gdb: bool,

    /// Write the records to this file, as a JSON array
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Keep a tape of every scheduling decision, for `cargo xtask replay` [default: beside the log]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "",
          conflicts_with = "debug")]
    record: Option<OsString>,

    /// Keep the raw log in this file [default: a new one in logs/run]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// What is done to the guest from outside; boot tests say it
    #[arg(skip)]
    pub cues: Vec<Cue>,
    /// What a boot test types.
    #[arg(skip)]
    pub script: Option<Vec<String>>,

    /// Boot options for the kernel, such as suite=share cpus=2
    #[arg(value_name = "KEY=VALUE")]
    pub options: Vec<String>,
}

impl Run {
    /// Runs, shows, and returns the exit status that the outcome stands for.
    pub fn execute(&self) -> Result<u8> {
        let emulator = Emulator::find(&self.machine)?;
        let emulation = self.emulation(&emulator)?;
        let kernel = self.kernel()?;
        let log = self.log()?;
        self.invite_gdb(&kernel);
        let mut screen = if self.has_console() { Screen::of_session() } else { Screen::new() };
        let report = self.boot(&emulator, &kernel, &log, &mut |line| screen.line(line));
        screen.finish();
        let report = report?;
        if let Some(json) = &self.json {
            results::write(json, &report.transcript.records)?;
        }
        let json = self.json.as_deref();
        let tape = self.tape(&log);
        let tape = tape.as_deref();
        let facts = summary::Facts { log: &log, json, tape, machine: &self.machine, emulation };
        summary::print(&report, &facts);
        Ok(report.outcome.status())
    }

    /// Boots `kernel` and watches it to its end.
    ///
    /// # Errors
    /// It could not be started. What becomes of it afterwards is in the report.
    pub fn boot(
        &self,
        emulator: &Emulator,
        kernel: &Path,
        log: &Path,
        each: &mut dyn FnMut(&Line),
    ) -> Result<Report> {
        let monitor = Socket::new();
        let command = match emulator {
            Emulator::Qemu(qemu) => self.qemu_command(qemu, kernel, log, &monitor)?,
            Emulator::Bochs(bochs) => self.bochs_command(bochs, kernel, log)?,
        };
        let outside = Outside::new(monitor.path(), &self.cues);
        let typist = self.has_console().then(|| self.script.clone().map_or(Typist::User, Typist::Script));
        guest::watch(emulator, command, log.to_owned(), typist, self.limits(), outside, each)
    }

    fn qemu_command(&self, qemu: &Qemu, kernel: &Path, log: &Path, monitor: &Socket) -> Result<Command> {
        let medium = self.medium(kernel)?;
        let tape = self.tape(log);
        let debugger = self.gdb.then(|| Debugger { address: GDB_PORT.into() });
        let setup = Setup {
            qemu,
            machine: &self.machine,
            accel: self.accel()?,
            medium: &medium,
            log,
            input: self.has_console(),
            tape: tape.as_deref(),
            monitor: Some(monitor.path()),
            debugger: debugger.as_ref(),
        };
        setup.command()
    }

    fn bochs_command(&self, bochs: &Bochs, kernel: &Path, log: &Path) -> Result<Command> {
        ensure!(!self.gdb, "--gdb is QEMU's: Bochs has a debugger of its own");
        ensure!(self.cues.is_empty(), "Bochs has no monitor to do anything from outside");
        ensure!(!self.has_console(), "console=on is QEMU's: nothing is typed to Bochs");
        ensure!(!self.records(), "--record is QEMU's: Bochs has no debug console to keep");
        match self.medium(kernel)? {
            Medium::Disc(disc) => bochs.command(&self.machine, &disc, log),
            Medium::Kernel { .. } => bail!("Bochs boots from a disc: --boot grub or --boot limine"),
        }
    }

    /// Whether the guest takes commands. An option that it won't understand is for it to complain about.
    pub fn has_console(&self) -> bool {
        let options = Options::parse(&self.options.join(" "));
        options.is_ok_and(|options| options.console == Switch::On)
    }

    /// How the machine is emulated, and by what.
    fn emulation(&self, emulator: &Emulator) -> Result<String> {
        Ok(match emulator {
            Emulator::Qemu(_) => format!("{}, {emulator}", self.accel()?),
            Emulator::Bochs(_) => emulator.to_string(),
        })
    }

    /// Gives it this long, unless the user said how long.
    pub fn limit(&mut self, time: Duration) {
        self.timeout.get_or_insert(time);
    }

    /// Takes Limine's files from `directory`.
    pub fn set_limine(&mut self, directory: Option<PathBuf>) {
        self.loader.limine = directory;
    }

    /// The image, built where none is given.
    fn kernel(&self) -> Result<PathBuf> {
        if self.records() && self.source.kernel.is_none() {
            return image::build(Flavour::Recording);
        }
        self.source.image()
    }

    /// Whether the kernel is to keep a tape.
    pub fn records(&self) -> bool {
        self.record.is_some()
    }

    /// Where the tape of a run with this log goes, if there is one.
    pub fn tape(&self, log: &Path) -> Option<PathBuf> {
        let asked = self.record.clone()?;
        Some(if asked.is_empty() { log.with_extension("tape") } else { asked.into() })
    }

    fn accel(&self) -> Result<Accel> {
        Accel::choose(self.machine.accel, self.machine.icount, accel::kvm())
    }

    fn medium(&self, kernel: &Path) -> Result<Medium> {
        let options = self.options.join(" ");
        if self.machine.door() == Door::Pvh {
            return Ok(Medium::Kernel { image: kernel.to_owned(), options });
        }
        ensure!(self.machine.kind != Kind::Microvm, "a microvm has no drive to boot from");
        iso::make(self.machine.door(), &self.loader, kernel, &options).map(Medium::Disc)
    }

    fn limits(&self) -> Limits {
        let (total, silence) = if self.machine.icount { (3600, 600) } else { (600, 90) };
        // Who types takes his time.
        let awaits_user = self.has_console() && self.script.is_none() && input::is_typed();
        let limit = |asked: Option<Duration>, default| {
            let limit = asked.unwrap_or(Duration::from_secs(default));
            (!limit.is_zero() && !self.gdb && (asked.is_some() || !awaits_user)).then_some(limit)
        };
        Limits { total: limit(self.timeout, total), silence: limit(self.silence, silence) }
    }

    fn log(&self) -> Result<PathBuf> {
        if let Some(log) = &self.log {
            return Ok(log.clone());
        }
        let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        Ok(place::logs("run")?.join(now.replace(':', "-") + ".log"))
    }

    fn invite_gdb(&self, kernel: &Path) {
        if self.gdb {
            let kernel = place::shown(kernel);
            eprintln!("QEMU waits for: gdb {kernel} -ex 'target remote :1234' -ex continue");
        }
    }
}

/// Seconds, or a time with units.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |_| format!("`{text}` is no time; write it like 90, 90s or 5m");
    text.parse().map(Duration::from_secs).or_else(|_| humantime::parse_duration(text)).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: Run,
    }

    fn limits(arguments: &[&str]) -> (Option<u64>, Option<u64>) {
        let run = Line::parse_from([&["run"], arguments].concat()).run;
        let Limits { total, silence } = run.limits();
        (total.map(|t| t.as_secs()), silence.map(|t| t.as_secs()))
    }

    #[test]
    fn times_have_units_or_are_seconds() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        for text in ["", "soon", "-1", "1x"] {
            assert!(duration(text).unwrap_err().contains("no time"), "{text}");
        }
    }

    #[test]
    fn limits_follow_the_accelerator_and_the_user() {
        assert_eq!(limits(&[]), (Some(600), Some(90)));
        assert_eq!(limits(&["--icount"]), (Some(3600), Some(600)));
        assert_eq!(limits(&["--timeout", "5", "--silence", "0"]), (Some(5), None));
        assert_eq!(limits(&["--gdb", "--timeout", "5"]), (None, None));
    }
}
