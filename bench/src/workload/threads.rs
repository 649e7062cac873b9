//! `threads/alive`, `threads/storm`: many threads, at once and one after the other, and what they leave behind.
//!
//! Scenario of `alive`: 10,000 threads are created and park, anywhere; when all have, each is unparked and joined. Every
//! sixteenth has a stack of twice the usual size. A sample is the creation of one. Of `storm`: on each of up to four CPUs' behalf a thread creates others, 32 at a time, which run
//! and are joined, 100,000 in all; the one sample is the whole time over their number.
//! Expected: all ran; and the kernel's memory is as it was before: bytes of its heap, stacks mapped, stacks and slots
//! unused. One round unmeasured comes before, since memory for stacks is kept for the next threads.
//! A miss: a handle, a result, a stack or a slot is not given back.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::timing::{all_cpus, in_thread};
use super::{Lab, MS, Timed, Trouble};
use crate::os::{Memory, Os, SpawnError, Spec};
use crate::report::Report;
use crate::verdict::Judgement;

/// Threads of a storm for each that is alive at once in `alive`.
const STORM: usize = 10;
/// Of those alive at once, every so many-th has a stack of [`LARGE`] bytes.
const PER_LARGE: usize = 16;
const LARGE: usize = 64 << 10;
/// Threads that a spawner has at a time.
const BATCH: usize = 32;
const SPAWNERS: usize = 4;
/// How long the last stacks and slots may take to be given back: a thread that was joined may still have to be left.
const PATIENCE_NS: u64 = 1_000 * MS;

pub fn alive<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    let crowd = lab.effort.crowd;
    measured::<O>(name, lab, report, "alive at once", crowd, move |timed| crowded::<O>(crowd, timed))
}

pub fn storm<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    let each = (lab.effort.crowd * STORM / SPAWNERS).next_multiple_of(BATCH);
    let total = each * SPAWNERS;
    measured::<O>(name, lab, report, "ran and were joined", total, move |timed| storming::<O>(each, timed))
}

/// Runs `work` twice, the second time measured; it tells how many threads there were.
fn measured<O: Os>(
    name: &str,
    lab: &Lab,
    report: &mut Report<'_>,
    what: &str,
    expected: usize,
    work: impl Fn(&mut Timed) -> Result<usize, SpawnError> + Send + 'static,
) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let (timed, threads, [before, after]) = in_thread::<O, _, _>(&Spec::new("control"), move || {
        let mut timed = Timed::with_room(&effort);
        let warm = work(&mut timed);
        timed.samples.clear();
        timed.operations = 0;
        let (before, spent) = (settled::<O>(None), all_cpus::<O>());
        let threads = warm.and_then(|_| work(&mut timed));
        timed.spent = all_cpus::<O>().since(&spent);
        (timed, threads, [before, settled::<O>(Some(before))])
    })?;
    let threads = threads.map_err(|error| Trouble::Skipped(format!("{expected} threads: {error}")))?;
    let text = if before == after { format!("memory as before: {before}") } else { grown(&before, &after) };
    let judgement = Judgement::new()
        .check(threads == expected, format!("{threads} of {expected} threads {what}"))
        .check(before == after, text);
    report.latency(timed, &judgement)
}

fn grown(before: &Memory, after: &Memory) -> String {
    format!("memory before: {before}; after: {after}")
}

/// What is in use once nothing changes, or once it's `expected`.
fn settled<O: Os>(expected: Option<Memory>) -> Memory {
    let end = O::now() + PATIENCE_NS;
    let mut last = O::memory();
    loop {
        O::sleep(MS);
        let now = O::memory();
        if expected.map_or(now == last, |expected| now == expected) || O::now() > end {
            return now;
        }
        last = now;
    }
}

/// So many at once; how many were.
fn crowded<O: Os>(crowd: usize, timed: &mut Timed) -> Result<usize, SpawnError> {
    let (up, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut threads = Vec::with_capacity(crowd);
    let mut refused = None;
    while threads.len() < crowd && refused.is_none() {
        let (up, stop) = (up.clone(), stop.clone());
        let stack = threads.len().is_multiple_of(PER_LARGE).then_some(LARGE);
        let start = O::now();
        let thread = O::spawn(&Spec { stack, ..Spec::new("one of many") }, move || {
            up.fetch_add(1, Relaxed);
            while !stop.load(Relaxed) {
                O::park();
            }
        });
        timed.keep(O::now().saturating_sub(start));
        timed.operations += 1;
        match thread {
            Ok(thread) => threads.push(thread),
            Err(error) => refused = Some(error),
        }
    }
    while up.load(Relaxed) < threads.len() {
        O::sleep(MS);
    }
    let alive = up.load(Relaxed);
    stop.store(true, Relaxed);
    for thread in &threads {
        O::unpark(&O::thread(thread));
    }
    threads.into_iter().for_each(O::join);
    refused.map_or(Ok(alive), Err)
}

/// So many one after the other, by each of several; how many ran.
fn storming<O: Os>(each: usize, timed: &mut Timed) -> Result<usize, SpawnError> {
    let ran = Arc::new(AtomicUsize::new(0));
    let spawners: Vec<_> = (0..SPAWNERS)
        .map(|_| {
            let ran = ran.clone();
            O::spawn(&Spec::new("spawner"), move || (0..each / BATCH).try_for_each(|_| batch::<O>(&ran)))
        })
        .collect();
    let start = O::now();
    let mut refused = None;
    for spawner in spawners {
        if let Err(error) = spawner.and_then(O::join) {
            refused = Some(error);
        }
    }
    timed.keep(O::now().saturating_sub(start) / (each * SPAWNERS) as u64);
    timed.operations = (each * SPAWNERS) as u64;
    refused.map_or(Ok(ran.load(Relaxed)), Err)
}

fn batch<O: Os>(ran: &Arc<AtomicUsize>) -> Result<(), SpawnError> {
    let threads: Vec<_> = (0..BATCH)
        .map(|_| {
            let ran = ran.clone();
            O::spawn(&Spec::new("drop"), move || _ = ran.fetch_add(1, Relaxed))
        })
        .collect();
    let mut refused = None;
    for thread in threads {
        match thread {
            Ok(thread) => O::join(thread),
            Err(error) => refused = Some(error),
        }
    }
    refused.map_or(Ok(()), Err)
}
