//! Cases that went wrong once, here or in another scheduler, by name: each fails if its cure is taken out.
//!
//! To add one, let `cargo xtask sim` print the shrunk case (or write one), put a function that makes it here, and
//! name it in [`ALL`]. A case violates an invariant by itself where one covers it; what only a count shows, such as
//! a storm of interrupts, is judged by `also`.

use super::case::Case;
use super::measure::Outcome;
use super::program::{Plan, Span, Step};

/// A case that must never go wrong again.
pub struct Regression {
    /// What it's called.
    pub name: &'static str,
    /// Where it was seen: a link, or a seed and the commit that cured it.
    pub source: &'static str,
    /// What would be seen without the cure.
    pub violation: &'static str,
    /// The case.
    pub case: fn() -> Case,
    /// What must hold beside the invariants.
    pub also: fn(&Outcome) -> Result<(), String>,
}

/// For cases that the invariants judge.
#[expect(clippy::unnecessary_wraps, reason = "others find something")]
pub fn nothing_else(_: &Outcome) -> Result<(), String> {
    Ok(())
}

/// All of them.
pub const ALL: &[Regression] = &[Regression {
    name: "a-sleeper-woken-early-sleeps-on",
    source: "the simulator, while it was written: a wake before the timer left the sleeper blocked for ever",
    violation: "TimerArmed: the sleeper sleeps on, and no timer is armed for it",
    case: woken_early,
    also: nothing_else,
}];

/// One thread sleeps; another one wakes it again and again before its time.
fn woken_early() -> Case {
    let sleeper = Plan::repeat(vec![Step::Sleep(Span::micros(900, 1_100)), Step::Run(Span::micros(1, 5))]);
    let waker = Plan::repeat(vec![Step::Run(Span::micros(50, 400)), Step::Wake(0)]);
    Case::new("woken early", 2, vec![sleeper, waker])
}

impl Regression {
    /// Runs it.
    ///
    /// # Errors
    /// What came back.
    pub fn run(&self) -> Result<Outcome, String> {
        let outcome = (self.case)().run().map_err(|violation| violation.to_string());
        let judged = outcome.and_then(|outcome| (self.also)(&outcome).map(|()| outcome));
        judged.map_err(|why| {
            format!(
                "{} is back ({}): {why}; expected without the cure: {}",
                self.name, self.source, self.violation
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_back() {
        for regression in ALL {
            if let Err(why) = regression.run() {
                panic!("{why}");
            }
        }
    }
}
