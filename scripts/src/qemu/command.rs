//! From a machine to QEMU's arguments.
//!
//! `-nodefaults` keeps devices out that nobody asked for; the rest says what each argument is for.
//! The kernel ends QEMU through `isa-debug-exit`, so that its verdict becomes an exit status.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::machine::{Kind, Part};
use super::memory::Memory;
use super::{Accel, Machine, Qemu, Version, firmware};

/// Up to so many CPUs each has a host thread under emulation; more of them take turns in one.
const MOST_THREADS: u32 = 64;

/// What the machine boots from.
#[derive(Debug, Clone)]
pub enum Medium {
    /// An ELF image, loaded through its PVH note.
    Kernel {
        /// The image.
        image: PathBuf,
        /// Its boot options.
        options: String,
    },
    /// A CD image; the boot options are inside.
    Disc(PathBuf),
}

/// How a debugger gets in: QEMU waits for it before the first instruction.
#[derive(Debug, Clone)]
pub struct Debugger {
    /// Where QEMU listens: `tcp::1234`, or a socket's path as `unix:PATH,server`.
    pub address: String,
}

/// Everything that the command line depends on.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The emulator.
    pub qemu: &'a Qemu,
    /// The machine.
    pub machine: &'a Machine,
    /// How it is emulated.
    pub accel: Accel,
    /// What it boots.
    pub medium: &'a Medium,
    /// Where its serial line goes.
    pub log: &'a Path,
    /// Whether its serial line also comes from QEMU's standard input.
    pub input: bool,
    /// Where its debug console goes, for a kernel that records.
    pub tape: Option<&'a Path>,
    /// Where its monitor listens.
    pub monitor: Option<&'a Path>,
    /// Whether it waits for a debugger.
    pub debugger: Option<&'a Debugger>,
}

