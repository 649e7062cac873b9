//! Models: loom runs the scheduler's own code in every order of events that a weak memory allows.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p sched --profile models models -- --nocapture 2>/dev/null
//! ```
//!
//! Without `--cfg loom` each runs a hundred times on the host's own threads ([`stress`]). That explores little, but on real
//! caches, and in a few seconds.
//!
//! Each model says which mutation of the code it has been seen to catch. Where the doc says *race*, the order of
//! two threads decides; where it says *stale*, a load that C11 lets read an old value.
//!
//! A model has a bound on preemptions, so that all of them end in a minute: `LOOM_MAX_PREEMPTIONS=n` sets another,
//! `LOOM_UNBOUNDED=1` removes it. Some have more orders than anyone can wait for, so give a model some seconds then:
//!
//! ```text
//! LOOM_UNBOUNDED=1 LOOM_MAX_DURATION=900 RUSTFLAGS="--cfg loom" cargo test -p sched --profile models models -- --nocapture 2>/dev/null
//! ```
//!
//! Each prints how many executions it took, in what time, and whether that was all.
//!
//! Loom tries another order where two threads touch one word, and remembers one access to it by each. What a thread
//! does with a word last may hide what it did first: where a model has a `yield_now`, it makes sure of an order.
//!
//! **What loom can't show.** It gives a read-modify-write the newest value, also where it fails, and makes a `SeqCst`
//! fence acquire all that earlier `SeqCst` fences released, so that an ordering may be weakened unseen where only such
//! accesses rest on it. Of those in use these are needed by C11 and can't be seen to be: Release on a bitmap's
//! summary (`bitmap.rs` has the execution), and Acquire and Release on a joiner's or a waiter's id (a wake by it must
//! see its task's creation, or a failed compare-and-swap could take it for a stale one). It has no order between a
//! store and another thread's read-modify-write that came before (`sync::overwrite`). And it has no interrupts:
//! here they come where the kernel turns them on; the preempt word, which is about nothing else, is explored by
//! `arch`'s own test.

mod controls;
mod cpus;
mod crowd;
mod handshake;
mod inbox;
mod inheritance;
mod machine;
mod primitives;
mod primitives_gate;
mod primitives_rwlock;
mod primitives_shared;
mod primitives_timed;
mod pull;
mod questions;
mod ranks;
mod rcu;
mod scene;
mod sets;
mod stack;
mod state;
#[cfg(not(loom))]
mod stress;
mod threads;

#[cfg(not(loom))]
use stress::explore;

/// Runs `model` in every order with at most `preemptions` preemptions, unless the environment says otherwise.
#[cfg(loom)]
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    use core::sync::atomic::{AtomicU64, Ordering};
    use std::sync::Arc;
    use std::time::Instant;
    use std::{env, println, thread};

    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = match env::var_os("LOOM_UNBOUNDED") {
        Some(_) => None,
        None => builder.preemption_bound.or(Some(preemptions)),
    };
    // Enough for whole CPUs: a decision takes some hundred accesses.
    builder.max_branches = builder.max_branches.max(10_000);
    // How often loom looks at the clock.
    builder.checkpoint_interval = 64;
    let (executions, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let counted = Arc::clone(&executions);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let name = thread::current().name().unwrap_or_default().to_owned();
    let (executions, spent) = (executions.load(Ordering::Relaxed), started.elapsed());
    let cut = if builder.max_duration.is_some_and(|limit| spent >= limit) { ", cut short" } else { "" };
    println!("{name}: {executions} executions in {:.1} s{cut}", spent.as_secs_f64());
}
