//! One fault: where it is, what it changes, which checks ought to notice.

use std::ops::Range;
use std::path::PathBuf;

use super::check::Check;

/// A fault that can be put into the tree.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// What it's called: `area/what-is-wrong`.
    pub name: String,
    /// The file that it changes, from the checkout's root.
    pub file: PathBuf,
    /// What it changes there.
    pub edit: Edit,
    /// What goes wrong with it.
    pub why: String,
    /// The checks to try, in this order.
    pub checks: Vec<Check>,
    /// Why no check can notice, if none can.
    pub survives: Option<String>,
    /// Whether it belongs to the quick selection.
    pub quick: bool,
}

/// A stretch of a file, by bytes, and what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What goes.
    pub range: Range<usize>,
    /// What comes.
    pub text: String,
}

impl Edit {
    /// The file with the change made.
    pub fn apply(&self, source: &str) -> String {
        let mut changed = source.to_owned();
        changed.replace_range(self.range.clone(), &self.text);
        changed
    }
}

impl Mutant {
    /// Whether the name contains one of the words, or there are none.
    pub fn is_called(&self, words: &[String]) -> bool {
        words.is_empty() || words.iter().any(|word| self.name.contains(word.as_str()))
    }

    /// Whether it must be tried while nothing else uses the machine: boot tests judge shares of CPU time.
    pub fn wants_quiet(&self) -> bool {
        self.boots().next().is_some()
    }

    /// The boot tests among its checks.
    pub fn boots(&self) -> impl Iterator<Item = &str> {
        self.checks.iter().filter_map(|check| match check {
            Check::Boot(name) => Some(name.as_str()),
            _ => None,
        })
    }
}