impl Setup<'_> {
    /// The command that starts the machine.
    ///
    /// # Errors
    /// This QEMU cannot be such a machine.
    pub fn command(&self) -> Result<Command> {
        self.check()?;
        let mut command = Command::new(&self.qemu.path);
        command.args(self.arguments());
        Ok(command)
    }

    fn check(&self) -> Result<()> {
        let Machine { smp, kind, .. } = *self.machine;
        ensure!(kind != Kind::Bochs, "QEMU cannot be Bochs");
        let many = smp > 255;
        ensure!(!many || kind == Kind::Q35, "{smp} CPUs need --machine q35: the others stop at 255");
        let lacking =
            self.machine.firmware.as_deref().is_some_and(|asked| firmware::resolve(asked).is_none());
        ensure!(!lacking, "no UEFI firmware here: install the package ovmf, or name a file by --firmware");
        ensure!(
            self.tape.is_none() || self.machine.has(Part::Serial),
            "--record needs a serial port: the debug console is the tape's"
        );
        ensure!(
            !many || self.qemu.version >= Version::X2APIC,
            "{smp} CPUs need QEMU {} or later; {} is {}",
            Version::X2APIC,
            self.qemu.path.display(),
            self.qemu.version
        );
        Ok(())
    }

    /// QEMU's arguments, without its name.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut words = Words::default();
        self.machine(&mut words);
        self.acceleration(&mut words);
        self.console(&mut words);
        self.medium(&mut words);
        self.monitor(&mut words);
        self.debugger(&mut words);
        words.0
    }

    fn machine(&self, words: &mut Words) {
        let Machine { smp, memory, firmware, topology, .. } = self.machine;
        words.pair("-machine", self.kind());
        if *memory >= Memory::UNRESERVED {
            words.pair("-object", format!("memory-backend-ram,id=ram,size={memory},reserve=off"));
        }
        words.pair("-m", memory.to_string());
        words.pair("-smp", topology.as_ref().map_or(smp.to_string(), |more| format!("{smp},{more}")));
        words.pair("-cpu", self.cpu());
        if let Some(firmware) = firmware {
            words.pair("-bios", firmware::resolve(firmware).unwrap_or_else(|| firmware.clone()));
        }
        // A triple fault ends QEMU rather than starting over without end.
        words.flag("-nodefaults").flag("-no-reboot");
    }

    /// The machine type, with what it lacks.
    fn kind(&self) -> String {
        let mut kind = match self.machine.kind {
            Kind::Q35 | Kind::Bochs => "q35", // Bochs is refused above
            Kind::Pc => "pc",
            Kind::Microvm => "microvm",
        }
        .to_owned();
        if self.machine.memory >= Memory::UNRESERVED {
            kind += ",memory-backend=ram";
        }
        for (part, off) in [(Part::Hpet, ",hpet=off"), (Part::Pit, ",pit=off"), (Part::Acpi, ",acpi=off")] {
            if !self.machine.has(part) {
                kind += off;
            }
        }
        kind
    }

    /// Under KVM the invariant TSC is shown only to guests that cannot migrate.
    fn cpu(&self) -> String {
        let model = &self.machine.cpu;
        match self.accel {
            Accel::Kvm if model == "max" => format!("{model},migratable=off"),
            _ => model.clone(),
        }
    }

    fn acceleration(&self, words: &mut Words) {
        match self.accel {
            Accel::Kvm => words.pair("-accel", "kvm"),
            // So many threads on a few host CPUs would wait for each other more than they run.
            Accel::Tcg if self.machine.smp > MOST_THREADS => words.pair("-accel", "tcg,thread=single"),
            Accel::Tcg => words.pair("-accel", "tcg,thread=multi"),
            // The real-time clock must follow virtual time too, or no two runs are the same.
            Accel::Icount => words
                .pair("-accel", "tcg,thread=single")
                .pair("-icount", "shift=0,sleep=off")
                .pair("-rtc", "clock=vm"),
        };
    }

    fn console(&self, words: &mut Words) {
        words.pair("-display", "none");
        // Both truncate. With a standard input comes a standard output, which nobody reads.
        let kind = if self.input { "stdio,id=serial,signal=off,logfile=" } else { "file,id=serial,path=" };
        let mut serial = OsString::from(kind);
        serial.push(escaped(self.log));
        words.pair("-chardev", serial);
        if self.machine.has(Part::Serial) {
            words.pair("-serial", "chardev:serial");
        } else {
            words.pair("-device", "isa-debugcon,iobase=0xe9,chardev=serial");
        }
        words.pair("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04");
        if let Some(tape) = self.tape {
            let mut console = OsString::from("file,id=tape,path=");
            console.push(escaped(tape));
            words.pair("-chardev", console).pair("-device", "isa-debugcon,iobase=0xe9,chardev=tape");
        }
    }

    fn medium(&self, words: &mut Words) {
        match self.medium {
            Medium::Kernel { image, options } => {
                words.pair("-kernel", image).pair("-append", options);
            }
            Medium::Disc(image) => {
                let kind = if self.machine.stick { "if=none,id=stick" } else { "media=cdrom" };
                let mut drive = OsString::from(format!("{kind},format=raw,readonly=on,file="));
                drive.push(escaped(image));
                words.pair("-drive", drive);
                if self.machine.stick {
                    // Not xHCI: Limine, started by OVMF from a stick there, stays in the firmware's driver.
                    words.pair("-device", "usb-ehci,id=usb");
                    words.pair("-device", "usb-storage,bus=usb.0,drive=stick,bootindex=0");
                }
            }
        }
    }

    fn monitor(&self, words: &mut Words) {
        if let Some(socket) = self.monitor {
            let mut address = OsString::from("unix:");
            address.push(escaped(socket));
            address.push(",server=on,wait=off");
            words.pair("-qmp", address);
        }
    }

    fn debugger(&self, words: &mut Words) {
        if let Some(debugger) = self.debugger {
            words.flag("-S").pair("-gdb", &debugger.address);
        }
    }
}

/// In an option list, a comma in a value is written twice.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[derive(Default)]
struct Words(Vec<OsString>);

impl Words {
    fn flag(&mut self, name: &str) -> &mut Self {
        self.0.push(name.into());
        self
    }

