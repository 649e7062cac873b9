//! `suite=`: which rows run, and how thoroughly.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{Group, ROWS, Row};
use crate::options::Mistake;

/// The rows that a value of `suite=` chose.
///
/// `quick` is the default: most rows, few samples, few cases, under a minute. Whatever is asked for by another name
/// (`full`, a group, a row, the start of a row's name up to a `/`) runs thoroughly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    text: String,
    chosen: [bool; ROWS.len()],
    thorough: bool,
}

impl Selection {
    /// The default.
    pub fn quick() -> Self {
        Self { text: "quick".into(), chosen: ROWS.each_ref().map(|row| row.quick), thorough: false }
    }

    /// No row, which no value of `suite=` chooses.
    pub fn none() -> Self {
        Self { text: "none".into(), chosen: [false; ROWS.len()], thorough: false }
    }

    /// Whether it's no row.
    pub fn is_empty(&self) -> bool {
        !self.chosen.contains(&true)
    }

    /// Reads the value of `suite=`.
    ///
    /// # Errors
    /// When a part of it names no row.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let mut chosen = [false; ROWS.len()];
        for part in text.split(',') {
            let matching = ROWS.each_ref().map(|row| is_meant(part, row));
            if !matching.contains(&true) {
                return Err(no_such_suite(text, part));
            }
            chosen = core::array::from_fn(|i| chosen[i] || matching[i]);
        }
        let thorough = text.split(',').any(|part| part != "quick");
        Ok(Self { text: text.into(), chosen, thorough })
    }

    /// Whether rows take many samples and all their cases.
    pub fn is_thorough(&self) -> bool {
        self.thorough
    }

    /// The rows, in the order in which they run.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row> {
        ROWS.iter().zip(self.chosen).filter(|(_, chosen)| *chosen).map(|(row, _)| row)
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

fn is_meant(part: &str, row: &Row) -> bool {
    match part {
        "quick" => row.quick,
        "full" => true,
        _ => {
            let below =
                row.name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            below || part == row.group.name()
        }
    }
}

fn no_such_suite(text: &str, part: &str) -> Mistake {
    let fixed = ["quick", "full"].into_iter();
    let groups = Group::ALL.iter().map(|group| group.name());
    let names: Vec<&str> = fixed.chain(groups).chain(ROWS.iter().map(|row| row.name)).collect();
    let mut mistake =
        crate::options::no_such_name("suite", part, &format!("there is no suite or row \"{part}\""), &names);
    mistake.word = format!("suite={text}");
    mistake
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        Selection::parse(text).unwrap().rows().map(|row| row.name).collect()
    }

    #[test]
    fn names_are_unique_and_groups_are_contiguous() {
        let mut names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROWS.len());
        assert!(ROWS.is_sorted_by_key(|row| Group::ALL.iter().position(|group| *group == row.group)));
    }

    #[test]
    fn the_book_has_every_row() {
        let book = include_str!("../../../docs/src/rows.md");
        let missing = ROWS.iter().find(|row| !book.contains(&format!("`{}`", row.name)));
        assert_eq!(missing.map(|row| row.name), None);
    }

    #[test]
    fn rows_run_in_the_order_of_the_table_and_once() {
        assert_eq!(names("yield,clock,yield"), ["clock", "yield"]);
    }

    #[test]
    fn a_group_is_every_row_of_it_and_a_stem_all_below() {
        assert_eq!(
            names("share"),
            [
                "share/equal",
                "share/weighted",
                "share/reweighted",
                "share/intermittent",
                "interactive",
                "timeslice"
            ]
        );
        assert_eq!(names("timer"), ["timer", "timer/load"]);
        assert_eq!(names("wake"), ["wake/polling", "wake/halted", "wake/busy"]);
        assert_eq!(names("full").len(), ROWS.len());
        assert!(Selection::parse("hand").is_err());
    }

    #[test]
    fn only_quick_is_hasty() {
        assert_eq!(Selection::parse("quick").unwrap(), Selection::quick());
        assert!(!Selection::quick().is_thorough());
        assert!(Selection::parse("yield").unwrap().is_thorough());
        assert!(!names("quick").contains(&"balance/4+1"));
    }

    #[test]
    fn nothing_is_no_selection() {
        for bad in ["", ",", "yield,", "yield, clock", "tickles"] {
            assert!(Selection::parse(bad).is_err(), "{bad:?}");
        }
    }
}
