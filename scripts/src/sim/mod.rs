//! A deterministic simulator: the real scheduler on virtual CPUs, in virtual time.
//!
//! [`world`] holds the machine, [`kernel`] does around the scheduler what the kernel does, [`program`] says
//! what threads do, [`machine`] what the machine does to them; [`check`] tells after every event whether all
//! is as it must be, and [`measure`] how fair it was. Everything follows from one seed.

mod check;
mod command;
mod events;
mod kernel;
mod machine;
mod measure;
mod program;
mod scenario;
mod storm;
mod trace;
mod world;

pub use command::Sim;
