//! The records: what programs read of a report.
//!
//! One line a result on the serial log, `@tacet ` and a JSON object, so that a log is a data file. The kernel
//! writes them and the host tool parses them with the same types, so that the two can't drift apart. Version 1 of
//! the fields is fixed: a change of meaning is a new version.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

/// What a line of the log starts with when it is a record.
pub const PREFIX: &str = "@tacet ";
/// The version that this crate writes, field `v`.
pub const VERSION: u32 = 1;

/// One record: what it is about, and the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`VERSION`].
    pub v: u32,
    /// The row's name (`yield`), or the suite's for `env` and `end`.
    pub name: String,
    /// The result; its kind is the field `kind`.
    #[serde(flatten)]
    pub body: Body,
}

impl Record {
    /// A record of the present version.
    pub fn new(name: &str, body: Body) -> Self {
        Self { v: VERSION, name: name.into(), body }
    }
}

/// A result, by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Body {
    /// Where the results were taken; the first record of a log.
    Env(Env),
    /// A distribution of times.
    Latency(Latency),
    /// How CPU time was divided.
    Share(Share),
    /// Elapsed over accounted CPU time, one a thread.
    Ratio(Ratio),
    /// Something counted on each CPU.
    Count(Count),
    /// Whether a row met its expectation.
    Verdict(Verdict),
    /// The last record of a log.
    End(End),
}

/// Where the results were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Env {
    /// `tcg`, `kvm`, `hardware`, or what the hypervisor calls itself.
    pub accel: String,
    /// CPUs that take part.
    pub cpus: u32,
    /// The clock and what it was calibrated against.
    pub clock: String,
    /// Ticks of the clock a second.
    pub clock_hz: u64,
    /// `deadline` or `oneshot`.
    pub timer: String,
    /// `x2apic` or `xapic`.
    pub apic: String,
    /// `pvh`, `limine` or `multiboot2`.
    pub boot: String,
    /// The scheduling policy.
    pub policy: String,
    /// The seed of everything random.
    pub seed: u64,
    /// Whether a virtual nanosecond is an instruction (`-icount shift=0,sleep=off`).
    pub icount: bool,
    /// The kernel's version.
    pub version: String,
    /// The commit that it was built from, or `unknown`.
    pub commit: String,
}

impl Env {
    /// Whether timers fire when they are due: nobody else has the CPUs, or time waits for them.
    pub fn is_punctual(&self) -> bool {
        self.icount || self.accel == "hardware"
    }
}

/// A distribution of times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names of order statistics are their own explanation")]
pub struct Latency {
    /// Always `ns` in version 1.
    pub unit: String,
    pub n: u64,
    pub min: u64,
    pub q1: u64,
    pub median: u64,
    pub mean: f64,
    pub q3: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
    pub stddev: f64,
    /// What an operation cost beside time.
    pub per_op: PerOp,
}

/// Counts an operation, over all CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PerOp {
    /// Context switches.
    pub switches: f64,
    /// Reschedule interrupts sent.
    pub ipis: f64,
    /// Writes to a timer.
    pub timer_writes: f64,
    /// Threads that changed CPU.
    pub migrations: f64,
}

impl PerOp {
    /// With the digits that a record keeps.
    #[must_use]
    pub fn rounded(&self) -> Self {
        Self {
            switches: rounded(self.switches, 4),
            ipis: rounded(self.ipis, 4),
            timer_writes: rounded(self.timer_writes, 4),
            migrations: rounded(self.migrations, 4),
        }
    }
}

/// How CPU time was divided. A share is a part of all the accounted time that these threads got: shares add up to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many threads shared.
    pub threads: u32,
    /// How many CPUs they were allowed.
    pub cpus: u32,
    /// Length of the window in ms.
    pub window_ms: f64,
    /// Jain's index of share over expected share.
    pub jain: f64,
    /// The smallest share over expected share, over the largest.
    pub min_over_max: f64,
    /// The largest distance between a thread's CPU time and what it should have had, in ms.
    pub max_lag_ms: f64,
    /// The shares, in the order of creation.
    pub shares: Vec<f64>,
    /// What they should have been.
    pub expected: Vec<f64>,
    /// Threads that changed CPU.
    pub migrations: u64,
    /// Context switches.
    pub switches: u64,
    /// CPU time that idled while a thread waited that could have had it, in µs.
    pub idle_while_overloaded_us: f64,
}

/// Elapsed over accounted CPU time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// What it should be, one a thread.
    pub expected: Vec<f64>,
    /// What it was, one a thread.
    pub measured: Vec<f64>,
}