    fn pair(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.flag(name).0.push(value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        machine: Machine,
    }

    fn setup(arguments: &str, accel: Accel, major: u32) -> Result<String> {
        let words = std::iter::once("x").chain(arguments.split_whitespace());
        let setup = Setup {
            qemu: &Qemu { path: "qemu".into(), version: Version { major, minor: 0 } },
            machine: &Line::parse_from(words).machine,
            accel,
            medium: &Medium::Kernel { image: "tacet".into(), options: "suite=quick seed=1".into() },
            log: Path::new("a,b.log"),
            input: false,
            tape: None,
            monitor: Some(Path::new("m")),
            debugger: None,
        };
        setup.command()?;
        let arguments = setup.arguments();
        Ok(arguments.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_default_machine() {
        assert_eq!(
            setup("", Accel::Tcg, 10).unwrap(),
            "-machine q35 -m 512M -smp 4 -cpu max -nodefaults -no-reboot -accel tcg,thread=multi \
             -display none -chardev file,id=serial,path=a,,b.log -serial chardev:serial \
             -device isa-debug-exit,iobase=0xf4,iosize=0x04 -kernel tacet -append suite=quick seed=1 \
             -qmp unix:m,server=on,wait=off"
        );
    }

    #[test]
    fn icount_is_one_thread_on_a_virtual_clock() {
        let line = setup("--icount", Accel::Icount, 10).unwrap();
        for part in ["thread=single", "-icount shift=0,sleep=off", "-rtc clock=vm"] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!setup("", Accel::Tcg, 10).unwrap().contains("icount"));
    }

    #[test]
    fn very_many_cpus_take_turns() {
        assert!(setup("--smp 64", Accel::Tcg, 10).unwrap().contains("thread=multi"));
        assert!(setup("--smp 65", Accel::Tcg, 10).unwrap().contains("thread=single"));
    }

    #[test]
    fn kvm_shows_the_invariant_tsc_unless_a_model_is_named() {
        assert!(setup("", Accel::Kvm, 10).unwrap().contains("-cpu max,migratable=off -"));
        assert!(setup("--cpu qemu64", Accel::Kvm, 10).unwrap().contains("-cpu qemu64 -"));
    }

    #[test]
    fn much_memory_is_not_reserved() {
        let line = setup("--memory 64G", Accel::Tcg, 10).unwrap();
        assert!(line.contains("-machine q35,memory-backend=ram -object memory-backend-ram"), "{line}");
        assert!(line.contains("size=65536M,reserve=off -m 65536M"), "{line}");
    }

    #[test]
    fn what_a_machine_lacks_is_turned_off() {
        let line = setup("--machine pc --without hpet,pit,acpi,serial", Accel::Tcg, 10).unwrap();
        assert!(line.contains("-machine pc,hpet=off,pit=off,acpi=off -m"), "{line}");
        assert!(line.contains("-device isa-debugcon,iobase=0xe9,chardev=serial"), "{line}");
        assert!(!line.contains("-serial"), "{line}");
    }

    #[test]
    fn the_topology_follows_the_number_of_cpus() {
        let line = setup("--smp 3 --topology sockets=2,maxcpus=8", Accel::Tcg, 10).unwrap();
        assert!(line.contains("-smp 3,sockets=2,maxcpus=8 -"), "{line}");
    }

    #[test]
    fn many_cpus_need_a_machine_that_has_them() {
        assert!(setup("--smp 256", Accel::Tcg, 10).unwrap().contains("-smp 256"));
        assert!(setup("--smp 255 --machine pc", Accel::Tcg, 7).is_ok());
        let wrong_machine = setup("--smp 256 --machine pc", Accel::Tcg, 10).unwrap_err();
        assert!(wrong_machine.to_string().contains("--machine q35"), "{wrong_machine}");
        let too_old = setup("--smp 256", Accel::Tcg, 8).unwrap_err();
        assert!(too_old.to_string().contains("QEMU 9.0 or later"), "{too_old}");
    }
}
