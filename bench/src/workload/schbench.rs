//! `schbench/wakeup`, `schbench/request`: a message thread that hands work to workers (schbench).
//!
//! Scenario: as many workers as CPUs, and a message thread, go where the kernel likes. A worker tells the message thread
//! that it has nothing to do, and parks; the message thread notes the time and unparks it. Then the worker handles a
//! request: it waits 100 µs, as if for the network, and computes for about as long. `wakeup` is from the note to
//! the worker's first instruction, `request` from there to the answer.
//! Expected: every request is answered; the rest is a figure of the machine. A wake-up that takes as long as a computation
//! had to wait for one: the worker was put behind a busy CPU while another one idled, or didn't preempt. `request` has a
//! floor, wait and computation, and its tail is what threads that share a CPU take from each other.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU64};

use super::timing::{all_cpus, in_thread};
use super::{Effort, Lab, Timed, Trouble};
use crate::os::{Os, Spec};
use crate::report::Report;
use crate::verdict::Judgement;

const NETWORK_NS: u64 = 100_000;
/// Steps of the computation: six instructions each, or so.
const STEPS: u64 = 17_000;

/// Which of the two times is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// From the wake to the worker's first instruction.
    Wakeup,
    /// From there to the answer.
    Request,
}

/// A worker's place in the message thread's book.
#[derive(Default)]
struct Desk {
    /// When the worker was last woken; 0 while it hasn't been.
    woken_at: AtomicU64,
}

/// What all threads share.
struct Office {
    desks: Vec<Desk>,
    closed: AtomicBool,
}

/// What became of a worker.
#[derive(Default)]
struct Done {
    times: Vec<u64>,
    requests: u64,
}

pub fn run<O: Os>(name: &str, what: What, lab: &Lab, report: &mut Report<'_>) -> Result<(), Trouble> {
    report.begin(name);
    let effort = lab.effort;
    let (timed, handed) = in_thread::<O, _, _>(&Spec::new(name), move || open::<O>(what, &effort))??;
    let rate = timed.operations as f64 / effort.second_ns as f64 * 1e9;
    let judgement = Judgement::new()
        .check(timed.operations == handed, format!("{handed} requests, {} answered", timed.operations))
        .check(true, format!("{rate:.0} requests/s"))
        .informing("a figure of the machine");
    report.latency(timed, &judgement)
}

/// Runs the office for a while: the times asked for, and how many requests were handed out.
fn open<O: Os>(what: What, effort: &Effort) -> Result<(Timed, u64), Trouble> {
    let desks = (0..O::cpus()).map(|_| Desk::default()).collect();
    let office = Arc::new(Office { desks, closed: AtomicBool::new(false) });
    let room = effort.samples;
    let before = all_cpus::<O>();
    let (idle, waiting) = O::channel::<(usize, O::Thread)>(O::cpus());
    let book = office.clone();
    let messenger = O::spawn(&Spec::new("messenger"), move || book.hand_out::<O>(&waiting))?;
    let mut workers = Vec::with_capacity(O::cpus());
    let mut trouble = None;
    for desk in 0..O::cpus() {
        let (office, idle) = (office.clone(), idle.clone());
        match O::spawn(&Spec::new("worker"), move || office.work::<O>(desk, what, &idle, room)) {
            Ok(worker) => workers.push(worker),
            Err(error) => trouble = Some(error),
        }
    }
    drop(idle);
    O::sleep(effort.second_ns);
    office.closed.store(true, Relaxed);
    let mut timed = Timed { samples: Vec::with_capacity(room * workers.len()), ..Timed::default() };
    for worker in workers {
        let done = O::join(worker);
        done.times.into_iter().for_each(|time| timed.keep(time));
        timed.operations += done.requests;
    }
    let handed = O::join(messenger);
    timed.spent = all_cpus::<O>().since(&before);
    trouble.map_or(Ok((timed, handed)), |error| Err(error.into()))
}

impl Office {
    /// The message thread: wakes whoever has nothing to do. Returns how often, once all workers are gone.
    fn hand_out<O: Os>(&self, waiting: &O::Receiver<(usize, O::Thread)>) -> u64 {
        let mut handed = 0;
        while let Some((desk, worker)) = O::receive(waiting) {
            handed += 1;
            // Release: pairs with the Acquire in `work`.
            self.desks[desk].woken_at.store(O::now().max(1), Release);
            O::unpark(&worker);
        }
        handed
    }

    /// A worker, until the office closes.
    fn work<O: Os>(
        &self,
        desk: usize,
        what: What,
        idle: &O::Sender<(usize, O::Thread)>,
        room: usize,
    ) -> Done {
        let mut done = Done { times: Vec::with_capacity(room), requests: 0 };
        let (me, woken_at) = (O::current(), &self.desks[desk].woken_at);
        while !self.closed.load(Relaxed) {
            woken_at.store(0, Relaxed);
            O::send(idle, (desk, me.clone()));
            // Acquire: pairs with the Release in `hand_out`.
            while woken_at.load(Acquire) == 0 {
                O::park();
            }
            let begin = O::now();
            O::sleep(NETWORK_NS);
            compute();
            let time = match what {
                What::Wakeup => begin.saturating_sub(woken_at.load(Relaxed)),
                What::Request => O::now().saturating_sub(begin),
            };
            if done.times.len() < room {
                done.times.push(time);
            }
            done.requests += 1;
        }
        done
    }
}

/// Some work for the CPU alone.
fn compute() {
    let mut state = 1_u64;
    for _ in 0..STEPS {
        state = black_box(state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
    }
}
