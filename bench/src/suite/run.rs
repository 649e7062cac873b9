//! Runs what was chosen, and tells how it went.

use alloc::format;
use core::fmt::Write;

use sched::policy::PolicyKind;

use super::Row;
use crate::options::Options;
use crate::os::Os;
use crate::report::Report;
use crate::workload::{Effort, Lab, Trouble};

/// How a run went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Results that met their expectation.
    pub passed: u32,
    /// Results that did not.
    pub failed: u32,
    /// Results without a gate.
    pub informed: u32,
    /// Rows that can't be measured here.
    pub skipped: u32,
}

impl Outcome {
    /// Whether nothing failed.
    pub fn is_success(&self) -> bool {
        self.failed == 0
    }
}

/// Runs the chosen rows one after the other, from the calling thread, which must be normal and not pinned.
pub fn run<O: Os>(options: &Options, out: &mut dyn Write) -> Outcome {
    let effort = if options.suite.is_thorough() { Effort::THOROUGH } else { Effort::QUICK };
    run_with::<O>(options, effort, out)
}

pub(crate) fn run_with<O: Os>(options: &Options, effort: Effort, out: &mut dyn Write) -> Outcome {
    let env = O::env();
    let lab = Lab {
        effort,
        icount: env.icount,
        punctual: env.is_punctual(),
        promise: PolicyKind::from_name(&env.policy).map(PolicyKind::promise),
        sched: options.sched,
    };
    let mut report = Report::new(out);
    report.environment(&env, options);
    let mut group = None;
    for row in options.suite.rows() {
        if group.replace(row.group) != Some(row.group) {
            report.section(row.group, &env);
        }
        report.begin(row.name);
        if let Err(trouble) = measure::<O>(row, &lab, &mut report) {
            report.trouble(trouble);
        }
    }
    report.end(&format!("{}", options.suite))
}

fn measure<O: Os>(row: &Row, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    if O::cpus() < row.cpus {
        return Err(Trouble::Skipped(format!("needs {} CPUs", row.cpus)));
    }
    row.workload.run::<O>(row.name, lab, report)
}
