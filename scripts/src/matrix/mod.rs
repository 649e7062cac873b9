//! `matrix`: the kernel on every kind of machine that an emulator can be, and a table of what became of it.
//!
//! `scripts/matrix.toml` lists the machines. Each is booted under each QEMU that is named, one after the other; what
//! should come of it is written beside it, be it a pass or a clear refusal. `scripts/test` runs a few of them always.

mod cell;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anstream::{eprintln, println};
use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::emulator::Emulator;
use crate::image::Source;
use crate::qemu::Qemu;
use crate::qemu::machine::Kind;
use crate::{interrupt, place};
use cell::{Cell, Group};

/// `matrix`.
#[derive(Args, Debug)]
pub struct Matrix {
    /// Only machines whose description or arguments contain one of these words
    #[arg(value_name = "WORD")]
    words: Vec<String>,

    /// A QEMU to try; more than one may be named [default: the first on the path]
    #[arg(long, value_name = "PATH")]
    qemu: Vec<PathBuf>,

    /// A directory with Limine's binary release; without it Limine's doors are skipped
    #[arg(long, value_name = "DIR")]
    limine: Option<PathBuf>,

    /// Write the table to this file, too
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    source: Source,
}

/// What came of one machine under one emulator.
#[derive(Debug, Clone, PartialEq)]
enum Came {
    /// What was expected, after so long.
    Fine(Duration),
    /// It can't be tried here, and why.
    Skipped(String),
    /// Something else, and what.
    Wrong(String),
}

/// A group of machines, each with a result for each emulator.
struct Tried {
    title: String,
    emulators: Vec<String>,
    rows: Vec<(Cell, Vec<Came>)>,
}

impl Matrix {
    /// Tries them all; the status is 1 when one is not as it should be.
    pub fn execute(&self) -> Result<u8> {
        let qemus = self.qemus()?;
        let kernel = self.source.image()?;
        let mut groups = vec![];
        for group in cell::read()? {
            groups.extend(self.group(group, &qemus, &kernel)?);
        }
        ensure!(!groups.is_empty(), "no machine is described like that");
        let table = table::markdown(&groups);
        println!("{table}");
        if let Some(output) = &self.output {
            fs::write(output, table).with_context(|| format!("cannot write {}", output.display()))?;
        }
        let all_fine = groups.iter().all(|group| group.wrong() == 0) && !interrupt::asked();
        Ok(u8::from(!all_fine))
    }

    fn qemus(&self) -> Result<Vec<Qemu>> {
        if self.qemu.is_empty() {
            return Ok(vec![Qemu::find(None)?]);
        }
        self.qemu.iter().map(|path| Qemu::find(Some(path))).collect()
    }

    /// Tries the wanted machines of a group; `None` if there are none.
    fn group(&self, group: Group, qemus: &[Qemu], kernel: &Path) -> Result<Option<Tried>> {
        let wanted: Vec<Cell> = group.cell.into_iter().filter(|cell| self.wants(cell)).collect();
        let Some(first) = wanted.first() else { return Ok(None) };
        let bochs = first.arguments()?.machine.kind == Kind::Bochs;
        let under = if bochs { &qemus[..1] } else { qemus };
        let emulators =
            under.iter().map(|qemu| if bochs { "Bochs".into() } else { format!("QEMU {}", qemu.version) });
        let emulators = emulators.collect();
        let mut rows = vec![];
        for cell in wanted {
            let results: Result<_> = under.iter().map(|qemu| self.attempt(&cell, qemu, kernel)).collect();
            rows.push((cell, results?));
        }
        Ok(Some(Tried { title: group.title, emulators, rows }))
    }

    fn wants(&self, cell: &Cell) -> bool {
        let said = |word: &String| cell.what.contains(word.as_str()) || cell.run.contains(word.as_str());
        self.words.is_empty() || self.words.iter().any(said)
    }

    fn attempt(&self, cell: &Cell, qemu: &Qemu, kernel: &Path) -> Result<Came> {
        if interrupt::asked() {
            return Ok(Came::Skipped("interrupted".into()));
        }
        if let Some(why) = cell.lacks(qemu, self.limine.is_some())? {
            return Ok(Came::Skipped(why));
        }
        let mut run = cell.arguments()?;
        run.machine.qemu = Some(qemu.path.clone());
        run.set_limine(self.limine.clone());
        let log = place::logs("matrix")?.join(format!("{}-{}.log", cell.file_name(), qemu.version));
        let started = Instant::now();
        let report = run.boot(&Emulator::find(&run.machine)?, kernel, &log, &mut |_| ());
        let result = match report {
            Ok(report) => cell.judge(&report).map_or_else(Came::Wrong, |()| Came::Fine(started.elapsed())),
            Err(error) => Came::Wrong(format!("{error:#}")),
        };
        eprintln!("{:<50} QEMU {}: {}", cell.what, qemu.version, result.text(&cell.outcome));
        Ok(result)
    }
}

impl Tried {
    fn wrong(&self) -> usize {
        let results = self.rows.iter().flat_map(|(_, results)| results);
        results.filter(|result| matches!(result, Came::Wrong(_))).count()
    }
}

impl Came {
    /// As the table has it.
    fn text(&self, outcome: &str) -> String {
        match self {
            Self::Fine(took) if outcome == cell::PASSED => format!("passes, {:.1} s", took.as_secs_f64()),
            Self::Fine(_) => "is refused".into(),
            Self::Skipped(why) => format!("skipped: {why}"),
            Self::Wrong(why) => format!("**WRONG**: {why}"),
        }
    }
}
