//! `mutants`: deliberate faults, each of which a check must catch.
//!
//! A check that can't fail proves nothing. So each fault of a list ([`list`]: `scripts/mutants/*.toml`), and each weakening
//! of each memory ordering in the scheduler ([`orderings`], found in the source, so that none can be forgotten), is put into a
//! copy of the tree ([`tree`]), one at a time, and the checks that it names ([`check`]) are run on it until one fails
//! ([`trial`]). What no check catches is a missing test, or carries a written reason why none can see it.

mod baseline;
mod cargo;
mod check;
mod libtest;
mod list;
mod mutant;
mod orderings;
mod report;
mod run;
mod select;
mod text;
mod tree;
mod trial;

use std::path::PathBuf;
use std::time::Instant;

use anstream::println;
use anyhow::{Result, bail};
use clap::Args;

use crate::interrupt;
use crate::style::{DIM, paint};
use crate::test::boot::Host;
use mutant::Mutant;
use report::Tally;
use select::Shard;

/// `mutants`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status: 0 every fault was caught or is listed as one that can't be, 1 one survived or does not build,
2 the list is out of date or the tree itself fails, 130 interrupted.

Examples:
  cargo xtask mutants                         all of them
  cargo xtask mutants state/ --jobs 2         those of the task's state word, two at a time
  cargo xtask mutants --shard 3/8             an eighth of them, for a batch of machines")]
pub struct Mutants {
    /// Only faults whose names contain one of these words, such as state/ or fence
    #[arg(value_name = "WORD")]
    words: Vec<String>,

    /// A small, fixed selection: one fault of each kind
    #[arg(long)]
    quick: bool,

    /// Only the i-th of n equal parts
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,

    /// Name the faults with their checks and try none
    #[arg(long)]
    list: bool,

    /// How many to try at the same time, each in a copy of the tree; boot tests are always run one by one
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,

    /// QEMU to use, when not the first `qemu-system-x86_64` on the path
    #[arg(long, value_name = "PATH")]
    qemu: Option<PathBuf>,

    /// Directory of a binary release of Limine; without it, faults of what it boots are left out
    #[arg(long, value_name = "DIR")]
    limine: Option<PathBuf>,
}

impl Mutants {
    /// Tries them; the status is 1 when one survived that shouldn't.
    ///
    /// # Errors
    /// The list doesn't fit the tree, or the checks fail without any fault.
    pub fn execute(&self) -> Result<u8> {
        let mutants = self.selection()?;
        if self.list {
            mutants.iter().for_each(describe);
            return Ok(0);
        }
        if mutants.is_empty() {
            bail!("no fault is called like that; `--list` names them");
        }
        let setting = self.setting();
        let tally = run::all(possible(mutants, &setting.host)?, &setting, &mut |result| result.print())?;
        println!("\n{tally}");
        Ok(if interrupt::asked() { interrupt::STATUS } else { tally.status() })
    }

    fn selection(&self) -> Result<Vec<Mutant>> {
        let mut mutants = list::load()?;
        mutants.retain(|mutant| mutant.is_called(&self.words) && (mutant.quick || !self.quick));
        Ok(match self.shard {
            Some(shard) => shard.of(mutants),
            None => mutants,
        })
    }

    fn setting(&self) -> run::Setting {
        let host = Host { qemu: self.qemu.clone(), limine: self.limine.clone() };
        run::Setting { jobs: self.jobs.into(), host, over: None }
    }
}

/// Those whose boot tests this host can run. What is left out is said.
fn possible(mutants: Vec<Mutant>, host: &Host) -> Result<Vec<Mutant>> {
    let mut kept = Vec::new();
    for mutant in mutants {
        let lacking = mutant.boots().find_map(|name| host.lacks_for(name).transpose()).transpose()?;
        match lacking {
            Some(why) => println!("{:<8}  {}  {}", "left out", mutant.name, paint(DIM, why)),
            None => kept.push(mutant),
        }
    }
    Ok(kept)
}

fn describe(mutant: &Mutant) {
    let checks: Vec<String> = mutant.checks.iter().map(ToString::to_string).collect();
    println!("{:<50} {}", mutant.name, paint(DIM, checks.join(", ")));
}

/// The quick selection as a step of `test`: how it went, and the lines of those that survived.
///
/// # Errors
/// As [`Mutants::execute`].
pub fn quick(over: Instant) -> Result<(Tally, String)> {
    let mut mutants = list::load()?;
    mutants.retain(|mutant| mutant.quick);
    let setting = run::Setting { jobs: 1, host: Host::default(), over: Some(over) };
    let mut wrong = Vec::new();
    let tally = run::all(mutants, &setting, &mut |result| {
        if result.is_wrong() {
            wrong.push(result.to_string());
        }
    })?;
    Ok((tally, wrong.join("\n")))
}
