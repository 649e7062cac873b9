//! What is printed in the end: shares in the kernel's own tables, the totals, and each failure with its smallest case.

use std::path::PathBuf;

use anstream::println;
use anyhow::{Context, Result};
use bench::fairness::Claim;
use bench::record::PREFIX;
use bench::report::{Report, Shared};
use bench::verdict::Judgement;
use comfy_table::{CellAlignment, Table, presets};

use super::case::Case;
use super::check::Violation;
use super::measure::{Outcome, Totals};
use super::series::Findings;
use super::shrink::shrunk;
use crate::place;
use crate::style::{BAD, DIM, STRONG, paint};

/// A case's shares, as the kernel reports them.
pub fn shares(case: &Case, outcome: &Outcome) -> String {
    let claims: Vec<Claim> = case.expected.iter().map(|&share| Claim::endless(share)).collect();
    // As many CPUs as the threads could keep busy: among those their ideal is what is expected.
    let busy = (case.expected.iter().sum::<f64>() - 1e-6).ceil() as usize;
    let shared = Shared::new(&outcome.window, &claims, busy.clamp(1, case.cpus), case.config().slice().0);
    let judgement = Judgement::new()
        .at_most("largest error", outcome.totals.worst_share * 100.0, case.bounds().share * 100.0, "%")
        .at_most("largest lag ever", outcome.max_lag / 1e6, case.bounds().steady_lag / 1e6, " ms");
    let mut text = String::new();
    let mut report = Report::new(&mut text);
    report.begin(&format!("{} ", case.name));
    report.share(&shared, &judgement);
    text.split_inclusive('\n').filter(|line| !line.starts_with(PREFIX)).collect()
}

/// What a series added up to.
pub fn totals(findings: &Findings) {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY).set_header([
        "policy",
        "machine",
        "CPUs",
        "cases",
        "events",
        "virtual s",
        "waste us",
        "lag ms",
        "share %",
    ]);
    for (kind, totals) in &findings.totals {
        let machine = if kind.plain { "plain" } else { "rough" };
        let mut cells = vec![kind.policy.to_owned(), machine.to_owned(), kind.size.to_owned()];
        cells.extend(figures(totals));
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let (sum, took) = (findings.total(), findings.took.as_secs_f64());
    println!("{table}");
    println!(
        "{} events in {took:.1} s: {:.0} a second, {:.1} million a minute; {} checks",
        sum.events,
        findings.speed(),
        findings.speed() * 60.0 / 1e6,
        sum.checks
    );
    println!(
        "{}",
        paint(
            DIM,
            "waste: the longest that a CPU idled while a thread waited that may run there; lag: the most that a waiting thread was owed"
        )
    );
}

fn figures(totals: &Totals) -> [String; 6] {
    [
        totals.cases.to_string(),
        totals.events.to_string(),
        format!("{:.1}", totals.virtual_time as f64 / 1e9),
        format!("{:.1}", totals.longest_waste as f64 / 1e3),
        format!("{:.2}", totals.worst_lag / 1e6),
        if totals.worst_share > 0.0 { format!("{:.2}", totals.worst_share * 100.0) } else { "-".into() },
    ]
}

/// A failure: what it is, how to see it again, and the smallest case that does the same.
///
/// # Errors
/// The case can't be written down.
pub fn failure(case: &Case, violation: &Violation, again: &str, millis: u32) -> Result<()> {
    println!("{} {}, seed {}: {violation}", paint(BAD, "x"), case.name, case.seed);
    println!("  again: {}", paint(STRONG, again));
    let smallest = shrunk(case.clone(), violation, millis);
    let file = write(&smallest)?;
    println!("  shrunk to {} threads on {} CPUs:\n{smallest}", smallest.threads.len(), smallest.cpus);
    if let Err((violation, trace)) = smallest.attempt(true) {
        println!("  its last decisions:\n{trace}: {violation}");
    }
    println!("  again: {}", paint(STRONG, format!("cargo xtask sim --case {}", place::shown(&file))));
    Ok(())
}

fn write(case: &Case) -> Result<PathBuf> {
    let policy = case.policy.name();
    let file = place::logs("sim")?.join(format!("{policy}-seed-{}-on-{}.json", case.seed, case.cpus));
    std::fs::write(&file, format!("{case}\n")).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}
