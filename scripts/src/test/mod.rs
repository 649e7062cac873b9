//! `test`: every test there is, one after the other, within twenty-five minutes on two cores.
//!
//! One at a time, because the boot tests judge shares of CPU time and the machine is small. Each
//! step has a limit of its own, and all of them share a budget: a hang costs its step, not the run.

pub mod boot;
pub mod case;
pub mod host;
pub mod need;
mod pattern;
mod sim;
mod step;
mod tally;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anstream::println;
use anyhow::{Result, bail};
use clap::Args;

use crate::interrupt;
use crate::screen::spinner;
use crate::style::{BAD, DIM, GOOD, ODD, paint};
use step::{Report, Step};
use tally::Tally;

/// Twenty-five minutes are promised, on two cores that do nothing else. A machine with other work may take longer, but must
/// end, and report.
const BUDGET: Duration = Duration::from_mins(50);

/// `test`.
#[derive(Args, Debug)]
pub struct Test {
    /// Only steps whose names contain one of these words, such as boot or unit
    #[arg(value_name = "WORD")]
    words: Vec<String>,

    /// Name the steps and run none
    #[arg(long)]
    list: bool,

    /// QEMU to use, when not the first `qemu-system-x86_64` on the path
    #[arg(long, value_name = "PATH")]
    qemu: Option<PathBuf>,

    /// A directory with Limine's binary release; without it the Limine boot test is skipped
    #[arg(long, value_name = "DIR")]
    limine: Option<PathBuf>,
}

impl Test {
    /// Runs them; the status is 1 when one failed.
    pub fn execute(&self) -> Result<u8> {
        let steps = self.steps()?;
        if self.list {
            for step in &steps {
                println!("{}", step.name);
            }
            return Ok(0);
        }
        if steps.is_empty() {
            bail!("no step is called like that; `--list` names them");
        }
        let total = run_all(steps);
        println!("\n{total}");
        Ok(total.status())
    }

    fn steps(&self) -> Result<Vec<Step>> {
        let mut steps = host::steps();
        steps.extend(sim::steps()?);
        steps.extend(boot::steps(boot::Host { qemu: self.qemu.clone(), limine: self.limine.clone() })?);
        let wanted = |step: &Step| self.words.iter().any(|word| step.name.contains(word.as_str()));
        steps.retain(|step| self.words.is_empty() || wanted(step));
        Ok(steps)
    }
}

fn run_all(steps: Vec<Step>) -> Tally {
    let over = Instant::now() + BUDGET;
    let mut total = Tally::default();
    for step in steps {
        let started = Instant::now();
        let (name, report) = run_one(step, over);
        show(&name, &report, started.elapsed());
        total += report.tally;
        if interrupt::asked() {
            break;
        }
    }
    total
}

fn run_one(step: Step, over: Instant) -> (String, Report) {
    if Instant::now() >= over {
        return (step.name, Report::failed("not run: the time for all tests is used up"));
    }
    let bar = spinner(step.name.clone());
    let deadline = over.min(Instant::now() + step.limit);
    let report = (step.action)(deadline).unwrap_or_else(|error| Report::failed(format!("{error:#}")));
    bar.finish_and_clear();
    (step.name, report)
}

/// One line of the table, and below it what there is to say about a step that did not pass.
fn show(name: &str, report: &Report, took: Duration) {
    let Report { tally, said } = report;
    let mark = match (tally.failed, tally.passed) {
        (0, 0) => paint(ODD, "skip"),
        (0, _) => paint(GOOD, "ok  "),
        _ => paint(BAD, "FAIL"),
    };
    println!("{mark}  {name:<34} {:>5}  {:>6.1} s", tally.passed, took.as_secs_f64());
    for line in said.lines() {
        println!("      {} {line}", paint(DIM, "|"));
    }
}
