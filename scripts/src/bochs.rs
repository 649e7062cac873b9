//! Bochs: the emulator that has what QEMU's emulation lacks, a timer that takes TSC deadlines.
//!
//! It's started with a configuration of its own in a directory beside the log. Debian builds it with its debugger,
//! which waits for a command: a file says `c`, for continue. Its screen is a VNC server that nobody has to look at.
//! A guest ends it by a word on port 0x8900; whatever else ends it is a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::guest::End;
use crate::qemu::machine::{Door, Machine};

const PROGRAM: &str = "bochs";

/// Names a file of commands for its debugger, where it has one.
const COMMANDS_OPTION: &str = "-rc";

/// What `--cpu max` means here: the first model with a TSC deadline.
const MODEL: &str = "corei7_haswell_4770";

/// The most CPUs that its BIOS starts.
const MOST_CPUS: u32 = 8;

/// Instructions in a second of the guest's time, all CPUs waiting for each other: the rate of its TSC. Few, so that the
/// seconds that firmware and tests spend waiting are soon over; more than the 10 MHz below which no TSC is believed.
const INSTRUCTIONS_PER_SECOND: u32 = 15_000_000;

/// What Bochs says when the guest has ended it.
const SHUT_DOWN: &str = "Shutdown port: shutdown requested";

/// What stands before its last words; everything before that is about plugins.
const LAST_WORDS: &str = "Bochs is exiting with the following message:";

/// A Bochs that is there.
#[derive(Debug, Clone)]
pub struct Bochs {
    path: PathBuf,
    /// Whether it is built with its debugger.
    debugs: bool,
    /// What it says it is, such as 2.7.
    pub version: String,
}

impl Bochs {
    /// Finds the first one on the path.
    ///
    /// # Errors
    /// There is none, or it doesn't run.
    pub fn find() -> Result<Self> {
        let path = which::which(PROGRAM).with_context(|| {
            format!(
                "no Bochs: {PROGRAM} is not on the path. It is in the packages bochs, bochsbios and vgabios"
            )
        })?;
        let output = Command::new(&path).arg("--help").output();
        let output = output.with_context(|| format!("cannot run {}", path.display()))?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let Some(version) = read_version(&said) else {
            bail!("{} does not say which Bochs it is", path.display());
        };
        Ok(Self { path, debugs: said.contains(COMMANDS_OPTION), version })
    }

    /// The command that boots `machine` from the CD image `disc`, with its serial line to `log`.
    ///
    /// # Errors
    /// Bochs can't be such a machine, or its configuration can't be written.
    pub fn command(&self, machine: &Machine, disc: &Path, log: &Path) -> Result<Command> {
        check(machine)?;
        let directory = log.with_extension("bochs");
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let [settings, commands] = ["settings", "commands"].map(|name| directory.join(name));
        fs::write(&settings, configuration(machine, disc, log, &directory.join("bochs.log"))?)?;
        fs::write(&commands, "c\n")?;
        let mut command = Command::new(&self.path);
        command.arg("-q").arg("-f").arg(settings);
        if self.debugs {
            command.arg(COMMANDS_OPTION).arg(commands);
        }
        Ok(command)
    }

    /// Bochs's exit status tells nothing, its last words do.
    pub fn interpret(end: End, said: &str) -> (End, String) {
        let words = said.split_once(LAST_WORDS).map_or("", |(_, words)| words);
        let words = words.trim_matches(['=', '\n', ' ']);
        match end {
            End::Exited(_) if words.contains(SHUT_DOWN) => (End::PoweredOff, String::new()),
            _ => (end, words.to_owned()),
        }
    }
}

fn check(machine: &Machine) -> Result<()> {
    let Machine { smp, .. } = *machine;
    ensure!(smp <= MOST_CPUS, "{smp} CPUs are too many for Bochs: it starts {MOST_CPUS}");
    ensure!(!machine.icount, "--icount is QEMU's");
    ensure!(machine.firmware.is_none(), "--firmware is QEMU's");
    ensure!(machine.topology.is_none(), "--topology is QEMU's");
    ensure!(machine.without.is_empty(), "--without is QEMU's");
    ensure!(!machine.stick, "--stick is QEMU's");
    ensure!(machine.door() != Door::Pvh, "Bochs boots from a disc: --boot grub or --boot limine");
    Ok(())
}

