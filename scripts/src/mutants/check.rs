//! A check by name, as the list has it.
//!
//! ```text
//! unit             the scheduler's unit and property tests
//! unit:heap        those of them whose names contain this
//! unit/bench:stats the same of another crate
//! loom:state       the models whose names contain this
//! sim:--cpus 8     a simulation, with arguments of `cargo xtask sim`
//! boot:quick       a boot test: a file in scripts/expected
//! ```

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// Something that passes on the tree as it is and should fail on a faulty one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Check {
    /// Unit tests.
    Unit(Tests),
    /// Models.
    Loom(Tests),
    /// A simulation with these arguments.
    Sim(String),
    /// A boot test.
    Boot(String),
}

/// Some of a crate's tests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tests {
    /// The crate.
    pub package: String,
    /// What their names contain; empty for all.
    pub filter: String,
}

/// The crate that is meant where none is named.
const SCHED: &str = "sched";

impl FromStr for Check {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let (kind, package) = kind.split_once('/').unwrap_or((kind, SCHED));
        let tests = || Tests { package: package.to_owned(), filter: rest.to_owned() };
        match kind {
            "unit" => Ok(Self::Unit(tests())),
            "loom" => Ok(Self::Loom(tests())),
            "sim" => Ok(Self::Sim(rest.to_owned())),
            "boot" if !rest.is_empty() => Ok(Self::Boot(rest.to_owned())),
            _ => Err(format!("`{text}` is no check: there are unit, loom, sim and boot:FILE")),
        }
    }
}

impl TryFrom<String> for Check {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(tests) => write!(out, "unit{tests}"),
            Self::Loom(tests) => write!(out, "loom{tests}"),
            Self::Sim(arguments) => write!(out, "sim:{arguments}"),
            Self::Boot(case) => write!(out, "boot:{case}"),
        }
    }
}

impl fmt::Display for Tests {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.package != SCHED {
            write!(out, "/{}", self.package)?;
        }
        if self.filter.is_empty() { Ok(()) } else { write!(out, ":{}", self.filter) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_the_same() {
        for text in ["unit", "unit:heap::", "unit/bench", "loom/sync:mutex", "sim:--cpus 8", "boot:quick"] {
            assert_eq!(text.parse::<Check>().unwrap().to_string(), text);
        }
        for text in ["", "test", "boot", "boot:", "looms:state"] {
            assert!(text.parse::<Check>().is_err(), "{text}");
        }
    }
}
