//! A deterministic simulator: the real scheduler on virtual CPUs, in virtual time.
//!
//! [`world`] holds the machine, [`kernel`] does around the scheduler what the kernel does, [`program`] says
//! what threads do, [`machine`] what the machine does to them; [`check`] tells after every event whether all
//! is as it must be, and [`measure`] how fair it was. Everything follows from one seed.

pub mod check;
pub mod events;
pub mod kernel;
pub mod machine;
pub mod measure;
pub mod program;
pub mod scenario;
pub mod storm;
pub mod trace;
pub mod world;
