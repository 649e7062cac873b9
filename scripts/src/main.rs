//! Tacet's host side: everything that happens outside the guest.
//!
//! `scripts/run` and `scripts/test` end here, and so does `cargo xtask`. The path of the main job:
//! [`cli`] reads the arguments, [`image`] builds the kernel and fills in its symbols, [`qemu`]
//! turns a machine description into a command line, [`guest`] watches what that machine prints and
//! judges how it ended, [`screen`] shows it meanwhile, and [`summary`] has the last word.

mod bochs;
mod cli;
mod compare;
mod emulator;
mod gdb;
mod guest;
mod image;
mod input;
mod interrupt;
mod log;
mod matrix;
mod mutants;
mod place;
mod process;
mod qemu;
mod replay;
mod results;
mod run;
mod screen;
mod sim;
mod soak;
mod style;
mod summary;
mod test;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            style::complain(&error);
            ExitCode::from(cli::BAD_INPUT)
        }
    }
}
