//! `gdb`: QEMU stopped at the first instruction, and gdb attached to it in this terminal.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anstream::eprintln;
use anyhow::{Context, Result, bail};
use clap::Args;

use crate::image::Source;
use crate::place;
use crate::process::Group;
use crate::qemu::command::{Debugger, Medium, Setup};
use crate::qemu::{Accel, Machine, Qemu, accel};

/// `gdb`.
#[derive(Args, Debug)]
pub struct Gdb {
    #[command(flatten)]
    machine: Machine,

    #[command(flatten)]
    source: Source,

    /// Where to stop first
    #[arg(long, value_name = "SYMBOL", default_value = "kernel_main")]
    stop: String,

    /// Boot options for the kernel, such as suite=share cpus=2
    #[arg(value_name = "KEY=VALUE")]
    options: Vec<String>,
}

impl Gdb {
    /// Stays until gdb ends, then ends QEMU; the status is gdb's.
    pub fn execute(&self) -> Result<u8> {
        let gdb = which::which("gdb").context("no gdb: install the package gdb")?;
        let qemu = Qemu::find(self.machine.qemu.as_deref())?;
        let kernel = self.source.image()?;
        let directory = place::logs("gdb")?;
        let (log, socket) = (directory.join("serial.log"), directory.join("socket"));
        // A socket left over from a session that was killed would refuse the new one.
        let _ = std::fs::remove_file(&socket);
        let mut emulator = Group::spawn(self.emulator(&qemu, &kernel, &log, &socket)?.stdin(Stdio::null()))
            .context("cannot start QEMU")?;
        wait_for(&socket, &mut emulator)?;
        eprintln!("The guest prints to {}", place::shown(&log));
        let status = Command::new(gdb).args(self.script(&kernel, &socket)).status()?;
        Ok(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))
    }

    fn emulator(&self, qemu: &Qemu, kernel: &Path, log: &Path, socket: &Path) -> Result<Command> {
        let address = format!("unix:{},server=on,wait=off", socket.display());
        Setup {
            qemu,
            machine: &self.machine,
            accel: Accel::choose(self.machine.accel, self.machine.icount, accel::kvm())?,
            medium: &Medium::Kernel { image: kernel.to_owned(), options: self.options.join(" ") },
            log,
            input: false,
            tape: None,
            monitor: None,
            debugger: Some(&Debugger { address }),
        }
        .command()
    }

    /// Hardware breakpoints: the memory that a software one would patch is not loaded yet.
    fn script(&self, kernel: &Path, socket: &Path) -> Vec<String> {
        let commands = [
            "set confirm off".to_owned(),
            format!("target remote {}", socket.display()),
            format!("hbreak {}", self.stop),
            "continue".to_owned(),
        ];
        let image = [String::from("-q"), kernel.display().to_string()];
        image.into_iter().chain(commands.into_iter().flat_map(|c| ["-ex".into(), c])).collect()
    }
}

fn wait_for(socket: &Path, emulator: &mut Group) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(10);
    while !socket.exists() {
        if emulator.try_wait()?.is_some() || Instant::now() > limit {
            bail!("QEMU does not listen for gdb; it says why above");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
