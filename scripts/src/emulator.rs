//! What runs a guest, and how its end is to be read.

use std::fmt;

use anyhow::Result;

use crate::bochs::Bochs;
use crate::guest::End;
use crate::qemu::machine::Kind;
use crate::qemu::{Machine, Qemu};

/// An emulator that is there.
#[derive(Debug, Clone)]
pub enum Emulator {
    /// QEMU, whose exit status is the guest's verdict.
    Qemu(Qemu),
    /// Bochs, which ends with the same status whatever the guest has to say.
    Bochs(Bochs),
}

impl Emulator {
    /// Finds the one that such a machine takes.
    ///
    /// # Errors
    /// It isn't there, or is too old.
    pub fn find(machine: &Machine) -> Result<Self> {
        match machine.kind {
            Kind::Bochs => Bochs::find().map(Self::Bochs),
            _ => Qemu::find(machine.qemu.as_deref()).map(Self::Qemu),
        }
    }

    /// What it means that it ended so and `said` this; and of that, what is worth showing.
    pub fn interpret(&self, end: End, said: String) -> (End, String) {
        match self {
            Self::Qemu(_) => (end, said),
            Self::Bochs(_) => Bochs::interpret(end, &said),
        }
    }
}

impl fmt::Display for Emulator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Qemu(qemu) => write!(out, "QEMU {}", qemu.version),
            Self::Bochs(bochs) => write!(out, "Bochs {}", bochs.version),
        }
    }
}
