//! The last things that happened, kept for the report of a failure.
//!
//! Off at first, since the lines cost more than the simulation: a case that fails is run again with it on.

use std::collections::VecDeque;
use std::fmt;

const KEPT: usize = 60;

/// A bounded list of lines, made only when asked for.
#[derive(Default)]
pub struct Trace {
    lines: VecDeque<Line>,
    /// Whether anything is kept.
    pub on: bool,
}

struct Line {
    at: u64,
    cpu: usize,
    what: String,
}

impl Trace {
    /// Notes what happened on a CPU.
    pub fn note(&mut self, at: u64, cpu: usize, what: impl FnOnce() -> String) {
        if self.on {
            if self.lines.len() == KEPT {
                self.lines.pop_front();
            }
            self.lines.push_back(Line { at, cpu, what: what() });
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(out, "{:>14} cpu {:<3} {}", line.at, line.cpu, line.what)?;
        }
        Ok(())
    }
}
