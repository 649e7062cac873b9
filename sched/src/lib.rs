//! Tacet's scheduler: per-CPU run queues, lock-free between CPUs, tick-less, and free of hardware.
//!
//! # The life of a wakeup
//!
//! A thread on CPU 0 unparks one that sleeps on CPU 1. This is what happens, file by file.
//!
//! 1. **The waker claims the task** ([`state`]). One compare-and-swap of the task's state word turns Blocked into
//!    Active. Whoever makes it owns the task; of two wakers one does, and a stale id makes none. Had the
//!    task still been on its way to sleep, the waker would have left a permit instead, and CPU 1 would see to
//!    it after its switch ([`cpu`], `after.rs`): a task is in nobody's hands while its stack is in use.
//! 2. **It chooses a CPU** (`cpu/place.rs`): the task's last one if that's idle, else the nearest idle one
//!    ([`topology`]), else its last.
//! 3. **It posts the task** ([`outbox`], [`inbox`]). Each ordered pair of CPUs has an inbox of its own, a list
//!    with one producer and one consumer: a link, a compare-and-swap, then a bit in CPU 1's [`bitmap`].
//! 4. **It reads CPU 1's attention** ([`attention`]). A CPU that polls will see the bit by itself; so will one
//!    whose timer is about to fire. One that halted is sent an interrupt. The fence on either side makes sure
//!    that one of the two sees the other's store.
//! 5. **CPU 1 looks** (`cpu/arrive.rs`). The interrupt's handler, or the polling loop, calls
//!    [`Cpu::reschedule`]; that takes the bits, then the inboxes, and gives each task its place in virtual
//!    time ([`policy`], [`decay`]) and in the run queue ([`queue`], [`heap`]).
//! 6. **It decides** (`cpu/reschedule.rs`): who runs, and when the timer must fire next. The timer is written only if
//!    that is earlier than what is armed. The answer is a value, [`Decision`]; the kernel arms and switches.
//! 7. **The task runs.** First of all, on its stack, [`Cpu::switched`] completes what the task before it
//!    began: to block, to move, or to end.
//!
//! # Where things are
//!
//! [`Shared`] is what all CPUs see: the task table ([`task`]) and a [`mailbox`] for each. [`Cpu`] is what its
//! owner alone touches: `&mut Cpu` means "this CPU, interrupts off". Tasks that must wait for a time are in
//! [`timers`]; giving work away is `cpu/balance.rs`, having none is `cpu/idle.rs`. What threads block on beside
//! timers is in [`primitives`].
//!
//! The crate contains no unsafe code: what crosses CPUs is a slot number and atomics, never a reference. So
//! the same lines run in the kernel, in the simulator (`cargo xtask sim`), and under the model checker
//! (`src/models`), which sees every order that memory may take. With the feature `tape` a kernel records what it
//! read, and `cargo xtask replay` runs these lines again on it (`src/tape`).
#![cfg_attr(not(any(test, loom)), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, loom))]
extern crate std;

pub mod affinity;
pub mod attention;
pub mod bitmap;
pub mod class;
pub mod config;
pub mod cpu;
pub mod cpuset;
pub mod decay;
#[cfg(all(test, not(loom)))]
mod driven;
pub mod heap;
pub mod id;
pub mod inbox;
pub mod mailbox;
pub mod meter;
#[cfg(all(test, any(loom, not(feature = "tape"))))]
mod models;
pub mod outbox;
pub mod policy;
pub mod primitives;
pub mod queue;
pub mod ranks;
pub mod reach;
pub mod shared;
pub mod state;
pub mod stats;
pub mod sync;
#[cfg(feature = "tape")]
pub mod tape;
pub mod task;
pub mod terms;
pub mod throttle;
pub mod time;
pub mod timers;
pub mod topology;

pub use affinity::Affinity;
pub use class::{Class, Priority};
pub use config::Config;
pub use cpu::{After, Arm, Cpu, Decision, Next, Reason, Rest, WakeOutcome};
pub use id::{CpuId, TaskId};
pub use shared::Shared;
pub use task::{NORMAL_WEIGHT, Spec, Task};
pub use time::Nanos;
pub use topology::{Seat, Topology};
