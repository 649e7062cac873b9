//! `compare`: two result files side by side.
//!
//! Each row is one figure of one record, with its change in per cent. With `--within`, figures that differ by
//! more fail the command: that is how a repeatable run is checked to repeat, and a change to cost nothing.

use std::path::PathBuf;

use anstream::println;
use anyhow::{Result, ensure};
use bench::record::{Body, Record};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

use crate::results;
use crate::style::{BAD, GOOD, paint, warn};

/// `compare`.
#[derive(Args, Debug)]
pub struct Compare {
    /// The earlier results
    #[arg(value_name = "A.json")]
    before: PathBuf,

    /// The later results
    #[arg(value_name = "B.json")]
    after: PathBuf,

    /// Fail when a figure differs by more than this many per cent, or is missing
    #[arg(long, value_name = "PERCENT")]
    within: Option<f64>,
}

/// One number of a record, such as the median of `yield`.
#[derive(Debug, Clone, PartialEq)]
struct Figure {
    name: String,
    value: f64,
}

/// The same figure from both files.
#[derive(Debug, PartialEq)]
struct Pair {
    name: String,
    before: f64,
    after: f64,
}

impl Pair {
    /// In per cent of the earlier; from zero, any change is infinite.
    fn change(&self) -> f64 {
        if (self.after - self.before).abs() < f64::EPSILON {
            return 0.0;
        }
        (self.after - self.before) / self.before.abs() * 100.0
    }
}

impl Compare {
    /// Prints the comparison; the status is 1 when `--within` is exceeded.
    pub fn execute(&self) -> Result<u8> {
        let before = figures(&results::read(&self.before)?);
        let after = figures(&results::read(&self.after)?);
        let pairs = pair(&before, &after);
        ensure!(!pairs.is_empty(), "the two files have no figure in common");
        println!("{}", table(&pairs));
        let lost = [missing(&before, &after), missing(&after, &before)].concat();
        for name in &lost {
            warn(&format!("{name} stands in one file only"));
        }
        Ok(self.within.map_or(0, |limit| verdict(&pairs, lost.len(), limit)))
    }
}

/// The medians that differ by more than `limit` per cent between two runs, as sentences.
pub fn drift(before: &[Record], after: &[Record], limit: f64) -> Vec<String> {
    let medians = |records: &[Record]| {
        let mut figures = figures(records);
        figures.retain(|figure| figure.name.ends_with(" median"));
        figures
    };
    let (before, after) = (medians(before), medians(after));
    let moved = pair(&before, &after).into_iter().filter(|pair| pair.change().abs() > limit);
    let mut said: Vec<String> =
        moved.map(|pair| format!("{} went from {} to {}", pair.name, pair.before, pair.after)).collect();
    said.extend(missing(&before, &after).into_iter().map(|name| format!("{name} came only once")));
    if before.is_empty() {
        said.push("there is no median to compare".into());
    }
    said
}

/// Says which figures moved too far, and returns the exit status.
fn verdict(pairs: &[Pair], lost: usize, limit: f64) -> u8 {
    let moved: Vec<&Pair> = pairs.iter().filter(|pair| pair.change().abs() > limit).collect();
    for pair in &moved {
        println!("{} {} changed by {:+.2}%", paint(BAD, "x"), pair.name, pair.change());
    }
    if moved.is_empty() && lost == 0 {
        println!("{} {} figures within {limit}%", paint(GOOD, "passed"), pairs.len());
    }
    u8::from(!moved.is_empty() || lost > 0)
}

/// The figures worth comparing, in the order of the records.
fn figures(records: &[Record]) -> Vec<Figure> {
    records.iter().flat_map(of_record).collect()
}

fn of_record(record: &Record) -> Vec<Figure> {
    let fields: Vec<(&str, f64)> = match &record.body {
        Body::Latency(row) => vec![
            ("median", row.median as f64),
            ("p99", row.p99 as f64),
            ("switches", row.per_op.switches),
            ("ipis", row.per_op.ipis),
            ("timer writes", row.per_op.timer_writes),
            ("migrations", row.per_op.migrations),
        ],
        Body::Share(row) => {
            vec![("jain", row.jain), ("min over max", row.min_over_max), ("largest lag, ms", row.max_lag_ms)]
        }
        _ => vec![],
    };
    let figure = |(field, value)| Figure { name: format!("{} {field}", record.name), value };
    fields.into_iter().map(figure).collect()
}

fn pair(before: &[Figure], after: &[Figure]) -> Vec<Pair> {
    let find = |name: &str| after.iter().find(|figure| figure.name == name);
    before
        .iter()
        .filter_map(|Figure { name, value }| {
            Some(Pair { name: name.clone(), before: *value, after: find(name)?.value })
        })
        .collect()
}

fn missing(from: &[Figure], other: &[Figure]) -> Vec<String> {
    let known = |name: &str| other.iter().any(|figure| figure.name == name);
    from.iter().filter(|figure| !known(&figure.name)).map(|figure| figure.name.clone()).collect()
}

fn table(pairs: &[Pair]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["figure", "before", "after", "change"]);
    for pair in pairs {
        let change = format!("{:+.2}%", pair.change());
        table.add_row([pair.name.clone(), number(pair.before), number(pair.after), change]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Whole numbers without a fraction, others with four places.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(median: u64) -> Vec<Record> {
        let json = format!(
            r#"{{"v":1,"name":"yield","kind":"latency","unit":"ns","n":9,"min":1,"q1":1,"median":{median},
                "mean":1.5,"q3":1,"p99":1,"p999":1,"max":1,"stddev":0.0,
                "per_op":{{"switches":1.0,"ipis":0.0,"timer_writes":0.0,"migrations":0.0}}}}"#
        );
        vec![serde_json::from_str(&json).unwrap()]
    }

    fn latency(median: u64) -> Vec<Figure> {
        figures(&record(median))
    }

    #[test]
    fn medians_and_counts_are_paired_by_name() {
        let pairs = pair(&latency(200), &latency(210));
        let names: Vec<&str> = pairs.iter().map(|pair| pair.name.as_str()).take(3).collect();
        assert_eq!(names, ["yield median", "yield p99", "yield switches"]);
        assert!((pairs[0].change() - 5.0).abs() < 1e-9);
        assert!(table(&pairs).to_string().contains("+5.00%"));
    }

    #[test]
    fn within_judges_both_directions_and_what_is_missing() {
        let status = |after, limit| verdict(&pair(&latency(200), &latency(after)), 0, limit);
        assert_eq!((status(201, 1.0), status(199, 1.0)), (0, 0));
        assert_eq!((status(203, 1.0), status(197, 1.0)), (1, 1));
        assert_eq!(verdict(&pair(&latency(1), &latency(1)), 1, 1.0), 1);
        assert_eq!(missing(&latency(1), &[])[..2], ["yield median", "yield p99"]);
    }

    #[test]
    fn drift_is_told_in_sentences() {
        assert_eq!(drift(&record(200), &record(201), 1.0), [""; 0]);
        assert_eq!(drift(&record(200), &record(210), 1.0), ["yield median went from 200 to 210"]);
        assert_eq!(drift(&record(200), &[], 1.0), ["yield median came only once"]);
        assert_eq!(drift(&[], &[], 1.0).len(), 1);
    }

    #[test]
    fn a_change_from_zero_is_no_small_change() {
        let from_zero = Pair { name: "x".into(), before: 0.0, after: 1.0 };
        assert!(from_zero.change().is_infinite());
        let still = Pair { name: "x".into(), before: 0.0, after: 0.0 };
        assert!(still.change().abs() < 1e-9);
    }
}
