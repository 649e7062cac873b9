//! A deterministic simulator: the real scheduler on virtual CPUs, in virtual time.
//!
//! A [`case`] says it all: a [`machine`], threads and what they do ([`program`]), and how long. [`world`] holds the
//! machine's state; [`kernel`] does around the scheduler what the kernel does, and [`steps`] what threads do;
//! [`check`] tells after every event whether all is as it must be, within the [`bounds`] stated, and [`measure`] what
//! everybody got. A case that fails is made small by [`shrink`]. Cases come from [`storm`], [`fairness`] and [`regressions`]. Everything follows from a case's seed.

mod bounds;
mod case;
mod check;
mod command;
mod events;
mod fairness;
mod kernel;
mod machine;
mod measure;
mod panic;
mod plant;
mod program;
mod regressions;
mod report;
mod series;
mod shape;
mod shrink;
mod steps;
mod storm;
#[cfg(test)]
mod tests;
mod trace;
mod world;

pub use command::Sim;
