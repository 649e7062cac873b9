//! `messaging`: groups of senders and receivers (hackbench, `perf bench sched messaging`).
//!
//! Scenario: in each group every one of ten senders sends 100 bytes to every one of ten receivers, again and again, by
//! channels of ten messages. All start at once; a sample is the time until the last thread has ended, a message.
//! Expected: every message arrives, once; a message costs at most four switches, where sender and receiver each wait for
//! every one and their CPUs idle meanwhile. Channels that hold several, and busy CPUs, save most of that.
//! A miss in messages: a wake-up was lost, or a message. In switches: whoever is woken finds a lock held and blocks again
//! (no hand-off or no wait morphing), or a wake-up preempts at once whoever has more to send.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::timing::{all_cpus, in_thread};
use super::{Effort, Lab, Timed, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;
use crate::units::Time;
use crate::verdict::Judgement;

/// Senders, and receivers, of a group.
const SIDE: usize = 10;
const GROUPS: usize = 2;
/// Messages that a channel holds.
const PLACES: usize = 10;
/// Switches a message: to and from a sender, to and from a receiver.
const MOST_SWITCHES: f64 = 4.0;

type Message = [u8; 100];

/// How much is sent: what each sender sends to each receiver, and how often it's all done again.
fn amount(effort: &Effort) -> (usize, usize) {
    if effort.all_cases { (50, 5) } else { (10, 3) }
}

/// What lets all begin at once.
#[derive(Default)]
struct Start {
    ready: AtomicUsize,
    go: AtomicBool,
}

impl Start {
    /// Says that a thread is there, and waits for the others.
    fn line_up<O: Os>(&self) {
        self.ready.fetch_add(1, Relaxed);
        while !self.go.load(Relaxed) {
            O::park();
        }
    }
}

pub fn run<O: Os>(name: &str, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let (loops, rounds) = amount(&lab.effort);
    let (timed, received) = in_thread::<O, _, _>(&Spec::new(name), move || repeat::<O>(loops, rounds))??;
    let sent = timed.operations;
    let ns: u64 = timed.samples.iter().sum::<u64>() / rounds as u64 * (sent / rounds as u64);
    let rate = sent as f64 / rounds as f64 / ns.max(1) as f64 * 1e9;
    let text = format!("a round of {} in {}, {rate:.0} messages/s", sent / rounds as u64, Time(ns));
    let judgement = Judgement::new()
        .check(received == sent, format!("{sent} messages sent, {received} received"))
        .at_most("switches a message", timed.per_op().switches, MOST_SWITCHES, "")
        .check(true, text)
        .informing("a figure of the machine");
    report.latency(timed, &judgement)
}

/// The rounds' ns a message, and how many messages came.
fn repeat<O: Os>(loops: usize, rounds: usize) -> Result<(Timed, u64), Trouble> {
    let messages = (GROUPS * SIDE * SIDE * loops) as u64;
    let mut timed = Timed { samples: Vec::with_capacity(rounds), ..Timed::default() };
    let mut received = 0;
    let before = all_cpus::<O>();
    for _ in 0..rounds {
        let (ns, arrived) = round::<O>(loops)?;
        timed.keep(ns / messages);
        timed.operations += messages;
        received += arrived;
    }
    timed.spent = all_cpus::<O>().since(&before);
    Ok((timed, received))
}

/// One round: its ns, and how many messages came.
fn round<O: Os>(loops: usize) -> Result<(u64, u64), Trouble> {
    let start = Arc::new(Start::default());
    let mut senders = Vec::with_capacity(GROUPS * SIDE);
    let mut receivers = Vec::with_capacity(GROUPS * SIDE);
    let mut trouble = None;
    for _ in 0..GROUPS {
        trouble = trouble.or(group::<O>(loops, &start, &mut senders, &mut receivers).err());
    }
    while start.ready.load(Relaxed) < senders.len() + receivers.len() {
        O::yield_now();
    }
    let begin = O::now();
    start.go.store(true, Relaxed);
    for receiver in &receivers {
        O::unpark(&O::thread(receiver));
    }
    for sender in &senders {
        O::unpark(&O::thread(sender));
    }
    senders.into_iter().for_each(O::join);
    let arrived = receivers.into_iter().map(O::join).sum();
    let ns = O::now().saturating_sub(begin);
    trouble.map_or(Ok((ns, arrived)), Err)
}

/// Starts a group's threads.
fn group<O: Os>(
    loops: usize,
    start: &Arc<Start>,
    senders: &mut Vec<O::JoinHandle<()>>,
    receivers: &mut Vec<O::JoinHandle<u64>>,
) -> Result<(), Trouble> {
    let mut outlets = Vec::with_capacity(SIDE);
    for _ in 0..SIDE {
        let (outlet, inlet) = O::channel::<Message>(PLACES);
        let start = start.clone();
        receivers.push(O::spawn(&Spec::new("receiver"), move || {
            start.line_up::<O>();
            core::iter::from_fn(|| O::receive(&inlet)).map(|message| u64::from(message[0])).sum()
        })?);
        outlets.push(outlet);
    }
    for _ in 0..SIDE {
        let (outlets, start) = (outlets.clone(), start.clone());
        senders.push(O::spawn(&Spec::new("sender"), move || {
            start.line_up::<O>();
            for _ in 0..loops {
                for outlet in &outlets {
                    O::send(outlet, [1; 100]);
                }
            }
        })?);
    }
    Ok(())
}
