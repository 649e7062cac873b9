//! The commands and what each exits with.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{compare, gdb, image, interrupt, matrix, mutants, place, replay, run, sim, soak, test};

/// Exit status of a command that could not start: its arguments or its surroundings are wrong.
pub const BAD_INPUT: u8 = 2;

/// Build, run, test and compare Tacet.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Build the kernel, boot it in QEMU and show its report
    Run(run::Run),
    /// Run every test: format, lints, unit tests, models, boot tests
    Test(test::Test),
    /// Build the kernel image and say where it is
    Build(image::Build),
    /// Make a bootable ISO image for Limine (the default) or GRUB
    Iso(image::iso::Iso),
    /// Boot the kernel stopped at its first instruction, with gdb attached
    Gdb(gdb::Gdb),
    /// Compare two result files written by `run --json`
    Compare(compare::Compare),
    /// Play back what `run --record` saved, and compare every decision
    Replay(replay::Replay),
    /// Simulate the scheduler on virtual CPUs and judge its fairness
    Sim(sim::Sim),
    /// Boot every kind of machine that an emulator can be, and make a table of it
    Matrix(matrix::Matrix),
    /// Run random mixes of threads for minutes or hours, and pause the machine meanwhile
    Soak(soak::Soak),
    /// Put faults into a copy of the tree, one at a time, and see which check catches each
    Mutants(mutants::Mutants),
}

/// Runs the command that was asked for and returns the exit status.
///
/// # Errors
/// What kept the command from starting. A guest that failed is a status, not an error.
pub fn run() -> Result<u8> {
    let cli = Cli::parse();
    place::return_to_caller()?;
    interrupt::watch()?;
    match cli.command {
        Command::Run(run) => run.execute(),
        Command::Test(test) => test.execute(),
        Command::Build(build) => build.execute(),
        Command::Iso(iso) => iso.execute(),
        Command::Gdb(gdb) => gdb.execute(),
        Command::Compare(compare) => compare.execute(),
        Command::Replay(replay) => replay.execute(),
        Command::Sim(sim) => sim.execute(),
        Command::Matrix(matrix) => matrix.execute(),
        Command::Soak(soak) => soak.execute(),
        Command::Mutants(mutants) => mutants.execute(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn boot_options_may_follow_two_dashes_or_stand_alone() {
        for words in [&["x", "run", "--", "suite=share"][..], &["x", "run", "suite=share"]] {
            let Command::Run(run) = Cli::try_parse_from(words).unwrap().command else { panic!() };
            assert_eq!(run.options, ["suite=share"]);
        }
    }
}
