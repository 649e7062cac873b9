//! One machine of the matrix: how it's started, and what should come of it.

use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::guest::Report;
use crate::place;
use crate::qemu::Qemu;
use crate::run::Run;
use crate::test::case;
use crate::test::need::Need;

/// The outcome of whoever says nothing about it.
pub const PASSED: &str = "passed";

/// What `scripts/matrix.toml` holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: Vec<Group>,
}

/// Machines that vary the same thing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What they vary.
    pub title: String,
    /// The machines.
    pub cell: Vec<Cell>,
}

/// One machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// What is special about it.
    pub what: String,
    /// Arguments of `cargo xtask run`.
    pub run: String,
    /// What must become of it, as [`crate::guest::Outcome::word`] has it.
    #[serde(default = "passed")]
    pub outcome: String,
    /// Texts that the log must have.
    #[serde(default)]
    pub says: Vec<String>,
    /// What the host must have.
    #[serde(default)]
    needs: Vec<String>,
}

fn passed() -> String {
    PASSED.into()
}

/// Reads the list.
///
/// # Errors
/// It can't be read, or says what it may not.
pub fn read() -> Result<Vec<Group>> {
    let path = place::root().join("scripts/matrix.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: File = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    Ok(file.group)
}

impl Cell {
    /// How it's started.
    ///
    /// # Errors
    /// They aren't arguments of `cargo xtask run`.
    pub fn arguments(&self) -> Result<Run> {
        case::arguments(&self.run).with_context(|| format!("the arguments of `{}`", self.what))
    }

    /// Why this host or this QEMU can't have it, if it can't.
    ///
    /// # Errors
    /// It needs something that nobody knows.
    pub fn lacks(&self, qemu: &Qemu, has_limine: bool) -> Result<Option<String>> {
        let needs: Vec<Need> = self.needs.iter().map(|word| Need::parse(word)).collect::<Result<_>>()?;
        Ok(needs.into_iter().find_map(|need| need.lacks(qemu, has_limine)))
    }

    /// Whether what came of it is what should have.
    ///
    /// # Errors
    /// The difference.
    pub fn judge(&self, report: &Report) -> Result<(), String> {
        let word = report.outcome.word();
        if word != self.outcome {
            return Err(format!("expected {}, got {word}: {}", self.outcome, report.outcome.sentence()));
        }
        let log = report.transcript.raw.join("\n");
        match self.says.iter().find(|text| !log.contains(text.as_str())) {
            Some(missing) => Err(format!("the log does not say `{missing}`")),
            None => Ok(()),
        }
    }

    /// A name for its log.
    pub fn file_name(&self) -> String {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        self.what.chars().map(plain).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_in_the_list_can_be_described() {
        for cell in read().unwrap().iter().flat_map(|group| &group.cell) {
            assert!(cell.arguments().is_ok(), "{}: {:#}", cell.what, cell.arguments().unwrap_err());
            assert!(cell.needs.iter().all(|word| Need::parse(word).is_ok()), "{}", cell.what);
        }
    }

    #[test]
    fn no_two_machines_share_a_log() {
        let groups = read().unwrap();
        let mut names: Vec<String> =
            groups.iter().flat_map(|group| &group.cell).map(Cell::file_name).collect();
        names.sort();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}
