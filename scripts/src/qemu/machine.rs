//! The machine that a user describes: `--smp`, `--memory` and their kin.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::accel::Wish;
use super::memory::Memory;

/// The most CPUs that the kernel counts to.
const MOST_CPUS: u32 = 512;

/// A machine, as the command line describes it.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Machine")]
pub struct Machine {
    /// CPUs
    #[arg(long, value_name = "N", default_value = "4", value_parser = cpus)]
    pub smp: u32,

    /// Accelerator
    #[arg(long, value_enum, default_value_t = Wish::Auto)]
    pub accel: Wish,

    /// Memory, as in 512M or 4G
    #[arg(long, value_name = "SIZE", default_value = "512M")]
    pub memory: Memory,

    /// More about the CPUs, as QEMU's -smp takes it: sockets=2,cores=4,threads=2,maxcpus=16
    #[arg(long, value_name = "LIST")]
    pub topology: Option<String>,

    /// CPU model with features, as QEMU takes it: `max,-x2apic`; with Bochs one of its models
    #[arg(long, value_name = "MODEL", default_value = "max")]
    pub cpu: String,

    /// Machine type
    #[arg(long = "machine", value_enum, default_value_t = Kind::Q35)]
    pub kind: Kind,

    /// What the machine lacks; without a serial port the report goes to the debug console
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST")]
    pub without: Vec<Part>,

    /// Count instructions: one virtual nanosecond each, and runs repeat exactly
    #[arg(long)]
    pub icount: bool,

    /// The way in: QEMU's own loader, or an ISO image with a boot loader [default: pvh, grub with Bochs]
    #[arg(long, value_enum)]
    boot: Option<Door>,

    /// Firmware in place of the BIOS; `uefi`: the distribution's OVMF
    #[arg(long, value_name = "FILE")]
    pub firmware: Option<PathBuf>,

    /// Plug the ISO image in as a USB stick, not as a CD
    #[arg(long)]
    pub stick: bool,

    /// QEMU to use, when not the first `qemu-system-x86_64` on the path
    #[arg(long, value_name = "PATH")]
    pub qemu: Option<PathBuf>,
}

/// Parts that a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The high-precision event timer
    Hpet,
    /// The 8254
    Pit,
    /// COM1
    Serial,
    /// The firmware's tables
    Acpi,
}

impl Machine {
    /// Whether the machine has this part.
    pub fn has(&self, part: Part) -> bool {
        !self.without.contains(&part)
    }

    /// The way in that was asked for, or else the one that takes the least.
    pub fn door(&self) -> Door {
        let least = if self.kind == Kind::Bochs { Door::Grub } else { Door::Pvh };
        self.boot.unwrap_or(least)
    }
}

/// Machine types that boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The modern PC, with PCI Express
    Q35,
    /// The PC of 1996; at most 255 CPUs
    Pc,
    /// Without PCI or firmware tables to speak of, as Firecracker is
    Microvm,
    /// Not QEMU but Bochs, which emulates TSC deadlines; slow
    Bochs,
}

/// Boot paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Door {
    /// `qemu -kernel`, no boot loader
    Pvh,
    /// Limine from an ISO image
    Limine,
    /// GRUB, Multiboot2, from an ISO image
    Grub,
}

impl Door {
    /// The loader's name, for files.
    pub fn loader(self) -> &'static str {
        match self {
            Self::Pvh => "pvh",
            Self::Limine => "limine",
            Self::Grub => "grub",
        }
    }
}

fn cpus(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) => Err("a machine has at least one CPU".into()),
        Ok(count @ 1..=MOST_CPUS) => Ok(count),
        Ok(_) => Err(format!("Tacet counts to {MOST_CPUS} CPUs")),
        Err(_) => Err(format!("write a number from 1 to {MOST_CPUS}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_from_one_to_512_cpus() {
        assert_eq!((cpus("1"), cpus("512")), (Ok(1), Ok(512)));
        assert!(cpus("0").unwrap_err().contains("at least one CPU"));
        for text in ["513", "-1", "four", ""] {
            assert!(cpus(text).unwrap_err().contains("512"), "{text}");
        }
    }
}
