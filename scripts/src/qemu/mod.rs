//! The emulator: which one, how old, and the command line that makes it the asked-for machine.

pub mod accel;
pub mod command;
pub mod firmware;
pub mod hold;
pub mod machine;
mod memory;
pub mod monitor;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail, ensure};

pub use accel::Accel;
pub use machine::{Door, Machine};

/// What the emulator is called where nobody says otherwise.
const PROGRAM: &str = "qemu-system-x86_64";

/// A QEMU version. Patch levels never mattered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Before the dot.
    pub major: u32,
    /// After it.
    pub minor: u32,
}

impl Version {
    /// The oldest that `scripts/run` starts: Ubuntu 22.04 ships it.
    pub const OLDEST: Self = Self { major: 6, minor: 2 };
    /// The first whose TCG has an x2APIC, and whose q35 has more than 288 CPUs.
    pub const X2APIC: Self = Self { major: 9, minor: 0 };
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.major, self.minor)
    }
}

/// A QEMU that is there and young enough.
#[derive(Debug, Clone)]
pub struct Qemu {
    /// The program.
    pub path: PathBuf,
    /// What it says it is.
    pub version: Version,
}

impl Qemu {
    /// Finds QEMU: the one at `asked`, else the first on the path.
    ///
    /// # Errors
    /// There is none, it does not run, or it is too old.
    pub fn find(asked: Option<&Path>) -> Result<Self> {
        let path = locate(asked)?;
        let version = ask_version(&path)?;
        ensure!(
            version >= Version::OLDEST,
            "{} is QEMU {version}, which is too old: Tacet needs {} or later",
            path.display(),
            Version::OLDEST
        );
        Ok(Self { path, version })
    }
}

fn locate(asked: Option<&Path>) -> Result<PathBuf> {
    let name = asked.unwrap_or(Path::new(PROGRAM));
    which::which(name).map_err(|_| match asked {
        Some(path) => anyhow!("no QEMU at {}: there is no such program", path.display()),
        None => anyhow!(
            "no QEMU: {PROGRAM} is not on the path. `scripts/run` installs it; \
             `--qemu PATH` names one that is elsewhere"
        ),
    })
}

fn ask_version(path: &Path) -> Result<Version> {
    let output = Command::new(path)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot run {}", path.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(version) = read_version(&text) else {
        bail!("{} does not answer `--version` as QEMU does", path.display());
    };
    Ok(version)
}

fn read_version(text: &str) -> Option<Version> {
    let numbers = text.strip_prefix("QEMU emulator version ")?;
    let (major, rest) = numbers.split_once('.')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some(Version { major: major.parse().ok()?, minor: rest[..digits].parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_distributions_print() {
        let read = |text| read_version(text).map(|version| version.to_string());
        let debian = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright";
        assert_eq!(read(debian).as_deref(), Some("10.0"));
        assert_eq!(read("QEMU emulator version 7.2.50").as_deref(), Some("7.2"));
        assert_eq!(read("QEMU emulator version 9.1").as_deref(), Some("9.1"));
        assert_eq!(read("bash 5.2"), None);
        assert_eq!(read("QEMU emulator version ten"), None);
    }

    #[test]
    fn ten_is_younger_than_nine() {
        assert!(Version { major: 10, minor: 0 } > Version::X2APIC);
        assert!(Version { major: 8, minor: 2 } < Version::X2APIC);
    }

    #[test]
    fn a_missing_emulator_is_named() {
        let error = Qemu::find(Some(Path::new("/nowhere/qemu"))).unwrap_err().to_string();
        assert!(error.contains("no QEMU at /nowhere/qemu"), "{error}");
    }
}
