//! What is wrong with a command line, in words that let its author mend it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::KEYS;

/// A word that was not understood. Displays as one line: the word, what is wrong with it, what is valid, and the
/// nearest valid spelling if one is near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The word as it was given.
    pub word: String,
    /// What is wrong with it.
    pub problem: String,
    /// What would have been valid.
    pub valid: String,
    /// What was probably meant.
    pub nearest: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. Valid: {}.", self.word, self.problem, self.valid)?;
        match &self.nearest {
            Some(nearest) => write!(f, " Did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Mistake {}

/// `key=value` whose value is none of `names`.
pub fn no_such_name(key: &str, value: &str, problem: &str, names: &[&str]) -> Mistake {
    Mistake {
        word: format!("{key}={value}"),
        problem: problem.into(),
        valid: names.join(", "),
        nearest: nearest(value, names).map(|name| format!("{key}={name}")),
    }
}

/// `key=value` whose value does not suit the key.
pub fn bad_value(key: &str, value: &str, problem: &str, valid: String) -> Mistake {
    Mistake { word: format!("{key}={value}"), problem: problem.into(), valid, nearest: None }
}

/// A key that is none of [`KEYS`].
pub(super) fn no_such_key(key: &str, value: &str) -> Mistake {
    let names = key_names();
    Mistake {
        word: format!("{key}={value}"),
        problem: format!("there is no option \"{key}\""),
        valid: names.join(", "),
        nearest: nearest(key, &names).map(|name| format!("{name}={value}")),
    }
}

/// A word without `=`.
pub(super) fn no_value(word: &str) -> Mistake {
    let names = key_names();
    Mistake {
        word: word.into(),
        problem: "an option has the form key=value".into(),
        valid: names.iter().map(|name| format!("{name}=…")).collect::<Vec<_>>().join(", "),
        nearest: nearest(word, &names).map(|name| format!("{name}=…")),
    }
}

/// A quote that is never closed.
pub(super) fn open_quote(word: &str) -> Mistake {
    Mistake {
        word: word.into(),
        problem: "its quote is never closed".into(),
        valid: "suite=yield, suite=\"yield\"".to_string(),
        nearest: None,
    }
}

fn key_names() -> Vec<&'static str> {
    KEYS.iter().map(|(name, _)| *name).collect()
}

/// The name that `word` was probably meant to be: the one with the fewest edits, when those are few.
pub(crate) fn nearest(word: &str, names: &[&str]) -> Option<String> {
    // Two, so that neighbours which changed places are found; for the shortest words that would be anything.
    let bearable = if word.chars().count() < 4 { 1 } else { 2 };
    let distances = names.iter().map(|name| (edits(word, name), *name));
    distances.filter(|(distance, _)| *distance <= bearable).min().map(|(_, name)| name.to_owned())
}

/// Levenshtein's distance, by its usual table of which only the last row is kept.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, from_letter) in from.chars().enumerate() {
        let mut diagonal = core::mem::replace(&mut row[0], i + 1);
        for (j, to_letter) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(from_letter != to_letter);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[row.len() - 1]
}