/// Something counted on each CPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What was counted.
    pub unit: String,
    /// One a CPU.
    pub per_cpu: Vec<u64>,
}

/// Whether a row met its expectation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it did.
    pub pass: bool,
    /// What was compared.
    pub why: String,
}

/// The totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Verdicts that passed.
    pub passed: u32,
    /// Verdicts that did not.
    pub failed: u32,
}

/// A line that starts like a record and is none.
#[derive(Debug)]
pub struct ParseError(serde_json::Error);

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a record of version {VERSION}: {}", self.0)
    }
}

impl core::error::Error for ParseError {}

/// The record as a line of the log, without the line feed.
///
/// # Panics
/// Never: every record has a JSON form, since keys are strings.
pub fn line(record: &Record) -> String {
    let json = serde_json::to_string(record).expect("records have string keys and no fallible parts");
    format!("{PREFIX}{json}")
}

/// The record in a line of the log; `None` when the line is for people.
///
/// # Errors
/// When it has the prefix of a record, but was cut short, garbled, or is of a kind that version 1 doesn't know.
pub fn parse(line: &str) -> Option<Result<Record, ParseError>> {
    let json = line.trim_end().strip_prefix(PREFIX)?;
    Some(serde_json::from_str(json).map_err(ParseError))
}

/// `value` with `digits` decimals and no more: nobody reads the other thirteen, and they differ from run to run.
pub fn rounded(value: f64, digits: u32) -> f64 {
    let scale = 10_u64.pow(digits.min(15)) as f64;
    let scaled = value * scale;
    if !scaled.is_finite() || scaled.abs() > 9.0e15 {
        return if value.is_finite() { value } else { 0.0 };
    }
    let half = if scaled < 0.0 { -0.5 } else { 0.5 };
    (scaled + half) as i64 as f64 / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict() -> Record {
        let why = "median 118 ≤ 200 ns".into();
        Record::new("yield", Body::Verdict(Verdict { pass: true, why }))
    }

    #[test]
    fn a_line_has_version_name_and_kind_on_top() {
        assert_eq!(
            line(&verdict()),
            r#"@tacet {"v":1,"name":"yield","kind":"verdict","pass":true,"why":"median 118 ≤ 200 ns"}"#
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bodies = [
            Body::Env(Env { accel: "tcg".into(), cpus: 4, clock_hz: 1_000_000_000, ..Env::default() }),
            Body::Share(Share {
                threads: 2,
                cpus: 1,
                window_ms: 4000.0,
                jain: 0.9999,
                min_over_max: 0.99,
                max_lag_ms: 1.5,
                shares: [0.5, 0.5].into(),
                expected: [0.5, 0.5].into(),
                migrations: 3,
                switches: 400,
                idle_while_overloaded_us: 0.0,
            }),
            Body::Ratio(Ratio { expected: [1.5].into(), measured: [1.49].into() }),
            Body::Count(Count { unit: "interrupts".into(), per_cpu: [0, 1].into() }),
            Body::End(End { passed: 3, failed: 0 }),
        ];
        for body in bodies {
            let record = Record::new("row", body);
            assert_eq!(parse(&(line(&record) + "\r\n")).unwrap().unwrap(), record);
        }
    }

    /// Read to the nearest number; `serde_json` rounds a long one wrongly unless told otherwise.
    #[test]
    fn a_number_that_was_written_is_read_as_it_was() {
        let long = format!("1{}.5", "9".repeat(45));
        let text =
            format!(r#"@tacet {{"v":1,"name":"x","kind":"ratio","expected":[{long}],"measured":[1.49e0]}}"#);
        let first = parse(&text).unwrap().unwrap();
        assert_eq!(parse(&line(&first)).unwrap().unwrap(), first);
    }

    #[test]
    fn lines_for_people_are_no_records_and_cut_records_are_errors() {
        assert!(parse("Tacet 0.1.0").is_none());
        let whole = line(&verdict());
        let cut = &whole[..whole.len() - 3];
        assert!(parse(cut).unwrap().is_err());
        assert!(parse(r#"@tacet {"v":1,"name":"x","kind":"novelty"}"#).unwrap().is_err());
    }

    #[test]
    fn rounding_keeps_the_digits_asked_for() {
        assert_eq!(rounded(0.123_456, 4), 0.1235);
        assert_eq!(rounded(-1.25, 1), -1.3);
        assert_eq!(rounded(f64::NAN, 2), 0.0);
        assert_eq!(rounded(1e300, 2), 1e300);
    }
}
