//! Every workload, on host threads.

use std::sync::{Mutex, PoisonError};

use super::loops::Window;
use super::{Effort, Lab, Limits, MS};
use crate::host::Host;
use crate::options::Options;
use crate::os::Counters;
use crate::record::{self, Body, Record};
use crate::suite::{Outcome, ROWS, run_with};

/// As little as leaves every line of a workload run.
const TINY: Effort = Effort {
    samples: 20,
    warmup: 2,
    budget_ns: 500 * MS,
    settle_ns: 5 * MS,
    share_ns: 20 * MS,
    weighted_ns: 20 * MS,
    balance_ns: 20 * MS,
    second_ns: 60 * MS,
    crowd: 4,
    all_cases: true,
};

/// Loops of two tests at once would take each other's CPU time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The log of a suite on `CPUS` made-up CPUs, and its records.
fn log<const CPUS: usize>(suite: &str, effort: Effort) -> (String, Vec<Record>, Outcome) {
    let options = Options::parse(&format!("suite={suite}")).unwrap();
    let mut text = String::new();
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = run_with::<Host<CPUS>>(&options, effort, &mut text);
    let records = text.lines().filter_map(record::parse).map(Result::unwrap).collect();
    (text, records, outcome)
}

#[test]
fn every_row_has_a_result() {
    let (text, records, _) = log::<3>("full", TINY);
    println!("{text}");
    for row in &ROWS {
        let results = records.iter().filter(|record| record.name == row.name);
        assert!(
            results.clone().any(|result| !matches!(result.body, Body::Verdict(_))),
            "{} in\n{text}",
            row.name
        );
    }
    assert!(matches!(records[0].body, Body::Env(_)));
    assert!(matches!(records.last().unwrap().body, Body::End(_)));
}

#[test]
fn the_totals_are_those_of_the_verdicts() {
    let (text, records, outcome) = log::<2>("cost,tickless", TINY);
    let verdicts: Vec<bool> = records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Verdict(verdict) => Some(verdict.pass),
            _ => None,
        })
        .collect();
    let passed = verdicts.iter().filter(|pass| **pass).count() as u32;
    assert_eq!((outcome.passed, outcome.failed), (passed, verdicts.len() as u32 - passed));
    let Body::End(end) = records.last().unwrap().body else { panic!("no end in\n{text}") };
    assert_eq!((end.passed, end.failed), (outcome.passed, outcome.failed));
    assert_eq!(text.contains("PASSED"), outcome.is_success());
}

#[test]
fn one_cpu_skips_what_needs_two_and_fails_nothing_for_it() {
    let (text, records, outcome) = log::<1>("wake,ipi,handover/apart", TINY);
    assert_eq!(outcome, Outcome { skipped: 5, ..Outcome::default() });
    assert_eq!(text.matches("skip  needs 2 CPUs").count(), 5);
    assert_eq!(records.len(), 2);
}

#[test]
fn an_idle_machine_excuses_the_sleepers_own_interrupt_and_no_other() {
    let (_, records, _) = log::<8>("tickless/idle", TINY);
    let Some(Body::Count(count)) = records.iter().map(|record| &record.body).nth(1) else {
        panic!("{records:?}")
    };
    // Other tests' sleepers share the made-up CPU 0, and may only add.
    assert_eq!(count.per_cpu[1..], [0; 7]);
}

#[test]
fn samples_never_exceed_what_was_asked_for() {
    let (_, records, _) = log::<2>("cost", TINY);
    let mut rows = 0;
    for record in &records {
        if let Body::Latency(latency) = &record.body {
            rows += 1;
            assert!(latency.n >= 1 && latency.n <= TINY.samples as u64, "{record:?}");
            assert!(latency.min <= latency.median && latency.median <= latency.max, "{record:?}");
        }
    }
    assert_eq!(rows, 26);
}

/// Two CPUs over a second, in which each of `timers` was `late_ns` late.
fn late(timers: u64, late_ns: u64) -> Window {
    let cpu = Counters { timer_interrupts: timers, timer_late_ns: timers * late_ns, ..Counters::default() };
    Window { ns: 1_000 * MS, cpus: vec![cpu, Counters::default()], ..Window::default() }
}

/// Catches: narrow limits under `-icount` where CPUs wait for each other's turns; any where slices end at the host's pleasure.
#[test]
fn limits_are_as_narrow_as_timers_are_punctual() {
    let lab = |punctual| Lab {
        effort: TINY,
        icount: punctual,
        punctual,
        promise: None,
        sched: Options::default().sched,
    };
    for (timers, late_ns, is_punctual, bears) in [
        (100, 0, true, true),
        (100, 100_000, true, true),
        (100, 101_000, false, true),
        (100, 10 * MS, false, true),
        (100, 11 * MS, false, false),
        (1, 18 * MS, false, true),
        (2, 18 * MS, false, false),
        (0, 0, true, true),
    ] {
        let window = late(timers, late_ns);
        let expected = if is_punctual { Limits::PUNCTUAL } else { Limits::LATE };
        assert_eq!(lab(true).limits(&window), expected, "{timers} timers, {late_ns} ns late");
        assert_eq!(lab(false).limits(&window), Limits::LATE, "a host always may have been late");
        assert_eq!(lab(true).bears(&window).0, bears, "{timers} timers, {late_ns} ns late");
    }
}
