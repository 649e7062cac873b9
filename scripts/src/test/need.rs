//! What a boot takes of its host beside QEMU, and whether that is there: what isn't is skipped, visibly.

use std::path::Path;

use anyhow::{Result, bail};

use crate::qemu::{Qemu, Version, firmware, hold};

/// Where `grub-mkrescue` finds what makes its images boot from UEFI.
const GRUB_UEFI: &str = "/usr/lib/grub/x86_64-efi";

/// Something that not every host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A QEMU whose TCG has an x2APIC.
    X2apic,
    /// GRUB's image tools.
    Grub,
    /// Limine's files.
    Limine,
    /// Bochs, with its BIOS.
    Bochs,
    /// UEFI firmware for QEMU.
    Uefi,
    /// GRUB's modules for UEFI.
    GrubUefi,
    /// The right to stop a thread of QEMU's.
    Hold,
}

impl Need {
    /// Reads the word that a directive has for it.
    ///
    /// # Errors
    /// There is none like that.
    pub fn parse(word: &str) -> Result<Self> {
        Ok(match word {
            "x2apic" => Self::X2apic,
            "grub" => Self::Grub,
            "limine" => Self::Limine,
            "bochs" => Self::Bochs,
            "uefi" => Self::Uefi,
            "grub-uefi" => Self::GrubUefi,
            "hold" => Self::Hold,
            _ => bail!("unknown need `{word}`"),
        })
    }

    /// Why this host cannot have it, if it cannot.
    pub fn lacks(self, qemu: &Qemu, has_limine: bool) -> Option<String> {
        let without = |tool| which::which(tool).is_err();
        let (lacking, why) = match self {
            Self::X2apic if qemu.version < Version::X2APIC => {
                return Some(format!("QEMU {} emulates no x2APIC: {} does", qemu.version, Version::X2APIC));
            }
            Self::X2apic => return None,
            Self::Grub => (
                ["grub-mkrescue", "xorriso", "mformat"].into_iter().any(without),
                "no GRUB image tools: grub-mkrescue, xorriso and mformat",
            ),
            Self::Limine => (!has_limine, "no Limine files: `--limine DIR` names them"),
            Self::Bochs => (without("bochs"), "no Bochs: the packages bochs, bochsbios and vgabios"),
            Self::Uefi => (firmware::uefi().is_none(), "no UEFI firmware: the package ovmf"),
            Self::GrubUefi => {
                (!Path::new(GRUB_UEFI).is_dir(), "no GRUB for UEFI: the package grub-efi-amd64-bin")
            }
            Self::Hold => (!hold::is_allowed(), "no right to stop a thread of QEMU's, as a debugger does"),
        };
        lacking.then(|| why.to_owned())
    }
}