fn configuration(machine: &Machine, disc: &Path, log: &Path, own_log: &Path) -> Result<String> {
    let model = if machine.cpu == "max" { MODEL } else { &machine.cpu };
    let (cpus, megabytes) = (machine.smp, machine.memory.mib());
    let [disc, log, own_log] = [quoted(disc)?, quoted(log)?, quoted(own_log)?];
    // The drivers: a mixer thread of Bochs 2.7 overruns its buffer, and aborts, on some hosts that have no sound.
    Ok(format!(
        "cpu: model={model}, count={cpus}, ips={INSTRUCTIONS_PER_SECOND}, reset_on_triple_fault=0\n\
         memory: guest={megabytes}, host={megabytes}\n\
         romimage: file=$BXSHARE/BIOS-bochs-latest\n\
         vgaromimage: file=$BXSHARE/VGABIOS-lgpl-latest\n\
         display_library: rfb, options=\"timeout=0\"\n\
         ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n\
         ata0-master: type=cdrom, path={disc}, status=inserted\n\
         boot: cdrom\n\
         com1: enabled=1, mode=file, dev={log}\n\
         port_e9_hack: enabled=1\n\
         clock: sync=none\n\
         sound: driver=dummy\n\
         log: {own_log}\n\
         panic: action=fatal\n\
         error: action=report\n\
         info: action=report\n\
         debug: action=ignore\n"
    ))
}

/// An absolute path as its configuration takes it.
fn quoted(path: &Path) -> Result<String> {
    let path = std::path::absolute(path)?.display().to_string();
    ensure!(
        !path.contains(['"', '$', '\n']),
        "Bochs cannot be told of {path}: quotes and $ mean something to it"
    );
    Ok(format!("\"{path}\""))
}

fn read_version(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("Bochs x86 Emulator ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        machine: Machine,
    }

    fn machine(arguments: &str) -> Machine {
        Line::parse_from(std::iter::once("x").chain(arguments.split_whitespace())).machine
    }

    #[test]
    fn the_banner_tells_the_version() {
        let banner =
            "====\n            Bochs x86 Emulator 2.7\n       Built from SVN snapshot on August  1, 2021\n";
        assert_eq!(read_version(banner).as_deref(), Some("2.7"));
        assert_eq!(read_version("bash 5.2"), None);
    }

    #[test]
    fn the_configuration_is_the_machine() {
        let path = |name| Path::new("/a b").join(name);
        let wanted = machine("--machine bochs --smp 2 --memory 1G");
        let text = configuration(&wanted, &path("x.iso"), &path("log"), &path("own")).unwrap();
        for part in [
            "model=corei7_haswell_4770, count=2,",
            "guest=1024, host=1024\n",
            "path=\"/a b/x.iso\",",
            "dev=\"/a b/log\"\n",
            "log: \"/a b/own\"\n",
        ] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
        let other = machine("--machine bochs --cpu ryzen");
        let text = configuration(&other, &path("x.iso"), &path("log"), &path("own")).unwrap();
        assert!(text.contains("model=ryzen,"), "{text}");
        assert!(configuration(&wanted, &path("\"x"), &path("log"), &path("own")).is_err());
    }

    #[test]
    fn what_bochs_cannot_be_is_refused() {
        assert!(check(&machine("--machine bochs")).is_ok());
        for (arguments, word) in [
            ("--smp 9", "too many"),
            ("--icount", "icount"),
            ("--firmware x", "firmware"),
            ("--topology cores=4", "topology"),
            ("--without hpet", "without"),
            ("--stick", "stick"),
            ("--boot pvh", "--boot grub"),
        ] {
            let error = check(&machine(&format!("--machine bochs {arguments}"))).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn only_the_guests_own_word_is_a_shutdown() {
        let exited = End::Exited(ExitStatus::from_raw(1 << 8));
        let said = |words: &str| format!("00i[PLUGIN] loaded\n====\n{LAST_WORDS}\n[X     ] {words}\n====\n");
        assert_eq!(Bochs::interpret(exited, &said(SHUT_DOWN)), (End::PoweredOff, String::new()));
        let died = Bochs::interpret(exited, &said("3rd exception with no resolution"));
        assert_eq!(died, (exited, "[X     ] 3rd exception with no resolution".into()));
        assert_eq!(Bochs::interpret(exited, "00i[PLUGIN] loaded"), (exited, String::new()));
        assert_eq!(Bochs::interpret(End::Flooded, &said(SHUT_DOWN)).0, End::Flooded);
    }
}
