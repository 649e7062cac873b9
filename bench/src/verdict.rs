//! Judging a row: measured against expected, in words that stand on their own.
//!
//! A check *gates* when its miss fails the run, or only *informs*, and then says why: under multi-threaded TCG a time
//! tells how busy the host is, so times gate with `-icount` alone, while counts and shares of CPU time gate always.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::record;

/// The checks of one result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// Which of a row's results this is about, if there are several.
    case: Option<String>,
    checks: Vec<Check>,
    /// Why there are no checks, if there can't be any.
    no_limit: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
struct Check {
    pass: bool,
    /// Why it does not gate, if it does not.
    informs: Option<&'static str>,
    text: String,
}

impl Check {
    fn gates(&self) -> bool {
        self.informs.is_none()
    }
}

/// How a result fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Every gate is passed.
    Ok,
    /// Some gate is not.
    Fail,
    /// There was no gate.
    Info,
}

impl Mark {
    /// As the report shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fail => "FAIL",
            Self::Info => "info",
        }
    }
}

impl Judgement {
    /// No check yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No check yet, of the result that `case` tells from the row's others.
    pub fn of_case(case: String) -> Self {
        Self { case: Some(case), ..Self::default() }
    }

    /// No check, ever: there is no limit to hold the result against, for the reason `why`.
    pub fn without_limit(why: &'static str) -> Self {
        Self { no_limit: Some(why), ..Self::default() }
    }

    /// `value` must not exceed `limit`. A value that is not a number fails.
    #[must_use]
    pub fn at_most(self, what: &str, value: f64, limit: f64, unit: &str) -> Self {
        let pass = value <= limit;
        let sign = if pass { "≤" } else { ">" };
        self.check(pass, format!("{what} {} {sign} {}{unit}", short(value), short(limit)))
    }

    /// `value` must reach `limit`. A value that is not a number fails.
    #[must_use]
    pub fn at_least(self, what: &str, value: f64, limit: f64, unit: &str) -> Self {
        let pass = value >= limit;
        let sign = if pass { "≥" } else { "<" };
        self.check(pass, format!("{what} {} {sign} {}{unit}", short(value), short(limit)))
    }

    /// `value` must be within `tolerance`, a part of 1, of `expected`.
    #[must_use]
    pub fn near(self, what: &str, value: f64, expected: f64, tolerance: f64, unit: &str) -> Self {
        let pass = (value - expected).abs() <= tolerance * expected;
        let not = if pass { "" } else { "not " };
        let percent = short(tolerance * 100.0);
        self.check(
            pass,
            format!("{what} {}{unit} {not}within {percent}% of {}{unit}", short(value), short(expected)),
        )
    }

    /// Something that must hold, put into words by the caller for either case.
    #[must_use]
    pub fn check(mut self, pass: bool, text: String) -> Self {
        self.checks.push(Check { pass, informs: None, text });
        self
    }

    /// Lets the check just added inform without consequences, for the reason `why`.
    #[must_use]
    pub fn informing(self, why: &'static str) -> Self {
        self.gating_if(false, why)
    }

    /// Lets the check just added gate only if `gates`; `why` says why it does not otherwise.
    #[must_use]
    pub fn gating_if(mut self, gates: bool, why: &'static str) -> Self {
        if let Some(check) = self.checks.last_mut() {
            check.informs = (!gates).then_some(why);
        }
        self
    }

    /// The same for every check so far.
    #[must_use]
    pub fn all_gating_if(mut self, gates: bool, why: &'static str) -> Self {
        if !gates {
            self.checks.iter_mut().for_each(|check| check.informs = Some(why));
        }
        self
    }

    /// The mark.
    pub fn mark(&self) -> Mark {
        let gates = || self.checks.iter().filter(|check| check.gates());
        if gates().next().is_none() {
            Mark::Info
        } else if gates().all(|check| check.pass) {
            Mark::Ok
        } else {
            Mark::Fail
        }
    }

    /// What was compared: of a failure only what failed; else every gate.
    pub fn why(&self) -> String {
        let failed = self.mark() == Mark::Fail;
        let told = self.checks.iter().filter(|check| check.gates() && (!failed || !check.pass));
        let told = told.map(|check| check.text.as_str()).collect::<Vec<_>>().join("; ");
        match &self.case {
            Some(case) => format!("{case}: {told}"),
            None => told,
        }
    }

