//! `examples`: the examples of the book's chapter on threads and synchronisation, run.
//!
//! Scenario: each example of the kernel is a function that asserts what the book says of it. Expected: all come back. A
//! miss doesn't come back: the kernel panics, and says where, or it hangs.

use alloc::format;

use super::Trouble;
use crate::os::Os;
use crate::report::Report;
use crate::verdict::Judgement;

pub fn run<O: Os>(name: &str, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let examples = O::examples();
    if examples.is_empty() {
        return Err(Trouble::Skipped("this system has no examples".into()));
    }
    for (_, example) in examples {
        example();
    }
    let names = examples.iter().map(|(name, _)| *name).collect::<alloc::vec::Vec<_>>().join(", ");
    report.count(
        "examples",
        examples.len() as u64,
        &Judgement::new().check(true, format!("as told: {names}")),
    );
    Ok(())
}
