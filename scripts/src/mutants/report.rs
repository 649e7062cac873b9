//! What came of each fault, and of all.

use std::fmt;
use std::time::Duration;

use anstream::println;

use super::mutant::Mutant;
use super::trial::End;
use crate::style::{BAD, DIM, GOOD, ODD, paint};

/// One fault, tried.
pub struct Trial {
    /// The fault.
    pub mutant: Mutant,
    /// What became of it.
    pub end: End,
    /// How long that took, building included.
    pub took: Duration,
}

impl Trial {
    /// Whether this is what the gate is there to show.
    pub fn is_wrong(&self) -> bool {
        match self.end {
            End::Caught { .. } | End::Interrupted => false,
            End::Survived => self.mutant.survives.is_none(),
            End::Refused(_) => true,
        }
    }

    /// A line of the table, in colour.
    pub fn print(&self) {
        let style = match (&self.end, self.is_wrong()) {
            (_, true) => BAD,
            (End::Caught { by: Some(_), .. }, _) if self.mutant.survives.is_none() => GOOD,
            _ => ODD,
        };
        println!("{}  {}", paint(style, format!("{:<8}", self.word())), self.rest());
        if self.is_wrong() {
            println!("          {} {}", paint(DIM, "|"), self.mutant.why);
        }
    }

    fn word(&self) -> &'static str {
        match &self.end {
            End::Caught { by: Some(_), .. } => "caught",
            End::Caught { by: None, .. } => "hung",
            End::Survived if self.mutant.survives.is_some() => "known",
            End::Survived => "SURVIVED",
            End::Refused(_) => "REFUSED",
            End::Interrupted => "stopped",
        }
    }

    fn rest(&self) -> String {
        format!("{:<46} {:>6.1} s  {}", self.mutant.name, self.took.as_secs_f64(), self.how())
    }

    fn how(&self) -> String {
        match &self.end {
            End::Caught { check, by } => {
                let by = by.as_deref().unwrap_or("not done in time");
                let surprise =
                    if self.mutant.survives.is_some() { ", though listed as a survivor" } else { "" };
                format!("{check} {by}{surprise}")
            }
            End::Survived => match &self.mutant.survives {
                Some(reason) => reason.clone(),
                None => format!("all of {} passed", self.checks()),
            },
            End::Refused(why) => format!("doesn't build: {why}"),
            End::Interrupted => String::new(),
        }
    }

    fn checks(&self) -> String {
        let names: Vec<String> = self.mutant.checks.iter().map(ToString::to_string).collect();
        names.join(", ")
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:<8}  {}", self.word(), self.rest())
    }
}

/// The counts.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// To be tried.
    pub planned: usize,
    /// Caught by a check that failed, or didn't end.
    pub caught: usize,
    /// Of these, the ones that were caught because a check didn't end.
    pub hung: usize,
    /// Survived with no reason given.
    pub survived: usize,
    /// Survived, as the list says.
    pub known: usize,
    /// Caught although the list says that they can't be.
    pub surprises: usize,
    /// The compiler refused them.
    pub refused: usize,
    /// What the checks took without a fault.
    pub baseline: Duration,
    /// What everything took.
    pub took: Duration,
}

impl Tally {
    /// Counts one more.
    pub fn note(&mut self, trial: &Trial) {
        let known = trial.mutant.survives.is_some();
        match &trial.end {
            End::Caught { by, .. } => {
                self.caught += 1;
                self.hung += usize::from(by.is_none());
                self.surprises += usize::from(known);
            }
            End::Survived if known => self.known += 1,
            End::Survived => self.survived += 1,
            End::Refused(_) => self.refused += 1,
            End::Interrupted => {}
        }
    }

    /// How many were not tried: the time was used up, or the user stopped it.
    pub fn untried(&self) -> usize {
        self.planned - self.caught - self.survived - self.known - self.refused
    }

    /// How many show that something is wrong.
    pub fn wrong(&self) -> usize {
        self.survived + self.refused + self.untried()
    }

    /// Exit status: 0 only when something was caught and nothing is wrong.
    pub fn status(&self) -> u8 {
        u8::from(self.wrong() > 0 || self.caught + self.known == 0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} caught, {} survived", self.caught, self.survived + self.known)?;
        for (count, what) in [
            (self.known, "of these explained"),
            (self.hung, "caught by a time-out"),
            (self.surprises, "caught though listed as survivors"),
            (self.refused, "don't build"),
            (self.untried(), "not tried"),
        ] {
            if count > 0 {
                write!(out, ", {count} {what}")?;
            }
        }
        let seconds = |time: Duration| humantime::format_duration(Duration::from_secs(time.as_secs()));
        write!(out, "; {}, of which {} without a fault", seconds(self.took), seconds(self.baseline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::mutant::Edit;

    fn trial(end: End, survives: Option<&str>) -> Trial {
        let mutant = Mutant {
            name: "a/b".into(),
            file: "x.rs".into(),
            edit: Edit { range: 0..0, text: String::new() },
            why: String::new(),
            checks: vec!["unit".parse().unwrap()],
            survives: survives.map(str::to_owned),
            quick: false,
        };
        Trial { mutant, end, took: Duration::from_secs(1) }
    }

    fn caught() -> End {
        End::Caught { check: "unit".parse().unwrap(), by: Some("t".into()) }
    }

    #[test]
    fn only_what_is_caught_or_explained_is_right() {
        let tally = |trials: &[Trial]| {
            let mut tally = Tally { planned: trials.len(), ..Tally::default() };
            for trial in trials {
                tally.note(trial);
            }
            tally
        };
        let good = tally(&[trial(caught(), None), trial(End::Survived, Some("loom can't"))]);
        assert_eq!((good.status(), good.wrong()), (0, 0));
        assert!(good.to_string().starts_with("1 caught, 1 survived, 1 of these explained"));
        for end in [End::Survived, End::Refused("error".into()), End::Interrupted] {
            assert_eq!(tally(&[trial(caught(), None), trial(end, None)]).status(), 1);
        }
        assert_eq!(tally(&[]).status(), 1, "nothing was shown");
        assert_eq!(tally(&[trial(caught(), Some("loom can't"))]).surprises, 1);
    }
}