    /// What was compared without consequences, a line for each reason why: `no -icount: median 24 > 12 ns`.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<(&str, Vec<&str>)> =
            self.no_limit.map(|why| (why, Vec::new())).into_iter().collect();
        for check in &self.checks {
            let Some(why) = check.informs else { continue };
            match remarks.iter_mut().find(|(known, _)| *known == why) {
                Some((_, texts)) => texts.push(&check.text),
                None => remarks.push((why, Vec::from([check.text.as_str()]))),
            }
        }
        let line = |(why, texts): (&str, Vec<&str>)| {
            if texts.is_empty() { String::from(why) } else { format!("{why}: {}", texts.join("; ")) }
        };
        remarks.into_iter().map(line).collect()
    }

    /// The record; `None` when nothing gated.
    pub fn record(&self) -> Option<record::Verdict> {
        let pass = match self.mark() {
            Mark::Info => return None,
            mark => mark == Mark::Ok,
        };
        Some(record::Verdict { pass, why: self.why() })
    }
}

/// A number with the digits that matter: `118`, `0.9994`, `0.05`.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 1000.0 => 0,
        v if v >= 10.0 => 2,
        _ => 5,
    };
    format!("{}", record::rounded(value, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_miss_fails_and_is_what_is_told() {
        let judgement =
            Judgement::new().at_most("median", 118.0, 200.0, " ns").at_least("Jain", 0.9981, 0.999, "");
        assert_eq!(judgement.mark(), Mark::Fail);
        assert_eq!(judgement.why(), "Jain 0.9981 < 0.999");
        assert_eq!(judgement.record().unwrap(), record::Verdict { pass: false, why: judgement.why() });
    }

    #[test]
    fn all_gates_are_told_of_a_pass() {
        let judgement =
            Judgement::new().at_most("median", 118.0, 200.0, " ns").near("ratio", 1.52, 1.5, 0.03, "");
        assert_eq!(judgement.mark(), Mark::Ok);
        assert_eq!(judgement.why(), "median 118 ≤ 200 ns; ratio 1.52 within 3% of 1.5");
    }

    #[test]
    fn a_case_is_named() {
        let judgement = Judgement::of_case("5 on 4".into()).at_least("Jain", 1.0, 0.999, "");
        assert_eq!(judgement.why(), "5 on 4: Jain 1 ≥ 0.999");
    }

    #[test]
    fn what_only_informs_cannot_fail() {
        let judgement = Judgement::new().at_most("median", 900.0, 200.0, " ns").informing("no -icount");
        assert_eq!((judgement.mark(), judgement.record()), (Mark::Info, None));
        assert_eq!(judgement.remarks(), ["no -icount: median 900 > 200 ns"]);
        let gated = judgement.at_most("writes", 0.0, 0.05, "");
        assert_eq!((gated.mark(), gated.why().as_str()), (Mark::Ok, "writes 0 ≤ 0.05"));
        let none = gated.all_gating_if(false, "no -icount");
        assert_eq!(none.remarks(), ["no -icount: median 900 > 200 ns; writes 0 ≤ 0.05"]);
        assert_eq!(none.all_gating_if(true, "").mark(), Mark::Info);
    }

    #[test]
    fn who_does_not_gate_says_why() {
        assert_eq!(
            Judgement::without_limit("a figure of the machine").remarks(),
            ["a figure of the machine"]
        );
        let judgement = Judgement::new()
            .check(true, "a".into())
            .informing("x")
            .check(true, "b".into())
            .check(true, "c".into())
            .informing("y")
            .check(true, "d".into())
            .gating_if(false, "x");
        assert_eq!(
            (judgement.why().as_str(), judgement.remarks()),
            ("b", vec!["x: a; d".into(), "y: c".into()])
        );
    }

    #[test]
    fn not_a_number_passes_nothing() {
        for judgement in [
            Judgement::new().at_most("x", f64::NAN, 1.0, ""),
            Judgement::new().at_least("x", f64::NAN, 1.0, ""),
            Judgement::new().near("x", f64::NAN, 1.0, 0.1, ""),
        ] {
            assert_eq!(judgement.mark(), Mark::Fail);
        }
    }
}
