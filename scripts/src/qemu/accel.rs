//! Which accelerator: KVM only where it will work.
//!
//! `/dev/kvm` opening is not enough. A nested, paravirtual KVM opens and then fails on the guest's
//! first SSE instruction; it shows in `/proc/cpuinfo`, where neither `vmx` nor `svm` is listed.

use std::fmt;
use std::fs::{self, OpenOptions};

use anyhow::{Result, bail};
use clap::ValueEnum;

/// What the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wish {
    /// KVM where it works, else TCG
    Auto,
    /// Emulation: everywhere, slow, and exact with `--icount`
    Tcg,
    /// The host's own processor
    Kvm,
}

/// What is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// Emulation, a host thread a CPU.
    Tcg,
    /// Emulation, all CPUs in turns on one virtual clock.
    Icount,
    /// The host's own processor.
    Kvm,
}

impl Accel {
    /// Decides.
    ///
    /// # Errors
    /// KVM was asked for and cannot be had, or contradicts `--icount`.
    pub fn choose(wish: Wish, icount: bool, kvm: Result<(), &str>) -> Result<Self> {
        match (wish, icount, kvm) {
            (Wish::Kvm, true, _) => bail!("--icount counts emulated instructions: it needs --accel tcg"),
            (_, true, _) => Ok(Self::Icount),
            (Wish::Kvm, false, Err(why)) => bail!("--accel kvm cannot be had here: {why}"),
            (Wish::Auto | Wish::Kvm, false, Ok(())) => Ok(Self::Kvm),
            (Wish::Auto | Wish::Tcg, false, _) => Ok(Self::Tcg),
        }
    }
}

impl fmt::Display for Accel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Tcg => "tcg",
            Self::Icount => "tcg, icount",
            Self::Kvm => "kvm",
        })
    }
}

/// Whether KVM works on this host, and if not, why.
pub fn kvm() -> Result<(), &'static str> {
    let opens = OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    usable(opens, &fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
}

fn usable(opens: bool, cpuinfo: &str) -> Result<(), &'static str> {
    let virtualises = cpuinfo
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split_whitespace().any(|flag| matches!(flag, "vmx" | "svm")));
    match (opens, virtualises) {
        (false, _) => Err("/dev/kvm cannot be opened"),
        (true, false) => Err("/dev/kvm opens, but the processor shows neither vmx nor svm"),
        (true, true) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kvm_needs_the_device_and_the_processor() {
        assert!(usable(true, "flags\t\t: fpu vmx sse\n").is_ok());
        assert!(usable(true, "flags : fpu svm\n").is_ok());
        assert!(usable(true, "flags : fpu sse\nbugs : vmx\n").unwrap_err().contains("vmx"));
        assert!(usable(false, "flags : vmx\n").unwrap_err().contains("/dev/kvm"));
    }

    #[test]
    fn a_wish_that_cannot_be_met_is_an_error_and_auto_falls_back() {
        let no = Err("no device");
        assert_eq!(Accel::choose(Wish::Auto, false, Ok(())).unwrap(), Accel::Kvm);
        assert_eq!(Accel::choose(Wish::Auto, false, no).unwrap(), Accel::Tcg);
        assert_eq!(Accel::choose(Wish::Auto, true, Ok(())).unwrap(), Accel::Icount);
        assert_eq!(Accel::choose(Wish::Tcg, false, Ok(())).unwrap(), Accel::Tcg);
        assert!(Accel::choose(Wish::Kvm, false, no).is_err());
        assert!(Accel::choose(Wish::Kvm, true, Ok(())).is_err());
    }
}
