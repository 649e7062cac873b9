//! Memory sizes as QEMU's `-m` takes them: `512M`, `4G`, and a bare number means MiB.

use std::fmt;
use std::str::FromStr;

const MIB: u64 = 1 << 20;

/// An amount of guest memory, at least what a kernel image needs to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(u64);

impl Memory {
    /// Below this not even the image fits. What is enough to boot, the kernel itself decides.
    pub const LEAST: Self = Self(4 * MIB);
    /// From here on the host is not asked to back it: a guest that leaves it untouched gets it.
    pub const UNRESERVED: Self = Self(4096 * MIB);

    /// In units of 1 MiB, rounded down.
    pub fn mib(self) -> u64 {
        self.0 / MIB
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}M", self.mib())
    }
}

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no memory size; write it like 512M or 4G");
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = match &text[digits..] {
            "" | "M" | "m" | "MiB" => MIB,
            "G" | "g" | "GiB" => 1024 * MIB,
            "T" | "t" | "TiB" => 1024 * 1024 * MIB,
            _ => return Err(wrong()),
        };
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let size = number.checked_mul(unit).map(Self).ok_or_else(wrong)?;
        if size < Self::LEAST {
            let least = Self::LEAST;
            return Err(format!("{text} is too small to boot: even loading the kernel takes {least}"));
        }
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, shown) in [("512M", "512M"), ("512", "512M"), ("4G", "4096M"), ("1T", "1048576M")] {
            assert_eq!(text.parse::<Memory>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn nonsense_and_too_little_are_told_apart() {
        for text in ["", "M", "4X", "-4", "99999999999T", "4.5G"] {
            assert!(text.parse::<Memory>().unwrap_err().contains("no memory size"), "{text}");
        }
        assert!("0".parse::<Memory>().unwrap_err().contains("too small"));
        assert!("3M".parse::<Memory>().unwrap_err().contains("too small"));
    }
}
