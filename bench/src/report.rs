//! The report on the serial log: rows for people, and the same as records for programs.
//!
//! A row's name is printed before it is measured, so that a log that ends early says where, and its records right
//! after the row, so that a log that is cut loses nothing that was measured. People read rows of at most 100 columns.

mod header;
mod interrupts;
mod latency;
mod ratio;
mod share;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

pub use interrupts::Quiet;
pub use share::Shared;

use crate::record::{self, Body, End, Record, Verdict};
use crate::suite::Outcome;
use crate::verdict::{Judgement, Mark};
use crate::workload::Trouble;

/// Columns of a row's name.
const NAME_WIDTH: usize = 21;
/// Columns of the report.
const WIDTH: usize = 100;
/// Columns before what stands under a row.
const INDENT: usize = 6;

/// Where results go.
pub struct Report<'a> {
    out: &'a mut dyn Write,
    /// The row that is being measured.
    row: String,
    /// Whether its name stands on a line that is not yet ended.
    open: bool,
    /// Whether the last line was empty.
    blank: bool,
    /// Whether the section's head names the columns of times.
    columns: bool,
    outcome: Outcome,
    failures: Vec<(String, String)>,
}

impl<'a> Report<'a> {
    /// An empty report that is written to `out` as it grows.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            row: String::new(),
            open: false,
            blank: false,
            columns: false,
            outcome: Outcome::default(),
            failures: Vec::new(),
        }
    }

    /// The row `name` is about to be measured. Once more for another result of it.
    pub fn begin(&mut self, name: &str) {
        if self.open && self.row == name {
            return;
        }
        self.end_line();
        self.row = name.into();
        self.open = true;
        self.print(format_args!("  {name:<NAME_WIDTH$}"));
    }

    /// Why the row has no result, or no further one.
    pub fn trouble(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Skipped(why) => {
                self.outcome.skipped += 1;
                self.line(format_args!("skip  {why}"));
            }
            Trouble::Failed(why) => {
                self.line(format_args!("FAIL  {why}"));
                self.verdict(Verdict { pass: false, why });
            }
        }
    }

    /// The totals, and what failed once more: where people look first.
    pub fn end(&mut self, suite: &str) -> Outcome {
        self.end_line();
        self.rule("verdict");
        for (row, why) in core::mem::take(&mut self.failures) {
            self.line(format_args!("  FAIL  {row}: {why}"));
        }
        let Outcome { passed, failed, informed, skipped } = self.outcome;
        let all = if failed == 0 { "PASSED" } else { "FAILED" };
        self.line(format_args!(
            "  {all}  {passed} passed, {failed} failed, {informed} for information, {skipped} skipped"
        ));
        self.blank();
        self.record(suite, Body::End(End { passed, failed }));
        self.outcome
    }

    /// The words under a row: what was compared, and what only informs.
    fn compared(&mut self, judgement: &Judgement) {
        let why = judgement.why();
        if !why.is_empty() {
            self.paragraph(&why);
        }
        for remark in judgement.remarks() {
            self.paragraph(&format!("informs, {remark}"));
        }
    }

    /// Words below a row, in as many lines as they need: those of one comparison stay together.
    fn paragraph(&mut self, text: &str) {
        let mut line = String::new();
        for part in text.split_inclusive("; ") {
            if !line.is_empty() && line.chars().count() + part.trim_end().chars().count() > WIDTH - INDENT {
                self.line(format_args!("{:INDENT$}{}", "", line.trim_end()));
                line.clear();
            }
            line += part;
        }
        self.line(format_args!("{:INDENT$}{line}", ""));
    }

    /// Counts the mark, and writes the verdict's record.
    fn conclude(&mut self, judgement: &Judgement) {
        match judgement.record() {
            Some(verdict) => self.verdict(verdict),
            None => self.outcome.informed += 1,
        }
    }

    fn verdict(&mut self, verdict: Verdict) {
        let row = self.row.clone();
        if verdict.pass {
            self.outcome.passed += 1;
        } else {
            self.outcome.failed += 1;
            self.failures.push((row.clone(), verdict.why.clone()));
        }
        self.record(&row, Body::Verdict(verdict));
    }

    fn record(&mut self, name: &str, body: Body) {
        let line = record::line(&Record::new(name, body));
        self.line(format_args!("{line}"));
    }

    /// A record of the present row.
    fn row_record(&mut self, body: Body) {
        let row = self.row.clone();
        self.record(&row, body);
    }

    /// A title with a line through the page.
    fn rule(&mut self, title: &str) {
        let rest = "─".repeat(WIDTH.saturating_sub(4 + title.chars().count()));
        self.blank();
        self.line(format_args!("── {title} {rest}"));
    }

    /// Leaves a line empty, unless the last one was.
    fn blank(&mut self) {
        if !self.blank {
            self.line(format_args!(""));
            self.blank = true;
        }
    }

    /// Ends the line that is open, if one is.
    fn end_line(&mut self) {
        if core::mem::take(&mut self.open) {
            self.print(format_args!("\n"));
        }
    }

    /// Prints to the end of the line.
    fn line(&mut self, text: fmt::Arguments<'_>) {
        self.open = false;
        self.blank = false;
        self.print(format_args!("{text}\n"));
    }

    /// A log that can't be written to has nowhere to say so: errors are dropped.
    fn print(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
    }
}

/// The mark as a row's last column shows it.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests;
