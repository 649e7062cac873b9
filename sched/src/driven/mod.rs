//! Whole CPUs in tests: the scheduler's own code on a machine that carries out at once what it decides.
//!
//! What must hold of any history is a property here: random histories come from proptest, which shrinks one that
//! fails to a small one. What once went wrong in another scheduler is a regression, named after the report. (The
//! simulator's machine has delays and faults besides, loom's has every order of memory; this one is
//! exact, so that a test may say to the nanosecond what must happen.)

mod balance;
mod eevdf;
mod extremes;
mod kicks;
mod machine;
mod overtaking;
mod regressions;
mod shares;
mod wakes;

use proptest::test_runner::Config;

/// As many cases as a quick run affords, unless `PROPTEST_CASES` says otherwise.
fn cases(few: u32) -> Config {
    let default = Config::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { Config { cases: few, ..default } }
}
