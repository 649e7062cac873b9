//! Tacet's scheduler.
#![cfg_attr(not(any(test, loom)), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, loom))]
extern crate std;

pub mod affinity;
pub mod attention;
pub mod bitmap;
pub mod config;
pub mod cpu;
pub mod decay;
pub mod heap;
pub mod id;
pub mod inbox;
pub mod mailbox;
pub mod meter;
#[cfg(all(test, loom))]
mod models;
pub mod outbox;
pub mod policy;
pub mod queue;
pub mod shared;
pub mod state;
pub mod stats;
pub mod sync;
pub mod task;
pub mod time;
pub mod timers;

pub use affinity::Affinity;
pub use config::Config;
pub use cpu::{After, Arm, Cpu, Decision, Next, Reason, Rest, WakeOutcome};
pub use id::{CpuId, TaskId};
pub use shared::Shared;
pub use task::{NORMAL_WEIGHT, Spec, Task};
pub use time::Nanos;
